package modelformat

// detectExecuTorch recognises programs of ExecuTorch: file identifier ET and
// two digits. Source:
// https://docs.pytorch.org/executorch/stable/pte-file-format.html.
func detectExecuTorch(f *File) (Result, bool) {
	if !f.hasPrefix(4, "ET") || f.head[6] < '0' || f.head[6] > '9' || f.head[7] < '0' || f.head[7] > '9' {
		return Result{}, false
	}
	if _, ok := flatRoot(f); !ok {
		return Result{}, false
	}
	res := Result{Format: "executorch", Confidence: Certain}
	res.set(FactFormatVersion, string(f.head[6:8]))
	return res, true
}
