package modelformat

import (
	"bytes"
)

// detectTFCheckpointState recognises the text file named checkpoint.
func detectTFCheckpointState(f *File) (Result, bool) {
	if !bytes.HasPrefix(bytes.TrimLeft(f.head, "\r\n "), []byte(`model_checkpoint_path: "`)) {
		return Result{}, false
	}
	res := Result{Format: "tf-checkpoint-state", Confidence: Certain}
	res.set(FactFramework, "tensorflow")
	return res, true
}
