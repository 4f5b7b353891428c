package link

import (
	"net/netip"
	"testing"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

var (
	four  = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	six   = [2]netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	outer = [2]netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}
)

const text = "what is carried"

// inner4 and inner6 are IP packets with a UDP datagram that holds text.
func inner4() []byte {
	return wire.IP(four[0], four[1], wire.ProtoUDP, wire.UDP(1111, 2222, []byte(text)))
}

func inner6() []byte {
	return wire.IP(six[0], six[1], wire.ProtoUDP, wire.UDP(1111, 2222, []byte(text)))
}

func inUDP(port uint16, payload []byte) []byte {
	return wire.EthernetIP(wire.IP(outer[0], outer[1], wire.ProtoUDP, wire.UDP(9999, port, payload)))
}

func inIP(protocol byte, payload []byte) []byte {
	return wire.EthernetIP(wire.IP(outer[0], outer[1], protocol, payload))
}

func snap(kind int, payload []byte) []byte {
	return wire.Join([]byte{0xaa, 0xaa, 3, 0, 0, 0}, wire.U16(kind), payload)
}

func zeros(n int) []byte { return make([]byte, n) }

// encapsulations lists a way to carry text for each header this package opens.
func encapsulations() []struct {
	name  string
	link  capture.LinkType
	frame []byte
	depth uint8
} {
	const eth = capture.LinkEthernet
	ip, ip6 := inner4(), inner6()
	frame := wire.EthernetIP(ip)
	hbh := wire.IP(six[0], six[1], 0, wire.Join(wire.IPv6Extension(60), wire.IPv6Extension(43), wire.IPv6Extension(51),
		[]byte{17, 4}, zeros(22), ip6[40:]))
	atomic := wire.IP(six[0], six[1], 44, wire.Join(wire.IPv6FragmentHeader(17, 5, 0, false), ip6[40:]))
	wlan := wire.Join([]byte{0x08, 0x01}, zeros(22), snap(wire.TypeIPv4, ip))
	return []struct {
		name  string
		link  capture.LinkType
		frame []byte
		depth uint8
	}{
		{"Ethernet IPv4", eth, frame, 1},
		{"Ethernet IPv6", eth, wire.EthernetIP(ip6), 1},
		{"Ethernet with padding", eth, append(wire.EthernetIP(ip), 0, 0, 0, 0), 1},
		{"802.1Q", eth, wire.Ethernet(wire.TypeVLAN, wire.Tag(7, wire.TypeIPv4, ip)), 1},
		{"QinQ", eth, wire.Ethernet(wire.TypeQinQ, wire.Tag(7, wire.TypeVLAN, wire.Tag(8, wire.TypeIPv6, ip6))), 1},
		{"802.3 with SNAP", eth, wire.Ethernet(8+len(ip), snap(wire.TypeIPv4, ip)), 1},
		{"MPLS", eth, wire.Ethernet(typeMPLS, wire.Join([]byte{0, 1, 0, 64, 0, 1, 1, 64}, ip)), 1},
		{"MPLS pseudowire", eth, wire.Ethernet(typeMPLS, wire.Join([]byte{0, 1, 1, 64}, zeros(4), frame)), 2},
		{"PPPoE", eth, wire.Ethernet(typePPPoE, wire.Join([]byte{0x11, 0, 0, 1}, wire.U16(2+len(ip)), []byte{0, 0x21}, ip)), 1},
		{"IPv6 extension headers", eth, wire.EthernetIP(hbh), 1},
		{"IPv6 atomic fragment", eth, wire.EthernetIP(atomic), 1},
		{"IPv4 AH", eth, inIP(51, wire.Join([]byte{4, 4}, zeros(22), ip)), 2},
		{"IPv4 in IPv4", eth, inIP(4, ip), 2},
		{"IPv6 in IPv4", eth, inIP(41, ip6), 2},
		{"IPv4 in IPv6", eth, wire.EthernetIP(wire.IP(six[1], six[0], 4, ip)), 2},
		{"MPLS in IP", eth, inIP(137, wire.Join([]byte{0, 1, 1, 64}, ip)), 2},
		{"GRE", eth, inIP(47, wire.Join(zeros(2), wire.U16(wire.TypeIPv4), ip)), 3},
		{"GRE with key, checksum and sequence", eth, inIP(47, wire.Join([]byte{0xb0, 0}, wire.U16(wire.TypeIPv6), zeros(12), ip6)), 3},
		{"GRE version 1 with PPP", eth, inIP(47, wire.Join([]byte{0x30, 0x81}, wire.U16(typePPP), zeros(12), []byte{0xff, 3, 0x21}, ip)), 3},
		{"GRE with Ethernet", eth, inIP(47, wire.Join(zeros(2), wire.U16(typeEthernet), frame)), 3},
		{"GRE with 802.11", eth, inIP(47, wire.Join(zeros(2), wire.U16(typeAruba), wlan)), 3},
		{"ERSPAN I", eth, inIP(47, wire.Join(zeros(2), wire.U16(typeERSPAN2), frame)), 3},
		{"ERSPAN II", eth, inIP(47, wire.Join([]byte{0x10, 0}, wire.U16(typeERSPAN2), zeros(4), zeros(8), frame)), 3},
		{"ERSPAN III", eth, inIP(47, wire.Join([]byte{0x10, 0}, wire.U16(typeERSPAN3), zeros(4), zeros(11), []byte{1}, zeros(8), frame)), 3},
		{"VXLAN", eth, inUDP(portVXLAN, wire.Join([]byte{8}, zeros(7), frame)), 3},
		{"VXLAN GPE", eth, inUDP(portVXLANGPE, wire.Join([]byte{0x0c, 0, 0, 2}, zeros(4), ip6)), 3},
		{"Geneve with options", eth, inUDP(portGeneve, wire.Join([]byte{2, 0}, wire.U16(typeEthernet), zeros(4), zeros(8), frame)), 3},
		{"GTP-U", eth, inUDP(portGTPU, wire.Join([]byte{0x30, 0xff}, zeros(6), ip)), 3},
		{"GTP-U with extension", eth, inUDP(portGTPU, wire.Join([]byte{0x34, 0xff}, zeros(6), []byte{0, 0, 0, 0x85}, []byte{1, 0, 0, 0}, ip6)), 3},
		{"Teredo", eth, inUDP(portTeredo, ip6), 3},
		{"Teredo with authentication and origin", eth, inUDP(portTeredo, wire.Join([]byte{0, 1}, zeros(11), zeros(8), ip6)), 3},
		{"CAPWAP with swapped 802.11", eth, inUDP(portCAPWAP, wire.Join([]byte{0, 0x10, 1, 0}, zeros(4), []byte{1, 8}, wlan[2:])), 3},
		{"VXLAN on the port of old kernels", eth, inUDP(portVXLANOld, wire.Join([]byte{8}, zeros(7), frame)), 3},
		{"NVGRE", eth, inIP(47, wire.Join([]byte{0x20, 0}, wire.U16(typeEthernet), []byte{0, 0, 7, 1}, frame)), 3},
		{"GRE with WCCP 1", eth, inIP(47, wire.Join(zeros(2), wire.U16(typeWCCP), ip)), 3},
		{"GRE with WCCP 2", eth, inIP(47, wire.Join(zeros(2), wire.U16(typeWCCP), zeros(4), ip)), 3},
		{"L2TP", eth, inUDP(portL2TP, wire.Join([]byte{0, 2, 0, 1, 0, 1, 0xff, 3, 0, 0x21}, ip)), 3},
		{"L2TP with length, sequence and offset", eth, inUDP(portL2TP,
			wire.Join([]byte{0x4a, 2}, wire.U16(20+len(ip)), zeros(4), zeros(4), []byte{0, 4}, zeros(4), []byte{0, 0x21}, ip)), 3},
		{"IPv6 in IPv6", eth, wire.EthernetIP(wire.IP(six[1], six[0], 41, ip6)), 2},
		{"MPLS pseudowire with a control word", eth, wire.Ethernet(typeMPLS, wire.Join([]byte{0, 1, 1, 64}, zeros(4), frame)), 2},
		{"Ethernet in Ethernet", eth, wire.Ethernet(typeQinQ, wire.Join([]byte{0, 5}, wire.U16(typeBackbone), zeros(4), frame)), 2},
		{"MACsec, signed", eth, wire.Ethernet(typeMACsec, wire.Join(zeros(6), wire.U16(wire.TypeIPv4), ip, zeros(16))), 1},
		{"MACsec, signed, with a channel", eth, wire.Ethernet(typeMACsec, wire.Join([]byte{0x20}, zeros(13), wire.U16(wire.TypeIPv4), ip, zeros(16))), 1},
		{"802.3 with SNAP", eth, wire.Ethernet(8+len(ip), snap(wire.TypeIPv4, ip)), 1},
		{"802.11 between access points", capture.LinkIEEE80211, wire.Join([]byte{0x08, 0x03}, zeros(28), snap(wire.TypeIPv4, ip)), 1},
		{"802.11 with an aggregate of one", capture.LinkIEEE80211,
			wire.Join([]byte{0x88, 0x01}, zeros(22), []byte{0x80, 0}, zeros(12), wire.U16(8+len(ip)), snap(wire.TypeIPv4, ip)), 1},
		{"PPI", linkPPI, wire.Join([]byte{0, 0, 12, 0, 105, 0, 0, 0}, zeros(4), wlan), 1},
		{"NULL, big-endian", capture.LinkNull, wire.Join([]byte{0, 0, 0, 2}, ip), 1},
		{"NULL, little-endian, IPv6", capture.LinkNull, wire.Join([]byte{10, 0, 0, 0}, ip6), 1},
		{"PPP with all left out", capture.LinkPPP, wire.Join([]byte{0x21}, ip), 1},
		{"AYIYA", eth, inUDP(portAYIYA, wire.Join([]byte{0x41, 0x52, 0x11, 41}, zeros(4), zeros(16), zeros(20), ip6)), 3},
		{"raw IPv4", capture.LinkRaw, ip, 1},
		{"raw IPv6", capture.LinkIPv6, ip6, 1},
		{"NULL, little-endian", capture.LinkNull, wire.Join([]byte{2, 0, 0, 0}, ip), 1},
		{"NULL, big-endian, IPv6", capture.LinkNull, wire.Join([]byte{0, 0, 0, 30}, ip6), 1},
		{"LOOP", capture.LinkLoop, wire.Join([]byte{0, 0, 0, 24}, ip6), 1},
		{"SLL", capture.LinkSLL, wire.Join(zeros(14), wire.U16(wire.TypeIPv4), ip), 1},
		{"SLL2", capture.LinkSLL2, wire.Join(wire.U16(wire.TypeIPv6), zeros(18), ip6), 1},
		{"PPP", capture.LinkPPP, wire.Join([]byte{0xff, 3, 0, 0x57}, ip6), 1},
		{"Cisco HDLC", capture.LinkCHDLC, wire.Join([]byte{0x0f, 0}, wire.U16(wire.TypeIPv4), ip), 1},
		{"FDDI", capture.LinkFDDI, wire.Join(zeros(13), snap(wire.TypeIPv4, ip)), 1},
		{"802.11 with QoS", capture.LinkIEEE80211, wire.Join([]byte{0x88, 0x02}, zeros(24), snap(wire.TypeIPv4, ip)), 1},
		{"radiotap", capture.LinkRadiotap, wire.Join([]byte{0, 0, 12, 0}, zeros(8), wlan), 1},
		{"PKTAP", capture.LinkPKTAP, wire.Join([]byte{16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, zeros(4), frame), 1},
		{"NFLOG", capture.LinkNFLog, wire.Join([]byte{2, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, byte(4 + len(ip)), 0, 9, 0}, ip), 1},
	}
}

func TestWalk(t *testing.T) {
	var w Walker
	for _, c := range encapsulations() {
		t.Run(c.name, func(t *testing.T) {
			var p Packet
			if o := w.Walk(c.link, c.frame, len(c.frame), 0, &p); o != Found {
				t.Fatal(o)
			}
			if string(p.Payload) != text || p.Missing != 0 || p.Depth != c.depth || p.Protocol != UDP || p.Source.Port != 1111 || p.Destination.Port != 2222 {
				t.Errorf("%q, %+v", p.Payload, p)
			}
			if from := p.Source.Address.Netip(); from != four[0] && from != six[0] {
				t.Errorf("from %v", from)
			}
		})
	}
}

// Where a network card is to split what the host sends, the lengths of the
// headers are zero, and the packet is longer than any on a wire.
func TestOffloadedPackets(t *testing.T) {
	body := make([]byte, 40<<10)
	long := wire.IP(four[0], four[1], wire.ProtoTCP, wire.TCP(1, 2, 3, wire.ACK, body))
	none := wire.Join(long[:2], []byte{0, 0}, long[4:])
	long6 := wire.IP(six[0], six[1], wire.ProtoTCP, wire.TCP(1, 2, 3, wire.ACK, body))
	none6 := wire.Join(long6[:4], []byte{0, 0}, long6[6:])
	for name, packet := range map[string][]byte{"IPv4": long, "IPv4 of no length": none, "IPv6": long6, "IPv6 of no length": none6} {
		var w Walker
		var p Packet
		frame := wire.EthernetIP(packet)
		if o := w.Walk(capture.LinkEthernet, frame, len(frame), 0, &p); o != Found || len(p.Payload) != len(body) || p.Missing != 0 {
			t.Errorf("%s: %v, %d bytes", name, o, len(p.Payload))
		}
	}
}

// An ICMP error holds the start of the datagram that it answers.
func TestQuotedDatagrams(t *testing.T) {
	f := func(name string, packet []byte, want Outcome, payload string) {
		t.Helper()
		var w Walker
		var p Packet
		frame := wire.EthernetIP(packet)
		o := w.Walk(capture.LinkEthernet, frame, len(frame), 0, &p)
		if o != want {
			t.Errorf("%s: %v, want %v", name, o, want)
		}
		if o == Quoted && (string(p.Payload) != payload || p.Source.Port != 1111 || p.Destination.Port != 2222) {
			t.Errorf("%s: %q, %+v", name, p.Payload, p)
		}
	}
	icmp := func(kind byte, quoted []byte) []byte {
		return wire.IP(outer[0], outer[1], 1, wire.Join([]byte{kind, 3}, zeros(6), quoted))
	}
	icmp6 := func(kind byte, quoted []byte) []byte {
		return wire.IP(six[1], six[0], 58, wire.Join([]byte{kind, 4}, zeros(6), quoted))
	}
	f("unreachable", icmp(3, inner4()), Quoted, text)
	f("time exceeded", icmp(11, inner4()), Quoted, text)
	f("unreachable, IPv6", icmp6(1, inner6()), Quoted, text)
	f("too big, IPv6", icmp6(2, inner6()), Quoted, text)
	f("cut in the payload", icmp(3, inner4()[:20+8+4]), Quoted, text[:4])
	f("cut in the header", icmp(3, inner4()[:20+4]), OtherIP, "")
	f("a first fragment", icmp(3, wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, 7, 0, true, wire.UDP(1111, 2222, []byte(text)))), Quoted, text)
	f("a later fragment", icmp(3, wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, 7, 8, true, wire.UDP(1111, 2222, []byte(text)))), OtherIP, "")
	f("a TCP segment", icmp(3, wire.IP(four[0], four[1], wire.ProtoTCP, wire.TCP(1, 2, 3, wire.ACK, []byte(text)))), OtherIP, "")
	f("an error about an error", icmp(3, icmp(3, inner4())), OtherIP, "")
	f("a VPN's packet", icmp(3, wire.IP(four[0], four[1], 50, zeros(40))), OtherIP, "")
	f("an echo", icmp(8, inner4()), OtherIP, "")
	f("an echo, IPv6", icmp6(128, inner6()), OtherIP, "")
	f("nothing quoted", icmp(3, nil), OtherIP, "")
}

func TestEncryptedPackets(t *testing.T) {
	f := func(name string, frame []byte, protocol uint8) {
		t.Helper()
		var w Walker
		p := Packet{Flags: 9, Sequence: 9, Source: Endpoint{Port: 9}}
		o := w.Walk(capture.LinkEthernet, frame, len(frame), 0, &p)
		if o != Encrypted || p.Protocol != protocol || p.Source != (Endpoint{Address: p.Source.Address}) || p.Flags != 0 || p.Sequence != 0 {
			t.Errorf("%s: %v, %+v", name, o, p)
		}
		if from := p.Source.Address.Netip(); from != outer[0] && from != six[0] {
			t.Errorf("%s: from %v", name, from)
		}
	}
	f("ESP", inIP(50, zeros(64)), 50)
	f("ESP in IPv6", wire.EthernetIP(wire.IP(six[0], six[1], 50, zeros(64))), 50)
	f("PPTP", inIP(47, wire.Join([]byte{0x30, 0x81}, wire.U16(typePPP), zeros(12), []byte{0xff, 3, 0, 0xfd}, zeros(40))), 47)
}

func TestWalkAllocatesNothing(t *testing.T) {
	var w Walker
	var p Packet
	cases := encapsulations()
	if n := testing.AllocsPerRun(100, func() {
		for i := range cases {
			w.Walk(cases[i].link, cases[i].frame, len(cases[i].frame), 0, &p)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A frame cut anywhere by the snap length is Cut, or its payload is, and
// never more is said than what is there.
func TestWalkOfCutFrames(t *testing.T) {
	var w Walker
	for _, c := range encapsulations() {
		for n := range c.frame {
			var p Packet
			switch o := w.Walk(c.link, c.frame[:n], len(c.frame), 0, &p); o {
			case Found:
				if len(p.Payload)+p.Missing < len(text) && p.Depth >= c.depth {
					t.Errorf("%s cut at %d: %d bytes, %d missing", c.name, n, len(p.Payload), p.Missing)
				}
			case Cut, NotIP:
			default:
				t.Errorf("%s cut at %d: %v", c.name, n, o)
			}
		}
	}
}

func TestWalkOfWhatIsNoPacket(t *testing.T) {
	nested := inner4()
	for range MaxDepth {
		nested = wire.IP(outer[0], outer[1], 4, nested)
	}
	labels := wire.Ethernet(typeMPLS, make([]byte, 400))
	f := func(name string, link capture.LinkType, frame []byte, want Outcome) {
		t.Helper()
		var w Walker
		var p Packet
		if o := w.Walk(link, frame, len(frame), 0, &p); o != want {
			t.Errorf("%s: %v, want %v", name, o, want)
		}
	}
	const eth = capture.LinkEthernet
	f("unknown link", 147, inner4(), UnknownLink)
	f("ARP", eth, wire.Ethernet(0x0806, make([]byte, 28)), NotIP)
	f("802.2 of no IP", eth, wire.Ethernet(40, make([]byte, 40)), NotIP)
	f("encrypted 802.11", capture.LinkIEEE80211, wire.Join([]byte{0x08, 0x41}, zeros(22), snap(wire.TypeIPv4, inner4())), Protected)
	f("encrypted MACsec", eth, wire.Ethernet(typeMACsec, wire.Join([]byte{0x0c}, zeros(60))), Protected)
	f("802.11 with an aggregate of several", capture.LinkIEEE80211,
		wire.Join([]byte{0x88, 0x01}, zeros(22), []byte{0x80, 0}, zeros(12), wire.U16(40), zeros(40), zeros(2), zeros(14), zeros(40)), UnknownLink)
	f("compressed PPP", capture.LinkPPP, wire.Join([]byte{0, 0xfd}, zeros(40)), NotIP)
	f("ppi in ppi", linkPPI, wire.Join([]byte{0, 0, 8, 0, 192, 0, 0, 0}, zeros(40)), UnknownLink)
	f("ICMP", eth, inIP(1, make([]byte, 8)), OtherIP)
	f("too deep", eth, wire.EthernetIP(nested), TooDeep)
	f("too many labels", eth, labels, TooDeep)
	f("empty", eth, nil, Malformed)
	f("short Ethernet", eth, make([]byte, 13), Malformed)
	f("IPv4 header of 16 bytes", eth, wire.Ethernet(wire.TypeIPv4, append([]byte{0x44}, make([]byte, 40)...)), Malformed)
	f("IPv4 total below its header", eth, wire.Ethernet(wire.TypeIPv4, append([]byte{0x45, 0, 0, 10}, make([]byte, 40)...)), Malformed)
	f("version 5 as IPv4", eth, wire.Ethernet(wire.TypeIPv4, append([]byte{0x55}, make([]byte, 40)...)), Malformed)
	f("TCP header of 16 bytes", eth, inIP(6, wire.Join(zeros(12), []byte{0x40}, zeros(7))), Malformed)
	f("TCP header beyond the packet", eth, inIP(6, wire.Join(zeros(12), []byte{0xf0}, zeros(7))), Malformed)
	f("fragment without a table", eth, wire.EthernetIP(wire.IPv4Fragment(four[0], four[1], 17, 1, 8, true, zeros(8))), Held)
	f("pktap in pktap", capture.LinkPKTAP, wire.Join([]byte{12, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0}, zeros(40)), UnknownLink)
}

// What uses the port of a tunnel and is none stays a datagram.
func TestTunnelPortsWithoutATunnel(t *testing.T) {
	var w Walker
	for _, port := range []uint16{portVXLAN, portVXLANGPE, portGeneve, portGTPU, portTeredo, portCAPWAP, portAYIYA, portL2TP} {
		frame := inUDP(port, []byte("\xf0 this is something else altogether, of some length"))
		var p Packet
		if o := w.Walk(capture.LinkEthernet, frame, len(frame), 0, &p); o != Found || p.Destination.Port != port || p.Depth != 1 {
			t.Errorf("port %d: %v, %+v", port, o, p)
		}
	}
}

func TestOutcomeNames(t *testing.T) {
	for o := range outcomes {
		if o.String() == "" || o.String() == "invalid" {
			t.Errorf("outcome %d has no name", o)
		}
	}
	if Outcome(99).String() != "invalid" {
		t.Error("an outcome that is none has a name")
	}
}

func BenchmarkWalk(b *testing.B) {
	conn := wire.NewConn("192.0.2.1:50000", "192.0.2.2:443")
	frame := conn.Up(make([]byte, 300))
	var w Walker
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		if w.Walk(capture.LinkEthernet, frame, len(frame), 0, &p) != Found {
			b.Fatal("not found")
		}
	}
}
