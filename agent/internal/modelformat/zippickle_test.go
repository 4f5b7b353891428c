package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesZipPickle(t testing.TB) []sample {
	torch := map[string]string{FactFramework: "torch"}
	return []sample{
		{path: "a.zip", data: buildZip(t, zip.Deflate, member{"x.txt", nil}, member{"d/m.pkl", pickleOf("torch.nn", "Linear")}), format: "zip-with-pickle", facts: torch},
	}
}

func FuzzZipPickle(f *testing.F) { fuzzDetector(f, "zip-with-pickle", "a.zip") }
