package modelformat

import (
	"testing"
)

func samplesRKNN(t testing.TB) []sample {
	return []sample{
		{path: "m.rknn", data: sampleRKNN(t), format: "rknn", facts: map[string]string{FactName: "yolo", FactProducerVersion: "1.6.0"}},
	}
}

func FuzzRKNN(f *testing.F) { fuzzDetector(f, "rknn", "m.rknn") }
