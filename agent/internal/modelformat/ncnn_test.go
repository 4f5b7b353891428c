package modelformat

import (
	"testing"
)

func samplesNCNN(testing.TB) []sample {
	return []sample{
		{path: "Net.param", data: []byte(sampleNCNN), format: "ncnn", parts: []Part{{Path: "Net.bin"}}},
	}
}

func FuzzNCNN(f *testing.F) { fuzzDetector(f, "ncnn", "net.param") }
