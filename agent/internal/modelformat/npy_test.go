package modelformat

import (
	"testing"
)

func samplesNPY(testing.TB) []sample {
	return []sample{
		{path: "d.npy", data: sampleNPY(), format: "npy", isData: true},
	}
}

func FuzzNPY(f *testing.F) { fuzzDetector(f, "npy", "d.npy") }
