package link

import (
	"encoding/binary"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
)

// fast walks the frames that are nearly all of a network's: Ethernet, IPv4
// without options or IPv6 without extension headers, whole, TCP or UDP outside
// of tunnels. It reports false for any other and for all that is odd; what it
// then left in p is overwritten by the walk. It decides nothing that Walk would
// not.
func fast(link capture.LinkType, data []byte, missing int, p *Packet) bool {
	const ethernet, ipv4, ipv6 = 14, 20, 40
	if link != capture.LinkEthernet || len(data) < ethernet+ipv4+20 {
		return false
	}
	h := data[ethernet:]
	var protocol uint8
	switch binary.BigEndian.Uint16(data[12:]) {
	case typeIPv4:
		total := int(binary.BigEndian.Uint16(h[2:]))
		if h[0] != 0x45 || total < ipv4 || binary.BigEndian.Uint16(h[6:])&0x3fff != 0 {
			return false
		}
		protocol = h[9]
		mapIPv4(&p.Source.Address, h[12:16])
		mapIPv4(&p.Destination.Address, h[16:20])
		if total <= len(h) {
			h, missing = h[:total], 0
		} else {
			missing = total - len(h)
		}
		h = h[ipv4:]
	case typeIPv6:
		if len(h) < ipv6 {
			return false
		}
		total := ipv6 + int(binary.BigEndian.Uint16(h[4:]))
		if h[0]>>4 != 6 || total == ipv6 {
			return false
		}
		protocol = h[6]
		p.Source.Address, p.Destination.Address = Address(h[8:24]), Address(h[24:40])
		if total <= len(h) {
			h, missing = h[:total], 0
		} else {
			missing = total - len(h)
		}
		h = h[ipv6:]
	default:
		return false
	}
	p.Depth = 1
	switch protocol {
	case TCP:
		return fastTCP(h, missing, p)
	case UDP:
		return fastUDP(h, missing, p)
	}
	return false
}

func fastTCP(h []byte, missing int, p *Packet) bool {
	if len(h) < 20 {
		return false
	}
	size := int(h[12]>>4) * 4
	if size < 20 || size > len(h) {
		return false
	}
	p.Protocol, p.Flags = TCP, h[13]&0x1f
	p.Source.Port, p.Destination.Port = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	p.Sequence = binary.BigEndian.Uint32(h[4:])
	p.Payload, p.Missing = h[size:], missing
	return true
}

func fastUDP(h []byte, missing int, p *Packet) bool {
	if len(h) < 8 {
		return false
	}
	p.Source.Port, p.Destination.Port = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	if tunnelPort(p.Source.Port) || tunnelPort(p.Destination.Port) {
		return false
	}
	if length := int(binary.BigEndian.Uint16(h[4:])); length >= 8 {
		if length <= len(h) {
			h, missing = h[:length], 0
		} else {
			missing = length - len(h)
		}
	}
	p.Protocol, p.Flags, p.Sequence = UDP, 0, 0
	p.Payload, p.Missing = h[8:], missing
	return true
}

// tunnelPort reports whether a tunnel may run over a UDP port.
func tunnelPort(port uint16) bool {
	switch port {
	case portVXLAN, portVXLANOld, portVXLANGPE, portGeneve, portGTPU, portTeredo, portCAPWAP, portAYIYA, portL2TP, portMPLSUDP:
		return true
	}
	return false
}
