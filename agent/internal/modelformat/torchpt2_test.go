package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesTorchPT2(t testing.TB) []sample {
	return []sample{
		{
			path: "m.pt2", data: buildZip(t, zip.Store, member{"net/archive_format", []byte("pt2")}, member{"net/byteorder", []byte("little")},
				member{"net/models/resnet.json", []byte("{}")}, member{"net/data/weights/weight_0", make([]byte, 16)}), format: "pytorch-pt2",
			facts: map[string]string{FactFramework: "torch", FactName: "resnet", FactCode: ""},
		},
		{
			path: "m.bin", data: buildZip(t, zip.Deflate, member{"archive_format", []byte("pt2\n")},
				member{"data/aotinductor/model/a.wrapper.so", []byte("\x7fELF")}), format: "pytorch-pt2",
			facts: map[string]string{FactCode: "aotinductor"},
		},
	}
}

// TestTorchPT2Nothing: an archive_format that says something else, or says it
// deeper, or stands alone.
func TestTorchPT2Nothing(t *testing.T) {
	for name, data := range map[string][]byte{
		"other": buildZip(t, zip.Store, member{"archive_format", []byte("zip")}, member{"models/a.json", []byte("{}")}),
		"deep":  buildZip(t, zip.Store, member{"a/b/archive_format", []byte("pt2")}, member{"models/a.json", []byte("{}")}),
		"alone": buildZip(t, zip.Store, member{"archive_format", []byte("pt2")}),
	} {
		wantNothing(t, name, "m.pt2", data)
	}
}

func FuzzTorchPT2(f *testing.F) { fuzzDetector(f, "pytorch-pt2", "m.pt2") }
