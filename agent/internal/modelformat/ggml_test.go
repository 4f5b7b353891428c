package modelformat

import (
	"encoding/binary"
	"testing"
)

func samplesGGML(testing.TB) []sample {
	return []sample{
		{path: "ggml.bin", data: whisper(), format: "ggml-legacy", facts: map[string]string{FactArchitecture: "whisper", FactSizeLabel: "base", FactQuantization: "F16"}},
		{path: "ggml.bin", data: append([]byte("tjgg\x03\x00\x00\x00"), whisper()[4:]...), format: "ggml-legacy", facts: map[string]string{FactFormatVersion: "ggjt 3"}},
	}
}

func whisper() []byte {
	b := []byte("lmgg")
	for _, n := range []uint32{51865, 1500, 512, 8, 6, 448, 512, 8, 6, 80, 1} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return append(b, make([]byte, 16)...)
}

func FuzzGGML(f *testing.F) { fuzzDetector(f, "ggml-legacy", "ggml.bin") }
