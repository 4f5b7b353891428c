package modelformat

import (
	"strconv"
)

// detectTFLite recognises TensorFlow Lite (LiteRT) files. Model: version 0,
// operator_codes 1, subgraphs 2, description 3, buffers 4. Source:
// tensorflow/compiler/mlir/lite/schema/schema.fbs.
func detectTFLite(f *File) (Result, bool) {
	if !f.hasPrefix(4, "TFL3") {
		return Result{}, false
	}
	t, ok := flatRoot(f)
	if !ok {
		return Result{}, false
	}
	version, _ := t.u32(0)
	if version > 1<<10 {
		return Result{}, false
	}
	res := Result{Format: "tflite", Confidence: Certain}
	res.set(FactFormatVersion, strconv.Itoa(int(version)))
	res.set(FactDescription, t.string(3))
	if _, n, ok := t.vector(2); !ok || n == 0 {
		res.damaged("has no subgraph")
	}
	return res, true
}
