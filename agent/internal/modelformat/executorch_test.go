package modelformat

import (
	"testing"
)

func samplesExecuTorch(testing.TB) []sample {
	return []sample{
		{path: "m.pte", data: sampleFlat("ET12"), format: "executorch", facts: map[string]string{FactFormatVersion: "12"}},
	}
}

func FuzzExecuTorch(f *testing.F) { fuzzDetector(f, "executorch", "m.pte") }
