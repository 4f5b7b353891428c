package modelformat

import (
	"encoding/binary"
	"testing"
)

// sampleORT writes a root with the version "5" and, if whole, a model.
func sampleORT(whole bool) []byte {
	b := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint32(b, 24) // root table
	copy(b[4:], "ORTM")
	le.PutUint16(b[12:], 8) // vtable: its size, the table's, fields 0 and 1
	le.PutUint16(b[14:], 12)
	le.PutUint16(b[16:], 4)
	if whole {
		le.PutUint16(b[18:], 8)
	}
	le.PutUint32(b[24:], 12)
	le.PutUint32(b[28:], 12) // string at 40
	le.PutUint32(b[32:], 16) // table at 48
	le.PutUint32(b[40:], 1)
	b[44] = '5'
	return b
}

func samplesONNXORT(testing.TB) []sample {
	return []sample{
		{path: "m.ort", data: sampleORT(true), format: "onnx-ort", facts: map[string]string{FactFormatVersion: "5", FactProducer: "onnxruntime"}},
		{path: "m.ort", data: sampleORT(false), format: "onnx-ort", weak: true},
	}
}

func FuzzONNXORT(f *testing.F) { fuzzDetector(f, "onnx-ort", "m.ort") }
