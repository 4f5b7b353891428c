package modelformat

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// sample is a file built by the spec of its format, and what must be said of
// it.
type sample struct {
	path   string
	data   []byte
	format string
	facts  map[string]string // a subset
	parts  []Part
	isData bool
	weak   bool // reported with a problem
}

// samples lists the samples of every format.
func samples(t testing.TB) []sample {
	var list []sample
	for _, of := range []func(testing.TB) []sample{
		samplesGGUF,
		samplesGGML,
		samplesSafetensors,
		samplesONNX,
		samplesTorchZip,
		samplesTorchTar,
		samplesPickle,
		samplesZipPickle,
		samplesNPZ,
		samplesNPY,
		samplesKerasV3,
		samplesSkops,
		samplesTorchServe,
		samplesTFLite,
		samplesExecuTorch,
		samplesLiteRTLM,
		samplesKerasH5,
		samplesBurnpack,
		samplesCatBoost,
		samplesRKNN,
		samplesTensorRT,
		samplesTFCheckpoint,
		samplesLlamafile,
		samplesXGBoostLegacy,
		samplesXGBoost,
		samplesLightGBMText,
		samplesLightGBMJSON,
		samplesTFJS,
		samplesOpenVINO,
		samplesNCNN,
		samplesTFCheckpointState,
		samplesSavedModel,
		samplesMetaGraph,
		samplesGraphDef,
		samplesCoreML,
		samplesTorchLegacy,
		samplesTorchPT2,
		samplesDLC,
		samplesH2OMOJO,
		samplesMediaPipe,
		samplesONNXORT,
		samplesHailo,
		samplesAscendOM,
		samplesFastText,
		samplesMXNet,
		samplesPMML,
		samplesMLflow,
		samplesTriton,
		samplesCTranslate2,
		samplesFlax,
		samplesPaddle,
	} {
		list = append(list, of(t)...)
	}
	return list
}

func TestIdentifySamples(t *testing.T) {
	for _, s := range samples(t) {
		got, err := Identify(bytes.NewReader(s.data), int64(len(s.data)), s.path)
		if err != nil {
			t.Errorf("%s %s: %v", s.format, s.path, err)
			continue
		}
		if got.Format != s.format || got.Data != s.isData {
			t.Errorf("%s %s: got format %q data %v", s.format, s.path, got.Format, got.Data)
			continue
		}
		if weak := got.Problem != "" && got.Confidence < 50; weak != s.weak {
			t.Errorf("%s %s: confidence %d, problem %q", s.format, s.path, got.Confidence, got.Problem)
		}
		for k, v := range s.facts {
			if got.Facts[k] != v {
				t.Errorf("%s %s: fact %s is %q, want %q", s.format, s.path, k, got.Facts[k], v)
			}
		}
		if d := cmp.Diff(s.parts, got.Parts); d != "" {
			t.Errorf("%s %s: parts (-want +got)\n%s", s.format, s.path, d)
		}
	}
}

// TestEveryFormatHasASample keeps the list and the tests together.
func TestEveryFormatHasASample(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range samples(t) {
		for _, d := range detectors {
			if s.format == d.Name || strings.HasPrefix(s.format, d.Name+"-") {
				seen[d.Name] = true
			}
		}
	}
	for _, name := range Formats() {
		if !seen[name] {
			t.Errorf("no sample of %s", name)
		}
	}
}

// TestIdentifyNothing: look-alikes that are no models.
func TestIdentifyNothing(t *testing.T) {
	zipOf := func(m ...member) []byte { return buildZip(t, zip.Store, m...) }
	for _, s := range []struct {
		path string
		data string
	}{
		{"m.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"},
		{"m.gguf", "GGUF is a file format for models, and this is a text about it."},
		{"m.safetensors", "<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"},
		{"m.safetensors", string(buildSafetensors(`{"hello":"hi"}`, 32))},
		{"m.safetensors", string(buildSafetensors(`{}`, 32))},
		{"m.safetensors", "\x00\x00\x00\x00\x00\x01\x00\x00{\"a\":1}xxxxxxx"},
		{"m.safetensors", string(make([]byte, 4096))},
		{"m.tflite", "abcdTFL3 is only a word here\na text, no table\n"},
		{"m.h5", hdf5Magic + string(make([]byte, 88))},
		{"m.h5", string(buildHDF5(hdf5Attribute{"title", "measurements"}))},
		{"m.pt", "PK\x03\x04" + string(make([]byte, 60))},
		{"m.pt", string(zipOf(member{"word/document.xml", []byte("<x/>")}))},
		{"m.pt", string(zipOf(member{"a/b/data.pkl", torchData()}))[:200]},
		{"m.keras", string(zipOf(member{"config.json", []byte("{}")}, member{"x.xml", nil}))},
		{"tutor.pt", "Bem vindo ao tutorial de VIM - Versao 1.7\n(c) de todos\n."},
		{"x.bin", "tree\nversion=5\nnum=1\n"},
		{"x.txt", "Tree=0\nnum_leaves=3\nsplit_feature=0 1\n"},
		{"x.json", `{"learner":1,"version":2}                `},
		{"x.json", `{"format":"graph-model","other":[1,2,3]}`},
		{"000003.ldb", string(sampleTable("\x00\x01\x02\x03\x04\x05\x06\x07\x08", "\x08\x01"))},
		{"x.pb", string(message(pbVarint(1, 3), pbVarint(1, 4), pbVarint(2, 1), pbString(8, "x"), pbBytes(9, make([]byte, 48))))},
		{"m.onnx", string(message(pbVarint(1, 8), pbString(2, "p"), pbBytes(7, pbString(2, "g"))))}, // no opset
		{"m.onnx", string(sampleONNX()) + "\x0a"},
		{"m.xml", `<html><net name="x">no version, no layers of a network</net></html>`},
		{"a.pkl", "\xa7\r\r\n\x00\x00\x00\x00 compiled, not pickled"},
		{"a.pkl", "\x1f\x8b\x08 not really gzip at all....."},
		{"x.bin", "\x80\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"x.bin", "MZqFpD='\n" + string(make([]byte, 4096))},
		{"x.bin", "{L\x00\x00\x00\x00\x00\x00\x00\x05other{}      "},
		{"tiny", "GGUF"},
	} {
		got, err := Identify(strings.NewReader(s.data), int64(len(s.data)), s.path)
		if err != nil || got.Format != "" {
			t.Errorf("%s %.20q: got %q, %v", s.path, s.data, got.Format, err)
		}
	}
}

// wantNothing fails where a format is said of data.
func wantNothing(t *testing.T, what, path string, data []byte) {
	t.Helper()
	got, err := Identify(bytes.NewReader(data), int64(len(data)), path)
	if err != nil || got.Format != "" {
		t.Errorf("%s: got %q, %v", what, got.Format, err)
	}
}

// counted counts the bytes read and holds reads inside the size it was given.
type counted struct {
	t    testing.TB
	r    io.ReaderAt
	size int64
	n    int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > c.size {
		c.t.Fatalf("read of %d at %d leaves a file of %d", len(p), off, c.size)
	}
	c.n += int64(len(p))
	return c.r.ReadAt(p, off)
}

// sparse is a reader of any size: bytes, then zeros.
type sparse struct {
	head []byte
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s.head)) {
		copy(p, s.head[off:])
	}
	return len(p), nil
}

// TestForgedLengths gives each parser a huge sparse file with counts and
// lengths that claim all of it: it must neither read nor allocate for them.
func TestForgedLengths(t *testing.T) {
	const size = 108 << 30
	le := binary.LittleEndian
	long := append(le.AppendUint64(le.AppendUint64([]byte("GGUF\x03\x00\x00\x00"), 0), 1), le.AppendUint64(nil, 20)...)
	long = append(append(long, "general.architecture"...), 8, 0, 0, 0)
	text := le.AppendUint64(bytes.Clone(long), 107<<30)
	array := append(bytes.Clone(long[:len(long)-4]), 9, 0, 0, 0, 8, 0, 0, 0)
	array = le.AppendUint64(array, 100<<30)
	for name, head := range map[string][]byte{
		"keys":    le.AppendUint64(le.AppendUint64([]byte("GGUF\x03\x00\x00\x00"), 0), 1<<40),
		"tensors": le.AppendUint64(le.AppendUint64([]byte("GGUF\x03\x00\x00\x00"), 1<<60), 0),
		"text":    text,
		"array":   array,
		"st":      append(le.AppendUint64(nil, 99_000_000), `{"a":{"dtype":"F32","shape":[`...),
		"onnx":    append([]byte("\x08\x08\x3a"), binary.AppendUvarint(nil, 100<<30)...),
		"pickle":  append([]byte("\x80\x04\x8e"), le.AppendUint64(nil, 100<<30)...),
		"zip":     []byte("PK\x03\x04"),
	} {
		r := &counted{t: t, r: sparse{head}, size: size}
		id := NewIdentifier(Options{Budget: 1 << 20})
		allocated := testing.AllocsPerRun(1, func() {
			r.n = 0
			if _, err := id.Identify(r, size, "x"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if r.n > 1<<20 {
			t.Errorf("%s: read %d bytes with a budget of %d", name, r.n, 1<<20)
		}
		if allocated > 500 {
			t.Errorf("%s: %.0f allocations", name, allocated)
		}
	}
}

// TestBudgetCutsHeader: a header longer than the budget is still a model, with
// what was read and the mark that it is partial.
func TestBudgetCutsHeader(t *testing.T) {
	tokens := make([]string, 50_000)
	for i := range tokens {
		tokens[i] = "token"
	}
	gguf := buildGGUF(binary.LittleEndian, 3, []ggufValue{{"general.architecture", "llama"}, {"t", tokens}, {"general.license", "mit"}})
	var b strings.Builder
	b.WriteString(`{"a0":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`)
	for range 5000 {
		b.WriteString(`,"model.layers.0.self_attn.q_proj.weight":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}`)
	}
	b.WriteString("}")
	trees := strings.Repeat(`{"left_children":[1,2,3]},`, 5000)
	for _, data := range [][]byte{
		gguf, buildSafetensors(b.String(), 1),
		[]byte(strings.Replace(sampleXGBoostJSON, `"trees":[`, `"trees":[`+trees+"{}", 1)),
		[]byte(strings.Replace(sampleLightGBMJSON, `"tree_info":[`, `"tree_info":[`+trees, 1)),
		[]byte(strings.Replace(sampleTFJS, `"node":[`, `"node":[`+trees+"{}", 1)),
	} {
		got, err := NewIdentifier(Options{Budget: 64 << 10}).Identify(bytes.NewReader(data), int64(len(data)), "m")
		if err != nil || got.Format == "" || got.Problem != "" || got.Facts[FactHeader] != "partial" {
			t.Errorf("cut: %+v, %v", got, err)
		}
		got, err = Identify(bytes.NewReader(data), int64(len(data)), "m")
		if err != nil || got.Facts[FactHeader] != "" || got.Problem != "" {
			t.Errorf("whole: %+v, %v", got, err)
		}
	}
}

// TestShrunkFile: a file that ends before its size says so is no result.
func TestShrunkFile(t *testing.T) {
	data := sampleGGUF(3, binary.LittleEndian)
	for _, size := range []int64{int64(len(data)) + 1, 1 << 20} {
		got, err := Identify(bytes.NewReader(data), size, "m.gguf")
		if !errors.Is(err, ErrChanged) || got.Format != "" {
			t.Errorf("size %d: %+v, %v", size, got, err)
		}
	}
}

// TestIdentifyAllocatesNothing: most files are nothing, and must cost nothing.
func TestIdentifyAllocatesNothing(t *testing.T) {
	id := NewIdentifier(Options{})
	r := strings.NewReader(strings.Repeat("package main\n\nimport \"fmt\"\n", 500))
	if n := testing.AllocsPerRun(100, func() {
		if res, err := id.Identify(r, r.Size(), "/src/main.go"); err != nil || res.Format != "" {
			t.Fatal(res, err)
		}
	}); n > 1 {
		t.Errorf("%.1f allocations for an ordinary file, want at most 1", n)
	}
}

// checkResult holds for every result of every parser.
func checkResult(t testing.TB, res Result) {
	if res.Format == "" || res.Confidence == 0 || res.Confidence > 100 {
		t.Fatalf("result without format or confidence: %+v", res)
	}
	if res.Problem != "" && res.Confidence >= 50 {
		t.Fatalf("a problem and yet confident: %+v", res)
	}
	for k, v := range res.Facts {
		if v == "" || len(v) > maxFact || !utf8.ValidString(v) || strings.ContainsAny(v, "\n\x00") {
			t.Fatalf("fact %s is %q", k, v)
		}
	}
	for _, p := range res.Parts {
		if clean, ok := relativePart(p.Path); !ok || clean != p.Path {
			t.Fatalf("part %q", p.Path)
		}
	}
	if len(res.Parts) > 2048 {
		t.Fatalf("%d parts", len(res.Parts))
	}
}

// fuzzDetector runs one parser alone on the samples and what grows from them.
func fuzzDetector(f *testing.F, name, path string) {
	i := 0
	for i < len(detectors) && detectors[i].Name != name {
		i++
	}
	for _, s := range samples(f) {
		if s.format == name || strings.HasPrefix(s.format, name+"-") || strings.HasPrefix(s.path, path) {
			f.Add(s.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < MinSize {
			return
		}
		const budget = 256 << 10
		run := func() (Result, bool) {
			r := &counted{t: t, r: bytes.NewReader(data), size: int64(len(data))}
			file := File{r: r, size: r.size, base: path, name: path, head: data[:min(len(data), HeadSize)], left: budget}
			res, ok := detectors[i].Detect(&file)
			if r.n > budget {
				t.Fatalf("read %d bytes with a budget of %d", r.n, budget)
			}
			return finish(&file, res), ok
		}
		res, ok := run()
		if ok {
			checkResult(t, res)
		}
		if again, ok2 := run(); ok2 != ok || ok && !cmp.Equal(res, again) {
			t.Fatalf("not the same twice: %+v %+v", res, again)
		}
	})
}

// FuzzIdentify runs all parsers in order, with any name.
func FuzzIdentify(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.path, s.data)
	}
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		const budget = 256 << 10
		r := &counted{t: t, r: bytes.NewReader(data), size: int64(len(data))}
		res, err := NewIdentifier(Options{Budget: budget}).Identify(r, r.size, path)
		if err != nil {
			t.Fatal(err)
		}
		if r.n > budget {
			t.Fatalf("read %d bytes with a budget of %d", r.n, budget)
		}
		if res.Format != "" {
			checkResult(t, res)
		}
	})
}

func BenchmarkIdentifyOrdinary(b *testing.B) {
	id := NewIdentifier(Options{})
	r := strings.NewReader(strings.Repeat("{\"key\": \"value\", \"list\": [1, 2, 3]}\n", 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := id.Identify(r, r.Size(), "a.json"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIdentifyGGUF(b *testing.B) {
	tokens := make([]string, 32_000)
	for i := range tokens {
		tokens[i] = "token"
	}
	data := buildGGUF(binary.LittleEndian, 3, []ggufValue{{"general.architecture", "llama"}, {"tokenizer.ggml.tokens", tokens}})
	id := NewIdentifier(Options{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := id.Identify(bytes.NewReader(data), int64(len(data)), "m.gguf"); err != nil {
			b.Fatal(err)
		}
	}
}
