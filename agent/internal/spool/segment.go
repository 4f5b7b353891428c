package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A segment file is a header and records, all integers little-endian:
//
//	header  magic "GNSPOOL1" (8), position of the first record (8)
//	record  length of data (4), CRC-32C of all that follows (4),
//	        kind (1), zero (3), items (4), data
//
// Nothing is ever changed in place: a file grows at its end and is removed whole.
const (
	magic             = "GNSPOOL1"
	segmentHeaderSize = 16
	recordHeaderSize  = 16
)

// MaxRecordBytes bounds the data of one record.
const MaxRecordBytes = 4 << 20

// castagnoli is the CRC-32C table (RFC 3720, appendix B.4).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what precedes the data of a record.
type header struct {
	length uint32
	sum    uint32
	kind   Kind
	items  uint32
}

// appendSegmentHeader appends the header of a segment whose first record has
// the position first.
func appendSegmentHeader(into []byte, first uint64) []byte {
	into = append(into, magic...)
	return binary.LittleEndian.AppendUint64(into, first)
}

// parseSegmentHeader returns the position that a segment starts with.
func parseSegmentHeader(raw []byte) (first uint64, ok bool) {
	if len(raw) < segmentHeaderSize || string(raw[:len(magic)]) != magic {
		return 0, false
	}
	first = binary.LittleEndian.Uint64(raw[len(magic):])
	return first, first > 0
}

// appendRecord appends the stored form of r.
func appendRecord(into []byte, r Record) []byte {
	start := len(into)
	into = binary.LittleEndian.AppendUint32(into, uint32(len(r.Data)))
	into = append(into, 0, 0, 0, 0, byte(r.Kind), 0, 0, 0)
	into = binary.LittleEndian.AppendUint32(into, r.Items)
	into = append(into, r.Data...)
	sum := crc32.Checksum(into[start+8:], castagnoli)
	binary.LittleEndian.PutUint32(into[start+4:], sum)
	return into
}

// parseHeader reads a record header; ok is false where no record written by
// this package can start like that.
func parseHeader(raw []byte) (h header, ok bool) {
	if len(raw) < recordHeaderSize {
		return header{}, false
	}
	h = header{
		length: binary.LittleEndian.Uint32(raw),
		sum:    binary.LittleEndian.Uint32(raw[4:]),
		kind:   Kind(raw[8]),
		items:  binary.LittleEndian.Uint32(raw[12:]),
	}
	ok = h.length > 0 && h.length <= MaxRecordBytes && h.kind.valid() && raw[9]|raw[10]|raw[11] == 0
	return h, ok
}

// size is the number of bytes that the record takes on disk.
func (h header) size() int64 { return recordHeaderSize + int64(h.length) }

// errDamaged says that the bytes at an offset are no sound record.
var errDamaged = errors.New("record is damaged")

// readRecord reads the record at offset of a segment that ends at limit. The
// data lies in buffer, which is grown where needed and returned. A record that
// is not sound is errDamaged, with h.length set where a length can be trusted
// so far that a further record may follow it; other errors are of the reader.
func readRecord(r io.ReaderAt, offset, limit int64, buffer []byte) (h header, data []byte, err error) {
	if limit-offset < recordHeaderSize {
		return header{}, buffer, errDamaged
	}
	buffer = grow(buffer, recordHeaderSize)
	if err := readFull(r, buffer, offset); err != nil {
		return header{}, buffer, err
	}
	h, ok := parseHeader(buffer)
	if !ok || h.size() > limit-offset {
		return header{}, buffer, errDamaged
	}
	buffer = grow(buffer, int(h.size()))
	if err := readFull(r, buffer, offset); err != nil {
		return header{}, buffer, err
	}
	if crc32.Checksum(buffer[8:], castagnoli) != h.sum {
		return h, buffer, errDamaged
	}
	return h, buffer, nil
}

// readFull fills buffer from offset. A file shorter than it was is damage.
func readFull(r io.ReaderAt, buffer []byte, offset int64) error {
	n, err := r.ReadAt(buffer, offset)
	if n == len(buffer) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errDamaged
	}
	return err
}

// grow returns buffer with length n, reallocated only where it is too small.
func grow(buffer []byte, n int) []byte {
	if cap(buffer) < n {
		return make([]byte, n)
	}
	return buffer[:n]
}

// scanned is one record that scan came past.
type scanned struct {
	offset int64
	header header
	sound  bool
}

// scan walks the records of a segment of size bytes, behind its header. It
// calls visit for every record, also for a damaged one that sound ones follow,
// so that positions stay right, and returns where the last sound record ends.
// What lies behind that is a torn tail.
func scan(r io.ReaderAt, size int64, visit func(scanned)) (end int64, err error) {
	var buffer []byte
	var held []scanned // damaged records with a plausible length, not yet followed by a sound one
	end = segmentHeaderSize
	for offset := end; offset < size; {
		var h header
		h, buffer, err = readRecord(r, offset, size, buffer)
		if err != nil && !errors.Is(err, errDamaged) {
			return end, err
		}
		if err != nil && h.length == 0 {
			break
		}
		record := scanned{offset: offset, header: h, sound: err == nil}
		offset += h.size()
		if !record.sound {
			held = append(held, record)
			continue
		}
		for _, earlier := range held {
			visit(earlier)
		}
		held = held[:0]
		visit(record)
		end = offset
	}
	return end, nil
}
