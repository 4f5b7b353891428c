package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesTorchZip(t testing.TB) []sample {
	torch := map[string]string{FactFramework: "torch"}
	return []sample{
		{path: "net.pt", data: sampleTorchZip(t), format: "pytorch-zip", facts: map[string]string{
			FactFramework: "torch", FactTensors: "1", FactName: "net", FactImports: "collections,torch",
		}},
		{path: "net.pt", data: buildZip(t, zip.Deflate, member{"net/data.pkl", torchData()}, member{"net/version", []byte("3")}), format: "pytorch-zip", facts: torch},
		{
			path: "script.pt", data: buildZip(t, zip.Store, member{"s/data.pkl", torchData()}, member{"s/code/__torch__.py", []byte("x")}, member{"s/constants.pkl", []byte("\x80\x02).")}),
			format: "pytorch-zip", facts: map[string]string{FactTorchScript: "yes"},
		},
		{
			path: "evil.pt", data: buildZip(t, zip.Store, member{"a/data.pkl", pickleOf("os", "system")}, member{"a/version", []byte("3")}),
			format: "pytorch-zip", facts: map[string]string{FactRiskImports: "os.system"},
		},
	}
}

func FuzzTorchZip(f *testing.F) { fuzzDetector(f, "pytorch-zip", "net.pt") }
