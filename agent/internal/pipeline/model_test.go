package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

func modelFile(change func(*signatures.File)) signatures.Observation {
	f := signatures.File{
		Path: "/home/ana/.acme/models/llama.gguf", Size: 4096, Format: "gguf", Owner: "ana", Store: "acme",
		Facts: map[string]string{"name": "Llama 3 8B", "architecture": "llama", "license": "llama3", "parameters": "8030000000", "quantization": "Q4_K_M"},
	}
	if change != nil {
		change(&f)
	}
	return signatures.Observation{Sensor: "file", Kind: signatures.KindModelFile, File: f}
}

func TestEmit_modelFileIsTheModelNotTheFormat(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(modelFile(func(f *signatures.File) { f.SHA256 = strings.Repeat("ab", 32) }))
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 1 {
		t.Fatalf("%d findings, want the model alone", len(got))
	}
	want := finding.Model{
		Path: "/home/ana/.acme/models/llama.gguf", Format: "gguf", Name: "Llama 3 8B", Family: "llama",
		Architecture: "llama", License: "llama3", Quantization: "Q4_K_M", Parameters: 8030000000,
		SHA256: strings.Repeat("ab", 32), SizeBytes: 4096, Store: "acme",
	}
	if diff := cmp.Diff(want, got[0].Model); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
	a := got[0].Asset
	if a.Key != "model:sha256:"+strings.Repeat("ab", 32) || a.SignatureID != "formats.gguf" || a.Name != "Llama 3 8B" || got[0].User != "ana" {
		t.Errorf("asset %+v, user %q", a, got[0].User)
	}
}

func TestEmit_damagedAndUnknownModels(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(modelFile(func(f *signatures.File) { f.Problem = "cut short" }))
	b.Emit(modelFile(func(f *signatures.File) { f.Format = "novel"; f.Path = "/x/novel.bin" }))
	b.Emit(modelFile(func(f *signatures.File) { f.Format = ""; f.Path = "/x/nothing.bin" }))
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 2 {
		t.Fatalf("%d findings, want 2: %+v", len(got), got)
	}
	if got[0].Confidence != damagedConfidence || got[0].Model.Problem != "cut short" {
		t.Errorf("damaged: confidence %d, problem %q", got[0].Confidence, got[0].Model.Problem)
	}
	if got[1].Model.Format != "novel" || got[1].Confidence != 50 || got[1].Asset.SignatureID != "" || got[1].Evidence[0].Kind != "file.format" {
		t.Errorf("unknown format: %+v", got[1])
	}
	b.counter(t, map[string]uint64{"formats_without_signature": 1, "unmatched": 1})
}

func TestModelKey(t *testing.T) {
	key := func(change func(*signatures.File)) string {
		o := modelFile(change)
		return ModelKey(&o.File)
	}
	plain := key(nil)
	if !strings.HasPrefix(plain, "model:header:") {
		t.Errorf("key %q", plain)
	}
	if moved := key(func(f *signatures.File) { f.Path = "/other/name.gguf" }); moved != plain {
		t.Error("the key of a moved file changed")
	}
	if larger := key(func(f *signatures.File) { f.Size++ }); larger == plain {
		t.Error("files of different size share a key")
	}
	if other := key(func(f *signatures.File) { f.Facts["license"] = "mit" }); other == plain {
		t.Error("files of different facts share a key")
	}
	bare := func(path string) string {
		return key(func(f *signatures.File) { f.Facts = nil; f.Path = path })
	}
	if bare("/a/x.gguf") != bare(`C:\b\x.gguf`) || bare("/a/x.gguf") == bare("/a/y.gguf") {
		t.Error("without facts, the base name should tell files apart")
	}
	if got := key(func(f *signatures.File) { f.Facts["publisher"] = "Meta Llama" }); got != "model:meta-llama/llama-3-8b" {
		t.Errorf("key %q", got)
	}
}

func TestEmit_processAndFile(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(signatures.Observation{
		Sensor: "process", Kind: signatures.KindProcess, Ports: []uint16{11434, 8080},
		Process: signatures.Process{PID: 5, Name: "acme-runner", Executable: "/opt/acme-runner", User: "leo"},
	})
	b.Emit(signatures.Observation{
		Sensor: "file", Kind: signatures.KindFile,
		File: signatures.File{Path: "/home/leo/.acme/models", Owner: "leo"},
	})
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 2 {
		t.Fatalf("%d findings, want 2: %+v", len(got), got)
	}
	runner, store := got[0], got[1]
	if runner.Asset.Key != "acme.runner" || runner.User != "leo" || runner.ProcessPath != "/opt/acme-runner" ||
		runner.Attributes["listening_ports"] != "11434,8080" || runner.Protocol != "" || runner.OwnerUnknown != "" {
		t.Errorf("process finding %+v", runner)
	}
	if store.Asset.Key != "acme.store" || store.User != "leo" || store.Evidence[0].Value != "/home/leo/.acme/models" {
		t.Errorf("file finding %+v", store)
	}
}

func TestCut(t *testing.T) {
	if got := cut("short"); got != "short" {
		t.Errorf("got %q", got)
	}
	long := cut(strings.Repeat("ä", maxText))
	if len(long) > maxText || !strings.HasSuffix(long, "…") || strings.ContainsRune(long, '\uFFFD') {
		t.Errorf("cut to %d bytes: %q", len(long), long[len(long)-8:])
	}
	if got := portList([]uint16{1, 2, 3, 4, 5, 6, 7, 8, 9}); got != "1,2,3,4,5,6,7,8,…" {
		t.Errorf("ports %q", got)
	}
}
