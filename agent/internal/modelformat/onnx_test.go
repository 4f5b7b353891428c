package modelformat

import (
	"testing"
)

func samplesONNX(testing.TB) []sample {
	return []sample{
		{path: "m.onnx", data: sampleONNX(), format: "onnx", parts: []Part{{Path: "weights.bin"}}, facts: map[string]string{
			FactFormatVersion: "8", FactProducer: "pytorch", FactProducerVersion: "2.4", FactName: "tiny-graph", FactOpset: "17",
			FactLicense: "MIT", FactTensors: "1", FactParameters: "12", FactExternalData: "yes",
		}},
	}
}

func FuzzONNX(f *testing.F) { fuzzDetector(f, "onnx", "m.onnx") }
