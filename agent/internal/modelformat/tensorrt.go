package modelformat

import (
	"encoding/binary"
	"strconv"
)

// detectTensorRT recognises serialised engines of TensorRT: "ptrt" or "ftrt"
// and a small version word. The rest is not public.
func detectTensorRT(f *File) (Result, bool) {
	if !f.hasPrefix(0, "ptrt") && !f.hasPrefix(0, "ftrt") || f.size < 64 {
		return Result{}, false
	}
	version := binary.LittleEndian.Uint32(f.head[4:])
	if version > 1<<16 {
		return Result{}, false
	}
	res := Result{Format: "tensorrt", Confidence: Guess}
	res.set(FactFormatVersion, strconv.Itoa(int(version)))
	return res, true
}
