// Package dns reads DNS messages (RFC 1035) as far as they say which names
// were asked for, and which addresses and aliases were answered: over UDP and
// TCP, and the multicast kinds mDNS (RFC 6762) and LLMNR (RFC 4795).
//
// It is pure: no I/O, no goroutine, no log, and no allocation. It imports
// nothing of ours. It validates no signature and does not resolve.
package dns

import (
	"encoding/binary"
	"net/netip"
)

// Record types that are read
// (https://www.iana.org/assignments/dns-parameters).
const (
	TypeA     = 1
	TypeCNAME = 5
	TypeAAAA  = 28
	TypeSVCB  = 64
	TypeHTTPS = 65
)

const (
	headerSize   = 12
	maxQuestions = 32  // of one message; a resolver sends one
	maxRecords   = 512 // of the answer section
)

// Header is the fixed part of a message.
type Header struct {
	ID        uint16
	Response  bool
	Opcode    uint8
	Code      uint8 // RCODE
	Questions uint16
	Answers   uint16
}

// Question is one entry of the question section.
type Question struct {
	Type  uint16
	Class uint16
}

// Record is one resource record.
type Record struct {
	Type  uint16
	Class uint16
	TTL   uint32 // seconds
	Data  []byte // part of the message; names in it may point elsewhere, see Reader.Alias
	at    int    // of Data in the message
}

// Reader reads a message front to back.
type Reader struct {
	Header    Header
	msg       []byte
	at        int
	questions int
	records   int
	failed    bool
}

// Open reads the header. ok is false where the message is no plausible DNS.
func (r *Reader) Open(msg []byte) (ok bool) {
	*r = Reader{}
	if len(msg) < headerSize {
		return false
	}
	flags := binary.BigEndian.Uint16(msg[2:])
	r.Header = Header{
		ID:        binary.BigEndian.Uint16(msg),
		Response:  flags&0x8000 != 0,
		Opcode:    uint8(flags >> 11 & 15),
		Code:      uint8(flags & 15),
		Questions: binary.BigEndian.Uint16(msg[4:]),
		Answers:   binary.BigEndian.Uint16(msg[6:]),
	}
	r.msg, r.at = msg, headerSize
	return true
}

// Question reads the next question and its name. more is false after the last
// one, and where the message does not hold what its header says: then Failed
// tells.
func (r *Reader) Question(name *Name, q *Question) (more bool) {
	if r.failed || r.questions >= int(min(r.Header.Questions, maxQuestions)) {
		return false
	}
	r.questions++
	next := name.read(r.msg, r.at)
	if next < 0 || next+4 > len(r.msg) {
		r.failed = true
		return false
	}
	q.Type = binary.BigEndian.Uint16(r.msg[next:])
	q.Class = binary.BigEndian.Uint16(r.msg[next+2:])
	r.at = next + 4
	return true
}

// Answer reads the next record of the answer section and its name, to be
// called after the last question. more is as with Question.
func (r *Reader) Answer(name *Name, rec *Record) (more bool) {
	if r.failed || r.records >= int(min(r.Header.Answers, maxRecords)) {
		return false
	}
	r.records++
	next := name.read(r.msg, r.at)
	if next < 0 || next+10 > len(r.msg) {
		r.failed = true
		return false
	}
	b := r.msg[next:]
	size := int(binary.BigEndian.Uint16(b[8:]))
	if len(b) < 10+size {
		r.failed = true
		return false
	}
	*rec = Record{
		Type:  binary.BigEndian.Uint16(b),
		Class: binary.BigEndian.Uint16(b[2:]),
		TTL:   binary.BigEndian.Uint32(b[4:]),
		Data:  b[10 : 10+size],
		at:    next + 10,
	}
	r.at = next + 10 + size
	return true
}

// Failed reports whether reading stopped at something unsound.
func (r *Reader) Failed() bool { return r.failed }

// Address returns the address of an A or AAAA record.
func (rec *Record) Address() (netip.Addr, bool) {
	switch {
	case rec.Type == TypeA && len(rec.Data) == 4:
		return netip.AddrFrom4([4]byte(rec.Data)), true
	case rec.Type == TypeAAAA && len(rec.Data) == 16:
		return netip.AddrFrom16([16]byte(rec.Data)), true
	}
	return netip.Addr{}, false
}

// Alias reads the name that a CNAME record holds.
func (r *Reader) Alias(rec *Record, name *Name) bool {
	return rec.Type == TypeCNAME && name.read(r.msg[:rec.at+len(rec.Data)], rec.at) >= 0
}

// Parameters of a service binding (RFC 9460, section 14.3.2; RFC 9848;
// RFC 9461).
const (
	paramALPN     = 1
	paramIPv4Hint = 4
	paramECH      = 5
	paramIPv6Hint = 6
	paramDoHPath  = 7
)

// Service is what an HTTPS or SVCB record says. Its slices are parts of the
// message.
type Service struct {
	Priority uint16
	Target   Name
	ECH      []byte // ECHConfigList: the server takes encrypted hellos; nil where it is not said
	IPv4     []byte // hints, four bytes each
	IPv6     []byte // hints, sixteen bytes each
	DoH      bool   // the server answers DNS over HTTPS
}

// Service reads an HTTPS or SVCB record (RFC 9460, section 2.2).
func (r *Reader) Service(rec *Record, s *Service) bool {
	if rec.Type != TypeHTTPS && rec.Type != TypeSVCB || len(rec.Data) < 3 {
		return false
	}
	s.Priority = binary.BigEndian.Uint16(rec.Data)
	s.ECH, s.IPv4, s.IPv6, s.DoH = nil, nil, nil, false
	end := rec.at + len(rec.Data)
	at := s.Target.read(r.msg[:end], rec.at+2)
	if at < 0 {
		return false
	}
	for at+4 <= end {
		key := binary.BigEndian.Uint16(r.msg[at:])
		size := int(binary.BigEndian.Uint16(r.msg[at+2:]))
		at += 4
		if size > end-at {
			return false
		}
		value := r.msg[at : at+size]
		switch {
		case key == paramECH:
			s.ECH = value
		case key == paramIPv4Hint && size%4 == 0:
			s.IPv4 = value
		case key == paramIPv6Hint && size%16 == 0:
			s.IPv6 = value
		case key == paramDoHPath:
			s.DoH = true
		}
		at += size
	}
	return at == end
}

// Frame returns the message at the start of a TCP stream, which its length
// precedes (RFC 1035, section 4.2.2), and the bytes that both take. need is
// more than len(b) where the message is not complete.
func Frame(b []byte) (msg []byte, need int) {
	if len(b) < 2 {
		return nil, 2
	}
	need = 2 + int(binary.BigEndian.Uint16(b))
	if need > len(b) {
		return nil, need
	}
	return b[2:need], need
}

// LooksLikeMessage reports whether a datagram of an unknown port is DNS beyond
// reasonable doubt: a query or an answer of the usual kind with exactly one
// question of class IN, nothing reserved set, a name of ordinary characters,
// and, in a query, not more than an EDNS record behind it.
func LooksLikeMessage(msg []byte) bool {
	if len(msg) < headerSize+5 || msg[2]&0x78 != 0 || msg[3]&0x40 != 0 || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return false
	}
	response := msg[2]&0x80 != 0
	answers, authority, additional := binary.BigEndian.Uint16(msg[6:]), binary.BigEndian.Uint16(msg[8:]), binary.BigEndian.Uint16(msg[10:])
	if !response && (answers != 0 || authority != 0 || additional > 1) || int(answers)+int(authority)+int(additional) > maxRecords {
		return false
	}
	at := headerSize
	for {
		if at >= len(msg) || msg[at] > 63 {
			return false
		}
		size := int(msg[at])
		if size == 0 {
			break
		}
		if at+1+size >= len(msg) {
			return false
		}
		for _, c := range msg[at+1 : at+1+size] {
			if !ordinary(c) {
				return false
			}
		}
		at += 1 + size
	}
	if at == headerSize || at+5 > len(msg) || binary.BigEndian.Uint16(msg[at+3:]) != 1 {
		return false
	}
	return response || additional == 1 || at+5 == len(msg)
}

func ordinary(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

var typeNames = map[uint16]string{
	1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA",
	33: "SRV", 35: "NAPTR", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 52: "TLSA", 64: "SVCB",
	65: "HTTPS", 99: "SPF", 250: "TSIG", 252: "AXFR", 255: "ANY", 257: "CAA",
}

// TypeName returns the mnemonic of a record type, or "" for a rare one.
func TypeName(kind uint16) string { return typeNames[kind] }
