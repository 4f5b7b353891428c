package tail

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is what a test's consumers were given, together.
type journal struct {
	mu      sync.Mutex
	records []string
	headers []string
	cuts    int
}

func (j *journal) open() Consumer { return consumer{j} }

type consumer struct{ *journal }

func (c consumer) Header(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("#")) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = append(c.headers, string(b))
	return true
}

func (c consumer) Record(b []byte, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records = append(c.records, string(b))
	if cut {
		c.cuts++
	}
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.records)
}

func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyFile is what logrotate's copytruncate does first.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	out, err := os.Create(to)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, err)
	must(t, out.Close())
	must(t, in.Close())
}

func options(j *journal, patterns ...string) Options {
	return Options{Patterns: patterns, FromStart: true, MaxRecord: 64 << 10, Open: j.open, Linger: 50 * time.Millisecond, Poll: 5 * time.Millisecond}
}

func same(t testing.TB, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
}

func TestLinesOnceEach(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "one\ntwo\r\npart")
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	same(t, j.all(), "one", "two")
	add(t, name, "ial\n\nthree\n")
	tail.Drain(t.Context())
	tail.Drain(t.Context())
	same(t, j.all(), "one", "two", "partial", "", "three")
	if s := tail.Status(); s.Files != 1 || s.Lag != 0 || len(s.Missing)+len(s.Trouble) > 0 {
		t.Errorf("status %+v", s)
	}
	tail.close()
}

func TestFromEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "#head\nold\nunfinished")
	j := &journal{}
	o := options(j, name)
	o.FromStart = false
	tail := New(o, nil)
	tail.Drain(t.Context())
	add(t, name, " old line\nnew\n")
	tail.Drain(t.Context())
	same(t, j.all(), "new")
	same(t, j.headers, "#head")
	// A file that appears later is new altogether.
	must(t, os.Rename(name, name+".1"))
	put(t, name, "fresh\n")
	tail.Drain(t.Context())
	same(t, j.all(), "new", "fresh")
	tail.close()
}

func TestLongRecordsAreCut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	j := &journal{}
	o := options(j, name)
	o.MaxRecord = 1000
	put(t, name, strings.Repeat("x", 1000)+"\n"+strings.Repeat("y", 1001)+"\n"+strings.Repeat("z", 3<<20)+"\nend\n")
	tail := New(o, nil)
	tail.Drain(t.Context())
	same(t, j.all(), strings.Repeat("x", 1000), strings.Repeat("y", 1000), strings.Repeat("z", 1000), "end")
	if c := tail.Counters(); j.cuts != 2 || c["cut"] != 2 || c["records"] != 4 {
		t.Errorf("%d cuts, counters %v", j.cuts, c)
	}
	tail.close()
}

func TestLongRecordWithinItsBound(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	j := &journal{}
	o := options(j, name)
	o.MaxRecord = 1 << 20
	long := strings.Repeat("x", 1<<20)
	put(t, name, "a\n"+long+"\nb\n")
	tail := New(o, nil)
	tail.Drain(t.Context())
	if got := j.all(); len(got) != 3 || got[1] != long || j.cuts != 0 {
		t.Errorf("%d records, %d cuts", len(got), j.cuts)
	}
	tail.close()
}

// TestRestartInsideACutRecord goes on behind the record, not inside it.
func TestRestartInsideACutRecord(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	j := &journal{}
	o := options(j, name)
	o.MaxRecord = 100
	put(t, name, "a\n"+strings.Repeat("x", 500))
	tail := New(o, nil)
	tail.Drain(t.Context())
	saved := tail.Positions()
	tail.close()
	add(t, name, "xxx\nb\n")
	tail = New(o, saved)
	tail.Drain(t.Context())
	same(t, j.all(), "a", strings.Repeat("x", 100), "b")
	tail.close()
}

func TestRenameRotation(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "1\n2\n")
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	add(t, name, "3\n")
	must(t, os.Rename(name, name+".1"))
	put(t, name, "5\n")
	add(t, name+".1", "4\nlast without end")
	tail.Drain(t.Context())
	same(t, j.all(), "1", "2", "3", "4", "5")
	time.Sleep(60 * time.Millisecond) // Linger
	tail.Drain(t.Context())
	same(t, j.all(), "1", "2", "3", "4", "5", "last without end")
	if s, c := tail.Status(), tail.Counters(); s.Files != 1 || c["rotated"] != 1 {
		t.Errorf("status %+v, counters %v", s, c)
	}
	tail.close()
}

func TestDeletedAndBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "1\n")
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	add(t, name, "2\n")
	must(t, os.Remove(name))
	tail.Drain(t.Context())
	if s := tail.Status(); !slices.Equal(s.Missing, []string{name}) {
		t.Errorf("missing %v", s.Missing)
	}
	put(t, name, "3\n")
	tail.Drain(t.Context())
	same(t, j.all(), "1", "2", "3")
	tail.close()
}

func TestCopyTruncate(t *testing.T) {
	for _, pattern := range []string{"a.log", "a*"} {
		for _, copied := range []string{"a.log.1", "a-20261123.log"} {
			t.Run(pattern+" "+copied, func(t *testing.T) {
				folder := t.TempDir()
				name := filepath.Join(folder, "a.log")
				var want []string
				text := func(from, to int) string {
					var b strings.Builder
					for i := from; i < to; i++ {
						line := fmt.Sprintf("%06d some words to fill the line", i)
						want = append(want, line)
						b.WriteString(line + "\n")
					}
					return b.String()
				}
				put(t, name, text(0, 100))
				j := &journal{}
				tail := New(options(j, filepath.Join(folder, pattern)), nil)
				tail.Drain(t.Context())
				add(t, name, text(100, 110)) // not yet read when the file is cut
				copyFile(t, name, filepath.Join(folder, copied))
				must(t, os.Truncate(name, 0))
				add(t, name, text(200, 400)) // already longer than before
				tail.Drain(t.Context())
				tail.Drain(t.Context())
				same(t, j.all(), want...)
				if c := tail.Counters(); c["truncated"] != 1 || c["copies"] != 1 || c["truncated_without_copy"] != 0 {
					t.Errorf("counters %v", c)
				}
				add(t, name, text(400, 401))
				tail.Drain(t.Context())
				same(t, j.all(), want...)
				tail.close()
			})
		}
	}
}

func TestTruncatedWithoutCopy(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "1\n2\n")
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	put(t, name, "3\n4\n5\n")
	tail.Drain(t.Context())
	same(t, j.all(), "1", "2", "3", "4", "5")
	if c := tail.Counters(); c["truncated"] != 1 || c["truncated_without_copy"] != 1 {
		t.Errorf("counters %v", c)
	}
	tail.close()
}

func TestLinkSwitch(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "current.log")
	put(t, filepath.Join(folder, "one"), "1\n")
	must(t, os.Symlink("one", name))
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	add(t, filepath.Join(folder, "one"), "2\n")
	put(t, filepath.Join(folder, "two"), "3\n")
	must(t, os.Symlink("two", name+".new"))
	must(t, os.Rename(name+".new", name))
	tail.Drain(t.Context())
	same(t, j.all(), "1", "2", "3")
	tail.close()
}

func TestLinkOutOfTheFolder(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	name := filepath.Join(folder, "a.log")
	put(t, filepath.Join(elsewhere, "secret"), "1\n")
	must(t, os.Symlink(filepath.Join(elsewhere, "secret"), name))
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	same(t, j.all())
	if s := tail.Status(); len(s.Trouble) != 1 || !strings.Contains(s.Trouble[0], "follow_links") {
		t.Errorf("trouble %q", s.Trouble)
	}
	o := options(j, name)
	o.FollowLinks = true
	tail = New(o, nil)
	tail.Drain(t.Context())
	same(t, j.all(), "1")
	tail.close()
}

func TestWhatIsNoLog(t *testing.T) {
	folder := t.TempDir()
	put(t, filepath.Join(folder, "a.log.1.gz"), "packed\n")
	must(t, os.Mkdir(filepath.Join(folder, "a.log.d"), 0o700))
	j := &journal{}
	tail := New(options(j, filepath.Join(folder, "a.log*")), nil)
	tail.Drain(t.Context())
	same(t, j.all())
	if s := tail.Status(); s.Files != 0 || len(s.Trouble) != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestRestart(t *testing.T) {
	f := func(name string, meanwhile func(t *testing.T, name string), want ...string) {
		t.Run(name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "a.log")
			first := make([]string, 100)
			for i := range first {
				first[i] = fmt.Sprintf("old %04d %s", i, strings.Repeat("x", 20))
			}
			put(t, name, strings.Join(first, "\n")+"\n")
			j := &journal{}
			o := options(j, name)
			o.FromStart = false
			tail := New(o, nil)
			tail.Drain(t.Context())
			add(t, name, "read\n")
			tail.Drain(t.Context())
			path := filepath.Join(t.TempDir(), "positions.json")
			must(t, save(path, map[string][]Position{"s": tail.Positions()}))
			tail.close()

			meanwhile(t, name)
			loaded, err := Load(path)
			must(t, err)
			tail = New(o, loaded["s"])
			tail.Drain(t.Context())
			time.Sleep(settleTime)
			tail.Drain(t.Context())
			// Of several files the order is not promised.
			same(t, slices.Sorted(slices.Values(j.all())), slices.Sorted(slices.Values(append([]string{"read"}, want...)))...)
			tail.close()
		})
	}
	f("nothing happened", func(*testing.T, string) {})
	f("it grew", func(t *testing.T, name string) { add(t, name, "a\nb\n") }, "a", "b")
	f("it was renamed", func(t *testing.T, name string) {
		add(t, name, "a\n")
		must(t, os.Rename(name, name+".1"))
		put(t, name, "b\n")
	}, "a", "b")
	f("it was renamed twice", func(t *testing.T, name string) {
		add(t, name, "a\n")
		must(t, os.Rename(name, name+".2"))
		put(t, name+".1", "between\n")
		put(t, name, "b\n")
	}, "a", "between", "b")
	f("it was copied and truncated twice", func(t *testing.T, name string) {
		add(t, name, "a\n")
		copyFile(t, name, name+".2")
		put(t, name, "between\n")
		copyFile(t, name, name+".1")
		put(t, name, "b\n")
	}, "a", "between", "b")
	f("its copy is shorter than what was read", func(t *testing.T, name string) {
		copyFile(t, name, name+".1")
		must(t, os.Truncate(name+".1", 2000))
		put(t, name, "b\n")
	}, "b")
	f("it was copied and truncated", func(t *testing.T, name string) {
		add(t, name, "a\n")
		copyFile(t, name, name+".1")
		must(t, os.Truncate(name, 0))
		add(t, name, "b\n")
	}, "a", "b")
	f("it was replaced", func(t *testing.T, name string) {
		must(t, os.Remove(name))
		put(t, name, "b\n")
	}, "b")
	f("it was moved by copying", func(t *testing.T, name string) {
		copyFile(t, name, name+".new")
		must(t, os.Remove(name))
		must(t, os.Rename(name+".new", name))
		add(t, name, "a\n")
	}, "a")
}

func TestRotatedNames(t *testing.T) {
	for _, name := range []string{"a.log.1", "a.log.12", "a.log-20261123", "a-20261123.log", "a.log.2026-11-23T19", "a.1.log"} {
		if !rotated("a.log", name) {
			t.Errorf("%s is not taken for a rotated a.log", name)
		}
	}
	for _, name := range []string{"a.log", "a.log.gz", "a-ssl.log", "ab.log", "a.log.old", "a.log.", "b.log.1"} {
		if rotated("a.log", name) {
			t.Errorf("%s is taken for a rotated a.log", name)
		}
	}
}

func TestVanished(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "1\n")
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	saved := tail.Positions()
	tail.close()
	must(t, os.Remove(name))
	tail = New(options(j, name), saved)
	tail.Drain(t.Context())
	if c := tail.Counters(); c["vanished"] != 1 {
		t.Errorf("counters %v", c)
	}
}

func save(path string, sources map[string][]Position) error {
	commit, err := Prepare(path, sources)
	if err != nil {
		return err
	}
	return commit()
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions.json")
	if got, err := Load(path); got != nil || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	for _, bad := range []string{"", "{", `{"version":2}`, strings.Repeat(" ", maxState+1)} {
		put(t, path, bad)
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	want := map[string][]Position{"a": {{Path: "/x", Device: 1, Inode: 2, Offset: 3}}, "b": {}}
	must(t, save(path, want))
	got, err := Load(path)
	must(t, err)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Position{})); diff != "" {
		t.Error(diff)
	}
	if got["b"] == nil {
		t.Error("a source without files is forgotten")
	}
	if _, err := Prepare(path, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path); err != nil || len(got) != 2 {
		t.Errorf("prepared positions are in place before they are committed: %v, %v", got, err)
	}
	must(t, os.RemoveAll(filepath.Dir(path)))
	if save(path, want) == nil {
		t.Error("saving into nowhere passes")
	}
}

// TestForgedPositions holds that a damaged position is never believed.
func TestForgedPositions(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	put(t, name, "1\n2\n")
	j := &journal{}
	tail := New(options(j, name), nil)
	tail.Drain(t.Context())
	good := tail.Positions()[0]
	tail.close()
	for _, spoil := range []func(*Position){
		func(p *Position) { p.Offset = -1 }, func(p *Position) { p.Offset = 1 << 40 }, func(p *Position) { p.HeadSize = 1 << 30 },
		func(p *Position) { p.FootSize = -5 }, func(p *Position) { p.Foot = "x" }, func(p *Position) { p.Head = "x" }, func(p *Position) { p.Offset = 1 },
	} {
		bad := good
		spoil(&bad)
		j := &journal{}
		tail := New(options(j, name), []Position{bad})
		tail.Drain(t.Context())
		same(t, j.all(), "1", "2")
		tail.close()
	}
}

func TestPermission(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	err := explain(name, os.ErrPermission)
	if !strings.Contains(err.Error(), "read access") || !strings.Contains(err.Error(), name) {
		t.Error(err)
	}
}

// TestRunUnderRotation writes and rotates as fast as it can, by each tactic in
// turn, while the tail runs and is stopped and started again with its saved
// positions: every line must come exactly once.
func TestRunUnderRotation(t *testing.T) {
	for _, tactic := range []string{"rename", "copytruncate"} {
		for _, pattern := range []string{"a.log", "a.log*"} {
			t.Run(tactic+" "+pattern, func(t *testing.T) { runUnderRotation(t, tactic, pattern) })
		}
	}
}

func runUnderRotation(t *testing.T, tactic, pattern string) {
	folder := t.TempDir()
	name := filepath.Join(folder, "a.log")
	put(t, name, "")
	j := &journal{}
	o := options(j, filepath.Join(folder, pattern))
	o.Linger = 300 * time.Millisecond
	hold := &sync.Mutex{}
	o.Hold = hold
	saved := []Position{}
	const lines, rounds = 40_000, 12

	var writing sync.WaitGroup
	writing.Go(func() { writeAndRotate(t, name, tactic, lines, rounds) })
	writer := make(chan struct{})
	go func() { writing.Wait(); close(writer) }()
	random := rand.New(rand.NewPCG(1, 2))
	restarts := 0
	for done := false; !done; restarts++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+random.IntN(80))*time.Millisecond)
		tail := New(o, saved)
		if err := tail.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		saved = tail.Positions()
		select {
		case <-writer:
			done = true
		default:
		}
	}
	tail := New(o, saved)
	tail.Drain(t.Context())
	time.Sleep(settleTime)
	tail.Drain(t.Context())
	tail.close()
	count := map[string]int{}
	for _, line := range j.all() {
		count[line]++
	}
	lost, repeated := 0, 0
	for i := range lines {
		switch n := count[line(i)]; {
		case n == 0:
			lost++
		case n > 1:
			repeated++
		}
	}
	t.Logf("%d lines, %d rotations, %d restarts: %d lost, %d repeated", lines, rounds-1, restarts, lost, repeated)
	if lost+repeated > 0 || len(count) != lines {
		t.Errorf("%d lines came: %d lost, %d repeated", len(count), lost, repeated)
	}
}

func line(i int) string { return fmt.Sprintf("%08d and something more to read in this line", i) }

// writeAndRotate writes with small pauses. Its rotator does not run while it
// writes: what logrotate loses by itself is not the tail's.
func writeAndRotate(t *testing.T, name, tactic string, lines, rounds int) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	for i := range lines {
		text := line(i) + "\n"
		if i%97 == 0 { // in two parts, so that unfinished lines are seen
			_, _ = f.WriteString(text[:10])
			text = text[10:]
			time.Sleep(time.Millisecond)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Error(err)
		}
		if i%(lines/rounds) == lines/rounds-1 {
			f = rotate(t, f, name, tactic, i)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func rotate(t *testing.T, f *os.File, name, tactic string, i int) *os.File {
	to := fmt.Sprintf("%s.%08d", name, i)
	if tactic == "copytruncate" {
		copyFile(t, name, to)
		if err := f.Truncate(0); err != nil {
			t.Error(err)
		}
		return f
	}
	if err := os.Rename(name, to); err != nil {
		t.Error(err)
	}
	if _, err := f.WriteString(""); err != nil { // the writer still has the old file for a moment
		t.Error(err)
	}
	time.Sleep(2 * time.Millisecond)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Error(err)
	}
	return f
}

func TestFrames(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.tap")
	j := &journal{}
	o := options(j, name)
	o.Split = func(b []byte) ([]byte, int, error) { // a byte of length, and the record
		switch {
		case len(b) == 0 || len(b) < 1+int(b[0]):
			return nil, 0, nil
		case b[0] == 0:
			return nil, 1, nil
		case b[0] == 0xff:
			return nil, 0, io.ErrUnexpectedEOF
		}
		return b[1 : 1+b[0]], 1 + int(b[0]), nil
	}
	put(t, name, "\x03abc\x00\x02d")
	tail := New(o, nil)
	tail.Drain(t.Context())
	add(t, name, "e\x01f")
	tail.Drain(t.Context())
	same(t, j.all(), "abc", "de", "f")
	add(t, name, "\xff"+strings.Repeat("x", 300))
	tail.Drain(t.Context())
	if c := tail.Counters(); c["broken"] != 1 || c["records"] != 3 {
		t.Errorf("counters %v", c)
	}
	tail.close()
}

func BenchmarkTail(b *testing.B) {
	name := filepath.Join(b.TempDir(), "a.log")
	put(b, name, strings.Repeat(line(1)+"\n", 200_000))
	b.SetBytes(int64(200_000 * (len(line(1)) + 1)))
	for b.Loop() {
		n := 0
		tail := New(Options{Patterns: []string{name}, FromStart: true, MaxRecord: 1 << 16, Open: func() Consumer { return counter{&n} }}, nil)
		tail.Drain(b.Context())
		tail.close()
		if n != 200_000 {
			b.Fatal(n)
		}
	}
}

type counter struct{ n *int }

func (c counter) Header([]byte) bool      { return false }
func (c counter) Record(_ []byte, _ bool) { *c.n++ }
