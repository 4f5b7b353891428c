package files

import (
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
)

// names are the base names of files and folders to report by their place. One
// lookup costs a map access and, where it is no hit, a step for each letter that
// some pattern begins or ends with as the name does.
type names struct {
	whole    map[string]struct{}
	index    signatures.NameIndex
	patterns []namePattern
}

// namePattern is a pattern for a name; in, where given, is one for the name of
// the folder that it lies in. Names of packages and plugins alone say too little,
// and their case nothing.
type namePattern struct {
	in, name string
	fold     bool
}

func newNames(whole, patterns []string) *names {
	n := &names{whole: make(map[string]struct{}, len(whole))}
	for _, s := range append(whole[:len(whole):len(whole)], patterns...) {
		in, name, below := strings.Cut(s, "/")
		switch {
		case below:
			n.add(namePattern{in, name, true})
		case strings.ContainsAny(s, "*#"):
			n.add(namePattern{"", s, foldsCase()})
		default:
			n.whole[foldCase(s)] = struct{}{}
		}
	}
	return n
}

func (n *names) add(p namePattern) {
	n.index.Add(p.name, int32(len(n.patterns)))
	n.patterns = append(n.patterns, p)
}

func foldsCase() bool { return runtime.GOOS == "windows" || runtime.GOOS == "darwin" }

// has says whether name, of something in folder, is one of n.
func (n *names) has(folder, name string) bool {
	if name == "" {
		return false
	}
	if _, ok := n.whole[foldCase(name)]; ok {
		return true
	}
	found := false
	n.index.Each(name, func(i int32) bool {
		p := &n.patterns[i]
		found = signatures.MatchName(p.name, name, p.fold) && (p.in == "" || signatures.MatchName(p.in, filepath.Base(folder), true))
		return !found
	})
	return found
}
