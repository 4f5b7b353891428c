package modelformat

import (
	"testing"
)

func samplesTFLite(testing.TB) []sample {
	return []sample{
		{path: "m.tflite", data: sampleFlat("TFL3"), format: "tflite", facts: map[string]string{FactFormatVersion: "3"}},
	}
}

func FuzzTFLite(f *testing.F) { fuzzDetector(f, "tflite", "m.tflite") }
