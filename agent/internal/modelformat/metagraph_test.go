package modelformat

import (
	"testing"
)

func samplesMetaGraph(testing.TB) []sample {
	return []sample{
		{path: "m.meta", data: sampleMetaGraph(), format: "tf-metagraph"},
	}
}

func FuzzMetaGraph(f *testing.F) { fuzzDetector(f, "tf-metagraph", "m.meta") }
