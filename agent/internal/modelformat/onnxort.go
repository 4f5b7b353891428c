package modelformat

// detectONNXORT recognises the FlatBuffers that ONNX Runtime writes for small
// devices: file identifier ORTM, a root whose field 0 is the runtime's version
// and whose field 1 is the model. Source: onnxruntime/core/flatbuffers/schema.
func detectONNXORT(f *File) (Result, bool) {
	if !f.hasPrefix(4, "ORTM") {
		return Result{}, false
	}
	t, ok := flatRoot(f)
	if !ok {
		return Result{}, false
	}
	res := Result{Format: "onnx-ort", Confidence: Certain}
	res.set(FactProducer, "onnxruntime")
	res.set(FactFormatVersion, t.string(0))
	if t.field(1) == 0 {
		res.damaged("has no model")
	}
	return res, true
}
