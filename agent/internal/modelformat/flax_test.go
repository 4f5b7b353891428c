package modelformat

import (
	"encoding/binary"
	"testing"
)

// flaxTensor is a matrix of floats as Flax writes it.
func flaxTensor(rows, columns byte) []byte {
	data := make([]byte, 4*int(rows)*int(columns))
	in := append([]byte{0x93, 0x92, rows, columns, 0xa7}, "float32"...)
	in = append(binary.BigEndian.AppendUint16(append(in, 0xc5), uint16(len(data))), data...)
	out := binary.BigEndian.AppendUint16([]byte{0xc8}, uint16(len(in)))
	return append(append(out, 1), in...)
}

func sampleFlax() []byte {
	b := append([]byte{0x82, 0xa6}, "params"...)
	b = append(append(b, 0x81, 0xa5), "Dense"...)
	b = append(append(b, 0x82, 0xa6), "kernel"...)
	b = append(append(append(b, flaxTensor(4, 8)...), 0xa4), "bias"...)
	b = append(append(append(b, flaxTensor(1, 8)...), 0xa4), "step"...)
	return append(b, 0xcd, 1, 0)
}

func samplesFlax(testing.TB) []sample {
	return []sample{
		{path: "flax_model.msgpack", data: sampleFlax(), format: "flax-msgpack", facts: map[string]string{FactFramework: "flax", FactTensors: "2", FactParameters: "40"}},
	}
}

// TestFlaxNothing: MessagePack without a tensor, with something behind it, with
// another extension, with a tensor that is longer than it says.
func TestFlaxNothing(t *testing.T) {
	whole := sampleFlax()
	wantNothing(t, "plain", "m.msgpack", append([]byte{0x81, 0xa4}, "name\xb0sixteen letters!"...))
	wantNothing(t, "tail", "m.msgpack", append(sampleFlax(), 0))
	other := sampleFlax()
	other[26] = 5 // the type of the first extension
	if whole[26] != 1 {
		t.Fatalf("byte 26 of the sample is %#x, not the extension's type", whole[26])
	}
	wantNothing(t, "extension", "m.msgpack", other)
	long := sampleFlax()
	long[25]++
	wantNothing(t, "length", "m.msgpack", long)
}

func FuzzFlax(f *testing.F) { fuzzDetector(f, "flax-msgpack", "flax_model.msgpack") }
