package modelformat

// detectTorchServe recognises model archives of TorchServe: a zip with
// MAR-INF/MANIFEST.json. Source:
// https://github.com/pytorch/serve/blob/master/model-archiver/README.md.
func detectTorchServe(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	m := z.find("MAR-INF/MANIFEST.json")
	if m == nil {
		return Result{}, false
	}
	res := Result{Format: "torchserve-mar", Confidence: Certain}
	res.set(FactCode, "handler")
	if c := f.member(m); c != nil {
		jsonFields(c, func(_ int, key, value string) {
			switch key {
			case "modelName":
				res.set(FactName, value)
			case "modelVersion":
				res.set(FactVersion, value)
			}
		})
	}
	return res, true
}
