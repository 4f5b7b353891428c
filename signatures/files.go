package signatures

import (
	"fmt"
	"strings"
)

// fileRule is a compiled FileRule.
type fileRule struct {
	signature int32
	rule      *FileRule
	selector  string
	pattern   filePattern
	fold      bool // the case of letters says nothing, on whatever system
}

func compileFile(signature int32, r *FileRule) fileRule {
	return fileRule{signature: signature, rule: r, selector: "file " + r.Path, pattern: parseFilePattern(r.Path)}
}

// coversBelow says whether the rule also matches what lies below its path.
func (f *fileRule) coversBelow() bool { return f.rule.Kind == "store" || f.rule.Kind == "binary" }

// maxSegment is the longest segment of a file rule.
const maxSegment = 128

// fileIndex finds file rules by the last segment of their path, lower-cased, or
// by its beginning or end where it holds a "*" or "#".
type fileIndex struct {
	byName map[string][]fileRule
	loose  []fileRule
	names  NameIndex // of the loose ones
}

func newFileIndex() *fileIndex { return &fileIndex{byName: map[string][]fileRule{}} }

func (x *fileIndex) add(f fileRule) {
	key := f.pattern.segments[len(f.pattern.segments)-1]
	if strings.ContainsAny(key, "*#") {
		x.names.Add(key, int32(len(x.loose)))
		x.loose = append(x.loose, f)
		return
	}
	key = strings.ToLower(key)
	x.byName[key] = append(x.byName[key], f)
}

// checked adds a rule whose segments can be looked up.
func (x *fileIndex) checked(f fileRule) error {
	for _, segment := range f.pattern.segments {
		if segment == "" || len(segment) > maxSegment {
			return fmt.Errorf("file rule %q: a segment has %d bytes, want 1 to %d", f.rule.Path, len(segment), maxSegment)
		}
	}
	x.add(f)
	return nil
}

// named returns the rules that end in a segment called name.
func (x *fileIndex) named(name string) []fileRule {
	var buffer [maxSegment]byte
	key, ok := lowerInto(buffer[:], name)
	if !ok {
		return nil
	}
	return x.byName[string(key)]
}

// trimFolder removes the final separators of a folder's path.
func trimFolder(path string, windows bool) string {
	for len(path) > 1 && isSeparator(path[len(path)-1], windows) {
		path = path[:len(path)-1]
	}
	return path
}

// each calls visit for the rules that match path: those for the path itself,
// then those that cover a folder above it, up to the first level with a strong
// rule. binaries restricts it to rules of kind binary.
func (x *fileIndex) each(path, os string, binaries bool, visit func(*fileRule)) {
	windows := os == "windows" || os == "" && isWindowsPath(path)
	path = trimFolder(path, windows)
	for level := path; level != ""; {
		rest, segment := lastSegment(level, windows)
		hit := false
		try := func(f *fileRule) {
			if binaries && f.rule.Kind != "binary" || len(level) != len(path) && !f.coversBelow() {
				return
			}
			if onSystem(f.rule.OS, os) && f.pattern.match(level, windows, windows || f.fold) {
				hit = hit || !f.rule.Weak
				visit(f)
			}
		}
		named := x.named(segment)
		for i := range named {
			try(&named[i])
		}
		x.names.Each(segment, func(i int32) bool {
			try(&x.loose[i])
			return true
		})
		if hit {
			return
		}
		level = rest
	}
}
