package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesTorchServe(t testing.TB) []sample {
	return []sample{
		{
			path: "m.mar", data: buildZip(t, zip.Store, member{"MAR-INF/MANIFEST.json", []byte(`{"model":{"modelName":"bert","modelVersion":"1.0"}}`)}),
			format: "torchserve-mar", facts: map[string]string{FactName: "bert", FactVersion: "1.0"},
		},
	}
}

func FuzzTorchServe(f *testing.F) { fuzzDetector(f, "torchserve-mar", "m.mar") }
