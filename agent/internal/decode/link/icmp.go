package link

import "slices"

// icmp opens an ICMP error (RFC 792; RFC 4443, section 2.4), which quotes the
// start of the packet that it answers; errors lists the types that do.
func (s *state) icmp(errors ...byte) layer {
	const header = 8
	if s.quoted || len(s.data) <= header || !slices.Contains(errors, s.data[0]) {
		return s.end(OtherIP)
	}
	s.quoted = true
	s.data = s.data[header:]
	return s.rawIP()
}

// encrypted ends the walk at a packet that only its receiver can read.
func (s *state) encrypted(protocol uint8) layer {
	p := s.packet
	p.Protocol = protocol
	p.Source.Port, p.Destination.Port = 0, 0
	p.Flags, p.Sequence = 0, 0
	p.Payload, p.Missing, p.Depth = s.data, s.missing, uint8(s.depth)
	return s.end(Encrypted)
}
