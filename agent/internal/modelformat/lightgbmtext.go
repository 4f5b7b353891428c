package modelformat

import (
	"strings"
)

// detectLightGBMText recognises LightGBM's text: "tree", then version=v2 to v4.
// Source: microsoft/LightGBM, src/boosting/gbdt_model_text.cpp.
func detectLightGBMText(f *File) (Result, bool) {
	if !f.hasPrefix(0, "tree\n") && !f.hasPrefix(0, "tree\r\n") {
		return Result{}, false
	}
	lines := strings.Split(strings.ReplaceAll(string(f.head), "\r\n", "\n"), "\n")
	version, ok := strings.CutPrefix(lines[1], "version=v")
	if !ok || len(version) == 0 || len(version) > 2 {
		return Result{}, false
	}
	res := Result{Format: "lightgbm-text", Confidence: Certain}
	res.set(FactFramework, "lightgbm")
	res.set(FactFormatVersion, version)
	for _, l := range lines[2:] {
		if v, ok := strings.CutPrefix(l, "objective="); ok {
			res.set(FactObjective, v)
		}
	}
	return res, true
}
