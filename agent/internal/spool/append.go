package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Append stores records, all or none, and returns when they are on the disk.
// It makes room by dropping the oldest segments. On an error, a full disk for
// one, nothing of the batch is stored and nothing stored before is touched.
func (s *Spool) Append(records ...Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.buffer = s.buffer[:0]
	var added counts
	for _, r := range records {
		if len(r.Data) == 0 || !r.Kind.valid() {
			return fmt.Errorf("appending to spool: record of kind %d with %d bytes", r.Kind, len(r.Data))
		}
		if len(r.Data) > MaxRecordBytes {
			return fmt.Errorf("appending to spool: record of %d bytes: %w", len(r.Data), ErrTooLarge)
		}
		s.buffer = appendRecord(s.buffer, r)
		added.add(r.Kind, r.Items)
	}
	if len(records) == 0 {
		return nil
	}
	if int64(len(s.buffer)) > s.config.MaxBytes/2 {
		return fmt.Errorf("appending to spool: batch of %d bytes: %w", len(s.buffer), ErrTooLarge)
	}
	if err := s.write(added); err != nil {
		s.totals.appendErrors++
		s.totals.lastError = err.Error()
		return fmt.Errorf("appending to spool: %w", err)
	}
	s.totals.lastError = ""
	s.totals.appended.records += added.records
	s.totals.appended.findings += added.findings
	s.totals.appended.heartbeats += added.heartbeats
	close(s.wake)
	s.wake = make(chan struct{})
	return nil
}

// write puts s.buffer, which holds the records that added counts, at the end
// of the log.
func (s *Spool) write(added counts) error {
	need := int64(len(s.buffer))
	if err := s.makeRoom(need + segmentHeaderSize); err != nil {
		return err
	}
	if s.active != nil && s.segments[len(s.segments)-1].size+need > s.config.SegmentBytes {
		if err := s.closeActive(); err != nil {
			return err
		}
	}
	if s.active == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	seg := s.segments[len(s.segments)-1]
	if err := s.writeSegment(seg); err != nil {
		return err
	}
	seg.size += need
	seg.records += added.records
	seg.pending.records += added.records
	seg.pending.findings += added.findings
	seg.pending.heartbeats += added.heartbeats
	s.next += added.records
	return nil
}

// writeSegment writes and syncs s.buffer behind seg. On a failure the file is
// cut back; after a failed sync it is not written again, because the system
// may have forgotten the pages that failed.
func (s *Spool) writeSegment(seg *segment) error {
	_, err := s.active.WriteAt(s.buffer, seg.size)
	if err != nil {
		if s.active.Truncate(seg.size) != nil {
			err = errors.Join(err, s.closeActive())
		}
		return err
	}
	err = s.active.Sync()
	if err != nil {
		return errors.Join(err, s.active.Truncate(seg.size), s.closeActive())
	}
	return nil
}

// begin starts a new segment.
func (s *Spool) begin() error {
	path := filepath.Join(s.config.Dir, segmentName(s.next))
	// A segment without a record, left by a failed write, has the same name.
	s.segments = slices.DeleteFunc(s.segments, func(old *segment) bool { return old.path == path })
	err := writeSynced(path, appendSegmentHeader(nil, s.next))
	if err == nil {
		err = syncDir(s.config.Dir)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	s.active, err = os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	s.segments = append(s.segments, &segment{path: path, first: s.next, size: segmentHeaderSize})
	return nil
}

// makeRoom drops the oldest segments until need more bytes fit.
func (s *Spool) makeRoom(need int64) error {
	for len(s.segments) > 0 && s.bytes()+need > s.config.MaxBytes {
		oldest := s.segments[0]
		next := s.state
		next.DroppedRecords += oldest.pending.records
		next.DroppedFindings += oldest.pending.findings
		next.DroppedHeartbeats += oldest.pending.heartbeats
		if oldest.records > 0 {
			next.Acked = max(next.Acked, oldest.last())
		}
		// Written before the file goes, so that a kill in between neither
		// forgets the loss nor counts it twice.
		if err := s.save(next); err != nil {
			return err
		}
		oldest.pending = counts{}
		if len(s.segments) == 1 {
			if err := s.closeActive(); err != nil {
				return err
			}
		}
		if err := s.removeOldest(); err != nil {
			return err
		}
	}
	return nil
}

// removeOldest deletes the file of the first segment.
func (s *Spool) removeOldest() error {
	oldest := s.segments[0]
	s.reader.leave(oldest)
	if err := os.Remove(oldest.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.segments = s.segments[1:]
	return nil
}

func (s *Spool) bytes() int64 {
	var sum int64
	for _, seg := range s.segments {
		sum += seg.size
	}
	return sum
}

// segmentName is the file name of the segment that starts with first; names
// sort like positions.
func segmentName(first uint64) string { return fmt.Sprintf("%020d.seg", first) }
