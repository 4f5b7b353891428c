package network

import (
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

const (
	// openingBytes is what a quicOpening takes besides the bytes it holds.
	openingBytes = 112
	// maxOpenings bounds the openings that are kept to be used again.
	maxOpenings = 256
	// portDoQ is that of DNS over QUIC (RFC 9250).
	portDoQ = 853

	handshakeHello  = 1      // type of a ClientHello
	handshakeHeader = 4      // bytes: type and length
	helloRandom     = 2 + 32 // bytes of version and random, which no two hellos share
)

// quicPayload takes the frames of an opened Initial.
func (e *engine) quicPayload(f *flow, c *quicConnection, payload []byte, cut bool) {
	e.tally[quicInitials]++
	f.quic.failed[c.client] = 0
	c.opening.next = max(c.opening.next, e.quicNumber+1)
	frames := quic.ReadFrames(payload, cut)
	for !c.done() {
		offset, data, ok := frames.Crypto()
		if !ok {
			break
		}
		e.quicCrypto(f, c, offset, data)
	}
	if frames.Malformed {
		e.tally[quicMalformed]++
	}
}

// quicCrypto takes a piece of the handshake stream.
func (e *engine) quicCrypto(f *flow, c *quicConnection, offset uint64, data []byte) {
	stream := data
	if o := c.opening; o.gathering || offset > 0 || helloLength(data) > len(data) {
		if len(data) == 0 {
			return
		}
		o.gathering = true
		if offset > tls.MaxHello || !o.crypto.Add(int(offset), data) {
			e.tally[quicHellosOverfull]++
			e.forget(c)
			return
		}
		stream = o.crypto.Prefix()
	}
	if len(stream) == 0 {
		return
	}
	switch n := helloLength(stream); {
	case stream[0] != handshakeHello:
		e.tally[quicMalformed]++
		e.forget(c)
	case n > tls.MaxHello:
		e.tally[quicHellosOverfull]++
		e.forget(c)
	case n <= len(stream):
		e.quicHello(f, c, stream[handshakeHeader:n], false)
	}
}

// helloLength returns the length of the handshake message at the start of a
// stream, or more than there is where it is not told yet.
func helloLength(stream []byte) int {
	if len(stream) < handshakeHeader {
		return handshakeHeader
	}
	return handshakeHeader + int(stream[1])<<16 + int(stream[2])<<8 + int(stream[3])
}

// quicHello takes the body of a ClientHello, which is the last thing that is
// read of a connection.
func (e *engine) quicHello(f *flow, c *quicConnection, body []byte, partial bool) {
	q := f.quic
	defer e.forget(c)
	if len(body) >= helloRandom {
		again := e.fingerprint(body[:helloRandom])
		if again == q.random {
			e.tally[quicHellosRepeated]++
			return
		}
		q.random = again
	}
	q.version = c.version
	if !e.hello(f, int(c.client), body, partial, overQUIC) {
		e.tally[quicMalformed]++
		return
	}
	e.tally[quicHellos]++
}

// newOpening returns an empty one.
func (e *engine) newOpening() *quicOpening {
	n := len(e.openings)
	if n == 0 {
		return new(quicOpening)
	}
	o := e.openings[n-1]
	e.openings = e.openings[:n-1]
	return o
}

// forget takes away what a connection needed for its hello.
func (e *engine) forget(c *quicConnection) {
	o := c.opening
	c.opening = nil
	if o == nil || len(e.openings) == maxOpenings {
		return
	}
	o.crypto.Clear()
	*o = quicOpening{crypto: o.crypto}
	e.openings = append(e.openings, o)
}

// endConnection reads what there is of a hello whose rest is lost.
func (e *engine) endConnection(f *flow, c *quicConnection) {
	if c.done() {
		return
	}
	stream := c.opening.crypto.Prefix()
	if len(stream) < handshakeHeader+helloRandom {
		e.tally[quicHellosLost]++
		e.forget(c)
		return
	}
	e.quicHello(f, c, stream[handshakeHeader:], true)
}

// endQUIC ends the connections of a flow that is given up or forgotten, and
// counts it as blind where none of its Initials was opened.
func (e *engine) endQUIC(f *flow) {
	q := f.quic
	if q == nil {
		return
	}
	for c := q.newest; c != nil; c = c.older {
		e.endConnection(f, c)
	}
	if q.decoded || q.counted {
		return
	}
	q.counted = true
	server := f.key.end(1 - max(int(f.client), 0))
	switch {
	case server.Port == portDoQ && q.known:
		e.veil(f, veilDoQ)
	case q.cut:
		e.tally[quicCut]++
	case q.known:
		e.tally[quicUndecrypted]++
	default:
		e.tally[quicVersionUnknown]++
		return
	}
	e.table.settle(f) // it is a connection, even if it stays unread
}

// quicHeld returns the bytes that the connections of a flow hold.
func (f *flow) quicHeld() int {
	if f.quic == nil {
		return 0
	}
	held := 0
	for c := f.quic.newest; c != nil; c = c.older {
		if c.opening != nil {
			held += openingBytes + c.opening.crypto.Held()
		}
	}
	return held
}
