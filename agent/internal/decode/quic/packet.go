package quic

import "encoding/binary"

// Kind is the type of a packet with a long header.
type Kind uint8

// The kinds (RFC 9000, section 17.2).
const (
	Initial Kind = iota
	ZeroRTT
	Handshake
	Retry
	VersionNegotiation
)

const (
	longHeader = 0x80
	fixedBit   = 0x40
	// longestID is the longest connection id of versions 1 and 2 (RFC 9000,
	// section 17.2). The drafts and other versions may use longer ones
	// (RFC 8999).
	longestID = 20
	// shortestFirst is the shortest connection id that a client may choose for
	// a server (RFC 9000, section 7.2).
	shortestFirst = 8
	shortest      = 1 + 4 + 1 + 1 // bytes of a header with two empty ids
	integrityTag  = 16            // bytes at the end of a Retry
)

// Packet is one packet with a long header. Its slices are parts of the input.
type Packet struct {
	Version     uint32
	Kind        Kind
	Destination []byte // connection id
	Source      []byte // connection id
	Cut         bool   // the packet is longer than the input
	bytes       []byte // from its first byte to its end
	number      int    // where the packet number starts in bytes
}

// LongHeader reports whether b may start with a long header, by its first
// byte and its length. It is meant to be asked for every datagram.
func LongHeader(b []byte) bool { return len(b) > shortest && b[0]&longHeader != 0 }

// Next reads the packet at the start of b and returns what follows it in the
// datagram: coalesced packets (RFC 9000, section 12.2), the last of which may
// have a short header, or padding. ok is false where b starts with no long
// header that makes sense.
//
// A version that is not known counts only for a packet that can be a client's
// first Initial: nothing tells its other packets from other protocols.
func Next(b []byte, p *Packet) (rest []byte, ok bool) {
	if !LongHeader(b) {
		return nil, false
	}
	*p = Packet{Version: binary.BigEndian.Uint32(b[1:]), bytes: b}
	at, ok := p.ids(b)
	if !ok {
		return nil, false
	}
	if p.Version == 0 {
		p.Kind = VersionNegotiation
		versions := b[at:]
		return nil, len(versions) >= 4 && len(versions)%4 == 0
	}
	scheme := SchemeOf(p.Version)
	p.Kind = kindOf(scheme, b[0])
	switch {
	case scheme == SchemeV1 || scheme == SchemeV2:
		if p.Version>>8 != draft && (len(p.Destination) > longestID || len(p.Source) > longestID) {
			return nil, false
		}
	case scheme != Unknown:
	case p.Kind != Initial || b[0]&fixedBit == 0 || len(p.Destination) < shortestFirst:
		return nil, false
	case !Reserved(p.Version) && (len(p.Destination) > longestID || len(p.Source) > longestID):
		return nil, false
	}
	if p.Kind == Retry {
		return nil, len(b) >= at+integrityTag
	}
	return p.body(b, at)
}

// ids reads the connection ids (RFC 8999, section 5.1) and returns where they
// end.
func (p *Packet) ids(b []byte) (at int, ok bool) {
	at = 5
	for _, id := range []*[]byte{&p.Destination, &p.Source} {
		if at >= len(b) {
			return 0, false
		}
		end := at + 1 + int(b[at])
		if end > len(b) {
			return 0, false
		}
		*id = b[at+1 : end]
		at = end
	}
	return at, true
}

// kindOf reads the packet type, which version 2 numbers in another way
// (RFC 9369, section 3.2).
func kindOf(s Scheme, first byte) Kind {
	n := Kind(first >> 4 & 3)
	if s == SchemeV2 || s == SchemeV2Draft {
		return (n + 3) & 3
	}
	return n
}

// body reads the token and the length, and cuts the packet off what follows.
func (p *Packet) body(b []byte, at int) (rest []byte, ok bool) {
	c := cursor{b: b[at:]}
	if p.Kind == Initial {
		n := c.number()
		if c.failed || n > uint64(len(c.b)) {
			return nil, false
		}
		c.b = c.b[n:]
	}
	n := c.number()
	if c.failed || n < mostNumber+sampleBytes || n > 0xffff {
		return nil, false
	}
	p.number = len(b) - len(c.b)
	if n > uint64(len(c.b)) {
		p.Cut = true
		return nil, true
	}
	end := p.number + int(n)
	p.bytes = b[:end]
	return b[end:], true
}

// cursor reads variable-length integers (RFC 9000, section 16).
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) number() uint64 {
	if len(c.b) == 0 {
		c.failed = true
		return 0
	}
	size := 1 << (c.b[0] >> 6)
	if size > len(c.b) {
		c.failed, c.b = true, nil
		return 0
	}
	n := uint64(c.b[0] & 0x3f)
	for _, b := range c.b[1:size] {
		n = n<<8 | uint64(b)
	}
	c.b = c.b[size:]
	return n
}
