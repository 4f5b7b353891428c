package modelformat

import (
	"testing"
)

func samplesOpenVINO(testing.TB) []sample {
	return []sample{
		{path: "net.xml", data: []byte(sampleOpenVINO), format: "openvino", parts: []Part{{Path: "net.bin"}}, facts: map[string]string{FactName: "resnet", FactFormatVersion: "11"}},
	}
}

func FuzzOpenVINO(f *testing.F) { fuzzDetector(f, "openvino", "net.xml") }
