package files

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMatters: a change makes the whole folder worth a look only where it can
// change what is known of it.
func TestMatters(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "cache/entry.bin"), []byte("text that is long enough"))
	write(t, filepath.Join(root, "cache/hidden.bin"), gguf("hidden"))
	write(t, filepath.Join(root, "cache/group1-shard1of2.bin"), []byte("text that is long enough"))
	write(t, filepath.Join(root, "cache/.mcp.json"), []byte("{}"))
	write(t, filepath.Join(root, "cache/folder/x"), nil)
	link(t, "/", filepath.Join(root, "cache/link"))
	write(t, filepath.Join(root, "cache/left_out"), gguf("x"))
	write(t, filepath.Join(root, "models/m.bin"), gguf("m"))
	write(t, filepath.Join(root, "models/readme.txt"), []byte("text that is long enough"))
	write(t, filepath.Join(root, "a.mlpackage/readme.txt"), []byte("text that is long enough"))
	cfg := watchConfig(root)
	cfg.KnownNames, cfg.Exclude, cfg.Roots = []string{".mcp.json"}, []string{"left_out"}, []string{root}
	w, _ := testWalker(t, cfg)
	w.memory = newMemory(100, time.Hour)
	w.now = func() time.Time { return time.Now().Add(time.Hour) } // all files rest
	f := func(folder string, want bool, names ...string) {
		t.Helper()
		j, ok := w.find(filepath.Join(root, folder))
		if !ok {
			t.Fatalf("%s lies below no root", folder)
		}
		if got := w.worker(nil).matters(j, names); got != want {
			t.Errorf("%s: %q: %v", folder, names, got)
		}
	}
	f("cache", false, "entry.bin")
	f("cache", false, "gone.bin", "entry.bin", "left_out")
	f("cache", true, "entry.bin", "group1-shard1of2.bin")
	f("cache", true, ".mcp.json")
	f("cache", true, "folder")
	f("cache", true, "link")
	f("absent", true, "entry.bin")
	f("a.mlpackage", true, "readme.txt")
	f("models", false, "readme.txt") // not walked yet
	w.walkAll(context.Background())
	f("models", true, "readme.txt")
	f("cache", true, "entry.bin") // hidden.bin is known now
	w.memory.keep(filepath.Join(root, "models/m.bin"), item{}, false, 10)
	f("models", false, "readme.txt")
}

func TestMatters_newModel(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "m.bin"), gguf("m"))
	w, _ := testWalker(t, watchConfig(root))
	w.memory = newMemory(100, time.Hour)
	w.now = func() time.Time { return time.Now().Add(time.Hour) }
	j, _ := w.find(root)
	if !w.worker(nil).matters(j, []string{"m.bin"}) {
		t.Error("a new model does not matter")
	}
}

// TestModelsForgotten: the memory of a folder's models ends with them.
func TestModelsForgotten(t *testing.T) {
	m := newMemory(10, time.Hour)
	m.begin()
	m.keep("/a/x", item{}, true, 10)
	m.keep("/a/x", item{}, true, 10)
	m.keep("/a/y", item{}, true, 10)
	m.keep("/a/y", item{}, false, 10)
	if !m.holds("/a") {
		t.Error("forgotten too soon")
	}
	m.begin()
	m.end()
	if m.holds("/a") || len(m.inside) != 0 {
		t.Errorf("%v", m.inside)
	}
}

// TestWatchPassesIdleChangesOver: a change in a folder without models costs no
// look at its other files.
func TestWatchPassesIdleChangesOver(t *testing.T) {
	root := tempDir(t)
	for _, n := range []string{"one", "two", "three"} {
		p := write(t, filepath.Join(root, "cache", n), []byte("text that is long enough"))
		if err := os.Chtimes(p, time.Time{}, time.Now().Add(-time.Hour)); err != nil { // at rest in the first walk
			t.Fatal(err)
		}
	}
	s, out := start(t, watchConfig(root))
	first := s.counts.get(cFiles)
	write(t, filepath.Join(root, "cache/one"), []byte("another text that is long enough"))
	eventually(t, "the change", func() bool { return s.counts.get(cChangesIdle) > 0 && s.counts.get(cRead) >= 4 })
	if n := s.counts.get(cFiles) - first; n > 10 { // one look a settle delay until it rests
		t.Errorf("%d files looked at for one change", n)
	}
	model := write(t, filepath.Join(root, "cache/four"), gguf("four"))
	eventually(t, "a model among them", func() bool { return out.has(model) })
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	again := write(t, filepath.Join(root, "cache/five"), gguf("five"))
	eventually(t, "another model", func() bool { return out.has(again) })
}

func TestChangedNamesAreBounded(t *testing.T) {
	d := &dirtyFolder{names: []string{"0"}}
	d.addNames([]string{"0", "1"})
	if diff := cmp.Diff([]string{"0", "1"}, d.names); diff != "" {
		t.Error(diff)
	}
	for i := range maxChanged {
		if d.names != nil {
			d.addNames([]string{string(rune('a' + i))})
		}
	}
	if d.names != nil {
		t.Errorf("%d names", len(d.names))
	}
	d = &dirtyFolder{names: []string{"0"}}
	if d.addNames(nil); d.names != nil {
		t.Error("the folder as a whole was not kept")
	}
}

// TestLooksArePaced: after a look there is a pause before any other.
func TestLooksArePaced(t *testing.T) {
	s := New(watchConfig(tempDir(t)), nil)
	l := newWatchLoop(s, (&sink{}).emit)
	now := time.Now()
	s.now = func() time.Time { return now }
	l.full, l.looked = false, "/x"
	l.charge(10 * time.Millisecond)
	l.mark("/y", false, nil, time.Millisecond)
	now = now.Add(100 * time.Millisecond)
	if l.due(now) != nil {
		t.Error("no pause")
	}
	if wait := l.wait(now, now.Add(time.Hour), false); wait != 400*time.Millisecond {
		t.Errorf("sleeps for %s", wait)
	}
	now = now.Add(400 * time.Millisecond)
	if l.due(now) == nil {
		t.Error("the pause does not end")
	}
	l.charge(time.Hour)
	if d := l.pause.Sub(now); d != maxPause {
		t.Errorf("a pause of %s", d)
	}
}
