package modelformat

import (
	"encoding/binary"
	"testing"
)

func samplesGGUF(testing.TB) []sample {
	le := binary.AppendByteOrder(binary.LittleEndian)
	return []sample{
		{path: "m.gguf", data: sampleGGUF(3, le), format: "gguf", facts: map[string]string{
			FactArchitecture: "llama", FactName: "Tiny Llama", FactOrganization: "Example Org", FactVersion: "v0.1", FactSizeLabel: "1.1B",
			FactLicense: "apache-2.0", FactQuantization: "Q4_K_M", FactTensors: "2", FactParameters: "256", FactChatTemplate: "yes", FactFormatVersion: "3",
		}},
		{path: "m", data: sampleGGUF(2, le), format: "gguf", facts: map[string]string{FactFormatVersion: "2", FactParameters: "256"}},
		{path: "m", data: sampleGGUF(1, le), format: "gguf", facts: map[string]string{FactFormatVersion: "1", FactParameters: "256", FactName: "Tiny Llama"}},
		{path: "m", data: sampleGGUF(3, binary.BigEndian), format: "gguf", facts: map[string]string{FactByteOrder: "big", FactLicense: "apache-2.0", FactParameters: "256"}},
		{path: "m", data: sampleGGUF(3, le)[:200], format: "gguf", weak: true, facts: map[string]string{FactArchitecture: "llama"}},
		{path: "m", data: sampleGGUF(9, le), format: "gguf", weak: true},
	}
}

func FuzzGGUF(f *testing.F) { fuzzDetector(f, "gguf", "m.gguf") }
