package files

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// gguf builds a header without tensors. extra is appended.
func gguf(name string, extra ...byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(le.AppendUint64([]byte("GGUF\x03\x00\x00\x00"), 0), 2)
	for _, kv := range [][2]string{{"general.architecture", "llama"}, {"general.name", name}} {
		b = append(le.AppendUint64(b, uint64(len(kv[0]))), kv[0]...)
		b = le.AppendUint32(b, 8)
		b = append(le.AppendUint64(b, uint64(len(kv[1]))), kv[1]...)
	}
	return append(b, extra...)
}

// safetensors builds a file of one tensor of n bytes.
func safetensors(n int) []byte {
	h := fmt.Sprintf(`{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, n, n)
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), make([]byte, n)...)
}

// checkpointIndex builds the table of a TensorFlow checkpoint of one shard.
func checkpointIndex() []byte {
	b := append([]byte("\x00\x00\x06\x08\x01\x1a\x02\x08\x01"), make([]byte, 64)...)
	return append(b, "\x57\xfb\x80\x8b\x24\x75\x47\xdb"...)
}

// savedModel builds the smallest SavedModel.
func savedModel() []byte {
	return []byte("\x08\x01\x12\x10\x0a\x07\x22\x05serve\x12\x05\x22\x03\x08\xff\x0a")
}

// onnxExternal builds an ONNX model whose weights lie in weights.bin.
func onnxExternal() []byte {
	entry := "\x0a\x08location\x12\x0bweights.bin"
	tensor := "\x08\x04\x6a" + string(rune(len(entry))) + entry
	graph := "\x12\x01g\x2a" + string(rune(len(tensor))) + tensor + "\x62\x03\x0a\x01y"
	return []byte("\x08\x08\x3a" + string(rune(len(graph))) + graph + "\x42\x02\x10\x11")
}

// write makes a file with the folders it needs.
func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t testing.TB, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// tempDir is a temporary folder without links in its path.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// testConfig looks at root without limits that a test does not set.
func testConfig(roots ...string) Config {
	cfg := DefaultConfig()
	cfg.Roots, cfg.Exclude, cfg.MaxFilesPerSecond = roots, nil, 0
	return cfg
}

// sink collects observations.
type sink struct {
	mu   sync.Mutex
	list []signatures.Observation
}

func (s *sink) emit(o signatures.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, o)
}

// all returns what was collected, by path.
func (s *sink) all() []signatures.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.list)
	slices.SortFunc(out, func(a, b signatures.Observation) int { return strings.Compare(a.File.Path, b.File.Path) })
	return out
}

// brief is "path format" of each observation, relative to root.
func (s *sink) brief(root string) []string {
	var out []string
	for _, o := range s.all() {
		rel, _ := filepath.Rel(root, o.File.Path)
		out = append(out, filepath.ToSlash(rel)+" "+o.File.Format)
	}
	return out
}

// scan runs a one-shot scan.
func scan(t testing.TB, cfg Config) (*sink, Result) {
	t.Helper()
	s := &sink{}
	res, err := Scan(context.Background(), cfg, s.emit, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, res
}

// one returns the only observation.
func one(t testing.TB, s *sink) signatures.File {
	t.Helper()
	list := s.all()
	if len(list) != 1 {
		t.Fatalf("%d observations, want 1: %+v", len(list), list)
	}
	return list[0].File
}

func wantCount(t testing.TB, counters map[string]uint64, name string, want uint64) {
	t.Helper()
	if got := counters[name]; got != want {
		t.Errorf("counter %s is %d, want %d", name, got, want)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never came: %s", what)
}

// manifest builds an Ollama manifest; layers are kind and digest in turn.
func manifest(t testing.TB, layers ...string) []byte {
	t.Helper()
	type layer struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
	}
	m := struct {
		SchemaVersion int     `json:"schemaVersion"`
		Layers        []layer `json:"layers"`
	}{SchemaVersion: 2}
	for i := 0; i+1 < len(layers); i += 2 {
		m.Layers = append(m.Layers, layer{ollamaLayer + layers[i], "sha256:" + layers[i+1]})
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// digest makes a digest out of one digit.
func digest(c string) string { return strings.Repeat(c, 64) }

// modeOf keeps the tests honest about what they set.
func chmod(t testing.TB, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
