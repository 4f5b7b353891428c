package modelformat

import (
	"encoding/binary"
	"testing"
)

func sampleFastText(version, dim, kind uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(le.AppendUint32(nil, fastTextMagic), version)
	for _, v := range []uint32{dim, 5, 5, 1, 5, 1, 2, kind, 0, 3, 6, 100} {
		b = le.AppendUint32(b, v)
	}
	return append(b, make([]byte, 32)...)
}

func samplesFastText(testing.TB) []sample {
	return []sample{
		{path: "lid.176.bin", data: sampleFastText(12, 16, 3), format: "fasttext", facts: map[string]string{FactFormatVersion: "12", FactArchitecture: "supervised"}},
		{path: "cc.en.300", data: sampleFastText(11, 300, 2), format: "fasttext", facts: map[string]string{FactArchitecture: "skipgram"}},
	}
}

// TestFastTextNothing: the magic with values that no model has.
func TestFastTextNothing(t *testing.T) {
	wantNothing(t, "version", "m.bin", sampleFastText(1<<20, 16, 3))
	wantNothing(t, "dimension", "m.bin", sampleFastText(12, 0, 3))
	wantNothing(t, "short", "m.bin", sampleFastText(12, 16, 3)[:40])
}

func FuzzFastText(f *testing.F) { fuzzDetector(f, "fasttext", "lid.176.bin") }
