package modelformat

import (
	"strings"
)

// detectSavedModel recognises SavedModel: saved_model_schema_version 1 (=1)
// and meta_graphs 2, nothing else. The name is needed where the version is
// missing.
func detectSavedModel(f *File) (Result, bool) {
	named := f.name == "saved_model.pb"
	if f.name == "saved_model.pbtxt" {
		return savedModelText(f)
	}
	if !f.hasPrefix(0, "\x08\x01\x12") && !(named && firstTag(f.head, "\x12")) {
		return Result{}, false
	}
	c := f.cursor(0, f.size)
	m := metaGraph{c: c}
	graphs := 0
	ok := walkProto(c, uint64(f.size), func(p protoField) bool {
		switch {
		case p.number == 1 && p.wire == wireVarint:
			return p.value == 1
		case p.number == 2 && p.wire == wireBytes:
			graphs++
			return m.read(p.size)
		}
		return false
	})
	if !ok && !f.cut || graphs == 0 || !named && !m.graph {
		return Result{}, false
	}
	res := Result{Format: "tf-savedmodel", Confidence: Certain}
	m.facts(&res)
	return res, true
}

func savedModelText(f *File) (Result, bool) {
	head := string(f.head)
	if !strings.Contains(head, "meta_graphs") || !strings.Contains(head, "meta_info_def") && !strings.Contains(head, "graph_def") {
		return Result{}, false
	}
	res := Result{Format: "tf-savedmodel", Confidence: Certain}
	res.set(FactFramework, "tensorflow")
	return res, true
}
