package modelformat

import (
	"strings"
)

// detectTorchPT2 recognises archives of torch.export and AOTInductor: a zip with
// a member archive_format that says pt2, in the root or in one folder below it.
// Source: https://docs.pytorch.org/docs/stable/export/pt2_archive.html.
func detectTorchPT2(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	root, ok := pt2Root(f, z)
	if !ok {
		return Result{}, false
	}
	model, compiled := "", false
	for i := range z.members {
		name, ok := strings.CutPrefix(z.members[i].name, root)
		if !ok {
			continue
		}
		if m, ok := strings.CutPrefix(name, "models/"); ok && model == "" {
			model = strings.TrimSuffix(m, ".json")
		}
		compiled = compiled || strings.HasPrefix(name, "data/aotinductor/")
	}
	if model == "" && !compiled {
		return Result{}, false
	}
	res := Result{Format: "pytorch-pt2", Confidence: Certain}
	res.set(FactFramework, "torch")
	if model != "" && model != "model" {
		res.set(FactName, model)
	}
	if compiled {
		res.set(FactCode, "aotinductor")
	}
	return res, true
}

// pt2Root returns the folder that archive_format lies in.
func pt2Root(f *File, z *zipFile) (string, bool) {
	for i := range z.members {
		m := &z.members[i]
		root, ok := strings.CutSuffix(m.name, "archive_format")
		if !ok || root != "" && (strings.Count(root, "/") != 1 || !strings.HasSuffix(root, "/")) || m.size > 64 {
			continue
		}
		c := f.member(m)
		if c == nil {
			continue
		}
		if strings.TrimSpace(c.text(uint64(c.rest()), 64)) == "pt2" {
			return root, true
		}
	}
	return "", false
}
