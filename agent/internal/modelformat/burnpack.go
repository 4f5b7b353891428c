package modelformat

import (
	"encoding/binary"
	"strconv"
)

// detectBurnpack recognises Burn's own format: magic "BURN" written as a
// little-endian word, u16 version, u32 length of a CBOR map of tensors.
// Source: tracel-ai/burn, crates/burn-store/src/burnpack.
func detectBurnpack(f *File) (Result, bool) {
	if !f.hasPrefix(0, "NRUB") {
		return Result{}, false
	}
	version := binary.LittleEndian.Uint16(f.head[4:])
	n := binary.LittleEndian.Uint32(f.head[6:])
	if version == 0 || version > 64 || int64(n) > f.size-10 || n < 2 || f.head[10]>>5 != 5 { // 5: a CBOR map
		return Result{}, false
	}
	res := Result{Format: "burnpack", Confidence: Certain}
	res.set(FactFormatVersion, strconv.Itoa(int(version)))
	res.set(FactFramework, "burn")
	c := f.cursor(11, 10+int64(n))
	if k := c.byte(); k>>5 == 3 && k&31 == 7 && string(c.take(7)) == "tensors" {
		if n, ok := cborCount(c, 5); ok {
			res.set(FactTensors, strconv.FormatUint(n, 10))
		}
	}
	return res, true
}

// cborCount reads the head of a CBOR item of this major type (RFC 8949,
// section 3) and returns its count.
func cborCount(c *cursor, major byte) (uint64, bool) {
	b := c.byte()
	if c.err != nil || b>>5 != major {
		return 0, false
	}
	switch k := b & 31; {
	case k < 24:
		return uint64(k), true
	case k == 24:
		return uint64(c.byte()), c.err == nil
	case k == 25:
		return uint64(c.u16(binary.BigEndian)), c.err == nil
	case k == 26:
		return uint64(c.u32(binary.BigEndian)), c.err == nil
	case k == 27:
		return c.u64(binary.BigEndian), c.err == nil
	}
	return 0, false
}
