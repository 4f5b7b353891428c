package modelformat

import (
	"testing"
)

const sampleTriton = `# a model of text
name: "embed"
backend: "python"
max_batch_size: 8
input [
  {
    name: "text"
    data_type: TYPE_STRING
    dims: [ 1 ]
  }
]
output [ { name: "vector" data_type: TYPE_FP32 dims: [ 384 ] } ]
`

func samplesTriton(testing.TB) []sample {
	return []sample{
		{path: "config.pbtxt", data: []byte(sampleTriton), format: "triton-config", facts: map[string]string{FactName: "embed", FactFramework: "python", FactCode: "python"}},
		{path: "config.pbtxt", data: []byte("platform: \"onnxruntime_onnx\"\nmax_batch_size: 0\n"), format: "triton-config", facts: map[string]string{FactFramework: "onnxruntime_onnx"}},
	}
}

// TestTritonNothing: another program's configuration of the same name, and the
// same text under another name.
func TestTritonNothing(t *testing.T) {
	wantNothing(t, "other", "config.pbtxt", []byte("server {\n  platform: \"x\"\n  input: \"y\"\n}\n"))
	wantNothing(t, "name", "notes.txt", []byte(sampleTriton))
}

func FuzzTriton(f *testing.F) { fuzzDetector(f, "triton-config", "config.pbtxt") }
