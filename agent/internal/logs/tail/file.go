package tail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// file is one file that is followed, whatever it is called.
type file struct {
	name     string
	handle   *os.File
	id       identity
	consumer Consumer

	offset   int64  // all before it is handed over
	head     []byte // the first bytes, at most sampleSize and not beyond offset
	foot     []byte // the last bytes before offset, likewise
	skipping bool   // offset lies in a record whose rest is passed over
	broken   bool   // nothing that follows can be told apart
	copy     bool   // another file's copy: read only for what that loses
	young    bool   // not yet known to be a copy or not: it may still be written

	size     int64 // when last looked at
	modified time.Time
	seen     int64     // size when it was last read to the end
	verified time.Time // modification time when its bytes were last found to be as they were
	grown    time.Time // when it was last seen to grow
	lost     time.Time // since when it has no name, zero while it has one
}

func (f *file) unnamed() bool { return !f.lost.IsZero() }

func (f *file) stat(info os.FileInfo) { f.size, f.modified = info.Size(), info.ModTime() }

// readTurn reads from f until its end or until others have their turn. more
// says that there is more.
func (t *Tail) readTurn(ctx context.Context, f *file) (more bool) {
	for read := 0; read < perTurn; {
		if ctx.Err() != nil {
			return false
		}
		n, again := t.step(f)
		if !again {
			return false
		}
		read += n
	}
	return true
}

// step reads and hands over one chunk of f, in one holding.
func (t *Tail) step(f *file) (n int, again bool) {
	t.options.Hold.Lock()
	defer t.options.Hold.Unlock()
	if t.files[f.id] != f {
		return 0, false
	}
	info, err := f.handle.Stat()
	if err != nil {
		t.forget(f)
		return 0, false
	}
	if info.Size() > f.size {
		f.grown = time.Now()
	}
	changed := info.Size() != f.seen || !info.ModTime().Equal(f.modified)
	f.stat(info)
	if f.young && !t.decide(f) {
		return 0, false
	}
	if f.copy || !changed {
		t.retire(f)
		return 0, false
	}
	if f.offset == 0 && f.size > 0 {
		// Without a byte of it read, an earlier truncation would not be seen.
		p := f.position()
		t.between(&p)
	}
	n, again, err = t.read(f, false)
	if errors.Is(err, errReplaced) {
		t.replaced(f)
		return 0, true
	}
	f.verified = f.modified
	if err != nil || !again {
		f.seen = f.size
		t.retire(f)
		return n, false
	}
	return n, true
}

// retire lets go of a file that has no name any more and is read to its end.
func (t *Tail) retire(f *file) {
	if !f.unnamed() || time.Since(f.lost) < t.options.Linger || time.Since(f.grown) < t.options.Linger {
		return
	}
	if !f.copy {
		// What has no line end will not get one any more.
		_, _, _ = t.read(f, true)
	}
	t.forget(f)
}

func (t *Tail) forget(f *file) {
	delete(t.files, f.id)
	_ = f.handle.Close() // it was only read
}

// errReplaced says that the bytes before the position are not those that were
// read.
var errReplaced = errors.New("the file was truncated or replaced")

// read hands over the records of one chunk. One read brings the bytes before
// the position too, so that no truncation can pass unseen between the two. last
// takes what is there without an end for a whole record.
func (t *Tail) read(f *file, last bool) (n int, again bool, err error) {
	if len(t.buffer) == 0 {
		t.buffer = make([]byte, chunk)
	}
	got, err := f.handle.ReadAt(t.buffer, f.offset-int64(len(f.foot)))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	atEnd := got < len(t.buffer)
	data := t.buffer[:got]
	if got < len(f.foot) || !bytes.Equal(data[:len(f.foot)], f.foot) {
		return 0, false, errReplaced
	}
	before := len(f.foot)
	used := t.handOver(f, data[before:], last && atEnd)
	t.advance(f, data[:before+used], used)
	if used == 0 && !atEnd {
		t.grow()
		return 0, true, nil
	}
	return used, !atEnd, nil
}

// grow makes room for a record that is longer than the buffer, up to the
// longest that is read whole.
func (t *Tail) grow() {
	t.buffer = make([]byte, min(2*len(t.buffer), t.options.MaxRecord+sampleSize+chunk))
}

// advance moves the position behind the used bytes at the end of data. What it
// notes of the file is what was read together with them: the file may be another
// one by now.
func (t *Tail) advance(f *file, data []byte, used int) {
	if used == 0 {
		return
	}
	if fromStart := f.offset == int64(len(data)-used); fromStart && len(f.head) < sampleSize {
		f.head = slices.Clone(data[:min(sampleSize, len(data))])
	}
	f.offset += int64(used)
	t.counters.bytes.Add(uint64(used))
	f.foot = append(f.foot[:0], data[max(0, len(data)-sampleSize):]...)
}

// sampleHead reads the first bytes again, as far as the position reaches.
func (f *file) sampleHead() {
	head := make([]byte, min(sampleSize, f.offset))
	if _, err := f.handle.ReadAt(head, 0); err == nil {
		f.head = head
	}
}

// handOver takes records off the start of b and returns how many bytes they
// took.
func (t *Tail) handOver(f *file, b []byte, last bool) (used int) {
	if f.broken {
		return len(b)
	}
	if t.options.Split != nil {
		return t.frames(f, b)
	}
	for used < len(b) {
		end := bytes.IndexByte(b[used:], '\n')
		if end < 0 {
			return used + t.unended(f, b[used:], last)
		}
		line := b[used : used+end]
		used += end + 1
		if f.skipping {
			f.skipping = false
			continue
		}
		t.record(f, line)
	}
	return used
}

// unended deals with the bytes behind the last line end.
func (t *Tail) unended(f *file, b []byte, last bool) (used int) {
	switch {
	case f.skipping:
		return len(b)
	case len(b) > t.options.MaxRecord:
		t.record(f, b)
		f.skipping = true
		return len(b)
	case last:
		t.record(f, b)
		return len(b)
	}
	return 0
}

// record hands over one line.
func (t *Tail) record(f *file, line []byte) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	cut := len(line) > t.options.MaxRecord
	if cut {
		line = line[:t.options.MaxRecord]
		t.counters.cut.Add(1)
	}
	t.counters.records.Add(1)
	f.consumer.Record(line, cut)
}

// frames is handOver for records that Split tells apart.
func (t *Tail) frames(f *file, b []byte) (used int) {
	for used < len(b) {
		record, size, err := t.options.Split(b[used:])
		if err != nil {
			t.counters.broken.Add(1)
			f.broken = true
			return len(b)
		}
		if size <= 0 || size > len(b)-used {
			return used
		}
		used += size
		if record != nil {
			t.counters.records.Add(1)
			f.consumer.Record(record, false)
		}
	}
	return used
}

// replaced begins f anew. What it lost is read from its copy, where there is one.
func (t *Tail) replaced(f *file) {
	t.counters.truncated.Add(1)
	p := f.position()
	if c := t.findCopy(f, &p); c != nil {
		c.consumer, c.offset, c.head, c.foot = f.consumer, f.offset, slices.Clone(f.head), slices.Clone(f.foot)
		c.skipping, c.broken = f.skipping, f.broken
		t.readRest(c)
	} else if f.offset > 0 {
		t.counters.uncopied.Add(1)
	}
	t.passOver(&p)
	t.between(&p)
	f.offset, f.head, f.foot, f.skipping, f.broken, f.seen = 0, nil, nil, false, false, -1
	f.verified, f.consumer = f.modified, t.options.Open()
}

// readRest reads a copy to its end: it does not grow.
func (t *Tail) readRest(f *file) {
	t.counters.copies.Add(1)
	f.copy, f.young = false, false
	for again := true; again; {
		var err error
		if _, again, err = t.read(f, true); err != nil {
			break
		}
	}
	f.seen = f.size
}
