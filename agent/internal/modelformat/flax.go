package modelformat

import (
	"encoding/binary"
	"strconv"
	"strings"
)

const (
	flaxMaxDepth = 32
	flaxMaxName  = 256
)

// flaxReader walks the nested maps of a file of Flax: MessagePack
// (https://github.com/msgpack/msgpack/blob/master/spec.md) whose keys are
// strings and whose leaves are arrays of extension type 1, each an array of
// shape, type and bytes. Source:
// https://github.com/google/flax/blob/main/flax/serialization.py.
type flaxReader struct {
	c       *cursor
	tensors uint64
	weights uint64
}

func detectFlax(f *File) (Result, bool) {
	if b := f.head[0]; b < 0x81 || b > 0x8f && b != 0xde && b != 0xdf {
		return Result{}, false
	}
	w := flaxReader{c: f.cursor(0, f.size)}
	if !w.value(0) && !f.cut || w.tensors == 0 || !f.cut && w.c.rest() != 0 {
		return Result{}, false
	}
	res := Result{Format: "flax-msgpack", Confidence: Certain}
	res.set(FactFramework, "flax")
	if f.cut {
		return res, true
	}
	res.set(FactTensors, strconv.FormatUint(w.tensors, 10))
	res.set(FactParameters, strconv.FormatUint(w.weights, 10))
	return res, true
}

// value reads a map, a tensor or a plain value. The root must be a map.
func (w *flaxReader) value(depth int) bool {
	b := w.c.byte()
	switch {
	case w.c.err != nil || depth > flaxMaxDepth:
		return false
	case b >= 0x80 && b <= 0x8f:
		return w.entries(uint64(b&0x0f), depth)
	case b == 0xde:
		return w.entries(uint64(w.c.u16(binary.BigEndian)), depth)
	case b == 0xdf:
		return w.entries(uint64(w.c.u32(binary.BigEndian)), depth)
	case depth == 0:
		return false
	case b >= 0xc7 && b <= 0xc9:
		size := w.length(b - 0xc7)
		return w.c.byte() == 1 && w.tensor(size)
	}
	return w.plain(b)
}

// entries reads n pairs of a map.
func (w *flaxReader) entries(n uint64, depth int) bool {
	for range n {
		if _, ok := w.text(w.c.byte()); !ok || !w.value(depth+1) {
			return false
		}
	}
	return w.c.err == nil
}

// tensor reads the array of shape, type and bytes that fills size bytes.
func (w *flaxReader) tensor(size uint64) bool {
	if w.c.err != nil || size < 4 || size > uint64(w.c.rest()) {
		return false
	}
	end := w.c.offset() + int64(size)
	if w.c.byte() != 0x93 {
		return false
	}
	rank := w.c.byte()
	if rank < 0x90 || rank > 0x9f {
		return false
	}
	weights := uint64(1)
	for range rank & 0x0f {
		n, ok := w.number(w.c.byte())
		if !ok {
			return false
		}
		weights = mul(weights, n)
	}
	if kind, ok := w.text(w.c.byte()); !ok || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return false
	}
	b := w.c.byte()
	if b < 0xc4 || b > 0xc6 {
		return false
	}
	n := w.length(b - 0xc4)
	if w.c.err != nil || w.c.offset() > end || n != uint64(end-w.c.offset()) {
		return false
	}
	w.tensors++
	w.weights = add(w.weights, weights)
	w.c.skip(n)
	return w.c.err == nil
}

// length reads a big-endian length of 1, 2 or 4 bytes.
func (w *flaxReader) length(kind byte) uint64 {
	switch kind {
	case 0:
		return uint64(w.c.byte())
	case 1:
		return uint64(w.c.u16(binary.BigEndian))
	}
	return uint64(w.c.u32(binary.BigEndian))
}

// text reads the string that begins with b.
func (w *flaxReader) text(b byte) (string, bool) {
	n := uint64(b & 0x1f)
	if b < 0xa0 || b > 0xbf {
		if b < 0xd9 || b > 0xdb {
			return "", false
		}
		n = w.length(b - 0xd9)
	}
	if n == 0 || n > flaxMaxName {
		return "", false
	}
	s := w.c.text(n, flaxMaxName)
	return s, w.c.err == nil
}

// number reads the unsigned number that begins with b.
func (w *flaxReader) number(b byte) (uint64, bool) {
	switch {
	case b < 0x80:
		return uint64(b), true
	case b >= 0xcc && b <= 0xce:
		n := w.length(b - 0xcc)
		return n, w.c.err == nil
	case b == 0xcf:
		n := w.c.u64(binary.BigEndian)
		return n, w.c.err == nil
	}
	return 0, false
}

// plain passes over a number, a string, nil or a truth value: a step count, a
// name.
func (w *flaxReader) plain(b byte) bool {
	switch {
	case b < 0x80 || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3:
		return true
	case b == 0xca || b == 0xd2:
		w.c.skip(4)
	case b == 0xcb || b == 0xd3:
		w.c.skip(8)
	case b == 0xd0:
		w.c.skip(1)
	case b == 0xd1:
		w.c.skip(2)
	default:
		if _, ok := w.number(b); ok {
			return true
		}
		_, ok := w.text(b)
		return ok
	}
	return w.c.err == nil
}
