package modelformat

import (
	"testing"
)

func samplesTorchLegacy(testing.TB) []sample {
	var list []sample
	for protocol := range 6 {
		list = append(list, sample{
			path: "old.pt", data: sampleTorchLegacy(protocol), format: "pytorch-legacy",
			facts: map[string]string{FactFramework: "torch", FactTensors: "1", FactImports: "collections,torch"},
		})
	}
	return list
}

func FuzzTorchLegacy(f *testing.F) { fuzzDetector(f, "pytorch-legacy", "old.pt") }
