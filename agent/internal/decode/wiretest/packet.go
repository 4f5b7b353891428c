// Package wiretest builds packets, messages and capture files for tests: what
// a test needs is said in the test, and no file of bytes lies about.
//
// It may import the standard library only, and only tests import it. It builds
// sound headers with zero checksums, which nothing here looks at; a test that
// wants an unsound one changes the bytes itself.
package wiretest

import (
	"encoding/binary"
	"net/netip"
)

// Ether types and IP protocols for the builders.
const (
	TypeIPv4 = 0x0800
	TypeIPv6 = 0x86dd
	TypeVLAN = 0x8100
	TypeQinQ = 0x88a8
	ProtoTCP = 6
	ProtoUDP = 17
)

// TCP flags.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Join concatenates.
func Join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// U16 returns n in network byte order.
func U16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

// U32 returns n in network byte order.
func U32(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// Ethernet puts a frame around payload.
func Ethernet(kind int, payload []byte) []byte {
	return Join([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, U16(kind), payload)
}

// Tag puts an 802.1Q tag before payload, to follow an Ether type of TypeVLAN
// or TypeQinQ.
func Tag(vlan, kind int, payload []byte) []byte { return Join(U16(vlan), U16(kind), payload) }

// IP puts an IPv4 or IPv6 header around payload, by the kind of the addresses.
func IP(source, destination netip.Addr, protocol byte, payload []byte) []byte {
	if source.Is4() {
		return IPv4Fragment(source, destination, protocol, 0, 0, false, payload)
	}
	h := Join([]byte{0x60, 0, 0, 0}, U16(len(payload)), []byte{protocol, 64}, source.AsSlice(), destination.AsSlice())
	return Join(h, payload)
}

// IPv4Fragment returns one fragment; offset is in bytes.
func IPv4Fragment(source, destination netip.Addr, protocol byte, id, offset int, more bool, payload []byte) []byte {
	flags := offset / 8
	if more {
		flags |= 0x2000
	}
	return Join([]byte{0x45, 0}, U16(20+len(payload)), U16(id), U16(flags), []byte{64, protocol, 0, 0},
		source.AsSlice(), destination.AsSlice(), payload)
}

// IPv6FragmentHeader returns the extension header of a fragment.
func IPv6FragmentHeader(next byte, id, offset int, more bool) []byte {
	flags := offset
	if more {
		flags |= 1
	}
	return Join([]byte{next, 0}, U16(flags), U32(id))
}

// IPv6Extension returns a hop-by-hop, routing or destination header of eight
// bytes, with padding for options.
func IPv6Extension(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }

// TCP returns a segment.
func TCP(source, destination uint16, sequence uint32, flags byte, payload []byte) []byte {
	return Join(U16(int(source)), U16(int(destination)), U32(int(sequence)), U32(0), []byte{0x50, flags, 0xff, 0xff, 0, 0, 0, 0}, payload)
}

// UDP returns a datagram.
func UDP(source, destination uint16, payload []byte) []byte {
	return Join(U16(int(source)), U16(int(destination)), U16(8+len(payload)), U16(0), payload)
}

// Datagram returns an Ethernet frame with a UDP datagram.
func Datagram(source, destination netip.AddrPort, payload []byte) []byte {
	return EthernetIP(IP(source.Addr(), destination.Addr(), ProtoUDP, UDP(source.Port(), destination.Port(), payload)))
}

// EthernetIP puts a frame around an IP packet of either version.
func EthernetIP(packet []byte) []byte {
	if packet[0]>>4 == 6 {
		return Ethernet(TypeIPv6, packet)
	}
	return Ethernet(TypeIPv4, packet)
}

// Conn builds the frames of a TCP connection.
type Conn struct {
	Client, Server netip.AddrPort
	up, down       uint32 // next sequence numbers
}

// NewConn returns a connection whose sequence numbers wrap soon, which they
// may do at any time.
func NewConn(client, server string) *Conn {
	return &Conn{Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server), up: 0xffffff00, down: 7000}
}

// Open returns the frames of the three-way handshake.
func (c *Conn) Open() [][]byte {
	frames := [][]byte{c.frame(true, c.up, SYN, nil), c.frame(false, c.down, SYN|ACK, nil)}
	c.up++
	c.down++
	return append(frames, c.frame(true, c.up, ACK, nil))
}

// Up returns a frame with data from the client, and counts it as sent.
func (c *Conn) Up(data []byte) []byte {
	f := c.frame(true, c.up, PSH|ACK, data)
	c.up += uint32(len(data))
	return f
}

// Down is Up from the server.
func (c *Conn) Down(data []byte) []byte {
	f := c.frame(false, c.down, PSH|ACK, data)
	c.down += uint32(len(data))
	return f
}

// UpAt returns a frame with data from the client, offset bytes from what
// comes next, and counts nothing.
func (c *Conn) UpAt(offset int, data []byte) []byte {
	return c.frame(true, c.up+uint32(offset), PSH|ACK, data)
}

// Split returns data from the client in segments of at most size bytes.
func (c *Conn) Split(data []byte, size int) [][]byte {
	var frames [][]byte
	for len(data) > 0 {
		n := min(size, len(data))
		frames = append(frames, c.Up(data[:n]))
		data = data[n:]
	}
	return frames
}

// Close returns the frames that end the connection.
func (c *Conn) Close() [][]byte {
	return [][]byte{c.frame(true, c.up, FIN|ACK, nil), c.frame(false, c.down, FIN|ACK, nil)}
}

func (c *Conn) frame(up bool, sequence uint32, flags byte, data []byte) []byte {
	from, to := c.Client, c.Server
	if !up {
		from, to = to, from
	}
	return EthernetIP(IP(from.Addr(), to.Addr(), ProtoTCP, TCP(from.Port(), to.Port(), sequence, flags, data)))
}
