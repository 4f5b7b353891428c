package link

import "encoding/binary"

// Ether types (https://www.iana.org/assignments/ieee-802-numbers).
const (
	typeIPv4      = 0x0800
	typeIPv6      = 0x86dd
	typeVLAN      = 0x8100
	typeQinQ      = 0x88a8
	typeQinQOld   = 0x9100
	typeMPLS      = 0x8847
	typeMPLSMulti = 0x8848
	typePPPoE     = 0x8864
	typeEthernet  = 0x6558 // transparent Ethernet bridging
	typePPP       = 0x880b
	typeERSPAN2   = 0x88be
	typeMACsec    = 0x88e5
	typeBackbone  = 0x88e7 // 802.1ah: Ethernet in Ethernet
	typeWCCP      = 0x883e // redirected to a cache, in GRE
	typeERSPAN3   = 0x22eb
	typeAruba     = 0x8200 // 802.11 frames between access point and controller
	typeArubaLast = 0x820f
	maxLLCLength  = 1500
)

func (s *state) etherType() layer {
	if len(s.data) < 2 {
		return s.short()
	}
	kind := binary.BigEndian.Uint16(s.data)
	s.data = s.data[2:]
	return s.byType(kind)
}

// byType says what an Ethernet type stands for.
func (s *state) byType(kind uint16) layer {
	switch kind {
	case typeIPv4:
		return layerIPv4
	case typeIPv6:
		return layerIPv6
	case typeVLAN, typeQinQ, typeQinQOld:
		return s.skipTo(2, layerEtherType)
	case typeMPLS, typeMPLSMulti:
		return layerMPLS
	case typePPPoE:
		return layerPPPoE
	case typeEthernet:
		return layerEthernet
	case typePPP:
		return layerPPP
	case typeMACsec:
		return layerMACsec
	case typeBackbone:
		s.depth++
		return s.skipTo(4, layerEthernet)
	}
	if kind <= maxLLCLength {
		return layerLLC
	}
	return s.end(NotIP)
}

func (s *state) rawIP() layer {
	if len(s.data) == 0 {
		return s.short()
	}
	switch s.data[0] >> 4 {
	case 4:
		return layerIPv4
	case 6:
		return layerIPv6
	}
	return s.end(NotIP)
}

// mpls passes over one label stack entry (RFC 3032). Below the last one lies
// IP, or Ethernet behind a control word (RFC 4448) that starts with zero.
func (s *state) mpls() layer {
	if len(s.data) < 4 {
		return s.short()
	}
	last := s.data[2]&1 != 0
	s.data = s.data[4:]
	if !last {
		return layerMPLS
	}
	if len(s.data) == 0 {
		return s.short()
	}
	switch s.data[0] >> 4 {
	case 4:
		return layerIPv4
	case 6:
		return layerIPv6
	case 0:
		s.depth++
		return s.skipTo(4, layerEthernet)
	}
	s.depth++
	return layerEthernet
}
