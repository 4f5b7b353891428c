package modelformat

import (
	"testing"
)

func samplesTFCheckpoint(testing.TB) []sample {
	return []sample{
		{
			path: "variables.index", data: sampleTable("", "\x08\x02\x1a\x02\x08\x01", "dense/kernel", "dense/bias"), format: "tf-checkpoint-index",
			parts: []Part{{"variables.data-00000-of-00002", "tf-checkpoint-data"}, {"variables.data-00001-of-00002", "tf-checkpoint-data"}},
			facts: map[string]string{FactShards: "2", FactTensors: "2"},
		},
		{path: "export-00000-of-00001", data: sampleTable("", "\x0a\x02\x0a\x00", "a"), format: "tf-checkpoint-v1"},
	}
}

func FuzzTFCheckpoint(f *testing.F) { fuzzDetector(f, "tf-checkpoint", "variables.index") }
