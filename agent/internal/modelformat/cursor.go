package modelformat

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// cursor reads forward through a range of a file. It reads in windows that
// start small and grow while reading goes straight on, so that a walk that
// skips over weights costs little. The first failure sticks: every later read
// returns zero values.
type cursor struct {
	src  io.ReaderAt
	base int64 // offset of win[0]
	win  []byte
	pos  int
	end  int64
	own  []byte // buffer of this cursor, empty while win is the head
	step int
	err  error
}

const (
	minWindow = 4 << 10
	maxWindow = 32 << 10
)

// cursor returns a cursor over the bytes [off, end) of f.
func (f *File) cursor(off, end int64) *cursor {
	c := &cursor{src: f, base: off, end: min(end, f.size), step: minWindow}
	if off < 0 || off > c.end {
		c.err = errEnd
		return c
	}
	if h := int64(len(f.head)); off < h {
		c.win = f.head[off:min(h, c.end)]
	}
	return c
}

// bytesCursor returns a cursor over b.
func bytesCursor(b []byte) *cursor {
	return &cursor{src: nil, win: b, end: int64(len(b)), step: minWindow}
}

// offset is where the next byte lies.
func (c *cursor) offset() int64 { return c.base + int64(c.pos) }

// rest is how many bytes are left.
func (c *cursor) rest() int64 { return c.end - c.offset() }

// fail stops the cursor.
func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// need makes n bytes available in the window; n is at most maxWindow.
func (c *cursor) need(n int) bool {
	if c.err != nil {
		return false
	}
	if len(c.win)-c.pos >= n {
		return true
	}
	if int64(n) > c.rest() {
		c.fail(errEnd)
		return false
	}
	at := c.offset()
	size := min(int64(max(n, c.step)), c.rest())
	if cap(c.own) < int(size) {
		c.own = make([]byte, maxWindow)
	}
	buf := c.own[:size]
	if _, err := c.src.ReadAt(buf, at); err != nil {
		if !errors.Is(err, errBudget) || int64(n) >= size {
			c.fail(err)
			return false
		}
		buf = buf[:n] // the budget may still do for what is asked
		if _, err := c.src.ReadAt(buf, at); err != nil {
			c.fail(err)
			return false
		}
	}
	c.base, c.win, c.pos = at, buf, 0
	c.step = min(2*c.step, maxWindow)
	return true
}

// byte returns the next byte.
func (c *cursor) byte() byte {
	if c.pos >= len(c.win) && !c.need(1) {
		return 0
	}
	if c.err != nil {
		return 0
	}
	b := c.win[c.pos]
	c.pos++
	return b
}

// take returns the next n bytes, valid until the next call. n over maxWindow
// fails.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > maxWindow {
		c.fail(errEnd)
		return nil
	}
	if !c.need(n) {
		return nil
	}
	b := c.win[c.pos : c.pos+n]
	c.pos += n
	return b
}

// skip passes over n bytes without reading them.
func (c *cursor) skip(n uint64) {
	if c.err != nil {
		return
	}
	if n > uint64(c.rest()) {
		c.fail(errEnd)
		return
	}
	if n <= uint64(len(c.win)-c.pos) {
		c.pos += int(n)
		return
	}
	c.base, c.win, c.pos = c.offset()+int64(n), nil, 0
	c.step = minWindow
}

// text returns at most limit bytes of a string of n bytes and passes over all
// of it.
func (c *cursor) text(n uint64, limit int) string {
	if c.err != nil || n > uint64(c.rest()) {
		c.fail(errEnd)
		return ""
	}
	k := int(min(n, uint64(limit), maxWindow))
	s := string(c.take(k))
	c.skip(n - uint64(k))
	return s
}

func (c *cursor) u16(o binary.ByteOrder) uint16 {
	if b := c.take(2); b != nil {
		return o.Uint16(b)
	}
	return 0
}

func (c *cursor) u32(o binary.ByteOrder) uint32 {
	if b := c.take(4); b != nil {
		return o.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(o binary.ByteOrder) uint64 {
	if b := c.take(8); b != nil {
		return o.Uint64(b)
	}
	return 0
}

// uvarint reads a base-128 number of at most ten bytes.
func (c *cursor) uvarint() uint64 {
	var v uint64
	for shift := uint(0); shift < 70; shift += 7 {
		b := c.byte()
		if c.err != nil {
			return 0
		}
		if shift == 63 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	c.fail(errMalformed)
	return 0
}

// line returns the bytes up to the next newline, which it passes over; a line
// over limit bytes fails.
func (c *cursor) line(limit int, into []byte) []byte {
	into = into[:0]
	for {
		b := c.byte()
		if c.err != nil {
			return nil
		}
		if b == '\n' {
			return into
		}
		if len(into) >= limit {
			c.fail(errMalformed)
			return nil
		}
		into = append(into, b)
	}
}

// mul multiplies two counts, capped at the largest number.
func mul(a, b uint64) uint64 {
	if a != 0 && b > math.MaxUint64/a {
		return math.MaxUint64
	}
	return a * b
}

// add adds two counts, capped at the largest number.
func add(a, b uint64) uint64 {
	if b > math.MaxUint64-a {
		return math.MaxUint64
	}
	return a + b
}
