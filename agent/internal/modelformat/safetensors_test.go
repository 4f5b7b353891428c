package modelformat

import (
	"testing"
)

func samplesSafetensors(testing.TB) []sample {
	return []sample{
		{path: "m.safetensors", data: sampleSafetensors(), format: "safetensors", facts: map[string]string{
			FactFramework: "pt", FactName: "Tiny", FactLicense: "MIT", FactTensors: "2", FactParameters: "10", FactDTypes: "F32,BF16",
		}},
		{path: "cut.safetensors", data: sampleSafetensors()[:len(sampleSafetensors())-8], format: "safetensors", weak: true},
	}
}

func FuzzSafetensors(f *testing.F) { fuzzDetector(f, "safetensors", "m.safetensors") }
