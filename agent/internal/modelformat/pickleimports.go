package modelformat

import (
	"slices"
	"strings"
)

// safeImport is the allow-list: names that rebuild tensors, arrays and plain
// containers. A list of what is dangerous is bypassed again and again.
func safeImport(s string) bool {
	switch s {
	case "collections.OrderedDict", "collections.defaultdict", "builtins.set", "__builtin__.set", "builtins.list", "builtins.dict",
		"builtins.frozenset", "builtins.slice", "builtins.bytearray", "builtins.complex", "__builtin__.list", "__builtin__.dict", "_codecs.encode",
		"numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar", "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
		"numpy.dtype", "numpy.ndarray", "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
		"torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter", "torch.serialization._get_layout",
		"torch._tensor._rebuild_from_type_v2", "torch.storage._load_from_bytes":
		return s != "torch.storage._load_from_bytes" // loads another pickle
	}
	if name, ok := strings.CutPrefix(s, "torch._utils._rebuild_"); ok {
		return !strings.Contains(name, ".")
	}
	if name, ok := strings.CutPrefix(s, "torch."); ok && !strings.Contains(name, ".") {
		return strings.HasSuffix(name, "Storage") || torchDType(name)
	}
	return false
}

// torchDType says whether torch.<name> is a data type.
func torchDType(name string) bool {
	switch name {
	case "float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
		"complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "qint8", "quint8", "qint32":
		return true
	}
	return false
}

// modelModules are the top-level modules whose objects are models.
var modelModules = []string{
	"sklearn", "torch", "xgboost", "lightgbm", "catboost", "tensorflow", "keras", "transformers", "fastai", "spacy", "gensim",
	"statsmodels", "imblearn", "sentence_transformers", "torchvision", "ultralytics", "prophet", "mlflow", "pytorch_lightning",
	"lightning", "jax", "jaxlib", "flax", "stable_baselines3", "skorch", "timm", "diffusers", "hmmlearn", "surprise", "implicit",
}

// modelImport says whether an import names a model library.
func (p *pickleWalk) modelImport() (string, bool) {
	for _, s := range p.imports {
		module, _, _ := strings.Cut(s, ".")
		if slices.Contains(modelModules, module) {
			return module, true
		}
	}
	return "", false
}
