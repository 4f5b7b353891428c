package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzSegment opens a spool over arbitrary bytes. Whatever they are: every
// record that comes out lies in them as it was written, the pending counts are
// right, the file is sound afterwards, and appending goes on.
func FuzzSegment(f *testing.F) {
	sound := appendSegmentHeader(nil, 1)
	sound = appendRecord(sound, record("first", 1))
	sound = appendRecord(sound, Record{Kind: Heartbeat, Items: 5, Data: []byte("second")})
	sound = appendRecord(sound, record(strings.Repeat("third", 50), 7))
	f.Add(sound)
	f.Add(sound[:len(sound)-3])
	f.Add(sound[:segmentHeaderSize])
	f.Add(sound[:5])
	flipped := bytes.Clone(sound)
	flipped[segmentHeaderSize+recordHeaderSize+2] ^= 1
	f.Add(flipped)
	f.Add(append(bytes.Clone(sound), make([]byte, 100)...))
	huge := appendRecord(appendSegmentHeader(nil, 1), record("x", 1))
	huge[segmentHeaderSize+3] = 0x7f
	f.Add(huge)

	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, segmentName(1))
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(small(dir))
		if err != nil {
			t.Fatalf("damage must be survived: %v", err)
		}
		defer s.Close()
		stats := s.Stats()
		if stats.Bytes > int64(len(raw)) {
			t.Fatalf("%d bytes of %d", stats.Bytes, len(raw))
		}
		var records, findings uint64
		var last Position
		for {
			r, position, ok, err := s.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if position <= last {
				t.Fatalf("position %d after %d", position, last)
			}
			last = position
			records++
			if r.Kind == Findings {
				findings += uint64(r.Items)
			}
			if !bytes.Contains(raw, appendRecord(nil, r)) {
				t.Fatalf("record %q is not in the file", r.Data)
			}
		}
		if records != stats.PendingRecords || findings != stats.PendingFindings {
			t.Fatalf("%d records with %d findings came, %d with %d were pending",
				records, findings, stats.PendingRecords, stats.PendingFindings)
		}
		if err := s.Append(record("appended", 1)); err != nil {
			t.Fatal(err)
		}
		r, position, ok, err := s.TryNext()
		if err != nil || !ok || string(r.Data) != "appended" || position <= last {
			t.Fatalf("after an append: %q at %d, %v, %v", r.Data, position, ok, err)
		}
		if err := s.Ack(position); err != nil {
			t.Fatal(err)
		}
		s.Close()
		again, err := Open(small(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if _, _, ok, err := again.TryNext(); ok || err != nil {
			t.Fatalf("an acknowledged record came again: %v", err)
		}
	})
}

// FuzzState decodes arbitrary bytes: what is accepted is what encode writes.
func FuzzState(f *testing.F) {
	s := state{Generation: 3, Acked: 17, DroppedFindings: 4}
	f.Add(s.encode())
	f.Add(s.encode()[:50])
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := decodeState(raw)
		if !ok {
			return
		}
		want := len(stateMagic) + 11*8 + 4
		if !bytes.Equal(got.encode()[:want], raw[:want]) {
			t.Fatalf("%+v encodes differently", got)
		}
	})
}
