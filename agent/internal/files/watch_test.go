package files

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// start runs a sensor until the test ends and waits for its first walk.
func start(t *testing.T, cfg Config) (*Sensor, *sink) {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, out := New(cfg, nil), &sink{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, out.emit) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	eventually(t, "first walk", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.roots > 0
	})
	return s, out
}

// watchConfig walks seldom, so that what is found was found by a watch.
func watchConfig(root string) Config {
	cfg := testConfig(root)
	cfg.SettleDelay = 30 * time.Millisecond
	return cfg
}

func (s *sink) has(path string) bool {
	return slices.ContainsFunc(s.all(), func(o observation) bool { return o.File.Path == path })
}

func TestWatchFindsNewFiles(t *testing.T) {
	root := tempDir(t)
	first := write(t, filepath.Join(root, "a/first.bin"), gguf("first"))
	cfg := watchConfig(root)
	cfg.KnownNames = []string{".claude"}
	s, out := start(t, cfg)
	eventually(t, "first", func() bool { return out.has(first) })

	fresh := write(t, filepath.Join(root, "a/new.bin"), gguf("new"))
	eventually(t, "a new file", func() bool { return out.has(fresh) })

	deep := write(t, filepath.Join(root, "b/c/d/deep.bin"), gguf("deep"))
	eventually(t, "a file in a new tree", func() bool { return out.has(deep) })
	later := write(t, filepath.Join(root, "b/c/d/later.bin"), gguf("later"))
	eventually(t, "a file in a folder that was new", func() bool { return out.has(later) })

	partial := write(t, filepath.Join(root, "a/down.gguf.incomplete"), gguf("down"))
	whole := filepath.Join(root, "a/down.gguf")
	if err := os.Rename(partial, whole); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a finished download", func() bool { return out.has(whole) })
	if out.has(partial) {
		t.Error("a download under way was reported")
	}

	if err := os.Mkdir(filepath.Join(root, "a/.claude"), 0o755); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a known name", func() bool { return out.has(filepath.Join(root, "a/.claude")) })

	write(t, first, gguf("second version"))
	eventually(t, "a changed file", func() bool {
		return slices.ContainsFunc(out.all(), func(o observation) bool { return o.File.Facts["name"] == "second version" })
	})

	if err := os.Rename(filepath.Join(root, "b"), filepath.Join(root, "moved")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a moved tree", func() bool { return out.has(filepath.Join(root, "moved/c/d/deep.bin")) })
	after := write(t, filepath.Join(root, "moved/c/after.bin"), gguf("after"))
	eventually(t, "a file in a moved tree", func() bool { return out.has(after) })

	r := s.Coverage()
	if r.State != sensor.On || r.Counters["watch_events"] == 0 || r.Counters["walks"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWatchFindsModelsInStore(t *testing.T) {
	root := tempDir(t)
	store := filepath.Join(root, ".ollama/models")
	write(t, filepath.Join(store, "blobs/sha256-"+digest("a")), gguf("a"))
	write(t, filepath.Join(store, "manifests/registry.ollama.ai/library/a/latest"), manifest(t, "model", digest("a")))
	_, out := start(t, watchConfig(root))
	eventually(t, "the first model", func() bool { return len(out.all()) == 1 })
	write(t, filepath.Join(store, "blobs/sha256-"+digest("b")), gguf("b"))
	write(t, filepath.Join(store, "manifests/registry.ollama.ai/library/b/latest"), manifest(t, "model", digest("b")))
	eventually(t, "a pulled model with its name", func() bool {
		return slices.ContainsFunc(out.all(), func(o observation) bool { return o.File.Facts["name"] == "b:latest" })
	})
}

// TestGrowingFileIsLeftUntilItRests: a file written to a moment ago is not read,
// and its folder is looked at again.
func TestGrowingFileIsLeftUntilItRests(t *testing.T) {
	root := tempDir(t)
	p := write(t, filepath.Join(root, "m.bin"), gguf("x"))
	w, out := testWalker(t, watchConfig(root))
	w.memory = newMemory(10, time.Hour)
	var again []string
	w.unsettled = func(folder string) { again = append(again, folder) }
	now := time.Now()
	w.now = func() time.Time { return now }
	for _, age := range []time.Duration{0, 10 * time.Millisecond, 29 * time.Millisecond} {
		if err := os.Chtimes(p, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		w.walkAll(context.Background())
	}
	if len(out.all()) != 0 || !slices.Equal(again, []string{root, root, root}) {
		t.Errorf("read while it was written: %v %v", out.brief(root), again)
	}
	now = now.Add(30 * time.Millisecond)
	w.walkAll(context.Background())
	if !out.has(p) {
		t.Error("not read when it had come to rest")
	}
	again = nil
	if err := os.Chtimes(p, now.Add(time.Hour), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.walkAll(context.Background())
	if len(again) != 0 {
		t.Error("a time in the future keeps a file from being read")
	}
}

// TestGrownFileIsReportedWhole: of a file that was seen in parts, the last word
// is the whole.
func TestGrownFileIsReportedWhole(t *testing.T) {
	root := tempDir(t)
	_, out := start(t, watchConfig(root))
	data := gguf("grown")
	p := write(t, filepath.Join(root, "m.bin"), data[:60])
	eventually(t, "the first part", func() bool { return out.has(p) })
	write(t, p, data)
	eventually(t, "the whole", func() bool {
		return slices.ContainsFunc(out.all(), func(o observation) bool { return o.File.Facts["name"] == "grown" && o.File.Problem == "" })
	})
}

// TestWatchLimit: with fewer watches than folders the sensor says so, and
// finds by walking what it cannot watch.
func TestWatchLimit(t *testing.T) {
	root := tempDir(t)
	for _, n := range []string{"a", "b", "c/d", "node_modules/x"} {
		write(t, filepath.Join(root, n, "readme.txt"), []byte("text that is long enough"))
	}
	cfg := watchConfig(root)
	cfg.MaxWatches, cfg.UnwatchedInterval = 2, 50*time.Millisecond
	s, out := start(t, cfg)
	p := write(t, filepath.Join(root, "c/d/m.bin"), gguf("x"))
	eventually(t, "a model in a folder without a watch", func() bool { return out.has(p) })
	r := s.Coverage()
	if r.State != sensor.Degraded || !strings.Contains(r.Reason, "max_watches") {
		t.Errorf("%+v", r)
	}
	i := slices.IndexFunc(r.Blind, func(b blind) bool { return b.Reason == "watch_limit" })
	if i < 0 || r.Blind[i].Count != 5 {
		t.Errorf("%+v", r.Blind)
	}
	if r.Counters["walks"] < 2 {
		t.Errorf("%+v", r.Counters)
	}
}

func TestNoWatchesAtAll(t *testing.T) {
	root := tempDir(t)
	cfg := watchConfig(root)
	cfg.MaxWatches, cfg.UnwatchedInterval = 0, 50*time.Millisecond
	s, out := start(t, cfg)
	p := write(t, filepath.Join(root, "m.bin"), gguf("x"))
	eventually(t, "a model", func() bool { return out.has(p) })
	if r := s.Coverage(); r.State != sensor.Degraded {
		t.Errorf("%+v", r)
	}
}

// TestRepeat: an unchanged model is reported again after the interval.
func TestRepeat(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "m.bin"), gguf("x"))
	cfg := watchConfig(root)
	cfg.RepeatInterval = 100 * time.Millisecond
	s, out := start(t, cfg)
	eventually(t, "three reports", func() bool { return len(out.all()) >= 3 })
	if c := s.Coverage().Counters; c["models_repeated"] < 2 || c["files_read"] > 1 {
		t.Errorf("%+v", c)
	}
}

// TestOverflow: lost events are counted and everything is walked again.
func TestOverflow(t *testing.T) {
	s := New(watchConfig(tempDir(t)), nil)
	l := newWatchLoop(s, (&sink{}).emit)
	l.full = false
	l.failure(fsnotify.ErrEventOverflow)
	if !l.full {
		t.Error("no walk is due")
	}
	l.full = false
	for i := range maxDirty + 1 {
		l.mark(filepath.Join("/x", string(rune('a'+i%26)), strings.Repeat("y", i/26)), false, nil, time.Second)
	}
	if !l.full || len(l.dirty) != maxDirty {
		t.Errorf("full %v with %d folders", l.full, len(l.dirty))
	}
	l.failure(os.ErrClosed)
	wantCount(t, s.counts.all(), "watch_overflows", 1)
	wantCount(t, s.counts.all(), "watch_failures", 1)
}

// TestBackoff: a folder whose file keeps growing is looked at less and less
// often.
func TestBackoff(t *testing.T) {
	s := New(watchConfig(tempDir(t)), nil)
	l := newWatchLoop(s, (&sink{}).emit)
	now := time.Now()
	s.now = func() time.Time { return now }
	last := time.Duration(0)
	for range 30 {
		l.looked = "/x"
		l.w.unsettled("/x")
		l.settle()
		wait := l.dirty["/x"].due.Sub(now)
		if wait < last {
			t.Fatalf("%s after %s", wait, last)
		}
		last = wait
		clear(l.dirty)
	}
	if last != maxBackoff {
		t.Errorf("ended at %s", last)
	}
	l.settle()
	if len(l.backoff) != 0 {
		t.Error("not forgotten once the folder rests")
	}
}

// TestCostlyFolderRests: what takes long to look at is looked at seldom.
func TestCostlyFolderRests(t *testing.T) {
	s := New(watchConfig(tempDir(t)), nil)
	l := newWatchLoop(s, (&sink{}).emit)
	now := time.Now()
	s.now = func() time.Time { return now }
	l.looked = "/x"
	l.charge(100 * time.Millisecond)
	l.mark("/x", false, nil, s.cfg.SettleDelay)
	if wait := l.dirty["/x"].due.Sub(now); wait != 10*time.Second {
		t.Errorf("looked at again after %s", wait)
	}
	now = now.Add(time.Minute)
	l.looked = "/y"
	l.charge(0)
	if len(l.rest) != 0 {
		t.Error("not forgotten")
	}
}

// TestWatchSetPrefersNearFolders: with one watch the nearer folder has it.
func TestWatchSetPrefersNearFolders(t *testing.T) {
	root := tempDir(t)
	for _, n := range []string{"far/far/far", "near"} {
		if err := os.MkdirAll(filepath.Join(root, n), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	set := newWatchSet(w, 1, &counters{})
	far, near := filepath.Join(root, "far/far/far"), filepath.Join(root, "near")
	set.offer(far, rankOf(far, 3))
	set.offer(near, rankOf(near, 1))
	set.offer(root, rankOf(filepath.Join(root, "node_modules"), 0))
	if list := w.WatchList(); len(list) != 1 || list[0] != near {
		t.Errorf("%v", list)
	}
	if n, unwatched, _ := set.state(); n != 1 || unwatched != 2 {
		t.Errorf("%d watched, %d not", n, unwatched)
	}
	set.offer(filepath.Join(root, "gone"), 0) // takes the place, then turns out to be gone
	set.gone(near)
	set.offer(far, 3)
	if list := w.WatchList(); len(list) != 1 || list[0] != far {
		t.Errorf("%v", list)
	}
}

func TestCoverage(t *testing.T) {
	root := tempDir(t)
	cfg := watchConfig(root)
	s := New(cfg, nil)
	if r := s.Coverage(); r.State != sensor.Off || s.Name() != "file" {
		t.Errorf("%+v", r)
	}
	cfg.Enabled = false
	s = New(cfg, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx, nil); err != nil {
		t.Error(err)
	}
	if r := s.Coverage(); r.State != sensor.Off || !strings.Contains(r.Reason, "file.enabled") {
		t.Errorf("%+v", r)
	}
	s = New(watchConfig(root), nil)
	s.running.Store(true)
	s.roots = 1
	s.counts.add(cDenied)
	s.counts.add(cFilesystem)
	r := s.Coverage()
	if r.State != sensor.Degraded || len(r.Blind) != 2 || r.Blind[0].Reason != "permission_denied" || r.Blind[0].Detail == "" {
		t.Errorf("%+v", r)
	}
	s.roots = 0
	if r := s.Coverage(); r.State != sensor.Degraded || !strings.Contains(r.Reason, "file.roots") {
		t.Errorf("%+v", r)
	}
	s = New(watchConfig(root), nil)
	s.running.Store(true)
	if r := s.Coverage(); r.State != sensor.On || !strings.Contains(r.Reason, "first walk") {
		t.Errorf("%+v", r)
	}
}

func TestKnow_otherNamesCountFromThenOn(t *testing.T) {
	root := tempDir(t)
	cfg := watchConfig(root)
	cfg.KnownNames = []string{".claude"}
	s, out := start(t, cfg)
	other := cfg
	other.KnownNames = []string{".acme"}
	s.Know(other)
	old, now := filepath.Join(root, ".claude"), filepath.Join(root, ".acme")
	for _, path := range []string{old, now} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the new name", func() bool { return out.has(now) })
	if out.has(old) {
		t.Error("the old name is still looked for")
	}
}
