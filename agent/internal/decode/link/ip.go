package link

import "encoding/binary"

// Protocol numbers
// (https://www.iana.org/assignments/protocol-numbers) that lead on.
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoIPv4        = 4
	protoTCP         = TCP
	protoUDP         = UDP
	protoIPv6        = 41
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoESP         = 50
	protoAH          = 51
	protoICMPv6      = 58
	protoNone        = 59
	protoDestination = 60
	protoMobility    = 135
	protoMPLS        = 137
)

// ipv4 opens an IPv4 header (RFC 791).
func (w *Walker) ipv4(s *state) layer {
	s.depth++
	h := s.data
	if len(h) < 20 {
		return s.short()
	}
	size := int(h[0]&15) * 4
	if h[0]>>4 != 4 || size < 20 {
		return s.end(Malformed)
	}
	total := int(binary.BigEndian.Uint16(h[2:]))
	if total == 0 { // the sender's network card was to split it
		total = len(h) + s.missing
	}
	if total < size {
		return s.end(Malformed)
	}
	if len(h) < size {
		return s.short()
	}
	p := s.packet
	mapIPv4(&p.Source.Address, h[12:16])
	mapIPv4(&p.Destination.Address, h[16:20])
	s.trim(total)
	s.data = s.data[size:]
	protocol := h[9]
	fragment := binary.BigEndian.Uint16(h[6:])
	if fragment&0x3fff != 0 { // an offset, or more to come
		id := uint32(binary.BigEndian.Uint16(h[4:]))
		if !w.fragment(s, id, protocol, int(fragment&0x1fff)*8, fragment&0x2000 != 0) {
			return layerNone
		}
	}
	return s.byProtocol(protocol)
}

// mapIPv4 writes whole words: the keys of connections are read from them a word
// at a time, and a processor waits where it reads a word that was just written
// in pieces.
func mapIPv4(to *Address, from []byte) {
	binary.LittleEndian.PutUint64(to[:8], 0)
	binary.LittleEndian.PutUint64(to[8:], 0xffff<<16|uint64(binary.LittleEndian.Uint32(from))<<32)
}

// trim removes what lies behind an IP packet of total bytes, or counts what is
// missing of it.
func (s *state) trim(total int) {
	if total <= len(s.data) {
		s.data = s.data[:total]
		s.missing = 0
		return
	}
	s.missing = total - len(s.data)
}

// ipv6 opens an IPv6 header and its extension headers (RFC 8200).
func (w *Walker) ipv6(s *state) layer {
	s.depth++
	h := s.data
	if len(h) < 40 {
		return s.short()
	}
	if h[0]>>4 != 6 {
		return s.end(Malformed)
	}
	p := s.packet
	p.Source.Address = Address(h[8:24])
	p.Destination.Address = Address(h[24:40])
	if length := int(binary.BigEndian.Uint16(h[4:])); length != 0 { // 0: a jumbogram, or left to the network card
		s.trim(40 + length)
	}
	next := h[6]
	s.data = s.data[40:]
	for range maxSteps {
		var size int
		switch next {
		case protoHopByHop, protoRouting, protoDestination, protoMobility:
			if len(s.data) < 8 {
				return s.short()
			}
			size = 8 + int(s.data[1])*8
		case protoAH:
			if len(s.data) < 8 {
				return s.short()
			}
			size = 8 + int(s.data[1])*4
		case protoFragment:
			if len(s.data) < 8 {
				return s.short()
			}
			offset := binary.BigEndian.Uint16(s.data[2:])
			id := binary.BigEndian.Uint32(s.data[4:])
			next = s.data[0]
			s.data = s.data[8:]
			if offset&0xfff9 != 0 && !w.fragment(s, id, next, int(offset&0xfff8), offset&1 != 0) {
				return layerNone
			}
			continue
		default:
			return s.byProtocol(next)
		}
		if size > len(s.data) {
			return s.short()
		}
		next, s.data = s.data[0], s.data[size:]
	}
	return s.end(TooDeep)
}

// byProtocol says what an IP protocol number stands for.
func (s *state) byProtocol(protocol uint8) layer {
	switch protocol {
	case protoTCP:
		return layerTCP
	case protoUDP:
		return layerUDP
	case protoIPv4:
		return layerIPv4
	case protoIPv6:
		return layerIPv6
	case protoGRE:
		return layerGRE
	case protoMPLS:
		return layerMPLS
	case protoICMP:
		return s.icmp(3, 4, 5, 11, 12)
	case protoICMPv6:
		return s.icmp(1, 2, 3, 4)
	case protoESP:
		return s.encrypted(protoESP)
	case protoAH:
		if len(s.data) < 8 {
			return s.short()
		}
		size := 8 + int(s.data[1])*4
		inner := s.data[0]
		if size > len(s.data) {
			return s.short()
		}
		s.data = s.data[size:]
		if inner == protoAH {
			return s.end(Malformed)
		}
		return s.byProtocol(inner)
	}
	return s.end(OtherIP)
}

// tcp opens a TCP header (RFC 9293). A header that claims more than there is
// keeps no payload.
func (s *state) tcp() layer {
	h := s.data
	if len(h) < 20 {
		return s.short()
	}
	size := int(h[12]>>4) * 4
	if size < 20 {
		return s.end(Malformed)
	}
	if size > len(h) {
		return s.short()
	}
	p := s.packet
	p.Protocol = TCP
	p.Source.Port = binary.BigEndian.Uint16(h)
	p.Destination.Port = binary.BigEndian.Uint16(h[2:])
	p.Sequence = binary.BigEndian.Uint32(h[4:])
	p.Flags = h[13] & 0x1f
	p.Payload = h[size:]
	p.Missing = s.missing
	p.Depth = uint8(s.depth)
	return s.end(Found)
}

// udp opens a UDP header (RFC 768) and the tunnels that run over it.
func (s *state) udp() layer {
	h := s.data
	if len(h) < 8 {
		return s.short()
	}
	p := s.packet
	p.Protocol = UDP
	p.Flags, p.Sequence = 0, 0
	p.Source.Port = binary.BigEndian.Uint16(h)
	p.Destination.Port = binary.BigEndian.Uint16(h[2:])
	if length := int(binary.BigEndian.Uint16(h[4:])); length >= 8 {
		s.trim(length)
	}
	s.data = s.data[8:]
	p.Payload = s.data
	p.Missing = s.missing
	p.Depth = uint8(s.depth)
	if next := s.tunnel(p.Source.Port, p.Destination.Port); next != layerNone {
		s.depth++
		return next
	}
	return s.end(Found)
}
