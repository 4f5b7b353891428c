package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
)

// testWalker is a walker with open roots.
func testWalker(t *testing.T, cfg Config) (*walker, *sink) {
	s := &sink{}
	w := newWalker(cfg, slog.New(slog.DiscardHandler), &counters{}, s.emit)
	if missing := w.openRoots(); len(missing) > 0 {
		t.Fatal(missing)
	}
	t.Cleanup(w.closeRoots)
	return w, s
}

// TestGrowingFile: a file that grows while it is read is read again, and
// counted where it does not come to rest.
func TestGrowingFile(t *testing.T) {
	root := tempDir(t)
	p := write(t, filepath.Join(root, "m.bin"), gguf("x"))
	grow := func() {
		f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(make([]byte, 100))
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		times   int
		found   int
		changed uint64
	}{{1, 1, 0}, {100, 0, 1}} {
		w, s := testWalker(t, testConfig(root))
		left := c.times
		w.parse = func(id *modelformat.Identifier, r io.ReaderAt, size int64, path string) (modelformat.Result, error) {
			if left > 0 {
				left--
				grow()
			}
			return id.Identify(r, size, path)
		}
		w.walkAll(context.Background())
		if len(s.all()) != c.found {
			t.Errorf("%d observations, want %d", len(s.all()), c.found)
		}
		wantCount(t, w.counts.all(), "skipped_changed_while_reading", c.changed)
	}
}

// TestParserFailure: a parser that panics costs one file, is counted and
// named, and leaves a sound parser behind.
func TestParserFailure(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "bad.bin"), gguf("bad"))
	write(t, filepath.Join(root, "good.bin"), gguf("good"))
	var log bytes.Buffer
	w, s := testWalker(t, testConfig(root))
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	w.parse = func(id *modelformat.Identifier, r io.ReaderAt, size int64, path string) (modelformat.Result, error) {
		if filepath.Base(path) == "bad.bin" {
			panic("forged")
		}
		return id.Identify(r, size, path)
	}
	w.walkAll(context.Background())
	if f := one(t, s); filepath.Base(f.Path) != "good.bin" {
		t.Errorf("%+v", f)
	}
	wantCount(t, w.counts.all(), "parser_panics", 1)
	wantCount(t, w.counts.all(), "skipped_parser_failed", 1)
	if !bytes.Contains(log.Bytes(), []byte("bad.bin")) {
		t.Errorf("log %q", log.String())
	}
}

// TestReadError: an error of the disk is counted.
func TestReadError(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "m.bin"), gguf("x"))
	w, s := testWalker(t, testConfig(root))
	w.parse = func(*modelformat.Identifier, io.ReaderAt, int64, string) (modelformat.Result, error) {
		return modelformat.Result{}, errors.New("input/output error")
	}
	w.walkAll(context.Background())
	if len(s.all()) != 0 {
		t.Error("reported all the same")
	}
	wantCount(t, w.counts.all(), "skipped_read_error", 1)
}

// TestVanished: a folder that was listed and is gone is counted.
func TestVanished(t *testing.T) {
	w, _ := testWalker(t, testConfig(tempDir(t)))
	w.walk(context.Background(), []job{{root: w.roots[0], rel: "gone", depth: 1}})
	wantCount(t, w.counts.all(), "skipped_vanished", 1)
}

// TestMemory: an unchanged file is neither read nor reported again before the
// interval has passed; a changed one is.
func TestMemory(t *testing.T) {
	root := tempDir(t)
	m := write(t, filepath.Join(root, "m.bin"), gguf("x"))
	write(t, filepath.Join(root, "plain.bin"), []byte("nothing of interest is in here"))
	cfg := testConfig(root)
	cfg.KnownNames = []string{"plain.bin"}
	w, s := testWalker(t, cfg)
	w.memory = newMemory(10, time.Hour)
	now := time.Now().Add(time.Hour)
	w.now = func() time.Time { return now }
	step := func(read, observed, unchanged, repeated uint64) {
		t.Helper()
		w.memory.begin()
		w.walkAll(context.Background())
		w.memory.end()
		c := w.counts.all()
		wantCount(t, c, "files_read", read)
		wantCount(t, c, "observations", observed)
		wantCount(t, c, "models_unchanged", unchanged)
		wantCount(t, c, "models_repeated", repeated)
	}
	step(2, 2, 0, 0)
	step(2, 2, 2, 0)
	now = now.Add(2 * time.Hour)
	step(2, 4, 2, 2)
	write(t, m, gguf("changed"))
	step(3, 5, 3, 2)
	wantCount(t, w.counts.all(), "files_unchanged", 5)
	if f := s.list[len(s.list)-1].File; f.Facts["name"] != "changed" {
		t.Errorf("%+v", f)
	}
	if err := os.Remove(m); err != nil {
		t.Fatal(err)
	}
	step(3, 5, 4, 2)
	if len(w.memory.models) != 0 || len(w.memory.sent) != 1 {
		t.Errorf("a removed file is remembered: %v %v", w.memory.models, w.memory.sent)
	}
	write(t, m, gguf("changed"))
	step(4, 6, 5, 2)
}

// TestMemoryIsBounded: what there is no room for is read again, and counted.
func TestMemoryIsBounded(t *testing.T) {
	root := tempDir(t)
	for _, n := range []string{"a", "b", "c"} {
		write(t, filepath.Join(root, n, "plain"), []byte("nothing of interest is in here"))
		write(t, filepath.Join(root, n+"2", "m.bin"), gguf(n))
	}
	cfg := testConfig(root)
	cfg.MaxModels = 1
	w, s := testWalker(t, cfg)
	w.memory = newMemory(1, time.Hour)
	w.walkAll(context.Background())
	if len(s.all()) != 3 {
		t.Errorf("%d observations: a full memory must not hide models", len(s.all()))
	}
	wantCount(t, w.counts.all(), "files_not_remembered", 4)
	wantCount(t, w.counts.all(), "skipped_too_many", 1)
	w.walkAll(context.Background())
	wantCount(t, w.counts.all(), "files_read", 10)
}

// TestPace: a walk in the background is held to its pace.
func TestPace(t *testing.T) {
	w, _ := testWalker(t, testConfig(tempDir(t)))
	w.pace = 10_000
	began := time.Now()
	w.now = func() time.Time { return began }
	k := w.worker(nil)
	k.files = 500
	k.rest(context.Background())
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("500 files took %s at 10,000 a second", took)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	k.files = 10_000_000
	k.rest(ctx) // must not sleep on
}

// BenchmarkScan walks 20,000 small ordinary files, as in a source tree.
func BenchmarkScan(b *testing.B) {
	root := b.TempDir()
	text := []byte("package x\n\n// a file as there are many\nfunc F() int { return 1 }\n")
	names := []string{"a.go", "b.py", "c.js", "d.md", "e.txt", "f.json", "g.h", "h.c", "i", "j.yaml"}
	for i := range 2000 {
		for _, n := range names {
			write(b, filepath.Join(root, "d"+string(rune('a'+i%26)), "s"+string(rune('a'+i/26%26)), string(rune('a'+i/676))+n), text)
		}
	}
	const n = 20_000
	cfg := testConfig(root)
	b.ReportAllocs()
	for b.Loop() {
		_, res := scan(b, cfg)
		if res.Counters["files"] != n {
			b.Fatalf("%d files", res.Counters["files"])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/file")
}
