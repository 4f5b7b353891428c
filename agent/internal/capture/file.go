package capture

import (
	"bufio"
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
	buffered := bufio.NewReaderSize(r, readBuffer)
	head, err := buffered.Peek(2)
	if err == nil && head[0] == 0x1f && head[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, &FormatError{Reason: "gzip header", Cause: err}
		}
		buffered = bufio.NewReaderSize(unzipped, readBuffer)
	}
	f := &FileReader{src: source{r: buffered}}
	magic, err := buffered.Peek(4)
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

// source reads whole records and knows how far it is.
type source struct {
	r      *bufio.Reader
	offset int64
	buf    []byte
	failed error
}

// take returns the next n bytes, valid until the next call. n was checked
// against a limit by the caller. It returns io.EOF only where not one byte was
// left.
func (s *source) take(n int) ([]byte, error) {
	if n <= readBuffer {
		b, err := s.r.Peek(n)
		if err != nil {
			if len(b) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		s.offset += int64(n)
		if _, err := s.r.Discard(n); err != nil {
			return nil, err
		}
		return b, nil
	}
	if cap(s.buf) < n {
		s.buf = make([]byte, n)
	}
	b := s.buf[:n]
	got, err := io.ReadFull(s.r, b)
	s.offset += int64(got)
	return b, err
}

// discard passes over n bytes.
func (s *source) discard(n int64) error {
	for n > 0 {
		step := int(min(n, 1<<30))
		done, err := s.r.Discard(step)
		s.offset += int64(done)
		n -= int64(done)
		if err != nil {
			return err
		}
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
