package network

import (
	"bytes"
	"context"
	"net/netip"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

// carriage is a way to carry IP packets. Package link has a test of each
// header by itself; here a whole connection goes through.
type carriage struct {
	name string
	link uint32
	wrap func(ip []byte) []byte
}

func carriages() []carriage {
	const (
		ethernet = 1
		typeMPLS = 0x8847
	)
	near, far := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	near6, far6 := netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:1::2")
	kind := func(ip []byte) []byte { return wire.EthernetIP(ip)[12:14] }
	inIP := func(protocol byte, b []byte) []byte { return wire.EthernetIP(wire.IP(near, far, protocol, b)) }
	inIP6 := func(protocol byte, b []byte) []byte { return wire.EthernetIP(wire.IP(near6, far6, protocol, b)) }
	number := func(ip []byte) byte {
		if ip[0]>>4 == 6 {
			return 41
		}
		return 4
	}
	inUDP := func(port uint16, b []byte) []byte { return inIP(17, wire.UDP(9999, port, b)) }
	ppp := func(ip []byte) []byte {
		if ip[0]>>4 == 6 {
			return wire.Join([]byte{0, 0x57}, ip)
		}
		return wire.Join([]byte{0, 0x21}, ip)
	}
	snap := func(ip []byte) []byte { return wire.Join([]byte{0xaa, 0xaa, 3, 0, 0, 0}, kind(ip), ip) }
	family := func(ip []byte) byte {
		if ip[0]>>4 == 6 {
			return 30
		}
		return 2
	}
	return []carriage{
		{"Ethernet", ethernet, wire.EthernetIP},
		{"VLAN", ethernet, func(ip []byte) []byte { return wire.Ethernet(wire.TypeVLAN, wire.Join([]byte{0, 7}, kind(ip), ip)) }},
		{"QinQ", ethernet, func(ip []byte) []byte {
			return wire.Ethernet(wire.TypeQinQ, wire.Tag(1, wire.TypeVLAN, wire.Join([]byte{0, 7}, kind(ip), ip)))
		}},
		{"MPLS", ethernet, func(ip []byte) []byte {
			return wire.Ethernet(typeMPLS, wire.Join([]byte{0, 1, 0, 64, 0, 2, 1, 64}, ip))
		}},
		{"MPLS pseudowire", ethernet, func(ip []byte) []byte {
			return wire.Ethernet(typeMPLS, wire.Join([]byte{0, 1, 1, 64}, zeros(4), wire.EthernetIP(ip)))
		}},
		{"PPPoE", ethernet, func(ip []byte) []byte {
			return wire.Ethernet(0x8864, wire.Join([]byte{0x11, 0, 0, 1}, wire.U16(2+len(ip)), ppp(ip)))
		}},
		{"GRE", ethernet, func(ip []byte) []byte { return inIP(47, wire.Join(zeros(2), kind(ip), ip)) }},
		{"GRE with a key", ethernet, func(ip []byte) []byte { return inIP(47, wire.Join([]byte{0x20, 0}, kind(ip), zeros(4), ip)) }},
		{"NVGRE", ethernet, func(ip []byte) []byte {
			return inIP(47, wire.Join([]byte{0x20, 0, 0x65, 0x58}, zeros(4), wire.EthernetIP(ip)))
		}},
		{"PPTP", ethernet, func(ip []byte) []byte {
			return inIP(47, wire.Join([]byte{0x30, 0x81, 0x88, 0x0b}, zeros(12), ppp(ip)))
		}},
		{"ERSPAN I", ethernet, func(ip []byte) []byte { return inIP(47, wire.Join(zeros(2), []byte{0x88, 0xbe}, wire.EthernetIP(ip))) }},
		{"ERSPAN II", ethernet, func(ip []byte) []byte {
			return inIP(47, wire.Join([]byte{0x10, 0, 0x88, 0xbe}, zeros(4), zeros(8), wire.EthernetIP(ip)))
		}},
		{"ERSPAN III", ethernet, func(ip []byte) []byte {
			return inIP(47, wire.Join([]byte{0x10, 0, 0x22, 0xeb}, zeros(4), zeros(12), wire.EthernetIP(ip)))
		}},
		{"VXLAN", ethernet, func(ip []byte) []byte { return inUDP(4789, wire.Join([]byte{8}, zeros(7), wire.EthernetIP(ip))) }},
		{"VXLAN on port 8472", ethernet, func(ip []byte) []byte { return inUDP(8472, wire.Join([]byte{8}, zeros(7), wire.EthernetIP(ip))) }},
		{"VXLAN GPE", ethernet, func(ip []byte) []byte {
			return inUDP(4790, wire.Join([]byte{0x0c, 0, 0, 3}, zeros(4), wire.EthernetIP(ip)))
		}},
		{"Geneve with options", ethernet, func(ip []byte) []byte {
			return inUDP(6081, wire.Join([]byte{2, 0, 0x65, 0x58}, zeros(4), zeros(8), wire.EthernetIP(ip)))
		}},
		{"GTP-U", ethernet, func(ip []byte) []byte { return inUDP(2152, wire.Join([]byte{0x30, 0xff}, zeros(6), ip)) }},
		{"GTP-U with extensions", ethernet, func(ip []byte) []byte {
			return inUDP(2152, wire.Join([]byte{0x34, 0xff}, zeros(6), []byte{0, 0, 0, 0x85, 1, 0, 0, 0x85, 1, 0, 0, 0}, ip))
		}},
		{"L2TP", ethernet, func(ip []byte) []byte { return inUDP(1701, wire.Join([]byte{0, 2, 0, 1, 0, 1, 0xff, 3}, ppp(ip))) }},
		{"CAPWAP", ethernet, func(ip []byte) []byte {
			return inUDP(5247, wire.Join([]byte{0, 0x10, 0, 0}, zeros(4), wire.EthernetIP(ip)))
		}},
		{"in IPv4", ethernet, func(ip []byte) []byte { return inIP(number(ip), ip) }},
		{"in IPv6", ethernet, func(ip []byte) []byte { return inIP6(number(ip), ip) }},
		{"in IPv6 with extension headers", ethernet, func(ip []byte) []byte {
			return inIP6(0, wire.Join(wire.IPv6Extension(43), wire.IPv6Extension(60), wire.IPv6Extension(number(ip)), ip))
		}},
		{"nested", ethernet, func(ip []byte) []byte {
			return inUDP(4789, wire.Join([]byte{8}, zeros(7), inIP6(47, wire.Join(zeros(2), kind(ip), ip))))
		}},
		{"SLL", 113, func(ip []byte) []byte { return wire.Join(zeros(14), kind(ip), ip) }},
		{"SLL2", 276, func(ip []byte) []byte { return wire.Join(kind(ip), zeros(18), ip) }},
		{"NULL, little-endian", 0, func(ip []byte) []byte { return wire.Join([]byte{family(ip), 0, 0, 0}, ip) }},
		{"NULL, big-endian", 0, func(ip []byte) []byte { return wire.Join([]byte{0, 0, 0, family(ip)}, ip) }},
		{"LOOP", 108, func(ip []byte) []byte { return wire.Join([]byte{0, 0, 0, family(ip)}, ip) }},
		{"raw", 101, func(ip []byte) []byte { return ip }},
		{"PKTAP", 258, func(ip []byte) []byte {
			return wire.Join([]byte{16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, zeros(4), wire.EthernetIP(ip))
		}},
		{"PPP", 9, func(ip []byte) []byte { return wire.Join([]byte{0xff, 3}, ppp(ip)) }},
		{"FDDI", 10, func(ip []byte) []byte { return wire.Join(zeros(13), snap(ip)) }},
		{"802.11", 105, func(ip []byte) []byte { return wire.Join([]byte{0x08, 0x01}, zeros(22), snap(ip)) }},
		{"802.11 with QoS, between access points", 105, func(ip []byte) []byte { return wire.Join([]byte{0x88, 0x03}, zeros(30), snap(ip)) }},
		{"radiotap", 127, func(ip []byte) []byte {
			return wire.Join([]byte{0, 0, 12, 0}, zeros(8), []byte{0x08, 0x01}, zeros(22), snap(ip))
		}},
		{"PPI", 192, func(ip []byte) []byte {
			return wire.Join([]byte{0, 0, 8, 0, 105, 0, 0, 0}, []byte{0x08, 0x01}, zeros(22), snap(ip))
		}},
	}
}

// TestHardCasesEncapsulation sends a hello over several segments, and a query,
// through every carriage, over IPv4 and IPv6.
func TestHardCasesEncapsulation(t *testing.T) {
	one := hello(t, "api.example.com")
	for _, c := range carriages() {
		for _, ends := range [][2]string{{clientEnd, serverEnd}, {"[2001:db8::10]:50000", "[2001:db8::20]:8443"}} {
			conn := wire.NewConn(ends[0], ends[1])
			list := append(conn.Open(), conn.Split(one, 600)...)
			asker, server := netip.MustParseAddrPort(ends[0]), netip.AddrPortFrom(conn.Server.Addr(), 53)
			list = append(list, wire.Datagram(asker, server, wire.DNSQuery(1, "asked.example", 1)))
			name := c.name + ", IPv4"
			if asker.Addr().Is6() {
				name = c.name + ", IPv6"
			}
			t.Run(name, func(t *testing.T) {
				var wrapped [][]byte
				for _, f := range list {
					wrapped = append(wrapped, c.wrap(f[14:]))
				}
				var seen []signatures.Observation
				stats, err := Replay(context.Background(), bytes.NewReader(wire.Pcap{Minor: 4, Link: c.link}.File(wrapped...)), "test", func(o signatures.Observation) {
					seen = append(seen, o)
				})
				if err != nil || stats.Panics != 0 || len(stats.Blind) != 0 {
					t.Errorf("%v, %d panics, blind %v", err, stats.Panics, stats.Blind)
				}
				want(t, "seen", lines(seen), "tls api.example.com "+ends[0]+">"+ends[1], "dns asked.example "+ends[0]+">"+server.String())
			})
		}
	}
	// Teredo carries IPv6 only.
	conn := wire.NewConn("[2001:db8::10]:50000", "[2001:db8::20]:8443")
	var wrapped [][]byte
	for _, f := range append(conn.Open(), conn.Split(one, 600)...) {
		wrapped = append(wrapped, wire.EthernetIP(wire.IP(netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), 17, wire.UDP(9999, 3544, f[14:]))))
	}
	list, _ := replay(t, wrapped...)
	want(t, "Teredo", lines(list), "tls api.example.com [2001:db8::10]:50000>[2001:db8::20]:8443")
}

// TestHardCasesOfCaptures lists what a capture does to packets.
func TestHardCasesOfCaptures(t *testing.T) {
	one := hello(t, "api.example.com")
	found := []string{helloLine}
	whole := session(one)
	deep := wire.Datagram(stub, resolver, wire.DNSQuery(1, "deep.example", 1))[14:]
	for range 9 {
		deep = wire.IP(netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), 4, deep)
	}
	noLength := bytes.Clone(whole[3])
	noLength[14+2], noLength[14+3] = 0, 0
	badSum := bytes.Clone(whole[3])
	badSum[14+10], badSum[14+20+16] = 0x55, 0x55
	fragment := func(offset int, more bool, part []byte) []byte {
		return wire.EthernetIP(wire.IPv4Fragment(netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("198.51.100.20"), wire.ProtoTCP, 3, offset, more, part))
	}
	segment := whole[3][34:]
	runHardCases(t, []hardCase{
		{name: "an IP length of zero", frames: [][]byte{whole[0], whole[1], whole[2], noLength}, lines: found},
		{name: "a packet longer than any link takes", frames: session(wire.WithExtension(one, wire.Join(wire.U16(99), wire.U16(9000), zeros(9000)))), lines: found},
		{name: "checksums that are wrong", frames: [][]byte{whole[0], whole[1], whole[2], badSum}, lines: found},
		{name: "padding behind the packet", frames: [][]byte{whole[0], whole[1], append(bytes.Clone(whole[2]), zeros(6)...), append(bytes.Clone(whole[3]), zeros(40)...)}, lines: found},
		{name: "a segment in fragments, out of order", frames: [][]byte{whole[0], fragment(1000, false, segment[1000:]), fragment(0, true, segment[:1000])}, lines: found},
		{name: "a fragment lost", frames: [][]byte{whole[0], fragment(0, true, segment[:1000]), fragment(1200, false, segment[1200:])},
			counters: map[string]uint64{"fragments": 2, "datagrams_reassembled": 0, "datagrams_expired": 1}, blind: map[string]uint64{"ip_fragment": 1}},
		{name: "tunnels too deep", frames: [][]byte{wire.EthernetIP(deep)}, counters: map[string]uint64{"frames_too_deep": 1}, blind: map[string]uint64{"tunnel_depth": 1}},
		{name: "client side only", frames: [][]byte{whole[0], whole[2], whole[3], whole[4]}, lines: found},
		{name: "server side only", frames: [][]byte{whole[1], whole[5]}, counters: map[string]uint64{"flows_unnamed": 1}},
	})
}

// A snap length that cuts the hello behind its name leaves the name; one that
// cuts it before, or cuts headers, is told.
func TestHardCasesOfSnapLengths(t *testing.T) {
	frames := session(hello(t, "api.example.com"))
	name := bytes.Index(frames[3], []byte("api.example.com"))
	f := func(what string, snap int, lines_ []string, reason string) {
		t.Helper()
		var list [][]byte
		for _, frame := range frames {
			list = append(list, frame[:min(len(frame), snap)])
		}
		file := wire.EthernetFile(list...)
		at := 24
		for i, frame := range frames { // the length on the wire is that of the whole frame
			file[at+12], file[at+13] = byte(len(frame)), byte(len(frame)>>8)
			at += 16 + len(list[i])
		}
		var seen []signatures.Observation
		stats, err := Replay(context.Background(), bytes.NewReader(file), "cut", func(o signatures.Observation) { seen = append(seen, o) })
		if err != nil {
			t.Fatal(err)
		}
		want(t, what, lines(seen), lines_...)
		if reason != "" && blind(stats, reason) == 0 {
			t.Errorf("%s: blind %v", what, stats.Blind)
		}
	}
	f("behind the name", name+20, []string{helloLine}, "")
	f("before the name", name-20, nil, "tls_hello_incomplete")
	f("in the headers", 40, nil, "snap_length")
}
