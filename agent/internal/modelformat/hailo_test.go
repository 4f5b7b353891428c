package modelformat

import (
	"encoding/binary"
	"testing"
)

func sampleHailo(version, size uint32) []byte {
	be := binary.BigEndian
	return append(be.AppendUint32(be.AppendUint32([]byte("\x01HEF"), version), size), make([]byte, 64)...)
}

func samplesHailo(testing.TB) []sample {
	return []sample{
		{path: "m.hef", data: sampleHailo(0, 32), format: "hailo-hef", facts: map[string]string{FactFormatVersion: "0", FactTargetPlatform: "hailo"}},
		{path: "m", data: sampleHailo(3, 48), format: "hailo-hef", facts: map[string]string{FactFormatVersion: "3"}},
	}
}

// TestHailoNothing: a message longer than the file, and none.
func TestHailoNothing(t *testing.T) {
	wantNothing(t, "long", "m.hef", sampleHailo(0, 1<<20))
	wantNothing(t, "empty", "m.hef", sampleHailo(0, 0))
	wantNothing(t, "version", "m.hef", sampleHailo(1<<24, 32))
}

func FuzzHailo(f *testing.F) { fuzzDetector(f, "hailo-hef", "m.hef") }
