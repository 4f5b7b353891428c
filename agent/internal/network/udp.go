package network

import (
	"encoding/binary"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/dns"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

// portNetBIOS is that of the NetBIOS name service, whose messages have the form
// of DNS (RFC 1002) and whose names are neighbours'.
const portNetBIOS = 137

// udp takes a datagram.
func (e *engine) udp(p *link.Packet) {
	e.tally[udpDatagrams]++
	switch {
	case dnsPort(p.Source.Port) || dnsPort(p.Destination.Port):
		e.dnsMessage(p.Payload, p.Source, p.Destination, "udp")
	case tls.StartsLikeDatagram(p.Payload):
		e.dtls(p)
	case quicInitial(p.Payload):
		e.quic(p)
	case p.Source.Port != portNetBIOS && p.Destination.Port != portNetBIOS && dns.LooksLikeMessage(p.Payload):
		e.tally[dnsOddPort]++
		e.dnsMessage(p.Payload, p.Source, p.Destination, "udp")
	}
}

// quic counts a QUIC connection once, and lets DNS name it. Its ClientHello is
// encrypted with a key that anybody can derive; this version does not.
func (e *engine) quic(p *link.Packet) {
	key, from := keyOf(p)
	f := e.datagramFlow(key, from)
	f.bytes[from] += uint64(len(p.Payload) + p.Missing)
	if !f.initial {
		f.initial = true
		e.tally[quicInitials]++
		e.report(f)
	}
	e.current = nil
}

// quicInitial reports whether b starts with an Initial packet of QUIC version
// 1 or 2 (RFC 9000, section 17.2.2; RFC 9369, section 3.2) or of one of the
// last drafts, long enough to come from a client.
func quicInitial(b []byte) bool {
	const (
		form     = 0xc0
		kind     = 0x30
		smallest = 1200
		version2 = 0x6b3343cf
	)
	if len(b) < smallest || b[0]&form != form {
		return false
	}
	version := binary.BigEndian.Uint32(b[1:])
	if b[5] > 20 {
		return false
	}
	if version == version2 {
		return b[0]&kind == 0x10
	}
	return (version == 1 || version>>8 == 0xff0000) && b[0]&kind == 0
}
