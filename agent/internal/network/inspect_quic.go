package network

import (
	"bytes"
	"hash/maphash"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

const (
	// smallestInitial is the length of a datagram with a client's Initial
	// (RFC 9000, section 14.1); a version that is not known must keep to it.
	smallestInitial = 1200
	// quicTries bounds the Initials of one end that no key opens, between two
	// that one does. Each costs a few microseconds.
	quicTries = 8
	// quicConnections bounds the connections on one pair of ports: a client
	// may open several over one socket.
	quicConnections = 4
)

// quicFlow is what is known of the QUIC connections on one pair of ports.
type quicFlow struct {
	newest  *quicConnection
	failed  [2]uint8 // Initials in a row that no key opened
	decoded bool     // an Initial was opened
	known   bool     // a packet of a version that is known was seen
	cut     bool     // an Initial could not be opened because the capture cut it
	told    bool     // the owner hook was told
	counted bool     // as a blind spot
	version uint32   // of the hello at hand
	random  uint64   // fingerprint of the last hello
}

// quicConnection is one connection, until its client's hello was read; then
// it only tells its further packets from those of others.
type quicConnection struct {
	older       *quicConnection
	opening     *quicOpening // nil once nothing more is to be learnt from it
	version     uint32
	client      int8   // end that opened it
	destination uint64 // fingerprint of the id that the keys come from
	source      uint64 // of the id that the client chose for itself, 0 where that is empty
	answer      uint64 // of the id that the server chose, 0 where it is not known
}

// quicOpening is what a connection needs until its hello was read. It is used
// again for another one then.
type quicOpening struct {
	keys      quic.Keys
	next      uint64 // one more than the largest packet number
	crypto    tls.Assembly
	gathering bool // the hello comes in pieces, which are in crypto
}

// done reports whether nothing more is to be learnt from c.
func (c *quicConnection) done() bool { return c.opening == nil }

// fingerprint stands for a connection id; an empty one has none.
func (e *engine) fingerprint(id []byte) uint64 {
	if len(id) == 0 {
		return 0
	}
	return maphash.Bytes(e.seed, id) | 1
}

// quic takes a datagram that starts with a long header. It reports false where
// it is no QUIC.
func (e *engine) quic(p *link.Packet) bool {
	var key flowKey
	from := keyOf(p, &key)
	f := e.table.find(&key)
	if f != nil && f.quic != nil && f.ignored[from] {
		e.tally[quicDatagrams]++
		e.table.touch(f, e.now)
		e.count(f, from, len(p.Payload)+p.Missing)
		return true
	}
	packet := &e.quicPacket
	rest, ok := quic.Next(p.Payload, packet)
	switch {
	case !ok:
		return false
	case f != nil && f.quic != nil:
	case !firstOfFlow(p, packet):
		return false
	default:
		if f == nil {
			f = e.open(key, true)
			e.guess(f, from)
		}
		f.quic = new(quicFlow)
		e.tally[quicFlows]++
	}
	e.current = f
	e.table.touch(f, e.now)
	e.tally[quicDatagrams]++
	e.count(f, from, len(p.Payload)+p.Missing)
	for ok && !f.ignored[from] {
		e.quicPacketOf(f, from, packet, p.Missing > 0)
		// Zeros are padding: of the datagram, or of one of several that the
		// kernel hands over as one, as their sender did.
		if rest = bytes.TrimLeft(rest, "\x00"); len(rest) == 0 {
			break
		}
		rest, ok = quic.Next(rest, packet)
	}
	if int(f.client) == 1-from {
		f.answered = true
	}
	e.tellOpened(f)
	e.account(f)
	e.current = nil
	return true
}

// firstOfFlow reports whether a packet may be the first that is seen of a QUIC
// connection.
func firstOfFlow(p *link.Packet, packet *quic.Packet) bool {
	if packet.Kind == quic.VersionNegotiation {
		return false
	}
	if quic.SchemeOf(packet.Version) != quic.Unknown {
		return true
	}
	return len(p.Payload)+p.Missing >= smallestInitial && !dnsPort(p.Source.Port) && !dnsPort(p.Destination.Port)
}

// tellOpened tells the owner hook of a connection, at the first datagram.
func (e *engine) tellOpened(f *flow) {
	if q := f.quic; !q.told && (q.known || q.decoded) {
		q.told = true
		if e.opened != nil {
			e.opened(f.describe())
		}
	}
}

// quicPacketOf takes one packet of a datagram.
func (e *engine) quicPacketOf(f *flow, from int, p *quic.Packet, cut bool) {
	q := f.quic
	q.known = q.known || quic.SchemeOf(p.Version) != quic.Unknown
	if q.decoded && int(f.client) != from && p.Kind != quic.VersionNegotiation && p.Kind != quic.Retry {
		e.serverID(q, p) // all that a server's packets hold for us
		return
	}
	switch p.Kind {
	case quic.Initial:
		e.quicInitial(f, from, p, cut)
	case quic.Retry:
		e.tally[quicRetries]++
	case quic.VersionNegotiation:
		e.tally[quicVersionNegotiations]++
	case quic.Handshake:
		// The server has the whole hello: what of it did not come by will not
		// come any more.
		source := e.fingerprint(p.Source)
		for c := q.newest; c != nil; c = c.older {
			if c.source == source && int(c.client) == from {
				e.endConnection(f, c)
			}
		}
	}
}

// serverID remembers the id that the server chose, which the client sends its
// further packets to.
func (e *engine) serverID(q *quicFlow, p *quic.Packet) {
	client := e.fingerprint(p.Destination)
	for c := q.newest; c != nil; c = c.older {
		if c.source == client {
			c.answer = e.fingerprint(p.Source)
			return
		}
	}
}

// quicInitial takes an Initial: with the keys of a connection that is known,
// else with those that its own destination id gives, which are those of a new
// connection, or of one that a Retry began anew.
func (e *engine) quicInitial(f *flow, from int, p *quic.Packet, cut bool) {
	q := f.quic
	destination, source := e.fingerprint(p.Destination), e.fingerprint(p.Source)
	same := q.connection(from, destination, source)
	if same != nil {
		if same.done() {
			return
		}
		if !p.Cut || destination == same.destination {
			if payload, ok := e.openInitial(&same.opening.keys, p, same.opening.next, cut); ok {
				e.quicPayload(f, same, payload, p.Cut)
				return
			}
		}
	}
	if len(p.Destination) > 0 && (same == nil || same.destination != destination) {
		for _, scheme := range quic.Candidates(p.Version) {
			keys := scheme.ClientKeys(p.Destination)
			payload, ok := e.openInitial(&keys, p, 0, cut)
			if !ok || p.Cut && !startsHello(payload) {
				continue
			}
			c := e.adopt(f, from, same)
			c.opening.keys, c.version, c.destination, c.source = keys, p.Version, destination, source
			e.quicPayload(f, c, payload, p.Cut)
			return
		}
	}
	if p.Cut && cut {
		q.cut = true
		return
	}
	e.tally[quicUnopened]++
	if q.failed[from]++; q.failed[from] >= quicTries {
		e.giveUp(f, from)
	}
}

// connection returns the connection that the ids of a client's packet belong
// to, nil where they tell of none. With an empty source id, a destination that
// is not known may be another one of the newest connection whose hello is
// still read.
func (q *quicFlow) connection(from int, destination, source uint64) *quicConnection {
	var maybe *quicConnection
	for c := q.newest; c != nil; c = c.older {
		if int(c.client) != from || c.source != source {
			continue
		}
		if source != 0 || destination != 0 && (destination == c.destination || destination == c.answer) {
			return c
		}
		if maybe == nil && !c.done() {
			maybe = c
		}
	}
	return maybe
}

// openInitial opens a packet; of one that the capture cut it reads what there
// is, which nothing proves.
func (e *engine) openInitial(keys *quic.Keys, p *quic.Packet, expected uint64, cut bool) (payload []byte, ok bool) {
	var number uint64
	if !p.Cut {
		payload, number, ok = e.quicOpener.Open(keys, p, expected)
	} else if cut {
		payload, number, ok = e.quicOpener.Peek(keys, p, expected)
	}
	e.quicNumber = number
	return payload, ok
}

// startsHello reports whether an unproved payload is the start of a
// ClientHello, which a wrong key makes of one in 2^40 packets.
func startsHello(payload []byte) bool {
	frames := quic.ReadFrames(payload, true)
	offset, data, ok := frames.Crypto()
	return ok && offset == 0 && len(data) > 6 && data[0] == handshakeHello && data[1] == 0 && data[4] == 3 && data[5] <= 4
}

// adopt returns a connection for new keys: the one that a Retry began anew,
// else one more.
func (e *engine) adopt(f *flow, from int, again *quicConnection) *quicConnection {
	q := f.quic
	e.tally[quicConnectionsOpened]++
	q.failed[from] = 0
	if int(f.client) != from {
		e.opener(f, from)
	}
	q.decoded = true
	e.table.settle(f)
	if again != nil {
		e.forget(again)
		*again = quicConnection{older: again.older, client: again.client, opening: e.newOpening()}
		return again
	}
	q.newest = &quicConnection{older: q.newest, client: int8(from), opening: e.newOpening()}
	c := q.newest
	for range quicConnections - 1 {
		if c.older == nil {
			return q.newest
		}
		c = c.older
	}
	if c.older != nil {
		e.endConnection(f, c.older)
		c.older = nil
	}
	return q.newest
}
