package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesNPZ(t testing.TB) []sample {
	return []sample{
		{path: "w.npz", data: buildZip(t, zip.Store, member{"layers.0.weight.npy", sampleNPY()}), format: "npz"},
		{path: "d.npz", data: buildZip(t, zip.Store, member{"x.npy", sampleNPY()}), format: "npz", isData: true},
	}
}

func FuzzNPZ(f *testing.F) { fuzzDetector(f, "npz", "w.npz") }
