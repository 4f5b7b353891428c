package files

import (
	"errors"
	"io/fs"
)

// matters says whether changes of names in a folder can change what is known of
// it, so that all of it must be looked at: always where it holds a model or is
// part of one, else where one of the names is a model, a folder, or a known
// name. Caches and logs change all the time, and most of them in folders of
// thousands of files.
func (k *worker) matters(j job, names []string) bool {
	d, err := j.root.dir.openBelow(j.rel)
	if err != nil {
		return true // the look tells why
	}
	defer d.close()
	if d.stat.device != j.root.dir.stat.device || isBundle(d.path) || k.memory.holds(d.path) {
		return true
	}
	for _, name := range names {
		st, err := d.lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // no model of the folder, so it has none to lose
		case err != nil || st.kind == kindFolder || st.kind == kindLink || k.known.has(d.path, name) || looseName(name):
			return true
		case st.kind != kindFile || k.exclude.has(d.path, name):
			continue
		}
		if _, model := k.inspect(d, name, ""); model {
			return true
		}
	}
	return false
}
