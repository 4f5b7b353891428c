package modelformat

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// ggufValue is one key of a built GGUF file: a string, uint32, bool or
// []string.
type ggufValue struct {
	key   string
	value any
}

type ggufTensor struct {
	name string
	dims []uint64
	kind uint32
}

// buildGGUF writes a header of the version and byte order given.
func buildGGUF(order binary.AppendByteOrder, version uint32, keys []ggufValue, tensors ...ggufTensor) []byte {
	b := append([]byte("GGUF"), order.AppendUint32(nil, version)...)
	length := func(n int) {
		if version == 1 {
			b = order.AppendUint32(b, uint32(n))
		} else {
			b = order.AppendUint64(b, uint64(n))
		}
	}
	text := func(s string) { length(len(s)); b = append(b, s...) }
	length(len(tensors))
	length(len(keys))
	for _, k := range keys {
		text(k.key)
		switch v := k.value.(type) {
		case string:
			b = order.AppendUint32(b, 8)
			text(v)
		case uint32:
			b = order.AppendUint32(b, 4)
			b = order.AppendUint32(b, v)
		case bool:
			b = order.AppendUint32(b, 7)
			b = append(b, map[bool]byte{true: 1}[v])
		case []string:
			b = order.AppendUint32(b, 9)
			b = order.AppendUint32(b, 8)
			length(len(v))
			for _, s := range v {
				text(s)
			}
		case []uint32:
			b = order.AppendUint32(b, 9)
			b = order.AppendUint32(b, 4)
			length(len(v))
			for _, n := range v {
				b = order.AppendUint32(b, n)
			}
		}
	}
	for _, t := range tensors {
		text(t.name)
		b = order.AppendUint32(b, uint32(len(t.dims)))
		for _, d := range t.dims {
			if version == 1 {
				b = order.AppendUint32(b, uint32(d))
			} else {
				b = order.AppendUint64(b, d)
			}
		}
		b = order.AppendUint32(b, t.kind)
		b = order.AppendUint64(b, 0)
	}
	return b
}

// sampleGGUF is a small, sound model.
func sampleGGUF(version uint32, order binary.AppendByteOrder) []byte {
	return buildGGUF(order, version, []ggufValue{
		{"general.architecture", "llama"},
		{"general.name", "Tiny Llama"},
		{"general.organization", "Example Org"},
		{"general.version", "v0.1"},
		{"general.size_label", "1.1B"},
		{"general.license", "apache-2.0"},
		{"general.file_type", uint32(15)},
		{"tokenizer.ggml.tokens", []string{"<s>", "</s>", "a"}},
		{"tokenizer.ggml.token_type", []uint32{3, 3, 1}},
		{"tokenizer.ggml.add_bos_token", true},
		{"tokenizer.chat_template", "{{ messages }}"},
	}, ggufTensor{"token_embd.weight", []uint64{64, 3}, 12}, ggufTensor{"output.weight", []uint64{64}, 0})
}

// buildSafetensors writes a header and the data it needs.
func buildSafetensors(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func sampleSafetensors() []byte {
	return buildSafetensors(`{"__metadata__":{"format":"pt","modelspec.title":"Tiny","modelspec.license":"MIT"},`+
		`"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}  `, 32)
}

// message joins protobuf fields.
func message(fields ...[]byte) []byte { return bytes.Join(fields, nil) }

func pbBytes(n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), v)
}

func pbString(n protowire.Number, v string) []byte { return pbBytes(n, []byte(v)) }

func pbVarint(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func sampleONNX() []byte {
	tensor := message(pbVarint(1, 3), pbVarint(1, 4), pbVarint(2, 1), pbString(8, "w"),
		pbBytes(13, message(pbString(1, "location"), pbString(2, "weights.bin"))))
	node := message(pbString(1, "x"), pbString(2, "y"), pbString(4, "Relu"))
	graph := message(pbBytes(1, node), pbString(2, "tiny-graph"), pbBytes(5, tensor), pbBytes(11, pbString(1, "x")), pbBytes(12, pbString(1, "y")))
	return message(pbVarint(1, 8), pbString(2, "pytorch"), pbString(3, "2.4"), pbBytes(7, graph),
		pbBytes(8, message(pbString(1, ""), pbVarint(2, 17))), pbBytes(14, message(pbString(1, "license"), pbString(2, "MIT"))))
}

// pickleOf builds a protocol 2 pickle that imports module.name and calls it.
func pickleOf(module, name string) []byte {
	return []byte("\x80\x02c" + module + "\n" + name + "\nq\x00)R}q\x01(X\x01\x00\x00\x00aK\x01sb.")
}

// pickle4Of is the same in protocol 4: a frame, memoised names, STACK_GLOBAL.
func pickle4Of(module, name string) []byte {
	body := []byte{0x8c, byte(len(module))}
	body = append(body, module...)
	body = append(body, 0x94, 0x8c, byte(len(name)))
	body = append(body, name...)
	body = append(body, 0x94, 0x93, 0x94, ')', 0x81, 0x94, '.')
	b := binary.LittleEndian.AppendUint64([]byte{0x80, 4, 0x95}, uint64(len(body)))
	return append(b, body...)
}

const torchRebuild = "ctorch._utils\n_rebuild_tensor_v2\n"

// torchData is a data.pkl of one tensor.
func torchData() []byte {
	return []byte("\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00wq\x02" + torchRebuild +
		"q\x03((X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07K\x04tq\x08QK\x00K\x04\x85q\tK\x01\x85q\n\x89h\x00)Rq\x0btq\x0cRq\rs.")
}

type member struct {
	name string
	data []byte
}

// buildZip writes members in order, stored or packed.
func buildZip(t testing.TB, method uint16, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sampleTorchZip(t testing.TB) []byte {
	return buildZip(t, zip.Store, member{"net/data.pkl", torchData()}, member{"net/byteorder", []byte("little")},
		member{"net/data/0", make([]byte, 16)}, member{"net/version", []byte("3\n")})
}

// sampleTorchLegacy writes the row of pickles of the protocol given.
func sampleTorchLegacy(protocol int) []byte {
	head := func(body string) string {
		switch {
		case protocol < 2:
			return body
		case protocol < 4:
			return "\x80" + string(rune(protocol)) + body
		}
		return string(binary.LittleEndian.AppendUint64([]byte{0x80, byte(protocol), 0x95}, uint64(len(body)))) + body
	}
	magic := torchLegacyText
	if protocol >= 2 {
		magic = torchLegacyMagic
	}
	object := string(torchData())
	return []byte(head(magic) + head("M\xe9\x03.") + head("}q\x00.") + object + string(make([]byte, 32)))
}

// sampleTar writes POSIX tar headers with empty members.
func sampleTar(names ...string) []byte {
	var b []byte
	for _, n := range names {
		h := make([]byte, 512)
		copy(h, n)
		copy(h[124:], "00000000000\x00")
		copy(h[257:], "ustar\x0000")
		b = append(b, h...)
	}
	return append(b, make([]byte, 1024)...)
}

// sampleFlat writes a FlatBuffers file whose root has version 3 and one
// element in field 2.
func sampleFlat(identifier string) []byte {
	b := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint32(b, 24) // root table
	copy(b[4:], identifier)
	le.PutUint16(b[12:], 10) // vtable: its size, the table's, fields 0 to 2
	le.PutUint16(b[14:], 12)
	le.PutUint16(b[16:], 4)
	le.PutUint16(b[18:], 0)
	le.PutUint16(b[20:], 8)
	le.PutUint32(b[24:], 12)
	le.PutUint32(b[28:], 3)
	le.PutUint32(b[32:], 8) // vector at 40
	le.PutUint32(b[40:], 1)
	return b
}

// hdf5Attribute is an attribute of the root group, a fixed string.
type hdf5Attribute struct{ name, value string }

// buildHDF5 writes superblock version 0, and a root header of version 1 with
// the attributes.
func buildHDF5(attributes ...hdf5Attribute) []byte {
	le := binary.LittleEndian
	pad := func(b []byte) []byte {
		for len(b)%8 != 0 {
			b = append(b, 0)
		}
		return b
	}
	var messages []byte
	for _, a := range attributes {
		name, value := pad([]byte(a.name+"\x00")), []byte(a.value)
		dtype := le.AppendUint32([]byte{0x13, 0, 0, 0}, uint32(len(value)))
		body := []byte{1, 0}
		body = le.AppendUint16(body, uint16(len(a.name)+1))
		body = le.AppendUint16(body, 8)
		body = le.AppendUint16(body, 8)
		body = append(body, name...)
		body = append(body, dtype...)
		body = append(body, make([]byte, 8)...)
		body = pad(append(body, value...))
		messages = le.AppendUint16(messages, 0x0c)
		messages = le.AppendUint16(messages, uint16(len(body)))
		messages = append(messages, 0, 0, 0, 0)
		messages = append(messages, body...)
	}
	b := []byte(hdf5Magic)
	b = append(b, 0, 0, 0, 0, 0, 8, 8, 0, 4, 0, 16, 0, 0, 0, 0, 0)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, hdf5None)
	b = le.AppendUint64(b, 4096)
	b = le.AppendUint64(b, hdf5None)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, 96)
	b = append(b, make([]byte, 96-len(b))...)
	b = append(b, 1, 0)
	b = le.AppendUint16(b, uint16(len(attributes)))
	b = le.AppendUint32(b, 1)
	b = le.AppendUint32(b, uint32(len(messages)))
	b = append(b, 0, 0, 0, 0)
	return append(b, messages...)
}

// buildHDF5v2 writes superblock version 2 and a root header of version 2 with
// one attribute.
func buildHDF5v2(a hdf5Attribute) []byte {
	le := binary.LittleEndian
	b := append([]byte(hdf5Magic), 2, 8, 8, 0)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, hdf5None)
	b = le.AppendUint64(b, 4096)
	b = le.AppendUint64(b, 48)
	b = le.AppendUint32(b, 0)
	body := []byte{3, 0}
	body = le.AppendUint16(body, uint16(len(a.name)+1))
	body = le.AppendUint16(body, 8)
	body = le.AppendUint16(body, 4)
	body = append(body, 0)
	body = append(body, a.name+"\x00"...)
	body = append(body, le.AppendUint32([]byte{0x13, 0, 0, 0}, uint32(len(a.value)))...)
	body = append(body, 2, 0, 0, 0)
	body = append(body, a.value...)
	b = append(b, "OHDR\x02\x01"...)
	b = le.AppendUint16(b, uint16(len(body)+4))
	b = append(b, 0x0c)
	b = le.AppendUint16(b, uint16(len(body)))
	b = append(b, 0)
	b = append(b, body...)
	return le.AppendUint32(b, 0)
}

func sampleMetaGraph() []byte {
	info := message(pbString(4, "serve"), pbString(5, "2.15.0"))
	node := func(name, op string) []byte { return pbBytes(1, message(pbString(1, name), pbString(2, op))) }
	graph := message(node("x", "Placeholder"), node("w", "Const"), pbBytes(4, pbVarint(1, 1395)))
	return message(pbBytes(1, info), pbBytes(2, graph), pbBytes(5, message(pbString(1, "serving_default"), pbBytes(2, nil))))
}

func sampleGraphDef() []byte {
	node := func(name, op string) []byte { return pbBytes(1, message(pbString(1, name), pbString(2, op))) }
	return message(node("x", "Placeholder"), node("w", "Const"), pbBytes(4, pbVarint(1, 1395)))
}

func sampleSavedModel() []byte { return message(pbVarint(1, 1), pbBytes(2, sampleMetaGraph())) }

// sampleTable writes the table of a checkpoint: one block whose first entry has
// the key and value given, then a tensor's, then a footer.
func sampleTable(key, value string, tensors ...string) []byte {
	entry := func(k, v string) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint([]byte{0}, uint64(len(k))), uint64(len(v))), k+v...)
	}
	b := entry(key, value)
	for _, t := range tensors {
		b = append(b, entry(t, "\x08\x01")...)
	}
	b = append(b, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	foot := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(b))), 8)
	foot = append(foot, make([]byte, 40-len(foot))...)
	b = append(b, make([]byte, 13)...)
	return append(append(b, foot...), tfTableMagic...)
}

func sampleXGBoostLegacy() []byte {
	b := make([]byte, xgboostLegacyHeader)
	for _, s := range []string{"binary:logistic", "gbtree"} {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
	}
	return slices.Concat(b, make([]byte, 64))
}

func sampleRKNN(t testing.TB) []byte {
	meta, err := json.Marshal(map[string]any{"name": "yolo", "version": "1.6.0", "target_platform": []string{"rk3588"}})
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	b := le.AppendUint64([]byte("RKNN\x00\x00\x00\x00"), 2)
	b = append(le.AppendUint64(b, 16), make([]byte, 16)...)
	return append(le.AppendUint64(b, uint64(len(meta))), meta...)
}

func sampleBurnpack() []byte {
	body := []byte("\xa1\x67tensors\xa1\x61w\xa1\x65dtype\x63F32")
	b := append([]byte("NRUB"), 1, 0)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(body))), body...)
}

func sampleNPY() []byte {
	h := "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), 0)
	return append(append(b, h...), make([]byte, 8)...)
}

func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const (
	sampleLightGBMText = "tree\nversion=v4\nnum_class=1\nobjective=binary sigmoid:1\n\nTree=0\n"
	sampleLightGBMJSON = `{"name":"tree","version":"v4","num_class":1,"num_tree_per_iteration":1,"objective":"regression","tree_info":[{"tree_index":0}]}`
	sampleXGBoostJSON  = `{"learner":{"attributes":{},"gradient_booster":{"model":{"trees":[]},"name":"gbtree"},"learner_model_param":{},"objective":{"name":"reg:squarederror"}},"version":[2,1,0]}`
	sampleTFJS         = `{"format":"graph-model","generatedBy":"2.15.0","convertedBy":"TensorFlow.js Converter v4","modelTopology":{"node":[]},"weightsManifest":[{"paths":["group1-shard1of2.bin","group1-shard2of2.bin","../../etc/passwd"],"weights":[]}]}`
	sampleOpenVINO     = `<?xml version="1.0"?><net name="resnet" version="11"><layers><layer id="0"/></layers></net>`
	sampleNCNN         = "7767517\n3 3\nInput data 0 1 data\n"
	sampleState        = "model_checkpoint_path: \"model.ckpt-1\"\nall_model_checkpoint_paths: \"model.ckpt-1\"\n"
)

func sampleCoreML() []byte {
	meta := message(pbString(1, "Detects things"), pbString(3, "Example Org"), pbString(4, "MIT"))
	return message(pbVarint(1, 8), pbBytes(2, message(pbBytes(1, pbString(1, "image")), pbBytes(100, meta))), pbBytes(502, pbVarint(1, 1)))
}
