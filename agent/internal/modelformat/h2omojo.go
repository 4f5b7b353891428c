package modelformat

import (
	"strings"
)

// detectH2OMOJO recognises H2O-3's MOJO: a zip with a model.ini that begins with
// a section info with the keys h2o_version and mojo_version. Source:
// https://github.com/h2oai/h2o-3/blob/master/h2o-genmodel/src/main/java/hex/genmodel/AbstractMojoWriter.java.
func detectH2OMOJO(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	m := z.find("model.ini")
	if m == nil {
		return Result{}, false
	}
	c := f.member(m)
	if c == nil {
		return Result{}, false
	}
	res := Result{Format: "h2o-mojo", Confidence: Certain}
	line := make([]byte, 0, 128)
	if line = c.line(512, line); strings.TrimSpace(string(line)) != "[info]" {
		return Result{}, false
	}
	h2o, mojo := false, false
	for c.rest() > 0 {
		if line = c.line(4096, line); c.err != nil || len(line) > 0 && line[0] == '[' {
			break
		}
		key, value, _ := strings.Cut(string(line), " = ")
		switch key {
		case "h2o_version":
			h2o = true
			res.set(FactProducerVersion, value)
		case "mojo_version":
			mojo = true
			res.set(FactFormatVersion, value)
		case "algorithm":
			res.set(FactArchitecture, value)
		case "category":
			res.set(FactObjective, value)
		}
	}
	if !h2o || !mojo {
		return Result{}, false
	}
	res.set(FactFramework, "h2o")
	return res, true
}
