package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// small is a spool configuration with little room.
func small(dir string) Config {
	return Config{Dir: dir, MaxBytes: MinMaxBytes, SegmentBytes: 64 << 10}
}

func open(t *testing.T, config Config) *Spool {
	t.Helper()
	s, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// record builds a record of n findings that carries text.
func record(text string, n uint32) Record {
	return Record{Kind: Findings, Items: n, Data: []byte(text)}
}

func mustAppend(t *testing.T, s *Spool, records ...Record) {
	t.Helper()
	if err := s.Append(records...); err != nil {
		t.Fatal(err)
	}
}

// drain takes every record without acknowledging any.
func drain(t *testing.T, s *Spool) (texts []string, last Position) {
	t.Helper()
	for {
		r, position, ok, err := s.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return texts, last
		}
		if position <= last {
			t.Fatalf("position %d after %d", position, last)
		}
		texts, last = append(texts, string(r.Data)), position
	}
}

func TestAppendNextAck_overRestarts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, small(dir))
	mustAppend(t, s, record("a", 1), record("b", 2))
	mustAppend(t, s, Record{Kind: Heartbeat, Items: 4, Data: []byte("c")})
	got, _ := drain(t, s)
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Fatalf("first reading (-want +got):\n%s", diff)
	}
	if err := s.Ack(2); err != nil {
		t.Fatal(err)
	}
	stats := s.Stats()
	if stats.PendingRecords != 1 || stats.PendingHeartbeats != 4 || stats.PendingFindings != 0 {
		t.Errorf("pending %d records, %d findings, %d heartbeats; want 1, 0, 4",
			stats.PendingRecords, stats.PendingFindings, stats.PendingHeartbeats)
	}
	if stats.AckedFindings != 3 || stats.AppendedFindings != 3 || stats.AppendedHeartbeats != 4 {
		t.Errorf("acked %d, appended %d findings and %d heartbeats; want 3, 3, 4",
			stats.AckedFindings, stats.AppendedFindings, stats.AppendedHeartbeats)
	}
	s.Close()

	s = open(t, small(dir))
	mustAppend(t, s, record("d", 1))
	got, last := drain(t, s)
	if diff := cmp.Diff([]string{"c", "d"}, got); diff != "" {
		t.Fatalf("after the restart (-want +got):\n%s", diff)
	}
	if last != 4 {
		t.Errorf("last position %d, want 4: positions must go on", last)
	}
	if err := s.Ack(last); err != nil {
		t.Fatal(err)
	}
	s.Close()

	s = open(t, small(dir))
	if got, _ := drain(t, s); len(got) != 0 {
		t.Errorf("%q came again after their acknowledgement", got)
	}
	if s.Stats().Segments != 0 {
		t.Errorf("%d segments left of an empty spool", s.Stats().Segments)
	}
	mustAppend(t, s, record("e", 1))
	if _, last := drain(t, s); last != 5 {
		t.Errorf("position %d after an emptied spool, want 5", last)
	}
}

func TestNext_waitsForAppendAndContext(t *testing.T) {
	s := open(t, small(t.TempDir()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next with a cancelled context: %v", err)
	}
	got := make(chan string)
	go func() {
		r, _, err := s.Next(context.Background())
		if err != nil {
			t.Error(err)
		}
		got <- string(r.Data)
	}()
	mustAppend(t, s, record("late", 1))
	select {
	case text := <-got:
		if text != "late" {
			t.Errorf("got %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Next did not wake up")
	}
	closed := make(chan error)
	go func() {
		_, _, err := s.Next(context.Background())
		closed <- err
	}()
	s.Close()
	select {
	case err := <-closed:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Next did not end with Close")
	}
	if err := s.Append(record("x", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if err := s.Ack(1); !errors.Is(err, ErrClosed) {
		t.Errorf("Ack after Close: %v", err)
	}
}

func TestAck_refusesWhatWasNotHandedOut(t *testing.T) {
	s := open(t, small(t.TempDir()))
	mustAppend(t, s, record("a", 1))
	if err := s.Ack(1); err == nil {
		t.Error("a record that was never handed out was acknowledged")
	}
	drain(t, s)
	if err := s.Ack(1); err != nil {
		t.Error(err)
	}
	if err := s.Ack(1); err != nil {
		t.Errorf("acknowledging twice: %v", err)
	}
}

func TestAppend_refusesBadRecords(t *testing.T) {
	s := open(t, small(t.TempDir()))
	f := func(r ...Record) {
		t.Helper()
		if err := s.Append(r...); err == nil {
			t.Error("a bad record was stored")
		}
	}
	f(Record{Kind: Findings})
	f(Record{Kind: 9, Data: []byte("x")})
	f(record("good", 1), Record{Kind: Findings})
	if err := s.Append(record(strings.Repeat("x", MinMaxBytes/2), 1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a batch over half the spool: %v", err)
	}
	if err := s.Append(Record{Kind: Findings, Data: make([]byte, MaxRecordBytes+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a record over the limit: %v", err)
	}
	if err := s.Append(); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	if got, _ := drain(t, s); len(got) != 0 {
		t.Errorf("%q were stored", got)
	}
}

func TestAppend_dropsTheOldestWhenFullAndCounts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, small(dir))
	payload := strings.Repeat("x", 16<<10)
	const n = 200 // 3.2 MiB into 1 MiB
	for i := range n {
		mustAppend(t, s, record(fmt.Sprintf("%04d%s", i, payload), 3))
		if b := s.Stats().Bytes; b > MinMaxBytes {
			t.Fatalf("%d bytes stored, over the limit", b)
		}
	}
	before := s.Stats()
	got, last := drain(t, s)
	if len(got) == 0 || got[len(got)-1][:4] != "0199" {
		t.Fatalf("%d records left, and the newest is not the last", len(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i-1][:4] >= got[i][:4] {
			t.Fatalf("%s before %s", got[i-1][:4], got[i][:4])
		}
	}
	if before.DroppedRecords+uint64(len(got)) != n || before.DroppedFindings != 3*before.DroppedRecords {
		t.Errorf("dropped %d records with %d findings, left %d; want %d in all and 3 findings each",
			before.DroppedRecords, before.DroppedFindings, len(got), n)
	}
	if before.PendingRecords != uint64(len(got)) {
		t.Errorf("pending %d, but %d came out", before.PendingRecords, len(got))
	}
	if last != n {
		t.Errorf("last position %d, want %d", last, n)
	}
	s.Close()
	s = open(t, small(dir))
	if after := s.Stats(); after.DroppedRecords != before.DroppedRecords || after.DroppedFindings != before.DroppedFindings {
		t.Errorf("losses forgotten by the restart: %d, was %d", after.DroppedRecords, before.DroppedRecords)
	}
	report := s.Coverage()
	if len(report.Blind) != 1 || report.Blind[0].Reason != "spool_overflow" || report.Blind[0].Count != before.DroppedFindings {
		t.Errorf("blind spots %+v, want spool_overflow with %d", report.Blind, before.DroppedFindings)
	}
}

func TestAppend_dropsWhatIsInFlight(t *testing.T) {
	s := open(t, small(t.TempDir()))
	mustAppend(t, s, record("head", 1))
	_, head, ok, err := s.TryNext()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for range 100 {
		mustAppend(t, s, record(strings.Repeat("x", 16<<10), 1))
	}
	if s.Stats().DroppedRecords == 0 {
		t.Fatal("nothing was dropped")
	}
	if err := s.Ack(head); err != nil {
		t.Errorf("acknowledging a dropped record: %v", err)
	}
	got, last := drain(t, s)
	if uint64(len(got)) != s.Stats().PendingRecords {
		t.Errorf("%d records came, %d are pending", len(got), s.Stats().PendingRecords)
	}
	if err := s.Ack(last); err != nil {
		t.Error(err)
	}
	if p := s.Stats(); p.PendingRecords != 0 || p.PendingFindings != 0 {
		t.Errorf("%d records, %d findings pending of an emptied spool", p.PendingRecords, p.PendingFindings)
	}
}

func TestOpen_oneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	s := open(t, small(dir))
	if _, err := Open(small(dir)); !errors.Is(err, ErrInUse) {
		t.Fatalf("second Open: %v, want ErrInUse", err)
	}
	s.Close()
	open(t, small(dir))
}

func TestOpen_modes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps rights in access lists, not in modes")
	}
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, small(dir))
	mustAppend(t, s, record("a", 1))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", entry.Name(), info.Mode().Perm())
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, want 0700", info.Mode().Perm())
	}
}

func TestConfig_Validate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		c.Dir = "x"
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Dir = "" }, "dir")
	f(func(c *Config) { c.MaxBytes = 10 }, "max_bytes")
	f(func(c *Config) { c.SegmentBytes = 1 }, "segment_bytes")
	f(func(c *Config) { c.SegmentBytes = c.MaxBytes }, "segment_bytes")
}

func TestCoverage_countersAndStates(t *testing.T) {
	s := open(t, small(t.TempDir()))
	mustAppend(t, s, record("a", 2))
	report := s.Coverage()
	if report.State != sensor.On || report.Reason != "" || len(report.Blind) != 0 {
		t.Errorf("report of a sound spool: %+v", report)
	}
	for name, want := range map[string]uint64{"pending_records": 1, "pending_findings": 2, "appended_records": 1, "segments": 1} {
		if report.Counters[name] != want {
			t.Errorf("counter %s is %d, want %d", name, report.Counters[name], want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s, err := Open(Config{Dir: b.TempDir(), MaxBytes: 256 << 20, SegmentBytes: 4 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	batch := make([]Record, 50)
	for i := range batch {
		batch[i] = record(strings.Repeat("x", 600), 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Append(batch...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	raw := appendSegmentHeader(nil, 1)
	for len(raw) < 4<<20 {
		raw = appendRecord(raw, record(strings.Repeat("x", 600), 1))
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scan(bytes.NewReader(raw), int64(len(raw)), func(scanned) {}); err != nil {
			b.Fatal(err)
		}
	}
}
