package modelformat

import (
	"testing"
)

func samplesTorchTar(testing.TB) []sample {
	torch := map[string]string{FactFramework: "torch"}
	return []sample{
		{path: "old.tar", data: sampleTar("sys_info", "pickle", "storages", "tensors"), format: "pytorch-tar", facts: torch},
		{path: "asr.nemo", data: sampleTar("./model_config.yaml", "./model_weights.ckpt"), format: "nemo"},
	}
}

func FuzzTorchTar(f *testing.F) { fuzzDetector(f, "pytorch-tar", "old.tar") }
