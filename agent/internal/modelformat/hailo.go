package modelformat

import (
	"encoding/binary"
	"strconv"
)

// detectHailo recognises Hailo's executables: in big-endian order the number
// 0x01484546, a version and the length of a protobuf message that follows a
// header of 12 bytes and more. Source:
// https://github.com/hailo-ai/hailort/blob/master/hailort/libhailort/src/hef/hef_internal.hpp.
func detectHailo(f *File) (Result, bool) {
	if !f.hasPrefix(0, "\x01HEF") {
		return Result{}, false
	}
	version, size := binary.BigEndian.Uint32(f.head[4:]), binary.BigEndian.Uint32(f.head[8:])
	if version > 15 || size < 2 || int64(size) > f.size-12 {
		return Result{}, false
	}
	res := Result{Format: "hailo-hef", Confidence: Certain}
	res.set(FactFormatVersion, strconv.Itoa(int(version)))
	res.set(FactTargetPlatform, "hailo")
	return res, true
}
