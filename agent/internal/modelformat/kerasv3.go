package modelformat

// detectKerasV3 recognises Keras 3 files: config.json, metadata.json and
// model.weights.h5 in one zip. Source: https://keras.io/api/models/.
func detectKerasV3(f *File) (Result, bool) {
	z := f.archive()
	if z == nil || !z.has("config.json") || !z.has("metadata.json") || z.findSuffix(".weights.h5") == nil && !z.has("model.weights.npz") {
		return Result{}, false
	}
	res := Result{Format: "keras-v3", Confidence: Certain}
	res.set(FactFramework, "keras")
	if c := f.member(z.find("metadata.json")); c != nil {
		jsonFields(c, func(depth int, key, value string) {
			if depth == 1 && key == "keras_version" {
				res.set(FactProducerVersion, value)
			}
		})
	}
	if c := f.member(z.find("config.json")); c != nil {
		jsonFields(c, func(depth int, key, value string) {
			switch {
			case depth == 1 && key == "class_name":
				res.set(FactClass, value)
			case depth == 2 && key == "name":
				res.set(FactName, value)
			case key == "class_name" && value == "Lambda":
				res.set(FactCode, "lambda")
			}
		})
	}
	return res, true
}
