package format

import (
	"encoding/binary"
	"net/netip"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/dns"
	"github.com/gnomon-ai/gnomon/signatures"
)

// DnstapContentType is the content type of dnstap in Frame Streams
// (https://dnstap.info/).
const DnstapContentType = "protobuf:dnstap.Dnstap"

// maxFrame bounds one frame: a DNS message and what surrounds it.
const maxFrame = 128 << 10

// Message types that say what a client of the resolver asked
// (https://github.com/dnstap/dnstap.pb/blob/master/dnstap.proto, Message.Type).
const (
	dnstapClientQuery    = 5
	dnstapClientResponse = 6
)

// dnstap reads the frames of dnstap: the queries of clients, and their
// responses where no query was seen before them. Messages between resolvers
// are passed over.
type dnstap struct {
	queries bool
	name    dns.Name
}

func newDnstap(Options) Parser { return &dnstap{} }

// Reset implements Parser.
func (p *dnstap) Reset() { p.queries = false }

// dnstapMessage holds the fields of one message that are read.
type dnstapMessage struct {
	kind                        uint64
	protocol                    uint64
	client, server              []byte
	clientPort, serverPort      uint64
	querySeconds, replySeconds  uint64
	queryNanos, replyNanos      uint64
	queryMessage, answerMessage []byte
}

// Parse implements Parser; line is the content of one data frame.
func (p *dnstap) Parse(line []byte, r *Record) Result {
	var message []byte
	if !eachField(line, func(number int, _ uint64, b []byte) {
		if number == 14 {
			message = b
		}
	}) {
		return Malformed
	}
	var m dnstapMessage
	if !m.read(message) {
		return Malformed
	}
	r.clear(signatures.KindDNS)
	wire, seconds, nanos := m.queryMessage, m.querySeconds, m.queryNanos
	switch m.kind {
	case dnstapClientQuery:
		p.queries = true
	case dnstapClientResponse:
		if p.queries {
			return Ignored
		}
		if wire == nil {
			wire = m.answerMessage
		}
		if seconds == 0 {
			seconds, nanos = m.replySeconds, m.replyNanos
		}
	default:
		return Ignored
	}
	if seconds > 0 && seconds <= lastSecond && nanos < 1e9 {
		r.Time = int64(seconds)*second + int64(nanos)
	}
	switch m.protocol {
	case 1:
		r.Protocol = "udp"
	case 2:
		r.Protocol = "tcp"
	}
	r.Client, _ = netip.AddrFromSlice(m.client)
	r.Server, _ = netip.AddrFromSlice(m.server)
	r.ClientPort, r.ServerPort = uint16(min(m.clientPort, 65535)), uint16(min(m.serverPort, 65535))
	var reader dns.Reader
	var q dns.Question
	if !reader.Open(wire) || !reader.Question(&p.name, &q) {
		return Malformed
	}
	r.Name = dropDot(p.name.Bytes())
	return r.finish()
}

// read takes the fields of a Message; numbers are those of dnstap.proto.
func (m *dnstapMessage) read(b []byte) bool {
	return eachField(b, func(number int, v uint64, b []byte) {
		switch number {
		case 1:
			m.kind = v
		case 3:
			m.protocol = v
		case 4:
			m.client = b
		case 5:
			m.server = b
		case 6:
			m.clientPort = v
		case 7:
			m.serverPort = v
		case 8:
			m.querySeconds = v
		case 9:
			m.queryNanos = v
		case 10:
			m.queryMessage = b
		case 12:
			m.replySeconds = v
		case 13:
			m.replyNanos = v
		case 14:
			m.answerMessage = b
		}
	})
}

// eachField hands the fields of a protobuf message to f: b for those with a
// length, v for all others (https://protobuf.dev/programming-guides/encoding/).
func eachField(b []byte, f func(number int, v uint64, b []byte)) bool {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return false
		}
		b = b[n:]
		number := int(tag >> 3)
		switch tag & 7 {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return false
			}
			f(number, v, nil)
			b = b[n:]
		case 1:
			if len(b) < 8 {
				return false
			}
			f(number, binary.LittleEndian.Uint64(b), nil)
			b = b[8:]
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return false
			}
			f(number, 0, b[n:n+int(size)])
			b = b[n+int(size):]
		case 5:
			if len(b) < 4 {
				return false
			}
			f(number, uint64(binary.LittleEndian.Uint32(b)), nil)
			b = b[4:]
		default:
			return false
		}
	}
	return true
}
