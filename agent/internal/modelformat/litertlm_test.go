package modelformat

import (
	"testing"
)

func samplesLiteRTLM(testing.TB) []sample {
	return []sample{
		{path: "m.litertlm", data: append([]byte("LITERTLM\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00"), make([]byte, 16)...), format: "litert-lm", facts: map[string]string{FactFormatVersion: "1.2.3"}},
	}
}

func FuzzLiteRTLM(f *testing.F) { fuzzDetector(f, "litert-lm", "m.litertlm") }
