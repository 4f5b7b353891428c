package link

import "encoding/binary"

// gre opens a GRE header (RFC 2784, RFC 2890; version 1 as in RFC 2637) and
// the ERSPAN header that may follow it.
func (s *state) gre() layer {
	s.depth++
	h := s.data
	if len(h) < 4 {
		return s.short()
	}
	flags, kind := binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	const (
		checksum = 0x8000
		routing  = 0x4000
		key      = 0x2000
		sequence = 0x1000
		ack      = 0x0080
		version  = 0x0007
	)
	if flags&routing != 0 || flags&version > 1 {
		return s.end(OtherIP)
	}
	n := 4
	if flags&checksum != 0 {
		n += 4
	}
	if flags&key != 0 {
		n += 4
	}
	if flags&sequence != 0 {
		n += 4
	}
	if flags&version == 1 && flags&ack != 0 {
		n += 4
	}
	if n > len(h) {
		return s.short()
	}
	s.data = h[n:]
	switch kind {
	case typeERSPAN2:
		if flags&sequence == 0 { // type I has no header of its own
			return layerEthernet
		}
		return s.skipTo(8, layerEthernet)
	case typeERSPAN3:
		if len(s.data) < 12 {
			return s.short()
		}
		n = 12
		if s.data[11]&1 != 0 {
			n += 8
		}
		return s.skipTo(n, layerEthernet)
	}
	if kind == typeWCCP {
		return s.wccp()
	}
	if kind >= typeAruba && kind <= typeArubaLast {
		return layer80211
	}
	return s.byType(kind)
}

// wccp opens a redirected packet
// (https://datatracker.ietf.org/doc/html/draft-wilson-wrec-wccp-v2-01, section
// 4.12.1): version 2 puts four bytes before it.
func (s *state) wccp() layer {
	if len(s.data) > 0 && s.data[0]>>4 != 4 {
		return s.skipTo(4, layerIPv4)
	}
	return layerIPv4
}

// The ports that tunnels over UDP are given by IANA, and the one that Linux
// used for VXLAN before.
const (
	portGTPU     = 2152
	portTeredo   = 3544
	portVXLAN    = 4789
	portVXLANOld = 8472
	portVXLANGPE = 4790
	portGeneve   = 6081
	portCAPWAP   = 5247
	portMPLSUDP  = 6635
	portAYIYA    = 5072
	portL2TP     = 1701
)

// tunnel says what a UDP datagram carries where it is one of the tunnels, and
// passes over the tunnel's header; otherwise it returns layerNone and changes
// nothing. A datagram that merely uses the port is recognised by its first
// bytes not fitting.
func (s *state) tunnel(source, destination uint16) layer {
	next, n := layerNone, 0
	switch destination {
	case portVXLAN, portVXLANOld:
		next, n = vxlan(s.data)
	case portVXLANGPE:
		next, n = vxlanGPE(s.data)
	case portGeneve:
		next, n = geneve(s.data)
	case portGTPU:
		next, n = gtp(s.data)
	case portTeredo:
		next, n = teredo(s.data)
	case portCAPWAP:
		next, n = capwap(s.data)
	case portAYIYA:
		next, n = ayiya(s.data)
	case portL2TP:
		next, n = l2tp(s.data)
	case portMPLSUDP:
		if len(s.data) > 4 {
			next = layerMPLS
		}
	}
	if next == layerNone {
		switch source {
		case portTeredo:
			next, n = teredo(s.data)
		case portCAPWAP:
			next, n = capwap(s.data)
		case portGTPU:
			next, n = gtp(s.data)
		case portAYIYA:
			next, n = ayiya(s.data)
		case portL2TP:
			next, n = l2tp(s.data)
		}
	}
	if next != layerNone {
		s.data = s.data[n:]
	}
	return next
}

// vxlan reads RFC 7348.
func vxlan(b []byte) (layer, int) {
	if len(b) < 8+14 || b[0]&0x08 == 0 {
		return layerNone, 0
	}
	return layerEthernet, 8
}

// vxlanGPE reads draft-ietf-nvo3-vxlan-gpe.
func vxlanGPE(b []byte) (layer, int) {
	if len(b) < 8+20 || b[0]&0x08 == 0 {
		return layerNone, 0
	}
	switch b[3] {
	case 1:
		return layerIPv4, 8
	case 2:
		return layerIPv6, 8
	case 3:
		return layerEthernet, 8
	}
	return layerNone, 0
}

// geneve reads RFC 8926.
func geneve(b []byte) (layer, int) {
	if len(b) < 8 || b[0]>>6 != 0 {
		return layerNone, 0
	}
	n := 8 + int(b[0]&0x3f)*4
	if len(b) < n {
		return layerNone, 0
	}
	switch binary.BigEndian.Uint16(b[2:]) {
	case typeEthernet:
		return layerEthernet, n
	case typeIPv4:
		return layerIPv4, n
	case typeIPv6:
		return layerIPv6, n
	}
	return layerNone, 0
}

// gtp reads a GTPv1-U G-PDU (3GPP TS 29.281, section 5).
func gtp(b []byte) (layer, int) {
	if len(b) < 8 || b[0]>>5 != 1 || b[0]&0x10 == 0 || b[1] != 0xff {
		return layerNone, 0
	}
	n := 8
	if b[0]&7 != 0 {
		n = 12
		if len(b) < n {
			return layerNone, 0
		}
		next := b[11]
		for b[0]&4 != 0 && next != 0 {
			if n >= len(b) || b[n] == 0 {
				return layerNone, 0
			}
			size := int(b[n]) * 4
			if n+size > len(b) {
				return layerNone, 0
			}
			next = b[n+size-1]
			n += size
		}
	}
	if len(b) <= n {
		return layerNone, 0
	}
	switch b[n] >> 4 {
	case 4:
		return layerIPv4, n
	case 6:
		return layerIPv6, n
	}
	return layerNone, 0
}

// teredo reads RFC 4380, section 5.1.1: IPv6 behind an authentication and an
// origin indication, either of which may be missing.
func teredo(b []byte) (layer, int) {
	n := 0
	if len(b) >= 13 && b[0] == 0 && b[1] == 1 {
		n = 13 + int(b[2]) + int(b[3])
	}
	if len(b) >= n+8 && b[n] == 0 && b[n+1] == 0 {
		n += 8
	}
	if len(b) < n+40 || b[n]>>4 != 6 {
		return layerNone, 0
	}
	return layerIPv6, n
}

// capwap reads RFC 5415, section 4.3, where the frame inside is neither
// encrypted nor fragmented: 802.11 where the T bit is set, else Ethernet.
func capwap(b []byte) (layer, int) {
	const (
		native   = 0x01 // T, in the third byte
		fragment = 0x80 // F, in the fourth
	)
	if len(b) < 8 || b[0] != 0 || b[3]&fragment != 0 {
		return layerNone, 0
	}
	n := int(b[1]>>3) * 4
	if n < 8 || len(b) < n+14 {
		return layerNone, 0
	}
	if b[2]&native != 0 {
		return layer80211, n
	}
	return layerEthernet, n
}

// ayiya reads draft-massar-v6ops-ayiya-02, section 4: an identity and a
// signature whose lengths stand in the first two bytes, then IPv6.
func ayiya(b []byte) (layer, int) {
	const forward = 1
	if len(b) < 8 || b[2]&15 != forward || b[3] != protoIPv6 {
		return layerNone, 0
	}
	n := 8 + 1<<(b[0]>>4) + int(b[1]>>4)*4
	if len(b) < n+40 || b[n]>>4 != 6 {
		return layerNone, 0
	}
	return layerIPv6, n
}

// l2tp reads a data message of RFC 2661, section 3.1: PPP.
func l2tp(b []byte) (layer, int) {
	const (
		control  = 0x8000
		length   = 0x4000
		sequence = 0x0800
		offset   = 0x0200
		reserved = 0x34f0
		version  = 0x000f
	)
	if len(b) < 6 {
		return layerNone, 0
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&(control|reserved) != 0 || flags&version != 2 {
		return layerNone, 0
	}
	n := 6
	if flags&length != 0 {
		if int(binary.BigEndian.Uint16(b[2:])) > len(b) {
			return layerNone, 0
		}
		n += 2
	}
	if flags&sequence != 0 {
		n += 4
	}
	if flags&offset != 0 {
		if len(b) < n+2 {
			return layerNone, 0
		}
		n += 2 + int(binary.BigEndian.Uint16(b[n:]))
	}
	if len(b) < n+2 {
		return layerNone, 0
	}
	return layerPPP, n
}
