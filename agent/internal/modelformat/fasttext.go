package modelformat

import (
	"encoding/binary"
	"strconv"
)

// fastTextMagic is the number that fastText's binary models begin with.
const fastTextMagic = 793712314

// detectFastText recognises fastText's binary models: the magic number, a
// version, then twelve 32-bit arguments and a 64-bit float, of which the
// dimension comes first and the kind of model eighth. Source:
// https://github.com/facebookresearch/fastText/blob/main/src/fasttext.cc.
func detectFastText(f *File) (Result, bool) {
	if len(f.head) < 64 || binary.LittleEndian.Uint32(f.head) != fastTextMagic {
		return Result{}, false
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(f.head[4*i:]) }
	version, dim := word(1), word(2)
	if version == 0 || version > 64 || dim == 0 || dim > 1<<20 {
		return Result{}, false
	}
	res := Result{Format: "fasttext", Confidence: Certain}
	res.set(FactFramework, "fasttext")
	res.set(FactFormatVersion, strconv.FormatUint(uint64(version), 10))
	if kind := word(9); kind >= 1 && kind <= 3 {
		res.set(FactArchitecture, [...]string{"cbow", "skipgram", "supervised"}[kind-1])
	}
	return res, true
}
