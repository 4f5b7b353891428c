package modelformat

import (
	"testing"
)

func samplesPickle(t testing.TB) []sample {
	return []sample{
		{path: "clf.pkl", data: pickleOf("sklearn.linear_model._base", "LinearRegression"), format: "pickle", facts: map[string]string{FactFramework: "sklearn", FactFormatVersion: "2"}},
		{path: "clf.pkl", data: pickle4Of("xgboost.sklearn", "XGBClassifier"), format: "pickle", facts: map[string]string{FactFramework: "xgboost", FactFormatVersion: "4"}},
		{path: "clf.pkl", data: pack(t, pickleOf("sklearn.svm", "SVC")), format: "pickle", facts: map[string]string{FactFramework: "sklearn", FactCompression: "zlib"}},
		{path: "run.pkl", data: []byte("cposix\nsystem\np0\n(S'id'\np1\ntp2\nRp3\n."), format: "pickle", isData: true, facts: map[string]string{FactRiskImports: "posix.system"}},
		{path: "run.pt", data: pickleOf("os", "system"), format: "pickle", facts: map[string]string{FactRiskImports: "os.system"}},
		{path: "plain.pkl", data: []byte("\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00bK\x02u."), format: "pickle", isData: true},
	}
}

func FuzzPickle(f *testing.F) { fuzzDetector(f, "pickle", "clf.pkl") }
