package modelformat

import (
	"archive/zip"
	"encoding/binary"
	"testing"
)

func samplesLlamafile(t testing.TB) []sample {
	le := binary.AppendByteOrder(binary.LittleEndian)
	return []sample{
		{
			path: "llava.llamafile", data: append([]byte("MZqFpD='\n"), buildZip(t, zip.Store, member{".args", []byte("-m\n")}, member{"llava.gguf", sampleGGUF(3, le)})...),
			format: "llamafile", facts: map[string]string{FactEmbeddedFormat: "gguf", FactArchitecture: "llama", FactCode: "executable"},
		},
	}
}

func FuzzLlamafile(f *testing.F) { fuzzDetector(f, "llamafile", "llava.llamafile") }
