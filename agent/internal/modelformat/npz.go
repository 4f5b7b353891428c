package modelformat

import (
	"strings"
)

// detectNPZ recognises a zip of numpy arrays. MLX and others keep weights so;
// the names of the arrays decide.
func detectNPZ(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	weights := 0
	for i := range z.members {
		name, ok := strings.CutSuffix(z.members[i].name, ".npy")
		if !ok {
			return Result{}, false
		}
		if weightName(name) {
			weights++
		}
	}
	res := Result{Format: "npz", Confidence: Slight, Data: true}
	if weights*2 >= len(z.members) {
		res.Confidence, res.Data = Guess, false
	}
	return res, true
}

// weightName says whether an array is named like a layer's weights.
func weightName(s string) bool {
	switch {
	case strings.HasSuffix(s, ".weight"), strings.HasSuffix(s, ".bias"), strings.HasSuffix(s, ".scales"), strings.HasSuffix(s, ".biases"):
		return true
	}
	return strings.Contains(s, "/kernel") || strings.Contains(s, "layers.") || strings.Contains(s, "params/")
}
