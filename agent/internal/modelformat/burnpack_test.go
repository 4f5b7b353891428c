package modelformat

import (
	"testing"
)

func samplesBurnpack(testing.TB) []sample {
	return []sample{
		{path: "m.bpk", data: sampleBurnpack(), format: "burnpack", facts: map[string]string{FactTensors: "1"}},
	}
}

func FuzzBurnpack(f *testing.F) { fuzzDetector(f, "burnpack", "m.bpk") }
