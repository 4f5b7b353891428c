package modelformat

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
)

// Pickle files, among them joblib's, bare or packed. What makes one a model is
// the modules that it names.
func detectPickle(f *File) (Result, bool) {
	if res, ok := packedPickle(f); ok {
		return res, true
	}
	binary := len(f.head) > 2 && f.head[0] == 0x80 && f.head[1] >= 2 && f.head[1] <= 5
	if !binary && !textPickle(f) {
		return Result{}, false
	}
	p := newPickleWalk(f.cursor(0, f.size))
	whole := p.run()
	if !pickleHolds(f, p, whole, binary) {
		return Result{}, false
	}
	res := pickleResult(p, whole || f.cut)
	if res.Data && res.Facts[FactRiskImports] != "" && modelName(f) {
		res.Data = false // what a loader of models would run
	}
	return res, true
}

// modelName says whether the name claims to be that of a model.
func modelName(f *File) bool {
	switch f.ext() {
	case ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".model":
		return true
	}
	return false
}

// textPickle says whether a walk of protocol 0 or 1 is worth it. Such a pickle
// starts with one of a few letters, as many a text does.
func textPickle(f *File) bool {
	switch f.head[0] {
	case 'c', '(', '}', ']', 'I', 'L', 'F', 'S', 'V', 'X', 'U', 'K', 'J', 'M', 'G', 'N', 'T', ')':
	default:
		return false
	}
	return pickleName(f) || bytes.IndexByte(f.head[:min(len(f.head), 256)], '\n') > 0
}

// pickleHolds decides whether a walk proves a pickle.
func pickleHolds(f *File, p *pickleWalk, whole, binary bool) bool {
	imports := len(p.imports) > 0
	if binary {
		// joblib and others append raw arrays, at which the walk of the first
		// pickle stops: a few sound steps and an import are enough.
		return whole && p.ops >= 3 || imports && p.ops >= 6 || f.cut && p.ops >= 64
	}
	if !whole || p.ops < 4 {
		return false
	}
	if imports && p.calls {
		return true
	}
	return pickleName(f) && p.c.rest() == 0
}

// pickleName says whether the name is customary for pickles.
func pickleName(f *File) bool {
	switch f.ext() {
	case ".pkl", ".pickle", ".pck", ".pcl", ".p", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt", ".dat", ".data":
		return true
	}
	return false
}

// packedPickle looks into what joblib packs: zlib, gzip or bzip2, and only
// where the name says so.
func packedPickle(f *File) (Result, bool) {
	switch f.ext() {
	case ".pkl", ".pickle", ".joblib", ".z", ".gz":
	default:
		return Result{}, false
	}
	if f.ext() == ".gz" && !strings.Contains(f.name, ".pkl") && !strings.Contains(f.name, ".joblib") && !strings.Contains(f.name, ".pickle") {
		return Result{}, false
	}
	in := &sliceReader{r: io.NewSectionReader(f, 0, f.size)}
	var r io.Reader
	var err error
	var how string
	switch {
	case f.hasPrefix(0, "\x1f\x8b"):
		how = "gzip"
		r, err = gzip.NewReader(in)
	case f.hasPrefix(0, "BZh"):
		how, r = "bzip2", bzip2.NewReader(in)
	case f.head[0] == 0x78 && (f.head[1] == 0x01 || f.head[1] == 0x5e || f.head[1] == 0x9c || f.head[1] == 0xda):
		how = "zlib"
		r, err = zlib.NewReader(in)
	default:
		return Result{}, false
	}
	if err != nil {
		return Result{}, false
	}
	b, _ := io.ReadAll(io.LimitReader(r, zipMaxMember)) // a cut tail leaves what came before
	if len(b) < 3 || b[0] != 0x80 || b[1] < 2 || b[1] > 5 {
		return Result{}, false
	}
	p := newPickleWalk(bytesCursor(b))
	if !p.run() && len(p.imports) == 0 {
		return Result{}, false
	}
	res := pickleResult(p, true)
	res.set(FactCompression, how)
	return res, true
}

// pickleResult says what kind of pickle the walk found.
func pickleResult(p *pickleWalk, whole bool) Result {
	res := Result{Format: "pickle", Confidence: Slight, Data: true}
	p.facts(&res)
	if p.protocol >= 0 {
		res.set(FactFormatVersion, strconv.Itoa(p.protocol))
	}
	if module, ok := p.modelImport(); ok {
		res.Data, res.Confidence = false, Likely
		res.set(FactFramework, module)
	} else if risk := res.Facts[FactRiskImports]; risk != "" {
		res.Confidence = Weak
	}
	if !whole && len(p.imports) == 0 {
		res.damaged("pickle ends early")
	}
	return res
}
