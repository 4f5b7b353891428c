package modelformat

// detectSkops recognises skops files: a zip with a schema.json that names
// classes. Source: https://skops.readthedocs.io/en/stable/persistence.html.
func detectSkops(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	m := z.find("schema.json")
	if m == nil {
		return Result{}, false
	}
	c := f.member(m)
	if c == nil {
		return Result{}, false
	}
	res := Result{Format: "skops", Confidence: Certain}
	class, module := "", ""
	jsonFields(c, func(depth int, key, value string) {
		switch {
		case key == "__class__" && (class == "" || depth == 1):
			class = value
		case key == "__module__" && (module == "" || depth == 1):
			module = value
		case key == "_skops_version":
			res.set(FactProducerVersion, value)
		}
	})
	if class == "" || module == "" {
		return Result{}, false
	}
	res.set(FactClass, module+"."+class)
	res.set(FactFramework, "sklearn")
	return res, true
}
