package modelformat

import (
	"encoding/binary"
	"testing"
)

func sampleCTranslate2(version uint32, spec string, variables uint32) []byte {
	le := binary.LittleEndian
	text := func(b []byte, s string) []byte {
		return append(append(le.AppendUint16(b, uint16(len(s)+1)), s...), 0)
	}
	b := text(le.AppendUint32(nil, version), spec)
	b = le.AppendUint32(le.AppendUint32(b, 3), variables)
	b = append(text(b, "encoder/layer_0/weight"), 2)
	b = le.AppendUint32(le.AppendUint32(b, 2), 2)
	return append(b, make([]byte, 32)...)
}

func samplesCTranslate2(testing.TB) []sample {
	return []sample{
		{
			path: "model.bin", data: sampleCTranslate2(6, "WhisperSpec", 1), format: "ctranslate2",
			facts: map[string]string{FactFormatVersion: "6", FactClass: "WhisperSpec", FactTensors: "1"},
		},
	}
}

// TestCTranslate2Nothing: no class, no variable, too new.
func TestCTranslate2Nothing(t *testing.T) {
	wantNothing(t, "class", "model.bin", sampleCTranslate2(6, "Whisper", 1))
	wantNothing(t, "text", "model.bin", sampleCTranslate2(6, "a Spec", 1))
	wantNothing(t, "variables", "model.bin", sampleCTranslate2(6, "WhisperSpec", 0))
	wantNothing(t, "version", "model.bin", sampleCTranslate2(700, "WhisperSpec", 1))
}

func FuzzCTranslate2(f *testing.F) { fuzzDetector(f, "ctranslate2", "model.bin") }
