package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesDLC(t testing.TB) []sample {
	of := func(method uint16, name, head string) []byte {
		return buildZip(t, method, member{name, append([]byte(head), sampleFlat("NETD")...)}, member{"dlc.metadata", []byte("model-version=1\n")})
	}
	return []sample{
		{path: "m.dlc", data: of(zip.Store, "model", "\xd5\x0a\x04\x00\x00\x00\x00\x00"), format: "qualcomm-dlc", facts: map[string]string{FactFormatVersion: "4"}},
		{path: "m.dlc", data: of(zip.Deflate, "model.params", "\xd5\x0a\x03\x00\x00\x00\x00\x00"), format: "qualcomm-dlc", facts: map[string]string{FactFormatVersion: "3"}},
		{path: "m.bin", data: of(zip.Store, "model", ""), format: "qualcomm-dlc", facts: map[string]string{FactFormatVersion: "3"}},
		{path: "m.dlc", data: of(zip.Store, "model", "\xd5\x0a\x02\x00"), format: "qualcomm-dlc", facts: map[string]string{FactFormatVersion: "2"}},
	}
}

// TestDLCNothing: the word model is a common name of a file.
func TestDLCNothing(t *testing.T) {
	wantNothing(t, "text", "m.dlc", buildZip(t, zip.Store, member{"model", []byte("a text about a model, long enough")}))
	wantNothing(t, "deeper", "m.dlc", buildZip(t, zip.Store, member{"a/model", sampleFlat("NETD")}))
}

func FuzzDLC(f *testing.F) { fuzzDetector(f, "qualcomm-dlc", "m.dlc") }
