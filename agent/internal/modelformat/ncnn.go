package modelformat

import (
	"strconv"
	"strings"
)

// detectNCNN recognises ncnn's and PNNX's parameter text, whose first line is
// 7767517. Source: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure.
func detectNCNN(f *File) (Result, bool) {
	if !f.hasPrefix(0, "7767517\n") && !f.hasPrefix(0, "7767517\r\n") {
		return Result{}, false
	}
	lines := strings.SplitN(string(f.head[:min(len(f.head), 256)]), "\n", 3)
	counts := strings.Fields(lines[1])
	if len(counts) != 2 {
		return Result{}, false
	}
	for _, s := range counts {
		if _, err := strconv.ParseUint(s, 10, 32); err != nil {
			return Result{}, false
		}
	}
	res := Result{Format: "ncnn", Confidence: Certain}
	if base, ok := f.stem(".param"); ok {
		if part, ok := relativePart(base + ".bin"); ok {
			res.Parts = append(res.Parts, Part{Path: part})
		}
	}
	return res, true
}
