package modelformat

import (
	"encoding/binary"
	"testing"
)

const (
	sampleMXNetSymbol = `{"nodes":[{"op":"null","name":"data","inputs":[]},{"op":"Convolution","name":"c0","attrs":{"kernel":"(3, 3)"},"inputs":[[0,0,0]]}],"arg_nodes":[0],"heads":[[1,0,0]],"attrs":{"mxnet_version":["int",10700]}}`
	sampleTVMGraph    = `{"nodes":[{"op":"null","name":"x","inputs":[]},{"op":"tvm_op","name":"fused","attrs":{"func_name":"fused"},"inputs":[[0,0,0]]}],"arg_nodes":[0],"heads":[[1,0,0]],"attrs":{"dltype":["list_str",["float32"]]},"node_row_ptr":[0,1,2]}`
)

func sampleMXNetParams(n uint64, magic uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, 0x112), 0), n)
	return append(le.AppendUint32(b, magic), make([]byte, 64)...)
}

func samplesMXNet(testing.TB) []sample {
	return []sample{
		{path: "net-0000.params", data: sampleMXNetParams(2, 0xf993fac9), format: "mxnet-params", facts: map[string]string{FactTensors: "2"}},
		{path: "net-symbol.json", data: []byte(sampleMXNetSymbol), format: "mxnet-symbol", parts: []Part{{Path: "net-0000.params", Format: "mxnet-params"}}},
		{path: "deploy_graph.json", data: []byte(sampleTVMGraph), format: "tvm-graph", facts: map[string]string{FactFramework: "tvm"}},
	}
}

// TestMXNetNothing: more arrays than the file has room for, arrays without
// their magic, and graphs of other programs.
func TestMXNetNothing(t *testing.T) {
	wantNothing(t, "count", "m.params", sampleMXNetParams(1<<40, 0xf993fac9))
	wantNothing(t, "magic", "m.params", sampleMXNetParams(2, 0))
	wantNothing(t, "no heads", "g.json", []byte(`{"nodes":[{"op":"null","name":"x"}],"arg_nodes":[0],"edges":[]}`))
	wantNothing(t, "no operator", "g.json", []byte(`{"nodes":[{"id":"a"}],"arg_nodes":[],"heads":[],"x":{"op":"y"}}`))
	wantNothing(t, "cut off", "g.json", []byte(sampleMXNetSymbol[:len(sampleMXNetSymbol)-1]))
}

func FuzzMXNet(f *testing.F) { fuzzDetector(f, "mxnet", "net-symbol.json") }
