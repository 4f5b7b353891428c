package modelformat

import (
	"testing"
)

func samplesCoreML(testing.TB) []sample {
	return []sample{
		{path: "m.mlmodel", data: sampleCoreML(), format: "coreml-mlmodel", facts: map[string]string{FactOrganization: "Example Org", FactLicense: "MIT", FactFormatVersion: "8"}},
	}
}

func FuzzCoreML(f *testing.F) { fuzzDetector(f, "coreml-mlmodel", "m.mlmodel") }
