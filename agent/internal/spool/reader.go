package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// reader walks the log from the oldest record on. It is guarded by Spool.mu.
type reader struct {
	segment *segment
	file    *os.File // of segment
	offset  int64    // of the next record in segment
	at      uint64   // its position
	flight  []inFlight
	buffer  []byte
}

// inFlight is a record that was handed out and not yet acknowledged.
type inFlight struct {
	position uint64
	kind     Kind
	items    uint32
	segment  *segment
}

// close closes the file of the reader.
func (r *reader) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file, r.segment = nil, nil
	return err
}

// leave forgets what the reader holds of a segment that is removed.
func (r *reader) leave(seg *segment) {
	if r.segment == seg {
		// The file is open for reading only: closing it loses nothing.
		_ = r.close()
	}
	r.flight = slices.DeleteFunc(r.flight, func(f inFlight) bool { return f.segment == seg })
}

// Next returns the oldest record that was not yet handed out and waits for one
// where there is none. The data belongs to the caller. Without Ack the record
// comes again after the next Open. It returns ctx's error when ctx ends and
// ErrClosed after Close.
func (s *Spool) Next(ctx context.Context) (Record, Position, error) {
	for {
		record, position, wake, err := s.take()
		if err != nil || position > 0 {
			return record, position, err
		}
		select {
		case <-ctx.Done():
			return Record{}, 0, ctx.Err()
		case <-wake:
		}
	}
}

// TryNext is Next without waiting: ok is false where there is no record.
func (s *Spool) TryNext() (record Record, position Position, ok bool, err error) {
	record, position, _, err = s.take()
	return record, position, position > 0, err
}

// take hands out one record, or position 0 and what to wait for.
func (s *Spool) take() (Record, Position, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return Record{}, 0, nil, ErrClosed
		}
		ready, err := s.seek()
		if err != nil {
			return Record{}, 0, nil, fmt.Errorf("reading spool: %w", err)
		}
		if !ready {
			return Record{}, 0, s.wake, nil
		}
		record, position, err := s.readOne()
		if err != nil {
			return Record{}, 0, nil, fmt.Errorf("reading spool: %w", err)
		}
		if position > 0 {
			return record, position, nil, nil
		}
	}
}

// seek places the reader on the next record not yet handed out; ready is false
// where there is none.
func (s *Spool) seek() (ready bool, err error) {
	r := &s.reader
	want := max(r.at, s.state.Acked+1)
	if r.segment != nil && want == r.at && r.at <= r.segment.last() && r.segment.records > 0 {
		return true, nil
	}
	for _, seg := range s.segments {
		if seg.records == 0 || seg.last() < want {
			continue
		}
		if r.segment != seg {
			if err := r.close(); err != nil {
				return false, err
			}
			if r.file, err = os.Open(seg.path); err != nil {
				return false, err
			}
			r.segment, r.offset, r.at = seg, segmentHeaderSize, seg.first
		}
		for r.at < want { // only after Open: skip what is acknowledged
			h, buffer, err := readRecord(r.file, r.offset, seg.size, r.buffer)
			r.buffer = buffer
			if err != nil && !errors.Is(err, errDamaged) {
				return false, err
			}
			if h.length == 0 {
				s.loseRest()
				break
			}
			r.offset += h.size()
			r.at++
		}
		if r.at <= seg.last() {
			return true, nil
		}
	}
	return false, nil
}

// readOne reads the record under the reader. A damaged one is counted and
// passed over, with position 0; so is the rest of a segment that cannot be
// followed any further.
func (s *Spool) readOne() (Record, Position, error) {
	r := &s.reader
	h, buffer, err := readRecord(r.file, r.offset, r.segment.size, r.buffer)
	r.buffer = buffer
	if err != nil && !errors.Is(err, errDamaged) {
		return Record{}, 0, err
	}
	if err != nil && h.length == 0 {
		s.loseRest()
		return Record{}, 0, nil
	}
	position := r.at
	r.offset += h.size()
	r.at++
	if err != nil {
		// Damaged when opened and counted then, or damaged since: its kind and
		// items are unknown, so it stays in the segment's pending counts until
		// the segment goes.
		s.totals.unreadable++
		return Record{}, 0, nil //nolint:nilerr // counted
	}
	r.flight = append(r.flight, inFlight{position: position, kind: h.kind, items: h.items, segment: r.segment})
	data := append([]byte(nil), buffer[recordHeaderSize:]...)
	return Record{Kind: h.kind, Items: h.items, Data: data}, Position(position), nil
}

// loseRest gives up the records of the reader's segment from here on.
func (s *Spool) loseRest() {
	r := &s.reader
	lost := r.segment.records - (r.at - r.segment.first)
	s.totals.unreadable += lost
	s.state.CorruptRecords += lost
	s.state.CorruptBytes += uint64(r.segment.size - r.offset)
	r.at = r.segment.last() + 1
	r.offset = r.segment.size
}

// Ack says that every record up to position is done with: delivered, or kept
// elsewhere. It is durable when it returns nil, and whole segments are then
// removed. Where it cannot be written down, the records are done with all the
// same but come again after a restart. A position that was dropped or
// acknowledged before is no error.
func (s *Spool) Ack(position Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	upTo := uint64(position)
	if upTo >= s.reader.at {
		return fmt.Errorf("acknowledging position %d: it was not handed out", upTo)
	}
	if upTo <= s.state.Acked {
		return nil
	}
	next := s.state
	next.Acked = upTo
	err := s.save(next)
	if err != nil {
		s.totals.ackErrors++
		s.totals.lastError = err.Error()
		s.state.Acked = upTo
	}
	for len(s.reader.flight) > 0 && s.reader.flight[0].position <= upTo {
		f := s.reader.flight[0]
		s.reader.flight = s.reader.flight[1:]
		f.segment.pending.subtract(f.kind, f.items)
		s.totals.acked.add(f.kind, f.items)
	}
	return errors.Join(err, s.trim())
}

// trim removes the segments that hold nothing but acknowledged records, except
// the one that is being written.
func (s *Spool) trim() error {
	for len(s.segments) > 0 {
		oldest := s.segments[0]
		if oldest.records > 0 && oldest.last() > s.state.Acked {
			return nil
		}
		if len(s.segments) == 1 && s.active != nil {
			return nil
		}
		if err := s.removeOldest(); err != nil {
			return fmt.Errorf("removing a spool segment: %w", err)
		}
	}
	return nil
}
