package modelformat

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// File is what a Detector sees: the head, the size, the name, and reads that
// are charged to a budget.
type File struct {
	r       io.ReaderAt
	size    int64
	base    string // base name as it is
	name    string // the same, lower case
	head    []byte
	left    int64 // bytes that may still be read
	cut     bool  // the budget ended before a parser was done
	failure error // the first error of r
	zip     *zipFile
	zipDone bool
}

var (
	errEnd    = errors.New("ends early")
	errBudget = errors.New("read budget spent")
)

// ReadAt implements io.ReaderAt within the budget. It reads all of p or fails.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n := int64(len(p))
	if off < 0 || off > f.size || n > f.size-off {
		return 0, errEnd
	}
	if end := off + n; end <= int64(len(f.head)) {
		return copy(p, f.head[off:end]), nil
	}
	if f.failure != nil {
		return 0, f.failure
	}
	if n > f.left {
		f.cut = true
		return 0, errBudget
	}
	f.left -= n
	got, err := f.r.ReadAt(p, off)
	if got == len(p) {
		return got, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = ErrChanged
	}
	f.failure = fmt.Errorf("reading at %d: %w", off, err)
	return got, f.failure
}

// hasPrefix says whether the head starts with s at offset off.
func (f *File) hasPrefix(off int, s string) bool {
	return len(f.head) >= off+len(s) && string(f.head[off:off+len(s)]) == s
}

// ext returns the extension of the name with its dot, lower case.
func (f *File) ext() string {
	if i := strings.LastIndexByte(f.name, '.'); i >= 0 {
		return f.name[i:]
	}
	return ""
}

// baseName returns the last segment of a path, for either kind of separator.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// stem returns the base name without ext, compared without regard to case, and
// whether it had it.
func (f *File) stem(ext string) (string, bool) {
	if !strings.HasSuffix(f.name, ext) || len(f.name) != len(f.base) {
		return "", false
	}
	return f.base[:len(f.base)-len(ext)], true
}

// maxFact is the length in bytes at which a fact is cut.
const maxFact = 256

// clean makes a value fit for a fact: valid UTF-8, no control characters, one
// line, at most maxFact bytes.
func clean(s string) string {
	if len(s) > maxFact {
		s = s[:maxFact]
		for len(s) > 0 {
			if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n != 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			return ' '
		}
		return r
	}, s))
}

// relativePart says whether a path that a header names stays below the folder
// of the file, and returns it with forward slashes.
func relativePart(p string) (string, bool) {
	p = strings.ReplaceAll(p, `\`, "/")
	for strings.HasPrefix(p, "./") {
		p = p[2:]
	}
	if p == "" || len(p) > 1024 || p[0] == '/' || strings.ContainsAny(p, ":\x00") || !utf8.ValidString(p) {
		return "", false
	}
	for s := range strings.SplitSeq(p, "/") {
		if s == "" || s == "." || s == ".." {
			return "", false
		}
	}
	return p, true
}
