package modelformat

import (
	"encoding/binary"
)

// detectCatBoost recognises CatBoost's binary: "CBM1", u32 length of a
// FlatBuffers core. Source: catboost/libs/model/model.cpp.
func detectCatBoost(f *File) (Result, bool) {
	if !f.hasPrefix(0, "CBM1") {
		return Result{}, false
	}
	n := binary.LittleEndian.Uint32(f.head[4:])
	if n < 16 || int64(n) > f.size-8 {
		return Result{}, false
	}
	root := binary.LittleEndian.Uint32(f.head[8:])
	if root < 4 || root >= n {
		return Result{}, false
	}
	res := Result{Format: "catboost", Confidence: Certain}
	res.set(FactFramework, "catboost")
	return res, true
}
