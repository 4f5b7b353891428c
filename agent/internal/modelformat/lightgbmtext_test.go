package modelformat

import (
	"testing"
)

func samplesLightGBMText(testing.TB) []sample {
	return []sample{
		{path: "l.txt", data: []byte(sampleLightGBMText), format: "lightgbm-text", facts: map[string]string{FactObjective: "binary sigmoid:1", FactFormatVersion: "4"}},
	}
}

func FuzzLightGBMText(f *testing.F) { fuzzDetector(f, "lightgbm-text", "l.txt") }
