package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesKerasV3(t testing.TB) []sample {
	return []sample{
		{
			path: "m.keras", data: buildZip(t, zip.Deflate, member{"metadata.json", []byte(`{"keras_version":"3.5.0"}`)},
				member{"config.json", []byte(`{"class_name":"Functional","config":{"name":"resnet","layers":[{"class_name":"Lambda"}]}}`)},
				member{"model.weights.h5", []byte(hdf5Magic)}), format: "keras-v3",
			facts: map[string]string{FactProducerVersion: "3.5.0", FactClass: "Functional", FactName: "resnet", FactCode: "lambda"},
		},
	}
}

func FuzzKerasV3(f *testing.F) { fuzzDetector(f, "keras-v3", "m.keras") }
