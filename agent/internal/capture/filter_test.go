package capture

import (
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

const kept = 4096

// passes runs the program as the kernel would.
func passes(t *testing.T, o FilterOptions, frame []byte) bool {
	t.Helper()
	o.SnapLength = kept
	program, err := Filter(o)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func TestFilter(t *testing.T) {
	const high, low = 50000, 443
	four := [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	six := [2]netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	data := []byte("some data")
	tcp := func(source, destination uint16, flags byte, payload []byte) [2][]byte {
		s := wire.TCP(source, destination, 1, flags, payload)
		return [2][]byte{wire.IP(four[0], four[1], wire.ProtoTCP, s), wire.IP(six[0], six[1], wire.ProtoTCP, s)}
	}
	udp := func(source, destination uint16, payload []byte) [2][]byte {
		s := wire.UDP(source, destination, payload)
		return [2][]byte{wire.IP(four[0], four[1], wire.ProtoUDP, s), wire.IP(six[0], six[1], wire.ProtoUDP, s)}
	}
	other := func(protocol byte) [2][]byte {
		return [2][]byte{wire.IP(four[0], four[1], protocol, data), wire.IP(six[0], six[1], protocol, data)}
	}
	f := func(name string, packets [2][]byte, want bool) {
		t.Helper()
		for i, p := range packets {
			if p == nil {
				continue
			}
			if got := passes(t, FilterOptions{}, wire.EthernetIP(p)); got != want {
				t.Errorf("%s, IPv%d: passes %v, want %v", name, 4+2*i, got, want)
			}
			if got := passes(t, FilterOptions{RawIP: true}, p); got != want {
				t.Errorf("%s, raw IPv%d: passes %v, want %v", name, 4+2*i, got, want)
			}
		}
	}
	f("SYN", tcp(high, low, wire.SYN, nil), true)
	f("SYN and ACK", tcp(low, high, wire.SYN|wire.ACK, nil), true)
	f("FIN", tcp(low, high, wire.FIN|wire.ACK, nil), true)
	f("RST", tcp(low, high, wire.RST, nil), true)
	f("bare ACK up", tcp(high, low, wire.ACK, nil), false)
	f("bare ACK down", tcp(low, high, wire.ACK, nil), false)
	f("first segment of a hello", tcp(high, low, wire.ACK, []byte{0x16, 3, 1}), true)
	f("second segment of a hello", tcp(high, low, wire.ACK, data), true)
	f("hello from a lower port", tcp(40000, high, wire.ACK, []byte{0x16, 3, 1}), true)
	f("last segment from a lower port", tcp(40000, high, wire.ACK|wire.PSH, data), true)
	f("middle segment from a lower port", tcp(40000, high, wire.ACK, data), true)
	f("middle segment from a low port", tcp(20000, high, wire.ACK, data), false)
	f("download", tcp(low, high, wire.ACK, data), false)
	f("DNS answer over TCP", tcp(53, high, wire.ACK, data), true)
	f("equal ports", tcp(high, high, wire.ACK, data), true)
	f("DNS query", udp(high, 53, data), true)
	f("DNS answer", udp(53, high, data), true)
	f("DNS query to an odd port", udp(high, 4444, wire.DNSQuery(1, "example.com", 1)), true)
	f("mDNS", udp(5353, 5353, data), true)
	f("QUIC long header", udp(high, 443, append([]byte{0xc3, 0, 0, 0, 1}, make([]byte, 1195)...)), true)
	f("QUIC with a greased bit", udp(high, 443, append([]byte{0x83, 0, 0, 0, 1}, make([]byte, 1195)...)), true)
	f("QUIC version 2 with a greased bit", udp(high, 443, append([]byte{0x93, 0x6b, 0x33, 0x43, 0xcf}, make([]byte, 1195)...)), true)
	f("QUIC draft with a greased bit", udp(high, 443, append([]byte{0x83, 0xff, 0, 0, 29}, make([]byte, 1195)...)), true)
	f("QUIC short header", udp(high, 443, append([]byte{0x43}, make([]byte, 1000)...)), false)
	f("DTLS hello", udp(high, 4433, append([]byte{0x16, 0xfe, 0xfd}, make([]byte, 60)...)), true)
	f("OpenVPN", udp(high, 1195, append([]byte{0x38}, make([]byte, 13)...)), true)
	f("WireGuard", udp(high, 51820, append([]byte{1, 0, 0, 0}, make([]byte, 144)...)), true)
	f("WireGuard data", udp(high, 51820, append([]byte{4, 0, 0, 0}, make([]byte, 144)...)), false)
	f("IKE", udp(500, 500, make([]byte, 100)), true)
	f("media", udp(high, 40000, append([]byte{0x80}, make([]byte, 60)...)), false)
	f("empty datagram", udp(high, 40000, nil), false)
	f("VXLAN", udp(high, 4789, data), true)
	f("GRE", other(47), true)
	f("ICMP", other(1), false)
	f("fragment", [2][]byte{wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, 7, 1480, false, data)}, true)
	f("first fragment", [2][]byte{wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, 7, 0, true, data)}, true)
	f("extension header", [2][]byte{nil, wire.IP(six[0], six[1], 0, append(wire.IPv6Extension(wire.ProtoTCP), data...))}, true)

	if passes(t, FilterOptions{}, wire.Ethernet(0x0806, data)) {
		t.Error("ARP passes")
	}
	if !passes(t, FilterOptions{}, wire.Ethernet(wire.TypeVLAN, wire.Tag(5, wire.TypeIPv4, data))) {
		t.Error("a tagged frame does not pass")
	}
	if passes(t, FilterOptions{RawIP: true}, []byte{0x10, 0, 0, 0}) {
		t.Error("raw frame of no IP version passes")
	}
}

// A short Ethernet frame is padded; the padding is no payload.
func TestFilterDoesNotTakePaddingForPayload(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	ack := wire.EthernetIP(wire.IP(a, b, wire.ProtoTCP, wire.TCP(50000, 443, 1, wire.ACK, nil)))
	if passes(t, FilterOptions{}, append(ack, make([]byte, 6)...)) {
		t.Error("a padded acknowledgement passes")
	}
}

func TestFilterLeavesLengthToTheCard(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	packet := wire.IP(a, b, wire.ProtoTCP, wire.TCP(50000, 443, 1, wire.ACK, []byte("data")))
	packet[2], packet[3] = 0, 0
	if !passes(t, FilterOptions{RawIP: true}, packet) {
		t.Error("a packet without a total length does not pass")
	}
}

func TestFilterReturnsTheSnapLength(t *testing.T) {
	program, err := Filter(FilterOptions{SnapLength: 777})
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	conn := wire.NewConn("192.0.2.1:50000", "192.0.2.2:443")
	if n, err := vm.Run(append(conn.Open()[0], make([]byte, 2000)...)); n != 777 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if len(program) > 200 {
		t.Errorf("the program has %d instructions", len(program))
	}
}
