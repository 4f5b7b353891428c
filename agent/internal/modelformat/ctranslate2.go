package modelformat

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// detectCTranslate2 recognises CTranslate2's model.bin: a version, the name of a
// class that ends in Spec, its revision, the number of variables, then the
// variables, of which the first is looked at. Strings have a 16-bit length that
// counts a final zero. Source:
// https://github.com/OpenNMT/CTranslate2/blob/master/python/ctranslate2/specs/model_spec.py.
func detectCTranslate2(f *File) (Result, bool) {
	if f.head[1] != 0 || f.head[2] != 0 || f.head[3] != 0 || f.head[0] < 2 || f.head[0] > 31 {
		return Result{}, false
	}
	version := f.head[0]
	c := f.cursor(4, f.size)
	spec := ct2String(c)
	if !strings.HasSuffix(spec, "Spec") || len(spec) < 5 {
		return Result{}, false
	}
	revision, variables := c.u32(binary.LittleEndian), c.u32(binary.LittleEndian)
	name := ct2String(c)
	rank := c.byte()
	if c.err != nil || revision > 1<<10 || variables == 0 || int64(variables) > f.size || name == "" || rank > 8 {
		return Result{}, false
	}
	res := Result{Format: "ctranslate2", Confidence: Certain}
	res.set(FactFramework, "ctranslate2")
	res.set(FactFormatVersion, strconv.Itoa(int(version)))
	res.set(FactClass, spec)
	res.set(FactTensors, strconv.FormatUint(uint64(variables), 10))
	return res, true
}

// ct2String reads a name of letters, digits and marks; "" where it is none.
func ct2String(c *cursor) string {
	n := c.u16(binary.LittleEndian)
	if n < 2 || n > 256 {
		return ""
	}
	b := c.take(int(n))
	if b == nil || b[n-1] != 0 {
		return ""
	}
	b = b[:n-1]
	for _, x := range b {
		if x <= ' ' || x >= 0x7f {
			return ""
		}
	}
	return string(b)
}
