package modelformat

import (
	"testing"
)

func samplesTFCheckpointState(testing.TB) []sample {
	return []sample{
		{path: "checkpoint", data: []byte(sampleState), format: "tf-checkpoint-state"},
	}
}

func FuzzTFCheckpointState(f *testing.F) { fuzzDetector(f, "tf-checkpoint-state", "checkpoint") }
