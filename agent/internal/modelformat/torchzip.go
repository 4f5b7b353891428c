package modelformat

import (
	"strconv"
	"strings"
)

// detectTorchZip recognises files of torch since 1.6 and TorchScript. Source:
// https://github.com/pytorch/pytorch/pull/29339.
func detectTorchZip(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	root, pkl := torchRoot(z)
	if pkl == nil {
		return Result{}, false
	}
	storages, script, sure := 0, false, false
	for i := range z.members {
		name, ok := strings.CutPrefix(z.members[i].name, root)
		if !ok {
			continue
		}
		switch {
		case strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "tensors/"):
			storages++
		case name == "version" || name == "byteorder" || name == ".data/serialization_id" || name == ".format_version":
			sure = true
		case name == "constants.pkl" || strings.HasPrefix(name, "code/"):
			script = true
		}
	}
	if !sure && !script && storages == 0 {
		return Result{}, false
	}
	res := Result{Format: "pytorch-zip", Confidence: Certain}
	res.set(FactFramework, "torch")
	res.set(FactTensors, strconv.Itoa(storages))
	if script {
		res.set(FactTorchScript, "yes")
		res.set(FactCode, "torchscript")
	}
	if name := strings.TrimSuffix(root, "/"); name != "archive" && name != "data" {
		res.set(FactName, name)
	}
	torchPickle(f, pkl, &res)
	return res, true
}

// torchRoot finds data.pkl in the archive's root folder.
func torchRoot(z *zipFile) (string, *zipMember) {
	for i := range z.members {
		root, ok := strings.CutSuffix(z.members[i].name, "data.pkl")
		if ok && (root == "" || strings.Count(root, "/") == 1 && strings.HasSuffix(root, "/")) {
			return root, &z.members[i]
		}
	}
	return "", nil
}

func torchPickle(f *File, m *zipMember, res *Result) {
	c := f.member(m)
	if c == nil {
		res.damaged("its data.pkl cannot be read")
		return
	}
	p := newPickleWalk(c)
	whole := p.run()
	p.facts(res)
	if !whole && !f.cut && c.rest() < 1 && m.packed <= zipMaxMember {
		res.damaged("its data.pkl ends early")
	}
}
