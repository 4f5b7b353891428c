package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const readBuffer = 256 << 10

// FileReader reads the frames of one capture file.
type FileReader struct {
	src     source
	format  fileFormat
	skipped uint64
}

// fileFormat is one of the file formats, after its header.
type fileFormat interface {
	next(src *source, frame *Frame) error
}

// OpenFile finds out the format of r and reads its header. It fails with a
// *FormatError where r is no capture file, and with r's own error where r
// cannot be read.
func OpenFile(r io.Reader) (*FileReader, error) {
	f := &FileReader{src: source{r: r}}
	head, err := f.src.peek(2)
	if err == nil && head[0] == 0x1f && head[1] == 0x8b {
		unzipped, err := gzip.NewReader(io.MultiReader(bytes.NewReader(f.src.buf[f.src.pos:f.src.end]), r))
		if err != nil {
			return nil, &FormatError{Reason: "gzip header", Cause: err}
		}
		f.src = source{r: unzipped}
	}
	magic, err := f.src.peek(4)
	if err != nil {
		return nil, f.src.failure("no file header", err)
	}
	if binary.LittleEndian.Uint32(magic) == blockSection {
		f.format = &pcapng{reader: f}
		return f, nil
	}
	if byteOrder(magic) == nil {
		return nil, &FormatError{Reason: "neither pcap nor pcapng: unknown magic number"}
	}
	f.format, err = openPcap(&f.src)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Next fills in frame. It returns io.EOF at the end of a sound file and a
// *FormatError where the rest cannot be read; after either, it returns the
// same again.
func (f *FileReader) Next(frame *Frame) error {
	if f.src.failed != nil {
		return f.src.failed
	}
	err := f.format.next(&f.src, frame)
	if err != nil {
		f.src.failed = err
	}
	return err
}

// Skipped counts the blocks and records that were passed over because they
// carry no frame this package knows.
func (f *FileReader) Skipped() uint64 { return f.skipped }

// source reads whole records out of one buffer and knows how far it is.
type source struct {
	r        io.Reader
	buf      []byte // what was read; it grows for a record that is larger
	pos, end int    // of what is not taken yet
	offset   int64
	ended    error // what r returned last, io.EOF included
	failed   error
}

// peek returns the next n bytes without taking them, valid until the next
// call of any kind. n was checked against a limit by the caller. It returns
// io.EOF only where not one byte is left, and then io.ErrUnexpectedEOF.
func (s *source) peek(n int) ([]byte, error) {
	if s.end-s.pos >= n {
		return s.buf[s.pos : s.pos+n], nil
	}
	return s.fill(n)
}

// fill reads until n bytes are there.
func (s *source) fill(n int) ([]byte, error) {
	if n > len(s.buf) {
		grown := make([]byte, max(n, readBuffer))
		s.end = copy(grown, s.buf[s.pos:s.end])
		s.buf = grown
	} else {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
	}
	s.pos = 0
	for idle := 0; s.end < n && s.ended == nil; {
		var got int
		got, s.ended = s.r.Read(s.buf[s.end:])
		s.end += got
		if got > 0 {
			idle = 0
		} else if idle++; idle == 100 && s.ended == nil {
			s.ended = io.ErrNoProgress
		}
	}
	if s.end >= n {
		return s.buf[:n], nil
	}
	if s.end > 0 && errors.Is(s.ended, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	return nil, s.ended
}

// take is peek, and takes them.
func (s *source) take(n int) ([]byte, error) {
	b, err := s.peek(n)
	if err != nil {
		return nil, err
	}
	s.pos += n
	s.offset += int64(n)
	return b, nil
}

// discard passes over n bytes.
func (s *source) discard(n int64) error {
	for n > 0 {
		step := min(n, int64(max(s.end-s.pos, 1)))
		if _, err := s.take(int(step)); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

// failure turns a read error into a *FormatError; an end of file becomes a
// truncation.
func (s *source) failure(reason string, err error) error {
	truncated := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if truncated {
		err = nil
	}
	return &FormatError{Offset: s.offset, Reason: reason, Truncated: truncated, Cause: err}
}

func (s *source) malformed(format string, args ...any) error {
	return &FormatError{Offset: s.offset, Reason: fmt.Sprintf(format, args...)}
}
