package modelformat

import (
	"encoding/binary"
	"strconv"
)

// detectRKNN recognises Rockchip's format: "RKNN", four zero bytes, u64
// version, u64 length of the model, at whose end JSON lies; or "CYPTRKNN",
// which is encrypted.
func detectRKNN(f *File) (Result, bool) {
	if f.hasPrefix(0, "CYPTRKNN") {
		res := Result{Format: "rknn", Confidence: Likely}
		res.set(FactDescription, "encrypted")
		return res, true
	}
	if !f.hasPrefix(0, "RKNN\x00\x00\x00\x00") || len(f.head) < 32 {
		return Result{}, false
	}
	version, n := binary.LittleEndian.Uint64(f.head[8:]), binary.LittleEndian.Uint64(f.head[16:])
	if version == 0 || version > 64 || n > uint64(f.size) {
		return Result{}, false
	}
	res := Result{Format: "rknn", Confidence: Certain}
	res.set(FactFormatVersion, strconv.FormatUint(version, 10))
	// The JSON follows the model, behind a u64 of its length.
	at := 24 + n
	if uint64(f.size) > at+8 {
		c := f.cursor(int64(at), f.size)
		if size := c.u64(binary.LittleEndian); c.err == nil && size <= uint64(c.rest()) {
			jsonFields(f.cursor(int64(at)+8, int64(at)+8+int64(size)), func(depth int, key, value string) {
				switch {
				case depth == 1 && key == "name":
					res.set(FactName, value)
				case depth == 1 && key == "version":
					res.set(FactProducerVersion, value)
				case key == "target_platform":
					res.set(FactTargetPlatform, value)
				}
			})
		}
	}
	return res, true
}
