package modelformat

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strings"
)

// A reader of ZIP directories (APPNOTE.TXT 6.3.10) that keeps a bounded list
// of members. The standard library's sizes its list by a count in the file,
// which a forged archive can raise to a 30th of the file's size.

const (
	zipMaxMembers = 1 << 15
	zipMaxName    = 512
	zipMaxMember  = 1 << 20 // bytes unpacked of one member
)

type zipMember struct {
	name   string
	method uint16
	packed uint64
	size   uint64
	header uint64 // offset of the local header
}

type zipFile struct {
	members []zipMember
	more    bool // there were more than zipMaxMembers
}

// archive returns the directory of the ZIP file, or nil where f is none. Only
// files that start with a local header are looked at.
func (f *File) archive() *zipFile {
	if !f.hasPrefix(0, "PK\x03\x04") {
		return nil
	}
	return f.archiveTail()
}

// archiveTail is archive for files that start with something else.
func (f *File) archiveTail() *zipFile {
	if !f.zipDone {
		f.zipDone = true
		f.zip = f.readDirectory()
	}
	return f.zip
}

func (f *File) readDirectory() *zipFile {
	n := min(f.size, 1<<16+22)
	if n < 22 {
		return nil
	}
	// Most archives have no comment: try the last bytes alone first.
	tail := make([]byte, min(n, 1024))
	at := -1
	for at < 0 {
		if _, err := f.ReadAt(tail, f.size-int64(len(tail))); err != nil {
			return nil
		}
		at = bytes.LastIndex(tail[:len(tail)-18], []byte("PK\x05\x06"))
		if at >= 0 || int64(len(tail)) == n {
			break
		}
		tail = make([]byte, n)
	}
	if at < 0 {
		return nil
	}
	end := tail[at:]
	if len(end) < 22 {
		return nil
	}
	size, off := uint64(binary.LittleEndian.Uint32(end[12:])), uint64(binary.LittleEndian.Uint32(end[16:]))
	endAt := uint64(f.size) - uint64(len(tail)) + uint64(at)
	if size == 0xffffffff || off == 0xffffffff || binary.LittleEndian.Uint16(end[10:]) == 0xffff {
		size, off, endAt = f.zip64End(endAt, size, off)
	}
	if off > endAt || size > endAt-off {
		return nil
	}
	var first [4]byte
	if _, err := f.ReadAt(first[:], int64(off)); err == nil && string(first[:]) == "PK\x01\x02" {
		return f.readMembers(off, size, 0)
	}
	// Bytes before the archive (a self-extracting file) move every offset.
	shift := endAt - off - size
	return f.readMembers(off+shift, size, shift)
}

// zip64End reads the 64-bit end record.
func (f *File) zip64End(endAt, size, off uint64) (uint64, uint64, uint64) {
	var loc [20]byte
	if endAt < 20 {
		return size, off, endAt
	}
	if _, err := f.ReadAt(loc[:], int64(endAt-20)); err != nil || string(loc[:4]) != "PK\x06\x07" {
		return size, off, endAt
	}
	at := binary.LittleEndian.Uint64(loc[8:])
	var rec [56]byte
	if at > uint64(f.size) {
		return size, off, endAt
	}
	if _, err := f.ReadAt(rec[:], int64(at)); err != nil || string(rec[:4]) != "PK\x06\x06" {
		return size, off, endAt
	}
	return binary.LittleEndian.Uint64(rec[40:]), binary.LittleEndian.Uint64(rec[48:]), at
}

func (f *File) readMembers(off, size, shift uint64) *zipFile {
	if off > uint64(f.size) || size > uint64(f.size)-off {
		return nil
	}
	z := &zipFile{}
	c := f.cursor(int64(off), int64(off+size))
	for c.rest() >= 46 {
		h := c.take(46)
		if h == nil || string(h[:4]) != "PK\x01\x02" {
			break
		}
		m := zipMember{
			method: binary.LittleEndian.Uint16(h[10:]),
			packed: uint64(binary.LittleEndian.Uint32(h[20:])),
			size:   uint64(binary.LittleEndian.Uint32(h[24:])),
			header: uint64(binary.LittleEndian.Uint32(h[42:])),
		}
		name, extra, comment := binary.LittleEndian.Uint16(h[28:]), binary.LittleEndian.Uint16(h[30:]), binary.LittleEndian.Uint16(h[32:])
		m.name = c.text(uint64(name), zipMaxName)
		m.extra64(c, extra)
		c.skip(uint64(comment))
		if c.err != nil {
			break
		}
		if len(z.members) >= zipMaxMembers {
			z.more = true
			break
		}
		m.header += shift
		z.members = append(z.members, m)
	}
	if len(z.members) == 0 {
		return nil
	}
	return z
}

// extra64 takes the 64-bit sizes from the extra field, where there are any.
func (m *zipMember) extra64(c *cursor, n uint16) {
	left := int(n)
	for left >= 4 && c.err == nil {
		id, size := c.u16(binary.LittleEndian), int(c.u16(binary.LittleEndian))
		left -= 4
		if size > left {
			c.fail(errMalformed)
			return
		}
		left -= size
		if id != 1 {
			c.skip(uint64(size))
			continue
		}
		for _, v := range []*uint64{&m.size, &m.packed, &m.header} {
			if *v == 0xffffffff && size >= 8 {
				*v = c.u64(binary.LittleEndian)
				size -= 8
			}
		}
		c.skip(uint64(size))
	}
	c.skip(uint64(left))
}

// find returns the member with this name, or nil.
func (z *zipFile) find(name string) *zipMember {
	for i := range z.members {
		if z.members[i].name == name {
			return &z.members[i]
		}
	}
	return nil
}

// has says whether a member has this name.
func (z *zipFile) has(name string) bool { return z.find(name) != nil }

// findSuffix returns the first member whose name ends so, or nil.
func (z *zipFile) findSuffix(suffix string) *zipMember {
	for i := range z.members {
		if strings.HasSuffix(z.members[i].name, suffix) {
			return &z.members[i]
		}
	}
	return nil
}

// data returns where the packed bytes of a member lie.
func (f *File) memberData(m *zipMember) (off, end int64, ok bool) {
	var h [30]byte
	if m.header > uint64(f.size) {
		return 0, 0, false
	}
	if _, err := f.ReadAt(h[:], int64(m.header)); err != nil || string(h[:4]) != "PK\x03\x04" {
		return 0, 0, false
	}
	at := m.header + 30 + uint64(binary.LittleEndian.Uint16(h[26:])) + uint64(binary.LittleEndian.Uint16(h[28:]))
	if at > uint64(f.size) || m.packed > uint64(f.size)-at {
		return 0, 0, false
	}
	return int64(at), int64(at + m.packed), true
}

// member returns a cursor over the unpacked content of a member; of a packed
// one at most zipMaxMember bytes. It returns nil where it cannot be read.
func (f *File) member(m *zipMember) *cursor {
	off, end, ok := f.memberData(m)
	if !ok {
		return nil
	}
	switch m.method {
	case 0:
		return f.cursor(off, end)
	case 8:
		packed := io.NewSectionReader(f, off, end-off)
		in := flate.NewReader(&sliceReader{r: packed})
		b, _ := io.ReadAll(io.LimitReader(in, zipMaxMember)) // a broken tail leaves what came before
		if err := in.Close(); err != nil {
			return nil
		}
		return bytesCursor(b)
	}
	return nil
}

// sliceReader reads a section in small pieces: File reads all or nothing, so a
// section reader's last piece must not be asked for more than there is.
type sliceReader struct {
	r   *io.SectionReader
	buf [minWindow]byte
	win []byte
	off int64
}

func (s *sliceReader) fill() error {
	n := min(int64(len(s.buf)), s.r.Size()-s.off)
	if n <= 0 {
		return io.EOF
	}
	if _, err := s.r.ReadAt(s.buf[:n], s.off); err != nil {
		return err
	}
	s.off += n
	s.win = s.buf[:n]
	return nil
}

// Read implements io.Reader.
func (s *sliceReader) Read(p []byte) (int, error) {
	if len(s.win) == 0 {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.win)
	s.win = s.win[n:]
	return n, nil
}

// ReadByte implements io.ByteReader, which keeps flate from buffering.
func (s *sliceReader) ReadByte() (byte, error) {
	if len(s.win) == 0 {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	b := s.win[0]
	s.win = s.win[1:]
	return b, nil
}
