package modelformat

import (
	"path"
	"strings"
)

// llamafileStarts are the first bytes of an executable that runs on several
// systems ("actually portable executable").
var llamafileStarts = []string{"MZqFpD=", "jartsr='"}

// detectLlamafile recognises an executable with a zip at its end in which a
// GGUF file lies unpacked. Source: https://github.com/mozilla-ai/llamafile.
func detectLlamafile(f *File) (Result, bool) {
	if !f.hasPrefix(0, llamafileStarts[0]) && !f.hasPrefix(0, llamafileStarts[1]) {
		return Result{}, false
	}
	z := f.archiveTail()
	if z == nil {
		return Result{}, false
	}
	m := z.findSuffix(".gguf")
	if m == nil {
		return Result{}, false
	}
	res := Result{Format: "llamafile", Confidence: Certain}
	res.set(FactEmbeddedFormat, "gguf")
	res.set(FactCode, "executable")
	res.set(FactName, strings.TrimSuffix(path.Base(m.name), ".gguf"))
	if off, end, ok := f.memberData(m); ok && m.method == 0 && end-off >= 16 {
		inner := File{r: f, size: end - off, left: f.left}
		head := make([]byte, min(end-off, HeadSize))
		if _, err := f.ReadAt(head, off); err == nil {
			inner.head, inner.r = head, offsetReader{f, off}
			if sub, ok := detectGGUF(&inner); ok {
				for k, v := range sub.Facts {
					res.set(k, v)
				}
				if sub.Problem != "" {
					res.damaged(sub.Problem)
				}
			}
		}
	} else {
		res.damaged("its model cannot be read")
	}
	return res, true
}

// offsetReader reads a part of a file as a file of its own.
type offsetReader struct {
	f   *File
	off int64
}

// ReadAt implements io.ReaderAt.
func (o offsetReader) ReadAt(p []byte, off int64) (int, error) { return o.f.ReadAt(p, o.off+off) }
