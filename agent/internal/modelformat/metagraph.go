package modelformat

import (
	"strings"
)

// TensorFlow's protobuf files. Source: tensorflow/core/protobuf/
// saved_model.proto, meta_graph.proto, tensorflow/core/framework/graph.proto.

// metaGraph is what a MetaGraphDef shows: meta_info_def 1, graph_def 2,
// saver_def 3, collection_def 4, signature_def 5, asset_file_def 6,
// object_graph_def 7.
type metaGraph struct {
	c          *cursor
	info       bool
	graph      bool
	other      int
	nodes      int
	version    string
	tags       []string
	signatures []string
	code       bool
}

func (m *metaGraph) read(size uint64) bool {
	return walkProto(m.c, size, func(p protoField) bool {
		if p.wire != wireBytes || p.number > 7 {
			return false
		}
		switch p.number {
		case 1:
			m.info = true
			return m.metaInfo(p.size)
		case 2:
			m.graph = true
			return m.graphDef(p.size)
		case 4:
			m.other++
		case 5:
			m.other++
			if name := m.mapKey(p.size); name != "" && len(m.signatures) < 16 {
				m.signatures = append(m.signatures, name)
			}
		default:
			m.other++
		}
		return m.c.err == nil
	})
}

// metaInfo visits MetaInfoDef: meta_graph_version 1, stripped_op_list 2,
// any_info 3, tags 4, tensorflow_version 5, git version 6, stripped 7,
// function aliases 8.
func (m *metaGraph) metaInfo(size uint64) bool {
	return walkProto(m.c, size, func(p protoField) bool {
		switch p.number {
		case 4:
			if p.wire == wireBytes && len(m.tags) < 16 {
				m.tags = append(m.tags, protoString(m.c, p))
			}
		case 5:
			m.version = protoString(m.c, p)
		case 7:
			return p.wire == wireVarint
		}
		return p.wire == wireBytes && p.number <= 8
	})
}

// graphDef visits GraphDef: node 1, library 2, version 3, versions 4,
// debug_info 5.
func (m *metaGraph) graphDef(size uint64) bool {
	return walkProto(m.c, size, func(p protoField) bool {
		switch p.number {
		case 1:
			m.nodes++
			if m.nodes > 4096 {
				return p.wire == wireBytes
			}
			return p.wire == wireBytes && m.node(p.size)
		case 3:
			return p.wire == wireVarint
		case 2, 4, 5:
			return p.wire == wireBytes
		}
		return false
	})
}

// node visits NodeDef: name 1, op 2.
func (m *metaGraph) node(size uint64) bool {
	name, op := "", ""
	ok := walkProto(m.c, size, func(p protoField) bool {
		switch {
		case p.wire != wireBytes || p.number > 7:
			return false
		case p.number == 1:
			name = protoString(m.c, p)
		case p.number == 2:
			op = protoString(m.c, p)
		}
		return true
	})
	switch op {
	case "PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile":
		m.code = true
	}
	return ok && name != "" && op != "" && identifier(op)
}

// mapKey reads the key of a map entry.
func (m *metaGraph) mapKey(size uint64) string {
	key := ""
	walkProto(m.c, size, func(p protoField) bool {
		if p.number == 1 && p.wire == wireBytes {
			key = protoString(m.c, p)
		}
		return p.wire == wireBytes && p.number <= 2
	})
	return key
}

func (m *metaGraph) facts(res *Result) {
	res.set(FactFramework, "tensorflow")
	res.set(FactProducerVersion, m.version)
	res.set(FactTags, strings.Join(m.tags, ","))
	res.set(FactSignatures, strings.Join(m.signatures, ","))
	if m.code {
		res.set(FactCode, "python_or_file_operation")
	}
}

// detectMetaGraph recognises a MetaGraphDef by itself, as in *.meta.
func detectMetaGraph(f *File) (Result, bool) {
	if !firstTag(f.head, "\x0a") {
		return Result{}, false
	}
	m := metaGraph{c: f.cursor(0, f.size)}
	if ok := m.read(uint64(f.size)); !ok && !(f.cut && m.nodes > 8) {
		return Result{}, false
	}
	if !m.info || !m.graph || m.nodes == 0 {
		return Result{}, false
	}
	res := Result{Format: "tf-metagraph", Confidence: Likely}
	m.facts(&res)
	return res, true
}
