package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/signatures"
)

func TestScanFindsModelsByContent(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "a/notes.dat"), gguf("Tiny"))
	write(t, filepath.Join(root, "b/no_extension"), safetensors(100))
	write(t, filepath.Join(root, "b/config.json"), []byte(`{"architectures":["BertModel"],"model_type":"bert","auto_map":{"AutoModel":"x.py"}}`))
	write(t, filepath.Join(root, "c/fake.gguf"), []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"))
	write(t, filepath.Join(root, "d/main.go"), []byte("package main\n\nfunc main() {}\n"))
	write(t, filepath.Join(root, "d/tiny"), []byte("x"))
	write(t, filepath.Join(root, "e/big.py"), gguf("Hidden", make([]byte, 70<<10)...))
	write(t, filepath.Join(root, "f/array.npy"), append([]byte("\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}"), make([]byte, 16)...))
	s, res := scan(t, testConfig(root))
	want := []string{"a/notes.dat gguf", "b/no_extension safetensors", "e/big.py gguf"}
	if d := cmp.Diff(want, s.brief(root)); d != "" {
		t.Error(d)
	}
	if !res.Complete || len(res.Reasons) != 0 {
		t.Errorf("not complete: %+v", res)
	}
	f := s.all()[1].File
	if f.Facts["architecture"] != "BertModel" || f.Facts["model_type"] != "bert" || f.Facts["code"] != "remote_code" || f.Confidence != 100 || f.Owner == "" || f.Size != int64(len(safetensors(100))) {
		t.Errorf("%+v", f)
	}
	if o := s.all()[0]; o.Kind != signatures.KindModelFile || o.Sensor != Name || o.Time.IsZero() || o.File.Facts["name"] != "Tiny" {
		t.Errorf("%+v", o)
	}
	for name, n := range map[string]uint64{
		"directories": 7, "files": 8, "files_read": 6, "models_found": 3, "observations": 3, "data_files": 1,
		"skipped_other_kind": 1, "skipped_small": 1, "walks": 1,
	} {
		wantCount(t, res.Counters, name, n)
	}
}

func TestScanReportsDataWhenAsked(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "x.pkl"), []byte("\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00bK\x02u."))
	cfg := testConfig(root)
	cfg.ReportData = true
	s, _ := scan(t, cfg)
	if d := cmp.Diff([]string{"x.pkl pickle"}, s.brief(root)); d != "" {
		t.Error(d)
	}
}

func TestScanOneFileAndMissingRoot(t *testing.T) {
	root := tempDir(t)
	m := write(t, filepath.Join(root, "m.bin"), gguf("One"))
	write(t, filepath.Join(root, "other.bin"), gguf("Two"))
	s, res := scan(t, testConfig(m, filepath.Join(root, "gone")))
	if d := cmp.Diff([]string{"m.bin gguf"}, s.brief(root)); d != "" {
		t.Error(d)
	}
	if res.Complete || !slices.Equal(res.Missing, []string{filepath.Join(root, "gone")}) {
		t.Errorf("%+v", res)
	}
}

func TestShardsAreOneModel(t *testing.T) {
	root := tempDir(t)
	for _, n := range []string{"00001", "00002", "00003"} {
		write(t, filepath.Join(root, "whole/model-"+n+"-of-00003.safetensors"), safetensors(10))
	}
	write(t, filepath.Join(root, "part/llama-00001-of-00002.gguf"), gguf("Llama"))
	write(t, filepath.Join(root, "part/other-00002-of-00002.gguf"), gguf("Other"))
	s, _ := scan(t, testConfig(root))
	list := s.all()
	if len(list) != 3 {
		t.Fatalf("%v", s.brief(root))
	}
	if p := list[0].File.Problem; p != "1 of 2 shards are here" {
		t.Errorf("problem %q", p)
	}
	f := list[2].File
	if len(f.Files) != 2 || f.Facts["shards"] != "3" || f.Facts["parameters"] != "30" || f.Facts["tensors"] != "3" || f.Problem != "" || f.Size != 3*int64(len(safetensors(10))) {
		t.Errorf("%+v", f)
	}
}

func TestOllamaStore(t *testing.T) {
	root := tempDir(t)
	store := filepath.Join(root, ".ollama/models")
	model, projector, license, orphan := digest("a"), digest("b"), digest("c"), digest("d")
	write(t, filepath.Join(store, "blobs/sha256-"+model), gguf("Inner Name"))
	write(t, filepath.Join(store, "blobs/sha256-"+projector), gguf("clip"))
	write(t, filepath.Join(store, "blobs/sha256-"+license), []byte("\n  MIT License  \nCopyright\n"))
	write(t, filepath.Join(store, "blobs/sha256-"+orphan), gguf("Left over"))
	write(t, filepath.Join(store, "blobs/sha256-"+digest("e")+"-partial"), gguf("under way"))
	write(t, filepath.Join(store, "blobs/sha256-"+digest("e")+"-partial-3"), gguf("under way"))
	write(t, filepath.Join(store, "manifests/registry.ollama.ai/library/llava/7b"), manifest(t, "model", model, "projector", projector, "license", license))
	write(t, filepath.Join(store, "manifests/registry.ollama.ai/library/llava/latest"), manifest(t, "model", model, "projector", projector))
	write(t, filepath.Join(store, "manifests/hub.example.com/team/mine/v1"), manifest(t, "model", digest("f")))
	s, res := scan(t, testConfig(root))
	list := s.all()
	if len(list) != 2 {
		t.Fatalf("%v", s.brief(root))
	}
	f := list[0].File
	if f.SHA256 != model || f.Store != "ollama" || f.Facts["name"] != "llava:7b" || f.Facts["tags"] != "llava:7b,llava:latest" ||
		f.Facts["license"] != "MIT License" || f.Facts["header_name"] != "Inner Name" || f.Facts["architecture"] != "llama" {
		t.Errorf("%+v", f)
	}
	if want := []string{filepath.Join(store, "blobs/sha256-"+projector)}; !slices.Equal(f.Files, want) {
		t.Errorf("files %v", f.Files)
	}
	if f := list[1].File; f.SHA256 != orphan || f.Facts["tags"] != "none" {
		t.Errorf("%+v", f)
	}
	wantCount(t, res.Counters, "skipped_partial_download", 2)
}

func FuzzOllamaManifest(f *testing.F) {
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:` + digest("a") + `"}]}`))
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:../../x"}]}`))
	f.Add([]byte(`{"layers":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		layers, ok := parseManifest(b)
		if ok != (len(layers) > 0) || len(layers) > ollamaMaxLayers {
			t.Fatalf("%d layers, %v", len(layers), ok)
		}
		for _, l := range layers {
			if !isHex(l.digest, 64) || l.kind == "" {
				t.Fatalf("%+v", l)
			}
		}
	})
}

func TestOllamaName(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got := ollamaName(strings.Split(path, "/")); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	f("registry.ollama.ai/library/llama3.2/latest", "llama3.2:latest")
	f("registry.ollama.ai/someone/model/7b", "someone/model:7b")
	f("hf.co/org/repo-GGUF/Q4_K_M", "hf.co/org/repo-GGUF:Q4_K_M")
	f("x/y", "x:y")
}

// TestFolderNamedLikeAStore: a folder with the same two names but nothing of a
// store in it is walked as any other.
func TestFolderNamedLikeAStore(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "blobs/x.bin"), gguf("A"))
	write(t, filepath.Join(root, "manifests/deep/y.bin"), gguf("B"))
	s, _ := scan(t, testConfig(root))
	if d := cmp.Diff([]string{"blobs/x.bin gguf", "manifests/deep/y.bin gguf"}, s.brief(root)); d != "" {
		t.Error(d)
	}
}

func TestHuggingFaceCache(t *testing.T) {
	root := tempDir(t)
	repo := filepath.Join(root, "hub/models--example-org--tiny")
	a, b := digest("1"), digest("2")
	write(t, filepath.Join(repo, "blobs", a), safetensors(10))
	write(t, filepath.Join(repo, "blobs", b), safetensors(20))
	write(t, filepath.Join(repo, "blobs", digest("3")+".incomplete"), safetensors(30))
	write(t, filepath.Join(repo, "blobs", "0123456789abcdef0123456789abcdef01234567"), []byte(`{"architectures":["LlamaForCausalLM"],"quantization_config":{"quant_method":"awq"}}`))
	write(t, filepath.Join(repo, "blobs", digest("4")), gguf("left over"))
	write(t, filepath.Join(repo, "refs/main"), []byte("c0ffee"))
	for _, c := range []string{"beef", "c0ffee"} {
		link(t, "../../blobs/"+a, filepath.Join(repo, "snapshots", c, "model-00001-of-00002.safetensors"))
		link(t, "../../blobs/"+b, filepath.Join(repo, "snapshots", c, "model-00002-of-00002.safetensors"))
		link(t, "../../blobs/0123456789abcdef0123456789abcdef01234567", filepath.Join(repo, "snapshots", c, "config.json"))
	}
	link(t, "/etc/hostname", filepath.Join(repo, "snapshots/beef/out"))
	s, res := scan(t, testConfig(root))
	list := s.all()
	if len(list) != 2 {
		t.Fatalf("%v", s.brief(root))
	}
	f := list[1].File
	at := filepath.Join(repo, "snapshots/c0ffee")
	if f.Path != filepath.Join(at, "model-00001-of-00002.safetensors") || f.Store != "huggingface" || f.Facts["name"] != "tiny" || f.Facts["organization"] != "example-org" ||
		f.Facts["revision"] != "c0ffee" || f.Facts["architecture"] != "LlamaForCausalLM" || f.Facts["quantization"] != "awq" || f.Facts["parameters"] != "30" {
		t.Errorf("%+v", f)
	}
	want := []string{filepath.Join(repo, "blobs", a), filepath.Join(at, "model-00002-of-00002.safetensors"), filepath.Join(repo, "blobs", b)}
	if d := cmp.Diff(want, f.Files); d != "" {
		t.Error(d)
	}
	if f := list[0].File; f.SHA256 != digest("4") || f.Facts["name"] != "tiny" || f.Facts["header_name"] != "left over" {
		t.Errorf("%+v", f)
	}
	wantCount(t, res.Counters, "skipped_link_out_of_root", 1)
	wantCount(t, res.Counters, "skipped_partial_download", 1)
}

func TestHuggingFaceSingleFileHasDigest(t *testing.T) {
	root := tempDir(t)
	repo := filepath.Join(root, "models--solo")
	write(t, filepath.Join(repo, "blobs", digest("1")), gguf("x"))
	link(t, "../../blobs/"+digest("1"), filepath.Join(repo, "snapshots/aa/q4.gguf"))
	s, _ := scan(t, testConfig(root))
	if f := one(t, s); f.SHA256 != digest("1") || f.Facts["name"] != "solo" || f.Facts["organization"] != "" {
		t.Errorf("%+v", f)
	}
}

// TestHuggingFaceCopies: where links are not to be had, snapshot and blob are
// two files of one model.
func TestHuggingFaceCopies(t *testing.T) {
	root := tempDir(t)
	repo := filepath.Join(root, "models--o--n")
	write(t, filepath.Join(repo, "blobs", digest("1")), safetensors(9))
	p := write(t, filepath.Join(repo, "snapshots/aa/model.safetensors"), safetensors(9))
	s, _ := scan(t, testConfig(root))
	if f := one(t, s); f.Path != p || !slices.Equal(f.Files, []string{filepath.Join(repo, "blobs", digest("1"))}) {
		t.Errorf("%+v", f)
	}
}

func TestFolderModels(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "a.mlmodelc/coremldata.bin"), make([]byte, 64))
	write(t, filepath.Join(root, "a.mlmodelc/model.mil"), []byte("program(1.0)"))
	write(t, filepath.Join(root, "a.mlmodelc/weights/weight.bin"), safetensors(9))
	write(t, filepath.Join(root, "b.mlpackage/Data/com.apple.CoreML/model.mlmodel"), []byte("\x08\x08\x12\x0d\xa2\x06\x0a\x1a\x08Somebody\xb2\x1f\x00"))
	write(t, filepath.Join(root, "empty.mlmodelc/readme.txt"), []byte("nothing here"))
	write(t, filepath.Join(root, "sm/1/saved_model.pb"), savedModel())
	write(t, filepath.Join(root, "sm/1/variables/variables.index"), checkpointIndex())
	write(t, filepath.Join(root, "sm/1/variables/variables.data-00000-of-00001"), make([]byte, 8))
	write(t, filepath.Join(root, "lost/saved_model.pb"), savedModel())
	write(t, filepath.Join(root, "lost/variables/variables.data-00000-of-00001"), make([]byte, 8))
	write(t, filepath.Join(root, "elsewhere/variables.data-00000-of-00001"), make([]byte, 8))
	write(t, filepath.Join(root, "web/model.json"), []byte(`{"format":"graph-model","modelTopology":{},"weightsManifest":[{"paths":["group1-shard1of1","sub/w.bin","gone"]}]}`))
	write(t, filepath.Join(root, "web/group1-shard1of1"), make([]byte, 8))
	write(t, filepath.Join(root, "web/sub/w.bin"), make([]byte, 8))
	write(t, filepath.Join(root, "web2/group1-shard1of2.bin"), make([]byte, 8))
	write(t, filepath.Join(root, "onnx/m.onnx"), onnxExternal())
	write(t, filepath.Join(root, "onnx/weights.bin"), gguf("claimed by the model"))
	s, _ := scan(t, testConfig(root))
	want := []string{
		"a.mlmodelc coreml-mlmodelc", "b.mlpackage coreml-mlpackage",
		"lost/saved_model.pb tf-savedmodel", "lost/variables/variables.data-00000-of-00001 tf-checkpoint-data",
		"onnx/m.onnx onnx",
		"sm/1/saved_model.pb tf-savedmodel", "sm/1/variables/variables.data-00000-of-00001 tf-checkpoint-data", "sm/1/variables/variables.index tf-checkpoint-index",
		"web/group1-shard1of1 tfjs-weights", "web/model.json tfjs-graph-model", "web/sub/w.bin tfjs-weights", "web2/group1-shard1of2.bin tfjs-weights",
	}
	if d := cmp.Diff(want, s.brief(root)); d != "" {
		t.Fatal(d)
	}
	list := s.all()
	if f := list[0].File; len(f.Files) != 3 || f.Facts["name"] != "a" {
		t.Errorf("%+v", f)
	}
	if f := list[1].File; f.Facts["organization"] != "Somebody" {
		t.Errorf("%+v", f)
	}
	if f := list[3].File; f.Problem == "" || f.Confidence >= 50 || f.Facts["part_of"] != filepath.Join(root, "lost/saved_model.pb") {
		t.Errorf("%+v", f)
	}
	if f := list[4].File; !slices.Equal(f.Files, []string{filepath.Join(root, "onnx/weights.bin")}) {
		t.Errorf("%+v", f)
	}
	if f := list[6].File; f.Problem != "" || f.Facts["part_of"] != filepath.Join(root, "sm/1/variables/variables.index") {
		t.Errorf("%+v", f)
	}
}

func TestLMStudioStore(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, ".lmstudio/models/publisher/repo/x.bin"), safetensors(9))
	s, _ := scan(t, testConfig(root))
	if f := one(t, s); f.Store != "lmstudio" || f.Facts["organization"] != "publisher" || f.Facts["name"] != "repo" {
		t.Errorf("%+v", f)
	}
}

// TestLinksAreNotFollowed: loops, links to folders and files, inside and out.
func TestLinksAreNotFollowed(t *testing.T) {
	base := tempDir(t)
	root := filepath.Join(base, "root")
	m := write(t, filepath.Join(root, "a/m.bin"), gguf("x"))
	outside := write(t, filepath.Join(base, "outside/secret.bin"), gguf("secret"))
	link(t, root, filepath.Join(root, "a/loop"))
	link(t, "../a", filepath.Join(root, "b/again"))
	link(t, "m.bin", filepath.Join(root, "a/alias.gguf"))
	link(t, filepath.Dir(outside), filepath.Join(root, "out"))
	link(t, outside, filepath.Join(root, "out.gguf"))
	link(t, "self", filepath.Join(root, "self"))
	s, res := scan(t, testConfig(root))
	if f := one(t, s); f.Path != m {
		t.Errorf("%+v", f)
	}
	wantCount(t, res.Counters, "skipped_link_in_root", 4)
	wantCount(t, res.Counters, "skipped_link_out_of_root", 2)
	if !res.Complete {
		t.Errorf("links must not make a scan incomplete: %+v", res)
	}
	// A root may itself be a link: it was named.
	s, _ = scan(t, testConfig(filepath.Join(root, "out")))
	if f := one(t, s); f.Path != outside {
		t.Errorf("%+v", f)
	}
}

// TestLinkPutInPlaceOfFolder: what was a folder when it was listed is a link
// when it is opened.
func TestLinkPutInPlaceOfFolder(t *testing.T) {
	base := tempDir(t)
	root := filepath.Join(base, "root")
	write(t, filepath.Join(base, "outside/deep/secret.bin"), gguf("secret"))
	link(t, "../outside", filepath.Join(root, "swapped"))
	d, err := openRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, rel := range []string{"swapped", "swapped/deep", "../outside"} {
		if sub, err := d.openBelow(rel); err == nil {
			sub.close()
			t.Errorf("%s was opened", rel)
		} else if !errors.Is(err, errLink) {
			t.Errorf("%s: %v", rel, err)
		}
	}
	out, err := openRoot(filepath.Join(base, "outside"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.close()
	link(t, "deep/secret.bin", filepath.Join(base, "outside/alias"))
	if _, _, err := out.open("alias"); !errors.Is(err, errLink) {
		t.Errorf("link opened as a file: %v", err)
	}
}

func TestLimits(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "1/2/3/deep.bin"), gguf("deep"))
	write(t, filepath.Join(root, "skip/x.bin"), gguf("x"))
	write(t, filepath.Join(root, "1/skip/x.bin"), gguf("x"))
	write(t, filepath.Join(root, "1/named.bin"), gguf("x"))
	write(t, filepath.Join(root, "repo/.git/objects/aa/x.bin"), gguf("x"))
	write(t, filepath.Join(root, "repo/.git/lfs/objects/aa/x.bin"), gguf("lfs"))
	cfg := testConfig(root)
	cfg.Exclude = []string{filepath.Join(root, "skip"), "named.bin"}
	cfg.MaxDepth = 5
	s, res := scan(t, cfg)
	if d := cmp.Diff([]string{"1/2/3/deep.bin gguf", "1/skip/x.bin gguf", "repo/.git/lfs/objects/aa/x.bin gguf"}, s.brief(root)); d != "" {
		t.Error(d)
	}
	wantCount(t, res.Counters, "skipped_excluded", 3)
	cfg.MaxDepth = 2
	_, res = scan(t, cfg)
	if res.Complete || res.Reasons["too_deep"] != 2 || len(res.Skips) != 2 {
		t.Errorf("%+v", res)
	}
	cfg.MaxDepth, cfg.MaxPending = 5, 1
	_, res = scan(t, cfg)
	if res.Complete || res.Reasons["too_many"] == 0 {
		t.Errorf("%+v", res)
	}
	write(t, filepath.Join(root, "many/a.bin"), gguf("a"))
	write(t, filepath.Join(root, "many/b.bin"), gguf("b"))
	cfg = testConfig(filepath.Join(root, "many"))
	cfg.MaxModels = 1
	s, res = scan(t, cfg)
	if res.Complete || res.Reasons["too_many"] != 1 || len(s.all()) != 1 {
		t.Errorf("%+v", res)
	}
}

func TestRootInsideRootIsWalkedOnce(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "inner/m.bin"), gguf("x"))
	s, _ := scan(t, testConfig(root, filepath.Join(root, "inner"), root))
	one(t, s)
}

func TestKnownNames(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "home/u/.claude/settings.json"), []byte("{}"))
	write(t, filepath.Join(root, "home/u/.claude.json"), []byte("{}"))
	cfg := testConfig(root)
	cfg.KnownNames = []string{".claude", ".claude.json", filepath.Base(root)}
	s, res := scan(t, cfg)
	if d := cmp.Diff([]string{". ", "home/u/.claude ", "home/u/.claude.json "}, s.brief(root)); d != "" {
		t.Error(d)
	}
	for _, o := range s.all() {
		if o.Kind != signatures.KindFile || o.File.ModTime.IsZero() || o.File.Owner == "" {
			t.Errorf("%+v", o)
		}
	}
	wantCount(t, res.Counters, "known_paths", 3)
}

func TestHashWhenAsked(t *testing.T) {
	root := tempDir(t)
	data := gguf("x")
	write(t, filepath.Join(root, "m.bin"), data)
	s, _ := scan(t, testConfig(root))
	if f := one(t, s); f.SHA256 != "" {
		t.Error("hashed without being asked to")
	}
	cfg := testConfig(root)
	cfg.HashLimitBytes = 1 << 20
	s, _ = scan(t, cfg)
	sum := sha256.Sum256(data)
	if f := one(t, s); f.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %q", f.SHA256)
	}
}

// TestForgedLengths gives the scan a sparse file of 108 GB whose header claims
// all of it.
func TestForgedLengths(t *testing.T) {
	root := tempDir(t)
	p := write(t, filepath.Join(root, "m.gguf"), []byte("GGUF\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00general.architecture\x08\x00\x00\x00\x00\x00\x00\x00\x1b\x00\x00\x00"))
	if err := os.Truncate(p, 108<<30); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, res := scan(t, testConfig(root))
	runtime.ReadMemStats(&after)
	if f := one(t, s); f.Format != "gguf" || !res.Complete {
		t.Errorf("%+v %+v", f, res)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("allocated %d bytes", n)
	}
}

func TestScanStopsWithItsContext(t *testing.T) {
	root := tempDir(t)
	for i := range 200 {
		write(t, filepath.Join(root, string(rune('a'+i%20)), string(rune('a'+i/20)), "x.txt"), []byte("text that is long enough"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	res, err := Scan(ctx, testConfig(root), (&sink{}).emit, nil)
	if !errors.Is(err, context.Canceled) || res.Complete {
		t.Errorf("%+v %v", res, err)
	}
}

func TestScanTellsProgress(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "m.bin"), gguf("x"))
	var seen []Progress
	if _, err := Scan(context.Background(), testConfig(root), (&sink{}).emit, func(p Progress) { seen = append(seen, p) }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Files != 1 || seen[0].Path != filepath.Join(root, "m.bin") {
		t.Errorf("%+v", seen)
	}
}

func TestScanRefusesWrongConfig(t *testing.T) {
	if _, err := Scan(context.Background(), Config{Roots: []string{"relative"}}, nil, nil); err == nil {
		t.Error("a relative root was accepted")
	}
}

func TestConfigValidate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		cfg := DefaultConfig()
		change(&cfg)
		err := cfg.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { *c = Config{} }, "")
	f(func(c *Config) { c.Roots = nil }, "roots: ")
	f(func(c *Config) { c.Roots = []string{"x"} }, "roots: ")
	f(func(c *Config) { c.Exclude = []string{"a/b"} }, "exclude: ")
	f(func(c *Config) { c.Workers = 3 }, "workers: ")
	f(func(c *Config) { c.MaxFileRead = 1 }, "max_file_read: ")
	f(func(c *Config) { c.SettleDelay = 0 }, "settle_delay: ")
	f(func(c *Config) { c.RepeatInterval = -time.Hour }, "repeat_interval: ")
	f(func(c *Config) { c.MaxWatches = -1 }, "max_watches: ")
}

func TestPartialDownload(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if partialDownload(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	f("x.gguf.incomplete", true)
	f("sha256-aa-partial", true)
	f("sha256-aa-partial-12", true)
	f("Model.GGUF.crdownload", true)
	f("a-partial-model.gguf", false)
	f("-partial", false)
	f("model.gguf", false)
}

func TestOtherKind(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if otherKind(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	f("main.go", true)
	f("README.md", true)
	f("LICENSE", true)
	f("package.json", true)
	f("Photo.JPG", true)
	for _, n := range []string{"model.json", "x.txt", "x.xml", "weights", "x.bin", "x.dat", "x.pt", "x.model", "x.param", "x.pb", "checkpoint", "x.zip", "x.tar"} {
		f(n, false)
	}
}
