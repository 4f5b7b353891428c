package signatures

import "strings"

// fileRule is a compiled FileRule.
type fileRule struct {
	signature int32
	rule      *FileRule
	selector  string
	pattern   filePattern
}

func compileFile(signature int32, r *FileRule) fileRule {
	return fileRule{signature, r, "file " + r.Path, parseFilePattern(r.Path)}
}

// coversBelow says whether the rule also matches what lies below its path.
func (f *fileRule) coversBelow() bool { return f.rule.Kind == "store" || f.rule.Kind == "binary" }

// maxSegment is the longest segment of a file rule.
const maxSegment = 128

// fileIndex finds file rules by the last segment of their path, lower-cased;
// rules whose last segment holds a "*" are tried one by one.
type fileIndex struct {
	byName map[string][]fileRule
	loose  []fileRule
}

func newFileIndex() *fileIndex { return &fileIndex{byName: map[string][]fileRule{}} }

func (x *fileIndex) add(f fileRule) {
	key := f.pattern.segments[len(f.pattern.segments)-1]
	if strings.Contains(key, "*") {
		x.loose = append(x.loose, f)
		return
	}
	key = strings.ToLower(key)
	x.byName[key] = append(x.byName[key], f)
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
		for _, list := range [2][]fileRule{x.named(segment), x.loose} {
			for i := range list {
				f := &list[i]
				if binaries && f.rule.Kind != "binary" || len(level) != len(path) && !f.coversBelow() {
					continue
				}
				if onSystem(f.rule.OS, os) && f.pattern.match(level, windows) {
					hit = hit || !f.rule.Weak
					visit(f)
				}
			}
		}
		if hit {
			return
		}
		level = rest
	}
}
