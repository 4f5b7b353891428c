package tail

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// rotator is a consumer that has the log rotated while its records are handed
// over.
type rotator struct {
	consumer
	rotate func()
}

func (r rotator) Record(b []byte, cut bool) {
	r.consumer.Record(b, cut)
	r.rotate()
}

// TestTruncatedWhileRecordsAreHandedOver holds that a file is known by what was
// read of it, not by what stands in its place meanwhile.
func TestTruncatedWhileRecordsAreHandedOver(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	var want []string
	for i := range 150 {
		want = append(want, line(i))
	}
	put(t, name, strings.Join(want[:100], "\n")+"\n")
	j := &journal{}
	o := options(j, name)
	rotate := sync.OnceFunc(func() {
		add(t, name, want[100]+"\n")
		copyFile(t, name, name+".00000001")
		put(t, name, strings.Join(want[101:], "\n")+"\n")
	})
	o.Open = func() Consumer { return rotator{consumer{j}, rotate} }
	tail := New(o, nil)
	for range 3 {
		tail.Drain(t.Context())
		time.Sleep(settleTime)
	}
	same(t, j.all(), want...)
	if c := tail.Counters(); c["copies"] != 1 || c["truncated_without_copy"] != 0 {
		t.Errorf("counters %v", c)
	}
	tail.close()
}
