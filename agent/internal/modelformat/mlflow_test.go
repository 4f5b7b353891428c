package modelformat

import (
	"testing"
)

const sampleMLflow = `artifact_path: model
flavors:
  python_function:
    env: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.9.16
  sklearn:
    pickled_model: model.pkl
mlflow_version: 2.1.1
model_uuid: 842f332065f04d7d864bfada1e546f52
utc_time_created: '2023-01-25 09:18:44.575680'
`

func samplesMLflow(testing.TB) []sample {
	return []sample{
		{
			path: "MLmodel", data: []byte(sampleMLflow), format: "mlflow-model",
			facts: map[string]string{FactProducerVersion: "2.1.1", FactTags: "python_function, sklearn", FactClass: "mlflow.sklearn", FactCode: "python_function"},
		},
	}
}

// TestMLflowNothing: other lists of flavours, and a text with the words.
func TestMLflowNothing(t *testing.T) {
	wantNothing(t, "ice cream", "flavors.yaml", []byte("flavors:\n  vanilla:\n    price: 2\n  lemon:\n    price: 3\n"))
	wantNothing(t, "nested", "a.yaml", []byte("a:\n  flavors:\n    x:\n      y: 1\n  mlflow_version: 2\n"))
	wantNothing(t, "no flavour", "MLmodel", []byte("flavors: none\nmlflow_version: 2.1.1\n"))
}

func FuzzMLflow(f *testing.F) { fuzzDetector(f, "mlflow-model", "MLmodel") }
