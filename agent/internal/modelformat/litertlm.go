package modelformat

import (
	"encoding/binary"
	"strconv"
)

// detectLiteRTLM recognises bundles of LiteRT-LM: magic, then a version of
// three 32-bit numbers.
func detectLiteRTLM(f *File) (Result, bool) {
	if !f.hasPrefix(0, "LITERTLM") || len(f.head) < 20 {
		return Result{}, false
	}
	v := make([]byte, 0, 32)
	for i := range 3 {
		n := binary.LittleEndian.Uint32(f.head[8+4*i:])
		if n > 1<<16 {
			return Result{}, false
		}
		if i > 0 {
			v = append(v, '.')
		}
		v = strconv.AppendUint(v, uint64(n), 10)
	}
	res := Result{Format: "litert-lm", Confidence: Certain}
	res.set(FactFormatVersion, string(v))
	return res, true
}
