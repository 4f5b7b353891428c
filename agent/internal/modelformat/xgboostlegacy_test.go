package modelformat

import (
	"testing"
)

func samplesXGBoostLegacy(testing.TB) []sample {
	return []sample{
		{path: "x.model", data: sampleXGBoostLegacy(), format: "xgboost-binary-legacy", facts: map[string]string{FactObjective: "binary:logistic", FactArchitecture: "gbtree"}},
	}
}

func FuzzXGBoostLegacy(f *testing.F) { fuzzDetector(f, "xgboost-binary-legacy", "x.model") }
