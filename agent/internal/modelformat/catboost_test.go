package modelformat

import (
	"testing"
)

func samplesCatBoost(testing.TB) []sample {
	return []sample{
		{path: "m.cbm", data: append([]byte("CBM1\x18\x00\x00\x00\x08\x00\x00\x00"), make([]byte, 24)...), format: "catboost"},
	}
}

func FuzzCatBoost(f *testing.F) { fuzzDetector(f, "catboost", "m.cbm") }
