package modelformat

import (
	"bytes"
	"strings"
)

// detectLightGBMJSON recognises the dump of the same: an object with the keys
// tree_info and num_tree_per_iteration.
func detectLightGBMJSON(f *File) (Result, bool) {
	// Looked for without its first letters: a rare first byte is found faster.
	if !jsonStart(f.head) || !bytes.Contains(f.head, []byte("_tree_per_iteration")) {
		return Result{}, false
	}
	res := Result{Format: "lightgbm-json", Confidence: Certain}
	res.set(FactFramework, "lightgbm")
	j := newJSON(f.cursor(0, f.size))
	trees, per := false, false
	if j.next() != '{' {
		return Result{}, false
	}
	for j.next() == 'k' {
		switch string(j.text) {
		case "tree_info":
			if j.next() != '[' {
				return Result{}, false
			}
			trees = true
			j.leave(j.depth - 1)
		case "num_tree_per_iteration":
			per = j.skip()
		case "objective":
			res.set(FactObjective, j.str())
		case "version":
			res.set(FactFormatVersion, strings.TrimPrefix(j.str(), "v"))
		default:
			j.skip()
		}
	}
	return res, trees && per
}
