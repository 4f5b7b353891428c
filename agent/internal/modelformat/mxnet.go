package modelformat

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// detectMXNet recognises Apache MXNet's parameter lists (the numbers 0x112 and
// 0, a count, then arrays that begin with a magic number of their own) and its
// symbol files: JSON with nodes, arg_nodes and heads. Graphs of TVM are written
// the same way, with operators named tvm_op. Source:
// https://github.com/lutzroeder/netron/blob/main/source/mxnet.js.
func detectMXNet(f *File) (Result, bool) {
	if f.hasPrefix(0, "\x12\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00") {
		return mxnetParams(f)
	}
	if jsonStart(f.head) && bytes.Contains(f.head, []byte(`"nodes"`)) && bytes.Contains(f.head, []byte(`"op"`)) {
		return mxnetSymbol(f)
	}
	return Result{}, false
}

func mxnetParams(f *File) (Result, bool) {
	if len(f.head) < 32 {
		return Result{}, false
	}
	n, magic := binary.LittleEndian.Uint64(f.head[16:]), binary.LittleEndian.Uint32(f.head[24:])
	if n == 0 || n > uint64(f.size)/8 || magic < 0xf993fac8 || magic > 0xf993faca {
		return Result{}, false
	}
	res := Result{Format: "mxnet-params", Confidence: Certain}
	res.set(FactFramework, "mxnet")
	res.set(FactTensors, strconv.FormatUint(n, 10))
	return res, true
}

func mxnetSymbol(f *File) (Result, bool) {
	seen := make(map[string]bool, 3)
	tvm, operators := false, 0
	j := newJSON(f.cursor(0, f.size))
	if j.next() != '{' {
		return Result{}, false
	}
	for j.next() == 'k' {
		switch key := string(j.text); key {
		case "nodes":
			operators, tvm = mxnetNodes(j)
			seen[key] = true
		case "arg_nodes", "heads":
			seen[key] = j.skip()
		default:
			j.skip()
		}
	}
	if operators == 0 || !f.cut && (j.c.err != nil || !seen["nodes"] || !seen["arg_nodes"] || !seen["heads"]) || f.cut && operators < 8 {
		return Result{}, false
	}
	res := Result{Format: "mxnet-symbol", Confidence: Likely}
	res.set(FactFramework, "mxnet")
	if tvm {
		res = Result{Format: "tvm-graph", Confidence: Likely}
		res.set(FactFramework, "tvm")
		return res, true
	}
	if base, ok := f.stem("-symbol.json"); ok {
		if part, ok := relativePart(base + "-0000.params"); ok {
			res.Parts = append(res.Parts, Part{Path: part, Format: "mxnet-params"})
		}
	}
	return res, true
}

// mxnetNodes counts the nodes that have an operator.
func mxnetNodes(j *jsonReader) (operators int, tvm bool) {
	if j.next() != '[' {
		return 0, false
	}
	depth := j.depth
	for j.depth >= depth {
		t := j.next()
		if t == 0 {
			break
		}
		if t == 'k' && j.depth == depth+1 && string(j.text) == "op" {
			op := j.str()
			if op == "" || strings.ContainsAny(op, " /") {
				return 0, false
			}
			operators++
			tvm = tvm || op == "tvm_op"
		}
	}
	return operators, tvm
}
