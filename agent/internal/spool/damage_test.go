package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// filled makes a spool with the records 0 to n-1 of one finding each, closes
// it, and returns its segment files in order.
func filled(t *testing.T, dir string, n, size int) []string {
	t.Helper()
	s := open(t, small(dir))
	for i := range n {
		mustAppend(t, s, record(fmt.Sprintf("%04d%s", i, strings.Repeat("x", size)), 1))
	}
	s.Close()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	return files
}

// numbers cuts the texts of drain to their numbers.
func numbers(texts []string) []string {
	for i := range texts {
		texts[i] = texts[i][:4]
	}
	return texts
}

// change rewrites a file.
func change(t *testing.T, path string, edit func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_cutsATornTailAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	files := filled(t, dir, 2, 40)
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	one := segmentHeaderSize + recordHeaderSize + 44
	for cut := segmentHeaderSize; cut <= len(whole); cut++ {
		dir := t.TempDir()
		path := filepath.Join(dir, segmentName(1))
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, small(dir))
		want := 0
		if cut >= one {
			want = 1
		}
		if cut == len(whole) {
			want = 2
		}
		got, _ := drain(t, s)
		if len(got) != want {
			t.Fatalf("cut at %d of %d: %d records, want %d", cut, len(whole), len(got), want)
		}
		torn := cut - segmentHeaderSize - want*(one-segmentHeaderSize)
		if stats := s.Stats(); stats.TornBytes != uint64(torn) || (torn > 0) != (stats.TornTails == 1) {
			t.Fatalf("cut at %d: %d torn tails, %d bytes, want %d bytes", cut, stats.TornTails, stats.TornBytes, torn)
		}
		mustAppend(t, s, record("after", 1))
		if got, _ := drain(t, s); len(got) != 1 || got[0] != "after" {
			t.Fatalf("cut at %d: after an append came %q", cut, got)
		}
		s.Close()
	}
}

func TestOpen_passesOverDamage(t *testing.T) {
	const size = 8 << 10 // 7 records a segment
	recordSize := recordHeaderSize + 4 + size
	f := func(name string, damage func(files []string), lost []string, count func(Stats) uint64, wantCount uint64) {
		t.Helper()
		dir := t.TempDir()
		files := filled(t, dir, 20, size)
		damage(files)
		s := open(t, small(dir))
		got, last := drain(t, s)
		var want []string
		for i := range 20 {
			if number := fmt.Sprintf("%04d", i); !slices.Contains(lost, number) {
				want = append(want, number)
			}
		}
		if diff := cmp.Diff(want, numbers(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := count(s.Stats()); got != wantCount {
			t.Errorf("%s: counted %d, want %d: %+v", name, got, wantCount, s.Stats())
		}
		if err := s.Ack(last); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
		s = open(t, small(dir))
		if again, _ := drain(t, s); len(again) != 0 {
			t.Errorf("%s: %d records came again", name, len(again))
		}
		s.Close()
	}
	corrupt := func(s Stats) uint64 { return s.CorruptRecords }
	f("a flipped bit in the first record", func(files []string) {
		change(t, files[0], func(raw []byte) []byte { raw[segmentHeaderSize+100] ^= 1; return raw })
	}, []string{"0000"}, corrupt, 1)
	f("two damaged records in the middle", func(files []string) {
		change(t, files[1], func(raw []byte) []byte {
			raw[segmentHeaderSize+2*recordSize+50] ^= 1
			raw[segmentHeaderSize+3*recordSize+50] ^= 1
			return raw
		})
	}, []string{"0009", "0010"}, corrupt, 2)
	f("a damaged length", func(files []string) {
		change(t, files[1], func(raw []byte) []byte { raw[segmentHeaderSize+2*recordSize+3] = 0xff; return raw })
	}, []string{"0009", "0010", "0011", "0012", "0013"}, corrupt, 5)
	f("a damaged segment header", func(files []string) {
		change(t, files[1], func(raw []byte) []byte { raw[0] = 'X'; return raw })
	}, []string{"0007", "0008", "0009", "0010", "0011", "0012", "0013"}, func(s Stats) uint64 { return s.CorruptSegments }, 1)
	f("an empty newest segment", func(files []string) {
		change(t, files[2], func([]byte) []byte { return nil })
	}, []string{"0014", "0015", "0016", "0017", "0018", "0019"}, func(s Stats) uint64 { return s.TornTails }, 1)
}

func TestNext_passesOverDamageSinceOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, small(dir))
	for i := range 5 {
		mustAppend(t, s, record(fmt.Sprintf("%04d", i), 1))
	}
	path := filepath.Join(dir, segmentName(1))
	change(t, path, func(raw []byte) []byte { raw[segmentHeaderSize+1*20+18] ^= 1; return raw })
	got, last := drain(t, s)
	if diff := cmp.Diff([]string{"0000", "0002", "0003", "0004"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := s.Stats().UnreadableRecords; n != 1 {
		t.Errorf("%d unreadable records, want 1", n)
	}
	if err := s.Ack(last); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, record("0005", 1), record("0006", 1))
	change(t, path, func(raw []byte) []byte { raw[segmentHeaderSize+5*20+2] = 0xff; return raw })
	mustAppend(t, s, record("0007", 1))
	if got, _ := drain(t, s); len(got) != 0 {
		t.Errorf("%q came from behind a damaged length", got)
	}
	report := s.Coverage()
	if s.Stats().UnreadableRecords != 4 || len(report.Blind) != 1 || report.Blind[0].Reason != "spool_corrupt" {
		t.Errorf("%d unreadable records, blind %+v; want 4 and spool_corrupt", s.Stats().UnreadableRecords, report.Blind)
	}
}

func TestOpen_damagedStateSendsAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, small(dir))
	mustAppend(t, s, record("a", 1), record("b", 1))
	drain(t, s)
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	path := filepath.Join(dir, stateName)
	intact, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, edit func([]byte) []byte, want []string, damaged uint64) {
		t.Helper()
		if err := os.WriteFile(path, edit(slices.Clone(intact)), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, small(dir))
		defer s.Close()
		got, _ := drain(t, s)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if n := s.Stats().DamagedStates; n != damaged {
			t.Errorf("%s: %d damaged states, want %d", name, n, damaged)
		}
	}
	f("intact", func(raw []byte) []byte { return raw }, []string{"b"}, 0)
	f("the older slot torn", func(raw []byte) []byte { raw[slotSize+9] ^= 1; return raw }, []string{"b"}, 0)
	f("the newer slot torn", func(raw []byte) []byte { raw[9] ^= 1; return raw }, []string{"a", "b"}, 0)
	f("both torn", func(raw []byte) []byte { raw[9] ^= 1; raw[slotSize+9] ^= 1; return raw }, []string{"a", "b"}, 1)
	f("emptied", func([]byte) []byte { return []byte("short") }, []string{"a", "b"}, 1)
}

// brokenFile replaces the active file by one that cannot be written, as on a
// disk that fails, and returns how to mend it.
func brokenFile(t *testing.T, s *Spool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.segments[len(s.segments)-1].path
	s.active.Close()
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s.active = readOnly
}

func TestAppend_failedWriteLosesNothingAndIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, small(dir))
	mustAppend(t, s, record("before", 1))
	brokenFile(t, s)
	if err := s.Append(record("refused", 1)); err == nil {
		t.Fatal("a write to a read-only file succeeded")
	}
	stats := s.Stats()
	if stats.AppendErrors != 1 || stats.LastError == "" || stats.PendingRecords != 1 {
		t.Errorf("append errors %d, last %q, pending %d; want 1, a message, 1", stats.AppendErrors, stats.LastError, stats.PendingRecords)
	}
	if report := s.Coverage(); report.State != sensor.Degraded || report.Reason == "" {
		t.Errorf("report %+v, want degraded with a reason", report)
	}
	mustAppend(t, s, record("again", 1))
	if report := s.Coverage(); report.State != sensor.On {
		t.Errorf("still %s after a success", report.State)
	}
	got, _ := drain(t, s)
	if diff := cmp.Diff([]string{"before", "again"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Close()
	s = open(t, small(dir))
	got, _ = drain(t, s)
	if diff := cmp.Diff([]string{"before", "again"}, got); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestAck_failedWriteIsCountedAndGoesOn(t *testing.T) {
	s := open(t, small(t.TempDir()))
	mustAppend(t, s, record("a", 1))
	drain(t, s)
	s.stateFile.Close()
	if err := s.Ack(1); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("Ack: %v", err)
	}
	if stats := s.Stats(); stats.AckErrors != 1 || stats.PendingRecords != 0 {
		t.Errorf("ack errors %d, pending %d; want 1, 0", stats.AckErrors, stats.PendingRecords)
	}
}
