package modelformat

import (
	"encoding/binary"
	"strings"
)

// detectNPY recognises one numpy array. Source: numpy/lib/format.py.
func detectNPY(f *File) (Result, bool) {
	if !f.hasPrefix(0, "\x93NUMPY") || len(f.head) < 16 {
		return Result{}, false
	}
	major, at := f.head[6], 10
	n := int(binary.LittleEndian.Uint16(f.head[8:]))
	if major >= 2 {
		n, at = int(binary.LittleEndian.Uint32(f.head[8:])), 12
	}
	if major < 1 || major > 3 || int64(n) > f.size-int64(at) || n < 0 {
		return Result{}, false
	}
	header := string(f.head[at:min(len(f.head), at+n)])
	if !strings.HasPrefix(header, "{") {
		return Result{}, false
	}
	res := Result{Format: "npy", Confidence: Slight, Data: true}
	if strings.Contains(header, "'|O'") || strings.Contains(header, "'O'") {
		res.set(FactCode, "pickle")
	}
	return res, true
}
