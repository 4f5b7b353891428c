package modelformat

// detectKerasH5 recognises Keras models in HDF5: files whose root group has the
// attributes that Keras writes. Source: keras/src/legacy/saving.
func detectKerasH5(f *File) (Result, bool) {
	h := hdf5Reader{f: f, attrs: make(map[string]string)}
	if !h.superblock() {
		return Result{}, false
	}
	_, config := h.attrs["model_config"]
	version, hasVersion := h.attrs["keras_version"]
	_, layers := h.attrs["layer_names"]
	if !config && !hasVersion && !layers {
		return Result{}, false
	}
	res := Result{Format: "keras-h5", Confidence: Certain}
	if !config && !hasVersion {
		res.Confidence = Guess
	}
	res.set(FactFramework, "keras")
	res.set(FactProducerVersion, version)
	res.set(FactProducer, h.attrs["backend"])
	if s := h.attrs["model_config"]; s != "" {
		jsonFields(bytesCursor([]byte(s)), func(depth int, key, value string) {
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
