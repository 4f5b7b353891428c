package modelformat

import (
	"testing"
)

func samplesLightGBMJSON(testing.TB) []sample {
	return []sample{
		{path: "l.json", data: []byte(sampleLightGBMJSON), format: "lightgbm-json", facts: map[string]string{FactObjective: "regression"}},
	}
}

func FuzzLightGBMJSON(f *testing.F) { fuzzDetector(f, "lightgbm-json", "l.json") }
