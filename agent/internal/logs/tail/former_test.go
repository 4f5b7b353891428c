package tail

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestStoppedWhileNobodyHasTheName stops the tail between the two steps of a
// rotation, when the log was renamed and its successor is not there yet. The
// successor then comes and is renamed before the next start.
func TestStoppedWhileNobodyHasTheName(t *testing.T) {
	f := func(name string, linger time.Duration, starts int) {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			name := filepath.Join(folder, "a.log")
			put(t, name, "1\n")
			j := &journal{}
			o := options(j, name)
			o.Linger = linger
			tail := New(o, nil)
			tail.Drain(t.Context())
			must(t, os.Rename(name, name+".00000001"))
			for range starts {
				tail.Drain(t.Context()) // the name is gone
				time.Sleep(2 * linger)
				tail.Drain(t.Context())
				path := filepath.Join(t.TempDir(), "positions.json")
				must(t, save(path, map[string][]Position{"s": tail.Positions()}))
				tail.close()
				loaded, err := Load(path)
				must(t, err)
				tail = New(o, loaded["s"])
			}
			time.Sleep(5 * time.Millisecond) // the file system's clock goes on
			put(t, name+".00000002", "2\n")
			put(t, name, "3\n")
			tail.Drain(t.Context())
			time.Sleep(settleTime)
			tail.Drain(t.Context())
			same(t, slices.Sorted(slices.Values(j.all())), "1", "2", "3")
			if c := tail.Counters(); c["vanished"] != 0 || c["between"] != 1 {
				t.Errorf("counters %v", c)
			}
			for _, p := range tail.Positions() {
				if p.Former != "" || p.Done {
					t.Errorf("a position of a name that is taken: %+v", p)
				}
			}
			tail.close()
		})
	}
	f("while the old file is still read", time.Minute/1000, 1)
	f("twice", 20*time.Millisecond, 2)
	f("after the old file was let go", time.Millisecond, 1)
	f("long after", time.Millisecond, 3)
}
