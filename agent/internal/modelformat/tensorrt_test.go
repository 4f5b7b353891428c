package modelformat

import (
	"testing"
)

func samplesTensorRT(testing.TB) []sample {
	return []sample{
		{path: "m.engine", data: append([]byte("ptrt\xee\x00\x00\x00"), make([]byte, 64)...), format: "tensorrt"},
	}
}

func FuzzTensorRT(f *testing.F) { fuzzDetector(f, "tensorrt", "m.engine") }
