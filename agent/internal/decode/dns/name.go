package dns

import "unicode/utf8"

const (
	maxWire     = 255 // RFC 1035, section 2.3.4
	maxPointers = 64
	maxText     = 4 * maxWire
)

// Name is a domain name in its text form, without the final dot; the root is
// ".". It is the form in which network analysers print names, so that the two
// compare: a control character is \a, \b, \t, \n, \v, \f, \r or \ooo in octal, a
// byte of a label that is no UTF-8 is U+FFFD, letters keep their case, and a
// backslash stands for itself. Beyond that, a dot inside a label is \056, so
// that a name never gets a label boundary that was not on the wire.
type Name struct {
	text [maxText]byte
	n    int
}

// Bytes returns the text; it is valid until the next read.
func (n *Name) Bytes() []byte { return n.text[:n.n] }

// Root reports whether the name is the root.
func (n *Name) Root() bool { return n.n == 1 && n.text[0] == '.' }

// String returns the text.
func (n *Name) String() string { return string(n.text[:n.n]) }

// read takes the name at at, following compression pointers (RFC 1035, section
// 4.1.4), and returns the index behind it, or -1 where it is not sound: beyond
// the message, longer than 255 bytes, or with pointers that do not lead
// backwards.
func (n *Name) read(msg []byte, at int) (next int) {
	n.n = 0
	next = -1
	wire, limit := 0, at
	for pointers := 0; ; {
		if at >= len(msg) {
			return -1
		}
		size := int(msg[at])
		switch size & 0xc0 {
		case 0xc0:
			if at+1 >= len(msg) {
				return -1
			}
			if next < 0 {
				next = at + 2
			}
			to := (size&0x3f)<<8 | int(msg[at+1])
			if pointers++; to >= limit || to < headerSize || pointers > maxPointers {
				return -1 // forwards, in a circle, or into the header
			}
			at, limit = to, to
			continue
		case 0x40, 0x80:
			return -1 // reserved (RFC 6891, section 5)
		}
		at++
		if size == 0 {
			if next < 0 {
				next = at
			}
			if n.n == 0 {
				n.text[0], n.n = '.', 1
			}
			return next
		}
		if wire += 1 + size; wire >= maxWire || at+size > len(msg) {
			return -1
		}
		n.label(msg[at : at+size])
		at += size
	}
}

// label appends one label. There is room: four bytes of text for each on the
// wire.
func (n *Name) label(b []byte) {
	if n.n > 0 {
		n.text[n.n] = '.'
		n.n++
	}
	text := utf8.Valid(b)
	for _, c := range b {
		at := n.text[n.n:]
		switch {
		case c >= 0x80 && !text:
			n.n += copy(at, string(utf8.RuneError))
		case c < ' ' || c == 0x7f || c == '.':
			n.n += control(at, c)
		default:
			at[0] = c
			n.n++
		}
	}
}

// control writes c as an escape.
func control(to []byte, c byte) int {
	const first, letters = '\a', "abtnvfr"
	to[0] = '\\'
	if c >= first && int(c-first) < len(letters) {
		to[1] = letters[c-first]
		return 2
	}
	to[1], to[2], to[3] = '0'+c>>6, '0'+c>>3&7, '0'+c&7
	return 4
}
