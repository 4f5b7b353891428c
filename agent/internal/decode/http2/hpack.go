package http2

import "github.com/gnomon-ai/gnomon/agent/internal/decode/http"

// Limits of one header block: MaxBlock of its bytes, which the caller holds it
// to; maxValue of one value and maxText of all that are kept.
const (
	MaxBlock    = 64 << 10
	maxValue    = 4 << 10
	maxText     = 32 << 10
	maxName     = 32 // no field of interest has a longer name
	maxInteger  = 1 << 28
	staticCount = len(staticTable)
)

// Status says how a header block could be read.
type Status uint8

// The ways a header block can end.
const (
	Whole     Status = iota
	Truncated        // it ends inside a field
	Malformed        // it is none: what follows on the connection cannot be read either
)

// Request is one header block, read. It may be used again, and its slices are
// valid until then.
type Request struct {
	http.Request
	Fields   int  // all of them
	Unknown  int  // those of which at least the value stands in an entry that is not known
	Dropped  int  // values that were longer, or more, than are kept
	Response bool // it has a status
	text     []byte
}

// HasTarget reports whether the block says what is asked for: trailers do not.
func (r *Request) HasTarget() bool {
	return len(r.Method) > 0 || len(r.Target) > 0 || len(r.Authority) > 0
}

// Decoder reads the header blocks of one direction of a connection, one after
// the other, none left out.
type Decoder struct{ table table }

// NewDecoder returns a decoder for a connection from its start on.
func NewDecoder() *Decoder { return &Decoder{table{most: DefaultTable}} }

// Lose tells that header blocks were missed: what stands in the table now is
// not known, what is added to it from now on is. A decoder that begins in the
// middle of a connection has lost everything before.
func (d *Decoder) Lose() {
	t := &d.table
	*t = table{entries: t.entries[:0], values: t.values[:0], most: MaxTable, partial: true}
}

// Held returns the bytes that d keeps.
func (d *Decoder) Held() int {
	const entrySize = 16
	return cap(d.table.entries)*entrySize + cap(d.table.values)
}

// Decode reads a header block into r. Whatever it returns, r holds what was read
// until then. The size of the table need not be learnt from the server's
// SETTINGS_HEADER_TABLE_SIZE: a client says itself, in the next block, how much
// of what it was granted it uses (RFC 7541, section 4.2).
func (d *Decoder) Decode(block []byte, r *Request) Status {
	*r = Request{text: r.text[:0]}
	for len(block) > 0 {
		var status Status
		c := block[0]
		switch {
		case c&0x80 != 0:
			block, status = d.indexed(block, r)
		case c&0x40 != 0:
			block, status = d.literal(block, 6, true, r)
		case c&0x20 != 0:
			var size uint32
			if size, block, status = integer(block, 5); status == Whole {
				d.table.resize(int(size))
			}
		default: // without indexing, or never to be indexed
			block, status = d.literal(block, 4, false, r)
		}
		if status != Whole {
			return status
		}
	}
	return Whole
}

// indexed reads a field that stands in a table (RFC 7541, section 6.1).
func (d *Decoder) indexed(b []byte, r *Request) (rest []byte, status Status) {
	index, rest, status := integer(b, 7)
	if status != Whole {
		return rest, status
	}
	if index == 0 {
		return rest, Malformed
	}
	r.Fields++
	if index <= uint32(staticCount) {
		if name := staticNames[index-1]; name != http.Other {
			r.set(name, r.keep([]byte(staticTable[index-1].value)))
		}
		return rest, Whole
	}
	e, ok := d.table.find(int(index) - staticCount - 1)
	switch {
	case !ok && !d.table.partial:
		return rest, Malformed
	case !ok || e.name == unknownName:
		r.Unknown++
	case e.name != http.Other:
		r.set(e.name, r.keep(d.table.value(e)))
	}
	return rest, Whole
}

// literal reads a field that stands in the block, its name perhaps in a table
// (RFC 7541, section 6.2).
func (d *Decoder) literal(b []byte, prefix uint, insert bool, r *Request) (rest []byte, status Status) {
	index, rest, status := integer(b, prefix)
	if status != Whole {
		return rest, status
	}
	name, named := http.Other, 0
	switch {
	case index == 0:
		if name, named, rest, status = fieldName(rest); status != Whole {
			return rest, status
		}
	case index <= uint32(staticCount):
		name, named = staticNames[index-1], len(staticTable[index-1].name)
	default:
		e, ok := d.table.find(int(index) - staticCount - 1)
		switch {
		case ok:
			name, named = e.name, int(e.named)
		case d.table.partial:
			name = unknownName
		default:
			return rest, Malformed
		}
	}
	raw, coded, rest, status := literalString(rest)
	if status != Whole {
		return rest, status
	}
	most := 0
	if keeps(name) {
		most = maxValue
	}
	value, length, ok := r.read(raw, coded, most)
	if !ok {
		return rest, Malformed
	}
	r.Fields++
	switch name {
	case http.Other:
	case unknownName:
		r.Unknown++
	default:
		r.set(name, value)
	}
	if insert {
		d.table.insert(name, named, value, length)
	}
	return rest, Whole
}

// keeps reports whether the value of a field is kept: not that of a secret.
func keeps(name http.Name) bool {
	switch name {
	case http.Other, unknownName, http.MCPSession, http.MCPMethod:
		return false
	}
	return true
}

func (r *Request) set(name http.Name, value []byte) {
	if name == http.PseudoStatus {
		r.Response = true
		return
	}
	r.Set(name, value)
}

// keep copies a value, or what there is room for.
func (r *Request) keep(value []byte) []byte {
	at := len(r.text)
	if n := min(len(value), maxText-at); n < len(value) {
		value = value[:n]
		r.Dropped++
	}
	r.text = append(r.text, value...)
	return r.text[at:len(r.text):len(r.text)]
}

// read decodes a string of a block and keeps up to most bytes of it; length is
// that of the whole.
func (r *Request) read(raw []byte, coded bool, most int) (value []byte, length int, ok bool) {
	at := len(r.text)
	most = min(most, maxText-at)
	if coded {
		r.text, length, ok = huffman(r.text, raw, at+most)
	} else {
		length, ok = len(raw), true
		r.text = append(r.text, raw[:min(len(raw), most)]...)
	}
	if most > 0 && length > most {
		r.Dropped++
	}
	return r.text[at:len(r.text):len(r.text)], length, ok
}

// fieldName reads the name of a field.
func fieldName(b []byte) (name http.Name, length int, rest []byte, status Status) {
	raw, coded, rest, status := literalString(b)
	if status != Whole {
		return http.Other, 0, rest, status
	}
	if !coded {
		return http.NameOf(raw), len(raw), rest, Whole
	}
	var room [maxName]byte
	text, length, ok := huffman(room[:0], raw, maxName)
	if !ok {
		return http.Other, 0, rest, Malformed
	}
	if length > maxName {
		return http.Other, length, rest, Whole
	}
	return http.NameOf(text), length, rest, Whole
}

// literalString reads the frame of a string (RFC 7541, section 5.2).
func literalString(b []byte) (raw []byte, coded bool, rest []byte, status Status) {
	if len(b) == 0 {
		return nil, false, nil, Truncated
	}
	coded = b[0]&0x80 != 0
	n, rest, status := integer(b, 7)
	if status != Whole {
		return nil, false, rest, status
	}
	if int(n) > len(rest) {
		return nil, false, nil, Truncated
	}
	return rest[:n], coded, rest[n:], Whole
}

// integer reads an integer that begins in the last prefix bits of the first
// byte (RFC 7541, section 5.1). One that is larger than anything here can be is
// malformed.
func integer(b []byte, prefix uint) (n uint32, rest []byte, status Status) {
	if len(b) == 0 {
		return 0, nil, Truncated
	}
	mask := uint32(1)<<prefix - 1
	if n = uint32(b[0]) & mask; n < mask {
		return n, b[1:], Whole
	}
	wide, shift := uint64(n), uint(0)
	for i := 1; i < len(b); i++ {
		if shift <= 28 {
			wide += uint64(b[i]&0x7f) << shift
		} else if b[i]&0x7f != 0 {
			return 0, nil, Malformed
		}
		if wide >= maxInteger || shift > 56 {
			return 0, nil, Malformed
		}
		shift += 7
		if b[i]&0x80 == 0 {
			return uint32(wide), b[i+1:], Whole
		}
	}
	return 0, nil, Truncated
}
