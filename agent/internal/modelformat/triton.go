package modelformat

import (
	"strings"
)

// detectTriton recognises the model configuration of Triton Inference Server,
// protobuf text that must be named config.pbtxt: it names a platform or a
// backend and has at least one input, an output or a maximum batch size. Source:
// https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md.
func detectTriton(f *File) (Result, bool) {
	if f.name != "config.pbtxt" {
		return Result{}, false
	}
	res := Result{Format: "triton-config", Confidence: Likely}
	runs, parts, depth := false, 0, 0
	c := f.cursor(0, min(f.size, 64<<10))
	line := make([]byte, 0, 128)
	for c.rest() > 0 {
		if line = c.line(16<<10, line); c.err != nil {
			break
		}
		text, _, _ := strings.Cut(strings.TrimSpace(string(line)), "#")
		if depth == 0 {
			key := text[:len(text)-len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz_"))]
			value := strings.Trim(strings.TrimLeft(text[len(key):], ": "), `"' `)
			switch key {
			case "platform", "backend":
				runs = true
				res.set(FactFramework, value)
				if value == "python" {
					res.set(FactCode, "python")
				}
			case "name":
				res.set(FactName, value)
			case "max_batch_size", "input", "output":
				parts++
			}
		}
		depth += strings.Count(text, "{") + strings.Count(text, "[") - strings.Count(text, "}") - strings.Count(text, "]")
	}
	if !runs || parts == 0 || depth < 0 {
		return Result{}, false
	}
	return res, true
}
