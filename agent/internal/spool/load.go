package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// load reads the state and every segment, repairs them, and places the reader
// behind the last acknowledged record.
func (s *Spool) load() error {
	var err error
	if s.stateFile, s.state, err = openState(filepath.Join(s.config.Dir, stateName)); err != nil {
		return err
	}
	before := s.state
	s.next = 1
	entries, err := os.ReadDir(s.config.Dir) // sorted by name, so by position
	if err != nil {
		return fmt.Errorf("reading the spool directory: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".seg") && entry.Type().IsRegular() {
			names = append(names, entry.Name())
		}
	}
	for i, name := range names {
		limit := noLimit
		if i+1 < len(names) {
			limit = firstOf(names[i+1])
		}
		if err := s.loadSegment(name, limit, i+1 == len(names)); err != nil {
			return fmt.Errorf("opening spool segment %s: %w", name, err)
		}
	}
	s.next = max(s.next, s.state.Acked+1)
	if s.state != before || s.state.Generation == 0 {
		if err := s.save(s.state); err != nil {
			return err
		}
	}
	return s.trim()
}

// noLimit stands for the first position behind the newest segment.
const noLimit = ^uint64(0)

// firstOf returns the position in a segment's name, 0 where it has none.
func firstOf(name string) uint64 {
	var first uint64
	if _, err := fmt.Sscanf(name, "%020d.seg", &first); err != nil {
		return 0
	}
	return first
}

// loadSegment adds one file to the log. Records from limit on belong to the
// next segment: an earlier write of them failed half-way. A file that is no
// segment is counted and removed; a torn tail is cut off and counted.
func (s *Spool) loadSegment(name string, limit uint64, newest bool) error {
	path := filepath.Join(s.config.Dir, name)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	raw := make([]byte, segmentHeaderSize)
	n, _ := file.ReadAt(raw, 0)
	first, ok := parseSegmentHeader(raw[:n])
	if !ok || first != firstOf(name) || first < s.next {
		if newest && info.Size() < segmentHeaderSize {
			s.state.TornTails++
			s.state.TornBytes += uint64(info.Size())
		} else {
			s.state.CorruptSegments++
			s.state.CorruptBytes += uint64(info.Size())
		}
		return os.Remove(path)
	}
	seg := &segment{path: path, first: first, size: segmentHeaderSize}
	end, err := scan(file, info.Size(), func(r scanned) {
		position := seg.first + seg.records
		if position >= limit {
			return
		}
		seg.records++
		seg.size = r.offset + r.header.size()
		switch {
		case !r.sound:
			s.state.CorruptRecords++
			s.state.CorruptBytes += uint64(r.header.size())
		case position > s.state.Acked:
			seg.pending.add(r.header.kind, r.header.items)
		}
	})
	if err != nil {
		return err
	}
	s.segments = append(s.segments, seg)
	s.next = seg.first + seg.records
	return s.cutTail(file, info.Size()-end, limit)
}

// cutTail removes the last tail bytes of the file of the newest segment so far.
// Where the next segment starts further on, they held records that were stored;
// else they are an unfinished write that no caller was told about.
func (s *Spool) cutTail(file *os.File, tail int64, limit uint64) error {
	seg := s.segments[len(s.segments)-1]
	if limit != noLimit && limit > s.next {
		s.state.CorruptRecords += limit - s.next
		s.state.CorruptBytes += uint64(tail)
		s.next = limit
	} else if tail > 0 {
		s.state.TornTails++
		s.state.TornBytes += uint64(tail)
	}
	if tail == 0 {
		return nil
	}
	return file.Truncate(seg.size)
}
