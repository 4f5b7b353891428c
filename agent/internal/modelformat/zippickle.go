package modelformat

import (
	"path"
	"strings"
)

// detectZipPickle recognises a zip in which a pickle lies.
func detectZipPickle(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	for i := range z.members {
		m := &z.members[i]
		switch strings.ToLower(path.Ext(m.name)) {
		case ".pkl", ".pickle", ".joblib":
		default:
			continue
		}
		c := f.member(m)
		if c == nil {
			continue
		}
		p := newPickleWalk(c)
		if !p.run() && len(p.imports) == 0 {
			continue
		}
		res := pickleResult(p, true)
		res.Format = "zip-with-pickle"
		return res, true
	}
	return Result{}, false
}
