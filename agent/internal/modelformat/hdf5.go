package modelformat

import (
	"encoding/binary"
	"strings"
)

// A reader of the root group's attributes. Source: the HDF5 File Format
// Specification, version 3.0 (superblocks 0 to 3, object headers 1 and 2,
// attribute messages 1 to 3).

const (
	hdf5Magic       = "\x89HDF\r\n\x1a\n"
	hdf5MaxBlocks   = 64
	hdf5MaxMessages = 1024
	hdf5None        = ^uint64(0)
)

type hdf5Reader struct {
	f        *File
	base     uint64 // where the superblock lies; addresses count from it
	offsets  int    // bytes of an address
	lengths  int    // bytes of a length
	blocks   int
	messages int
	attrs    map[string]string
}

// superblock finds the root group and reads its header.
func (h *hdf5Reader) superblock() bool {
	if !h.f.hasPrefix(0, hdf5Magic) {
		return h.userBlock()
	}
	return h.root()
}

// userBlock looks for a superblock at 512, 1024 and 2048, inside the head. A
// cheap test first: almost no file has one.
func (h *hdf5Reader) userBlock() bool {
	for at := 512; at+8 <= len(h.f.head); at *= 2 {
		if h.f.hasPrefix(at, hdf5Magic) {
			h.base = uint64(at)
			return h.root()
		}
	}
	return false
}

func (h *hdf5Reader) root() bool {
	c := h.f.cursor(int64(h.base)+8, h.f.size)
	switch version := c.byte(); version {
	case 0, 1:
		c.skip(4) // versions of free space, root entry, reserved, shared header
		h.offsets, h.lengths = int(c.byte()), int(c.byte())
		c.skip(1 + 4 + 4)
		if version == 1 {
			c.skip(4)
		}
		if !h.sizes() {
			return false
		}
		c.skip(uint64(4*h.offsets) + uint64(h.offsets)) // base, free space, end, driver; link name of the root
		return h.header(h.number(c, h.offsets))
	case 2, 3:
		h.offsets, h.lengths = int(c.byte()), int(c.byte())
		c.skip(1)
		if !h.sizes() {
			return false
		}
		c.skip(uint64(3 * h.offsets))
		return h.header(h.number(c, h.offsets))
	}
	return false
}

func (h *hdf5Reader) sizes() bool {
	return (h.offsets == 4 || h.offsets == 8) && (h.lengths == 4 || h.lengths == 8)
}

func (h *hdf5Reader) number(c *cursor, width int) uint64 {
	if width == 4 {
		return uint64(c.u32(binary.LittleEndian))
	}
	return c.u64(binary.LittleEndian)
}

// at returns a cursor at an address, nil where it lies outside.
func (h *hdf5Reader) at(addr, size uint64) *cursor {
	off := add(addr, h.base)
	if addr == hdf5None || off > uint64(h.f.size) {
		return nil
	}
	return h.f.cursor(int64(off), int64(min(add(off, size), uint64(h.f.size))))
}

// header reads an object header of either version.
func (h *hdf5Reader) header(addr uint64) bool {
	c := h.at(addr, 1<<24)
	if c == nil {
		return false
	}
	first := c.take(4)
	if first == nil {
		return false
	}
	if string(first) == "OHDR" {
		return h.header2(c)
	}
	if first[0] != 1 {
		return false
	}
	c.skip(4) // reference count
	size := c.u32(binary.LittleEndian)
	c.skip(4) // to a multiple of eight
	if c.err != nil {
		return false
	}
	h.messages1(c, uint64(size))
	return true
}

// messages1 reads the messages of a version 1 header block.
func (h *hdf5Reader) messages1(c *cursor, size uint64) {
	if h.blocks++; h.blocks > hdf5MaxBlocks {
		return
	}
	end := add(uint64(c.offset()), size)
	for uint64(c.offset())+8 <= end && c.err == nil {
		kind, n := c.u16(binary.LittleEndian), uint64(c.u16(binary.LittleEndian))
		c.skip(4)
		next := uint64(c.offset()) + n
		if !h.message(c, kind, n, false) || next > uint64(c.end) {
			return
		}
		c.skip(next - uint64(c.offset()))
	}
}

// header2 reads a version 2 header, whose signature is read.
func (h *hdf5Reader) header2(c *cursor) bool {
	if c.byte() != 2 {
		return false
	}
	flags := c.byte()
	if flags&0x20 != 0 {
		c.skip(16)
	}
	if flags&0x10 != 0 {
		c.skip(4)
	}
	var size uint64
	for i := range 1 << (flags & 3) {
		size |= uint64(c.byte()) << (8 * i)
	}
	if c.err != nil {
		return false
	}
	h.messages2(c, size, flags)
	return true
}

func (h *hdf5Reader) messages2(c *cursor, size uint64, flags byte) {
	if h.blocks++; h.blocks > hdf5MaxBlocks {
		return
	}
	end := add(uint64(c.offset()), size)
	for add(uint64(c.offset()), 4) <= end && c.err == nil {
		kind, n := uint16(c.byte()), uint64(c.u16(binary.LittleEndian))
		c.skip(1)
		if flags&4 != 0 {
			c.skip(2)
		}
		next := uint64(c.offset()) + n
		if !h.message2(c, kind, n, flags) || next > uint64(c.end) {
			return
		}
		c.skip(next - uint64(c.offset()))
	}
}

// message2 takes a continuation of version 2 itself, for its checksum and
// signature, and hands the rest on.
func (h *hdf5Reader) message2(c *cursor, kind uint16, n uint64, flags byte) bool {
	if kind != 0x10 {
		return h.message(c, kind, n, true)
	}
	addr, size := h.number(c, h.offsets), h.number(c, h.lengths)
	if d := h.at(addr, size); d != nil && size > 8 && string(d.take(4)) == "OCHK" {
		h.messages2(d, size-8, flags)
	}
	return true
}

// message reads one header message; false ends the walk.
func (h *hdf5Reader) message(c *cursor, kind uint16, n uint64, v2 bool) bool {
	if h.messages++; h.messages > hdf5MaxMessages || c.err != nil {
		return false
	}
	switch kind {
	case 0x0c:
		h.attribute(c, n)
	case 0x10:
		if !v2 {
			addr, size := h.number(c, h.offsets), h.number(c, h.lengths)
			if d := h.at(addr, size); d != nil {
				h.messages1(d, size)
			}
		}
	}
	return true
}

// attribute reads an attribute's name and, where it is a string, its value.
func (h *hdf5Reader) attribute(c *cursor, n uint64) {
	start := c.offset()
	version := c.byte()
	c.skip(1)
	name, dtype, space := c.u16(binary.LittleEndian), c.u16(binary.LittleEndian), c.u16(binary.LittleEndian)
	if version < 1 || version > 3 || c.err != nil {
		return
	}
	if version == 3 {
		c.skip(1)
	}
	pad := func(n uint16) uint64 {
		if version == 1 {
			return (uint64(n) + 7) &^ 7
		}
		return uint64(n)
	}
	if name == 0 || name > 256 || pad(name)+pad(dtype)+pad(space) > n {
		return
	}
	key, _, _ := strings.Cut(c.text(pad(name), 256), "\x00")
	kind := c.text(pad(dtype), 64)
	c.skip(pad(space))
	value := ""
	if c.err == nil && len(kind) >= 8 {
		left := n - min(n, uint64(c.offset()-start))
		value = h.value(c, kind, left)
	}
	if len(h.attrs) < 64 && key != "" {
		h.attrs[key] = value
	}
}

// value reads a fixed string (class 3) or a variable one (class 9), which lies
// in the global heap.
func (h *hdf5Reader) value(c *cursor, dtype string, left uint64) string {
	switch dtype[0] & 0x0f {
	case 3:
		s := c.text(min(left, uint64(binary.LittleEndian.Uint32([]byte(dtype[4:8])))), maxWindow)
		s, _, _ = strings.Cut(s, "\x00")
		return s
	case 9:
		if left < uint64(8+h.offsets) {
			return ""
		}
		size := c.u32(binary.LittleEndian)
		addr := h.number(c, h.offsets)
		index := c.u32(binary.LittleEndian)
		if c.err != nil {
			return ""
		}
		return h.heap(addr, index, uint64(size))
	}
	return ""
}

// heap reads an object of a global heap collection.
func (h *hdf5Reader) heap(addr uint64, index uint32, size uint64) string {
	if h.blocks++; h.blocks > hdf5MaxBlocks {
		return ""
	}
	c := h.at(addr, 1<<24)
	if c == nil || string(c.take(4)) != "GCOL" {
		return ""
	}
	c.skip(4)
	h.number(c, h.lengths)
	for range 1024 {
		i := c.u16(binary.LittleEndian)
		c.skip(6)
		n := h.number(c, h.lengths)
		if c.err != nil || i == 0 {
			return ""
		}
		if uint32(i) == index {
			return c.text(min(n, size), maxWindow)
		}
		c.skip(add(n, 7) &^ 7)
	}
	return ""
}
