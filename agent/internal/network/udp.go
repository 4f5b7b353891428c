package network

import (
	"github.com/gnomon-ai/gnomon/agent/internal/decode/dns"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

// portNetBIOS is that of the NetBIOS name service, whose messages have the form
// of DNS (RFC 1002) and whose names are neighbours'.
const portNetBIOS = 137

// udp takes a datagram.
func (e *engine) udp(p *link.Packet) {
	e.tally[udpDatagrams]++
	if quic.LongHeader(p.Payload) && e.quic(p) {
		return
	}
	switch {
	case dnsPort(p.Source.Port) || dnsPort(p.Destination.Port):
		e.dnsMessage(p.Payload, p.Source, p.Destination, "udp")
	case tls.StartsLikeDatagram(p.Payload):
		e.dtls(p)
	case p.Source.Port != portNetBIOS && p.Destination.Port != portNetBIOS && dns.LooksLikeMessage(p.Payload):
		e.tally[dnsOddPort]++
		e.dnsMessage(p.Payload, p.Source, p.Destination, "udp")
	case eitherPort(p, portRDP):
		e.rdp(p)
	case opensVPN(p):
		e.vpn(p)
	default:
		e.more(p)
	}
}
