package network

import (
	"bytes"
	"hash/maphash"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
	"github.com/gnomon-ai/gnomon/signatures"
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
	// assemblyBytes is what an Assembly takes besides the bytes it holds.
	assemblyBytes = 576
	// portDoQ is that of DNS over QUIC (RFC 9250).
	portDoQ = 853

	handshakeHello  = 1      // type of a ClientHello
	handshakeHeader = 4      // bytes: type and length
	helloRandom     = 2 + 32 // bytes of version and random, which no two hellos share
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
	keys        quic.Keys
	version     uint32
	client      int8   // end that opened it
	done        bool   // nothing more is to be learnt from it
	destination uint64 // fingerprint of the id that the keys come from
	source      uint64 // of the id that the client chose for itself, 0 where that is empty
	answer      uint64 // of the id that the server chose, 0 where it is not known
	next        uint64 // one more than the largest packet number
	crypto      *tls.Assembly
}

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
	key, from := keyOf(p)
	f := e.table.find(&key)
	if f != nil && f.quic != nil && f.ignored[from] {
		e.tally[quicDatagrams]++
		e.table.touch(f, e.now)
		f.bytes[from] += uint64(len(p.Payload) + p.Missing)
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
	f.bytes[from] += uint64(len(p.Payload) + p.Missing)
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
	var same *quicConnection // the client's ids say that the packet is of this one
	for c := q.newest; c != nil; c = c.older {
		sameID := destination != 0 && (destination == c.destination || destination == c.answer)
		if int(c.client) != from || c.source != source || !sameID && source == 0 && c.done {
			continue
		}
		if c.done {
			return
		}
		same = c
		if p.Cut && destination != c.destination {
			break
		}
		if payload, ok := e.openInitial(&c.keys, p, c.next, cut); ok {
			e.quicPayload(f, c, payload, p.Cut)
			return
		}
		break
	}
	if len(p.Destination) > 0 && (same == nil || same.destination != destination) {
		for _, scheme := range quic.Candidates(p.Version) {
			keys := scheme.ClientKeys(p.Destination)
			payload, ok := e.openInitial(&keys, p, 0, cut)
			if !ok || p.Cut && !startsHello(payload) {
				continue
			}
			c := e.adopt(f, from, same)
			c.keys, c.version, c.destination, c.source = keys, p.Version, destination, source
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
		*again = quicConnection{older: again.older, client: again.client}
		return again
	}
	q.newest = &quicConnection{older: q.newest, client: int8(from)}
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

// quicPayload takes the frames of an opened Initial.
func (e *engine) quicPayload(f *flow, c *quicConnection, payload []byte, cut bool) {
	e.tally[quicInitials]++
	f.quic.failed[c.client] = 0
	c.next = max(c.next, e.quicNumber+1)
	frames := quic.ReadFrames(payload, cut)
	for !c.done {
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
	if c.crypto != nil || offset > 0 || helloLength(data) > len(data) {
		if len(data) == 0 {
			return
		}
		if c.crypto == nil {
			c.crypto = new(tls.Assembly)
		}
		if offset > tls.MaxHello || !c.crypto.Add(int(offset), data) {
			e.tally[quicHellosOverfull]++
			e.forget(c)
			return
		}
		stream = c.crypto.Prefix()
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
	if f.key.end(1-int(c.client)).Port == portDoQ || offersDoQ(body) {
		e.tally[quicDNS]++
	}
}

// offersDoQ reports whether a hello offers DNS over QUIC (RFC 9250, section
// 4.1) or one of its drafts.
func offersDoQ(body []byte) bool {
	var hello tls.ClientHello
	if !tls.Parse(body, false, false, &hello) {
		return false
	}
	for protocol := range hello.ALPN() {
		if bytes.HasPrefix(protocol, []byte("doq")) {
			return true
		}
	}
	return false
}

// forget frees what a connection holds.
func (e *engine) forget(c *quicConnection) {
	c.done, c.crypto, c.keys = true, nil, quic.Keys{}
}

// endConnection reads what there is of a hello whose rest is lost.
func (e *engine) endConnection(f *flow, c *quicConnection) {
	if c.done {
		return
	}
	var stream []byte
	if c.crypto != nil {
		stream = c.crypto.Prefix()
	}
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
		e.tally[quicDNS]++
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
		if c.crypto != nil {
			held += assemblyBytes + c.crypto.Held()
		}
	}
	return held
}

// transport is what a ClientHello came over.
type transport uint8

const (
	overStream transport = iota
	overDatagrams
	overQUIC
)

// kind returns the kind and evidence of an observation.
func (t transport) kind() (signatures.Kind, signatures.Evidence) {
	if t == overQUIC {
		return signatures.KindQUIC, signatures.EvidenceQUIC
	}
	return signatures.KindTLS, signatures.EvidenceTLS
}
