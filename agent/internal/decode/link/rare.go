package link

import (
	"encoding/binary"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
)

// rareLink opens the headers that are not met on an Ethernet endpoint.
func (s *state) rareLink(l layer) layer {
	switch l {
	case layerSLL:
		return s.sll(14, 16)
	case layerSLL2:
		return s.sll(0, 20)
	case layerNull:
		return s.null()
	case layerLoop:
		return s.skipTo(4, layerRawIP)
	case layerPPP:
		return s.ppp()
	case layerPPPoE:
		return s.pppoe()
	case layerCHDLC:
		return s.skipTo(2, layerEtherType)
	case layerLLC:
		return s.llc()
	case layerFDDI:
		return s.skipTo(13, layerLLC)
	case layer80211:
		return s.wireless()
	case layerRadiotap:
		return s.lengthLE16(2, layer80211)
	case layerPKTAP:
		return s.pktap()
	case layerNFLog:
		return s.nflog()
	case layerPPI:
		return s.ppi()
	case layerMACsec:
		return s.macsec()
	case layerAMSDU:
		return s.aggregate()
	}
	return s.end(NotIP)
}

// sll opens a Linux "cooked" header, version 1 or 2, whose protocol lies at the offset at
// (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html).
func (s *state) sll(at, size int) layer {
	if len(s.data) < size {
		return s.short()
	}
	kind := binary.BigEndian.Uint16(s.data[at:])
	s.data = s.data[size:]
	if kind == 4 || kind == 1 { // 802.2 frame, "raw" 802.3 frame
		return layerLLC
	}
	return s.byType(kind)
}

// null opens a BSD loopback header: an address family in the byte order of the
// machine that wrote the file, with numbers that differ between systems. What
// lies behind tells its version itself.
func (s *state) null() layer {
	if len(s.data) < 4 {
		return s.short()
	}
	low, high := s.data[0], s.data[3]
	family := max(low, high)
	if low != 0 && high != 0 {
		return s.end(NotIP)
	}
	s.data = s.data[4:]
	switch family {
	case 2, 10, 23, 24, 28, 30: // AF_INET, and AF_INET6 of Linux, Windows, NetBSD, FreeBSD, Darwin
		return layerRawIP
	}
	return s.end(NotIP)
}

// ppp opens a PPP header (RFC 1661, RFC 1662), its address and control bytes
// left out or not, its protocol in one byte or two.
func (s *state) ppp() layer {
	if len(s.data) >= 2 && s.data[0] == 0xff && s.data[1] == 0x03 {
		s.data = s.data[2:]
	}
	if len(s.data) < 2 {
		return s.short()
	}
	kind, n := uint16(s.data[0]), 1
	if kind&1 == 0 {
		kind, n = binary.BigEndian.Uint16(s.data), 2
	}
	s.data = s.data[n:]
	switch kind {
	case 0x0021:
		return layerIPv4
	case 0x0057:
		return layerIPv6
	case 0x0281, 0x0283:
		return layerMPLS
	case 0x00fd: // compressed or, in PPTP, encrypted (RFC 1962, RFC 3078)
		if s.depth > 0 {
			return s.encrypted(protoGRE)
		}
	}
	return s.end(NotIP)
}

// pppoe opens a PPPoE session header (RFC 2516).
func (s *state) pppoe() layer {
	if len(s.data) < 6 {
		return s.short()
	}
	if s.data[0] != 0x11 || s.data[1] != 0 {
		return s.end(NotIP)
	}
	s.data = s.data[6:]
	return layerPPP
}

// llc opens an 802.2 header; only SNAP (RFC 1042) and raw IP carry IP.
func (s *state) llc() layer {
	if len(s.data) < 3 {
		return s.short()
	}
	if s.data[0] == 0x06 && s.data[1] == 0x06 {
		return s.skipTo(3, layerIPv4)
	}
	if s.data[0] != 0xaa || s.data[1] != 0xaa {
		return s.end(NotIP)
	}
	return s.skipTo(6, layerEtherType)
}

// lengthLE16 passes over a header that holds its length at at.
func (s *state) lengthLE16(at int, next layer) layer {
	if len(s.data) < at+2 {
		return s.short()
	}
	n := int(binary.LittleEndian.Uint16(s.data[at:]))
	if n < at+2 {
		return s.end(Malformed)
	}
	return s.skipTo(n, next)
}

// wireless opens an 802.11 data frame that is not encrypted (IEEE 802.11,
// section 9.3.2.1).
func (s *state) wireless() layer {
	const (
		typeData  = 2
		fromToDS  = 3
		protected = 0x40
		order     = 0x80
		version   = 0x03

		aggregated = 0x80 // in the field for quality of service
	)
	if len(s.data) < 24 {
		return s.short()
	}
	control, flags := s.data[0], s.data[1]
	if control&version != 0 { // controllers of one maker swap the two bytes (CAPWAP)
		control, flags = flags, control
	}
	if control>>2&3 != typeData || control&0x40 != 0 {
		return s.end(NotIP)
	}
	if flags&protected != 0 {
		return s.end(Protected)
	}
	n, next := 24, layerLLC
	if flags&fromToDS == fromToDS {
		n += 6
	}
	if control&0x80 != 0 { // quality of service
		if len(s.data) > n && s.data[n]&aggregated != 0 {
			next = layerAMSDU
		}
		n += 2
		if flags&order != 0 {
			n += 4
		}
	}
	return s.skipTo(n, next)
}

// aggregate opens an A-MSDU: several frames in one (IEEE 802.11, section
// 9.3.2.2). One that holds a single frame is opened; a walk tells of one
// packet only, so more than one is not.
func (s *state) aggregate() layer {
	const header = 14
	if len(s.data) < header {
		return s.short()
	}
	n := header + int(binary.BigEndian.Uint16(s.data[12:]))
	if (n+3)&^3+header <= len(s.data)+s.missing {
		return s.end(UnknownLink)
	}
	return s.skipTo(header, layerLLC)
}

// linkPPI is the link type of Per-Packet Information.
const linkPPI capture.LinkType = 192

// ppi opens a Per-Packet Information header: its own length, and the link type
// of the frame behind it (https://www.tcpdump.org/linktypes/LINKTYPE_PPI.html).
func (s *state) ppi() layer {
	if len(s.data) < 8 {
		return s.short()
	}
	n := int(binary.LittleEndian.Uint16(s.data[2:]))
	kind := binary.LittleEndian.Uint32(s.data[4:])
	if n < 8 || kind > 0xffff {
		return s.end(Malformed)
	}
	next := first(capture.LinkType(kind))
	if next == layerNone || next == layerPPI || next == layerPKTAP {
		return s.end(UnknownLink)
	}
	return s.skipTo(n, next)
}

// macsec opens a security tag (IEEE 802.1AE, section 9) whose frame is only
// signed.
func (s *state) macsec() layer {
	const (
		encrypted = 0x08
		channel   = 0x20 // the tag names its secure channel
	)
	if len(s.data) < 6 {
		return s.short()
	}
	switch {
	case s.data[0]&encrypted != 0:
		return s.end(Protected)
	case s.data[0]&channel != 0:
		return s.skipTo(14, layerEtherType)
	}
	return s.skipTo(6, layerEtherType)
}

// pktap opens Apple's header, which holds its own length and the link type of
// the frame behind it (https://www.tcpdump.org/linktypes/LINKTYPE_PKTAP.html).
func (s *state) pktap() layer {
	if len(s.data) < 12 {
		return s.short()
	}
	n := binary.LittleEndian.Uint32(s.data)
	kind := binary.LittleEndian.Uint32(s.data[8:])
	if n < 12 || n > 4096 || kind > 0xffff {
		return s.end(Malformed)
	}
	next := first(capture.LinkType(kind))
	if next == layerNone || next == layerPKTAP || next == layerPPI {
		return s.end(UnknownLink)
	}
	return s.skipTo(int(n), next)
}

// nflog looks for the payload attribute among the type-length-values of a
// Linux netfilter log record.
func (s *state) nflog() layer {
	const payload = 9
	if len(s.data) < 4 {
		return s.short()
	}
	s.data = s.data[4:]
	for range 64 {
		if len(s.data) < 4 {
			return s.short()
		}
		n, kind := int(binary.LittleEndian.Uint16(s.data)), binary.LittleEndian.Uint16(s.data[2:])
		if n < 4 {
			return s.end(Malformed)
		}
		if kind == payload {
			s.data = s.data[4:min(n, len(s.data))]
			return layerRawIP
		}
		if n = (n + 3) &^ 3; n > len(s.data) {
			return s.short()
		}
		s.data = s.data[n:]
	}
	return s.end(TooDeep)
}
