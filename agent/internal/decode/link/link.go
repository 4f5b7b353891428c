// Package link walks a frame from its link layer down to TCP or UDP, through
// tags, tunnels and IP fragments, and says whose payload it is.
//
// It is pure: no I/O, no goroutine, no log, no clock. Walking allocates
// nothing; only IP fragments are copied, within the bounds of Fragments. It
// imports package capture for the link types and nothing else of ours. It
// verifies no checksum: captures taken on the sending host hold unfinished
// ones. It does not put TCP segments in order; that is package stream.
package link

import (
	"net/netip"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
)

// Outcome says how a walk ended.
type Outcome uint8

// The outcomes of a walk.
const (
	Found       Outcome = iota // a TCP segment or UDP datagram
	NotIP                      // no IP in it: ARP, LLDP, 802.11 management …
	OtherIP                    // IP that carries something else: ICMP, OSPF …
	Held                       // a fragment of a datagram that is not complete yet
	Malformed                  // a header contradicts itself
	Cut                        // the snap length cut a header off
	TooDeep                    // more tunnels or headers than MaxDepth and maxSteps allow
	UnknownLink                // a link type this package does not walk
	Quoted                     // a UDP datagram that an ICMP error quotes: its sender sent it before; it is often cut
	Encrypted                  // a packet inside a VPN; Packet holds the ends, the protocol and no ports
	Protected                  // a frame that the link itself encrypts: 802.11, MACsec
	outcomes
)

// Outcomes is the number of outcomes, for counters.
const Outcomes = int(outcomes)

var outcomeNames = [Outcomes]string{"found", "not_ip", "other_ip", "fragment_held", "malformed", "cut", "too_deep", "unknown_link", "quoted", "encrypted", "protected"}

// String returns the outcome as a counter's name.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "invalid"
}

// MaxDepth bounds the IP headers and tunnel headers that are opened in one
// frame; maxSteps bounds the headers of any kind.
const (
	MaxDepth = 8
	maxSteps = 48
)

// TCP flags (RFC 9293, section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// The protocols a Packet can have, as in the IP header.
const (
	TCP = 6
	UDP = 17
)

// Address is an IPv6 address, or an IPv4 address mapped into IPv6
// (RFC 4291, section 2.5.5.2).
type Address [16]byte

// Netip returns the address in the form of the standard library, IPv4
// unmapped.
func (a Address) Netip() netip.Addr { return netip.AddrFrom16(a).Unmap() }

// Endpoint is one end of a flow.
type Endpoint struct {
	Address Address
	Port    uint16
}

// AddrPort returns the endpoint in the form of the standard library.
func (e Endpoint) AddrPort() netip.AddrPort { return netip.AddrPortFrom(e.Address.Netip(), e.Port) }

// Packet is a TCP segment or a UDP datagram.
type Packet struct {
	Protocol    uint8 // TCP or UDP
	Flags       uint8 // of TCP
	Depth       uint8 // IP and tunnel headers around it, its own included
	Sequence    uint32
	Source      Endpoint
	Destination Endpoint
	Payload     []byte // part of the frame, or of a reassembled datagram; valid until the next walk
	Missing     int    // bytes of payload that were on the wire and are not in Payload
}

// Walker walks frames. The zero value works and keeps no fragments.
type Walker struct {
	// Fragments takes IP fragments; nil means that they are not reassembled.
	Fragments *Fragments
}

// layer is what the next bytes are.
type layer uint8

const (
	layerNone layer = iota // the walk is over
	layerEthernet
	layerEtherType // two bytes of type, then what it says
	layerSLL
	layerSLL2
	layerNull
	layerLoop
	layerPPP
	layerPPPoE
	layerCHDLC
	layerLLC
	layerFDDI
	layer80211
	layerRadiotap
	layerPKTAP
	layerNFLog
	layerPPI
	layerMACsec
	layerAMSDU
	layerRawIP
	layerIPv4
	layerIPv6
	layerMPLS
	layerGRE
	layerTCP
	layerUDP
)

// state is what one walk knows so far.
type state struct {
	data    []byte
	missing int // bytes cut off behind data
	packet  *Packet
	depth   int
	quoted  bool // data is what an ICMP error quotes
	now     int64
	outcome Outcome // valid once the layer is layerNone
}

// end stops the walk.
func (s *state) end(o Outcome) layer {
	s.outcome = o
	return layerNone
}

// short stops the walk where a header is longer than the data.
func (s *state) short() layer {
	if s.missing > 0 {
		return s.end(Cut)
	}
	return s.end(Malformed)
}

// Walk fills in p from a frame. wire is the length of the frame on the wire;
// now is the frame's time in Unix nanoseconds and ages fragments. p is
// meaningful only with Found, Quoted and Encrypted.
func (w *Walker) Walk(link capture.LinkType, data []byte, wire int, now int64, p *Packet) Outcome {
	if fast(link, data, max(wire-len(data), 0), p) {
		return Found
	}
	return w.walk(link, data, wire, now, p)
}

// walk is Walk for any frame.
func (w *Walker) walk(link capture.LinkType, data []byte, wire int, now int64, p *Packet) Outcome {
	s := state{data: data, missing: max(wire-len(data), 0), packet: p, now: now}
	l := first(link)
	if l == layerNone {
		return UnknownLink
	}
	outcome := w.steps(l, &s)
	if !s.quoted {
		return outcome
	}
	if outcome == Found && p.Protocol == UDP {
		return Quoted
	}
	return OtherIP
}

// steps opens one header after the other.
func (w *Walker) steps(l layer, s *state) Outcome {
	for range maxSteps {
		l = w.step(l, s)
		if l == layerNone {
			return s.outcome
		}
		if s.depth > MaxDepth {
			return TooDeep
		}
	}
	return TooDeep
}

func first(link capture.LinkType) layer {
	switch link {
	case capture.LinkEthernet:
		return layerEthernet
	case capture.LinkNull:
		return layerNull
	case capture.LinkLoop:
		return layerLoop
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkIPv4, capture.LinkIPv6:
		return layerRawIP
	case capture.LinkSLL:
		return layerSLL
	case capture.LinkSLL2:
		return layerSLL2
	case capture.LinkPPP, capture.LinkPPPHDLC:
		return layerPPP
	case capture.LinkPPPoE:
		return layerPPPoE
	case capture.LinkCHDLC:
		return layerCHDLC
	case capture.LinkFDDI:
		return layerFDDI
	case capture.LinkIEEE80211:
		return layer80211
	case capture.LinkRadiotap:
		return layerRadiotap
	case capture.LinkPKTAP:
		return layerPKTAP
	case capture.LinkNFLog:
		return layerNFLog
	case linkPPI:
		return layerPPI
	}
	return layerNone
}

// step opens one header and says what follows it.
func (w *Walker) step(l layer, s *state) layer {
	switch l {
	case layerEthernet:
		return s.skipTo(12, layerEtherType)
	case layerEtherType:
		return s.etherType()
	case layerIPv4:
		return w.ipv4(s)
	case layerIPv6:
		return w.ipv6(s)
	case layerTCP:
		return s.tcp()
	case layerUDP:
		return s.udp()
	case layerRawIP:
		return s.rawIP()
	case layerMPLS:
		return s.mpls()
	case layerGRE:
		return s.gre()
	}
	return s.rareLink(l)
}

// skipTo passes over n bytes and goes on with next.
func (s *state) skipTo(n int, next layer) layer {
	if len(s.data) < n {
		return s.short()
	}
	s.data = s.data[n:]
	return next
}
