package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesH2OMOJO(t testing.TB) []sample {
	ini := "[info]\nh2o_version = 3.46.0.1\nmojo_version = 1.40\nalgorithm = Gradient Boosting Machine\ncategory = Binomial\n\n[columns]\na\n"
	return []sample{
		{
			path: "m.zip", data: buildZip(t, zip.Deflate, member{"model.ini", []byte(ini)}, member{"trees/t00_000.bin", make([]byte, 8)}), format: "h2o-mojo",
			facts: map[string]string{FactProducerVersion: "3.46.0.1", FactFormatVersion: "1.40", FactArchitecture: "Gradient Boosting Machine", FactObjective: "Binomial"},
		},
	}
}

// TestH2OMOJONothing: other programs have a model.ini too.
func TestH2OMOJONothing(t *testing.T) {
	wantNothing(t, "game", "m.zip", buildZip(t, zip.Store, member{"model.ini", []byte("[info]\nname = tank\n\n[columns]\nh2o_version = 1\nmojo_version = 1\n")}))
	wantNothing(t, "no section", "m.zip", buildZip(t, zip.Store, member{"model.ini", []byte("h2o_version = 1\nmojo_version = 1\n")}))
}

func FuzzH2OMOJO(f *testing.F) { fuzzDetector(f, "h2o-mojo", "m.zip") }
