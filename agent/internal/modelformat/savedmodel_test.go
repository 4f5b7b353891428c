package modelformat

import (
	"testing"
)

func samplesSavedModel(testing.TB) []sample {
	return []sample{
		{path: "saved_model.pb", data: sampleSavedModel(), format: "tf-savedmodel", facts: map[string]string{FactTags: "serve", FactProducerVersion: "2.15.0", FactSignatures: "serving_default"}},
		{path: "saved_model.pbtxt", data: []byte("saved_model_schema_version: 1\nmeta_graphs {\n  meta_info_def {\n  }\n}\n"), format: "tf-savedmodel"},
	}
}

func FuzzSavedModel(f *testing.F) { fuzzDetector(f, "tf-savedmodel", "saved_model.pb") }
