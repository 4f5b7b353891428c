package modelformat

import (
	"testing"
)

func samplesXGBoost(testing.TB) []sample {
	return []sample{
		{path: "x.json", data: []byte(sampleXGBoostJSON), format: "xgboost-json", facts: map[string]string{FactObjective: "reg:squarederror", FactArchitecture: "gbtree"}},
		{path: "x.ubj", data: []byte("{L\x00\x00\x00\x00\x00\x00\x00\x07learner{L\x00\x00\x00\x00\x00\x00\x00\x0aattributes{}}"), format: "xgboost-ubj"},
	}
}

func FuzzXGBoost(f *testing.F) { fuzzDetector(f, "xgboost", "x.json") }
