package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesSkops(t testing.TB) []sample {
	return []sample{
		{
			path: "m.skops", data: buildZip(t, zip.Store, member{"schema.json", []byte(`{"__class__":"SVC","__module__":"sklearn.svm","_skops_version":"0.10"}`)}),
			format: "skops", facts: map[string]string{FactClass: "sklearn.svm.SVC"},
		},
	}
}

func FuzzSkops(f *testing.F) { fuzzDetector(f, "skops", "m.skops") }
