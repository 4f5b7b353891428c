package modelformat

import (
	"encoding/binary"
	"testing"
)

func sampleOM(header, partitions, size uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, omHeader)
	copy(b, "IMOD")
	le.PutUint32(b[4:], header)
	le.PutUint32(b[8:], 0x10000000)
	copy(b[84:], "resnet50")
	b = le.AppendUint32(b, partitions)
	for range min(partitions, 2) {
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, 0), 0), size)
	}
	return append(b, make([]byte, 64)...)
}

func samplesAscendOM(testing.TB) []sample {
	return []sample{
		{path: "m.om", data: sampleOM(omHeader, 2, 64), format: "ascend-om", facts: map[string]string{FactName: "resnet50", FactTargetPlatform: "ascend"}},
		{path: "m.om", data: sampleOM(omHeader, 1, 1<<20), format: "ascend-om", weak: true},
	}
}

// TestAscendOMNothing: the letters with another header, and with no partition.
func TestAscendOMNothing(t *testing.T) {
	wantNothing(t, "header", "m.om", sampleOM(128, 2, 64))
	wantNothing(t, "no partition", "m.om", sampleOM(omHeader, 0, 64))
	wantNothing(t, "many", "m.om", sampleOM(omHeader, 1<<20, 64))
}

func FuzzAscendOM(f *testing.F) { fuzzDetector(f, "ascend-om", "m.om") }
