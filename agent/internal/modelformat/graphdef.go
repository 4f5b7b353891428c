package modelformat

import (
	"bytes"
)

// detectGraphDef recognises a frozen graph. Its nodes must name operations
// that every TensorFlow graph has.
func detectGraphDef(f *File) (Result, bool) {
	if !firstTag(f.head, "\x0a") {
		return Result{}, false
	}
	if !bytes.Contains(f.head, []byte("\x12\x0bPlaceholder")) && !bytes.Contains(f.head, []byte("\x12\x05Const")) {
		return Result{}, false
	}
	m := metaGraph{c: f.cursor(0, f.size)}
	if ok := m.graphDef(uint64(f.size)); !ok && !(f.cut && m.nodes > 8) || m.nodes < 2 {
		return Result{}, false
	}
	res := Result{Format: "tf-graphdef", Confidence: Likely}
	m.facts(&res)
	return res, true
}
