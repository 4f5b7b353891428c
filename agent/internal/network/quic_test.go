package network

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

func TestQUICHelloOnAnyPort(t *testing.T) {
	datagram := quicClient().Datagram(wire.QUICCrypto(0, quicHello(t, "API.Example.com")))
	list, stats := replay(t, quicUp(datagram))
	want(t, "a hello", lines(list), quicLine)
	o := list[0]
	if o.Sensor != "network" || o.Kind != signatures.KindQUIC || o.NameEvidence != signatures.EvidenceQUIC || o.Flow.Protocol != "udp" || o.Flow.BytesUp != uint64(len(datagram)) {
		t.Errorf("%+v", o)
	}
	if a := o.Attributes; a["tls.alpn"] != "h3" || a["tls.version"] != "1.3" || a["quic.version"] != "1" {
		t.Errorf("attributes %v", a)
	}
	counted(t, stats, map[string]uint64{
		"udp_datagrams": 1, "quic_datagrams": 1, "quic_flows": 1, "quic_connections": 1, "quic_initials": 1, "quic_hellos": 1,
		"tls_hellos": 1, "flows_opened": 1, "flows_closed": 1, "quic_flows_undecrypted": 0,
	})
	if len(stats.Blind) != 0 {
		t.Errorf("blind: %v", stats.Blind)
	}
}

func TestQUICVersions(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	f := func(version, scheme uint32, name string) {
		t.Helper()
		c := wire.NewQUICClient(version, scheme, []byte("destinat"), nil)
		list, stats := replay(t, quicUp(c.Datagram(wire.QUICCrypto(0, hello))))
		want(t, name, lines(list), quicLine)
		if len(list) == 1 && list[0].Attributes["quic.version"] != name || len(stats.Blind) > 0 {
			t.Errorf("%v, blind %v", list[0].Attributes, stats.Blind)
		}
	}
	f(wire.QUICv1, wire.QUICv1, "1")
	f(wire.QUICv2, wire.QUICv2, "2")
	f(wire.QUICDraft22, wire.QUICDraft22, "draft-22")
	f(wire.QUICDraft23, wire.QUICDraft23, "draft-23")
	f(0xff00001c, wire.QUICDraft23, "draft-28")
	f(wire.QUICDraft29, wire.QUICDraft29, "draft-29")
	f(0xff000020, wire.QUICDraft29, "draft-32")
	f(wire.QUICDraft34, wire.QUICDraft34, "draft-34")
	f(0xfaceb001, wire.QUICDraft22, "0xfaceb001")
	f(0xfaceb002, wire.QUICDraft27, "0xfaceb002")
	f(0x1a2a3a4a, wire.QUICv1, "0x1a2a3a4a")
	f(0xbabababa, wire.QUICDraft29, "0xbabababa")
	f(0xfaceb003, wire.QUICDraft27, "0xfaceb003")
	f(0xabcd0001, wire.QUICDraft22, "0xabcd0001")
}

func TestQUICLongConnectionIDs(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	for _, c := range []*wire.QUICEnd{
		wire.NewQUICClient(wire.QUICv1, wire.QUICv1, make([]byte, 20), make([]byte, 20)),
		wire.NewQUICClient(wire.QUICDraft29, wire.QUICDraft29, make([]byte, 60), make([]byte, 40)),
		wire.NewQUICClient(0x0a0a0a0a, wire.QUICv1, make([]byte, 250), nil),
	} {
		list, _ := replay(t, quicUp(c.Datagram(wire.QUICCrypto(0, hello))))
		want(t, "long ids", lines(list), quicLine)
	}
}

func TestQUICCryptoScrambledInOnePacket(t *testing.T) {
	frames := pieces(quicHello(t, "api.example.com"), 20)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		random.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
		var mixed [][]byte
		for i, f := range frames {
			mixed = append(mixed, f)
			switch i % 3 {
			case 0:
				mixed = append(mixed, wire.QUICPing())
			case 1:
				mixed = append(mixed, make([]byte, i))
			}
		}
		list, _ := replay(t, quicUp(quicClient().Datagram(mixed...)))
		want(t, "scrambled", lines(list), quicLine)
	}
}

func TestQUICCryptoOverPacketsInAllOrders(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	parts := pieces(hello, (len(hello)+3)/4)
	permutations(len(parts), func(order []int) {
		c := quicClient()
		var frames [][]byte
		for _, i := range order {
			frames = append(frames, quicUp(c.Datagram(parts[i])))
		}
		list, stats := replay(t, frames...)
		want(t, "packets in another order", lines(list), quicLine)
		counted(t, stats, map[string]uint64{"quic_initials": 4, "quic_hellos": 1, "quic_connections": 1})
	})
}

func TestQUICCryptoDuplicatedAndOverlapping(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	half := len(hello) / 2
	c := quicClient()
	first := c.Datagram(wire.QUICCrypto(10, hello[10:half]), wire.QUICCrypto(10, hello[10:half]))
	list, _ := replay(t, quicUps(first, first,
		c.Datagram(wire.QUICCrypto(half-30, hello[half-30:half+60]), wire.QUICCrypto(half-50, make([]byte, 50))), // the first bytes hold
		c.Datagram(wire.QUICCrypto(0, hello[:40])),
		c.Datagram(wire.QUICCrypto(half+20, hello[half+20:]), wire.QUICCrypto(0, hello[:40])))...)
	want(t, "overlapping", lines(list), quicLine)
}

func TestQUICCryptoWithAGapThatFillsLater(t *testing.T) {
	parts := pieces(quicHello(t, "api.example.com"), 40)
	c := quicClient()
	middle := len(parts) / 2
	rest := slices.Concat(parts[:middle], parts[middle+1:])
	list, stats := replay(t, quicUps(c.Datagram(rest...), c.Datagram(wire.QUICPing()), c.Datagram(parts[middle]))...)
	want(t, "a gap", lines(list), quicLine)
	counted(t, stats, map[string]uint64{"quic_initials": 3, "quic_hellos_lost": 0})
}

func TestQUICClientTakesTheServersID(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	for _, source := range [][]byte{nil, []byte("source")} {
		c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("destinat"), source)
		s := c.Server(wire.QUICv1, []byte("server's own"))
		first := c.Datagram(wire.QUICCrypto(200, hello[200:]))
		answer := s.Initial(wire.QUICAck(false))
		c.Destination = s.Source
		list, stats := replay(t, quicUp(first), quicDown(answer), quicUp(c.Datagram(wire.QUICCrypto(0, hello[:200]))), quicUp(c.Datagram(wire.QUICAck(false))))
		want(t, "another id in the middle of the hello", lines(list), quicLine)
		counted(t, stats, map[string]uint64{"quic_initials": 2, "quic_packets_unopened": 0, "quic_connections": 1})
	}
}

func TestQUICRetry(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	for _, source := range [][]byte{nil, []byte("source")} {
		for _, retries := range []int{1, 5} {
			for _, split := range []bool{false, true} {
				parts := [][]byte{wire.QUICCrypto(0, hello)}
				if split {
					parts = [][]byte{wire.QUICCrypto(100, hello[100:]), wire.QUICCrypto(0, hello[:100])}
				}
				c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("destinat"), source)
				frames := [][]byte{quicUp(c.Datagram(parts[0]))}
				for i := range retries {
					s := c.Server(wire.QUICv1, bytes.Repeat([]byte{byte(i + 1)}, 9))
					frames = append(frames, quicDown(s.Retry([]byte("a token"))))
					next := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, s.Source, source)
					next.Token, next.Number = []byte("a token"), c.Number
					c = next
					frames = append(frames, quicUp(c.Datagram(parts[0])))
				}
				for _, p := range parts[1:] {
					frames = append(frames, quicUp(c.Datagram(p)))
				}
				list, stats := replay(t, frames...)
				want(t, "behind a Retry", lines(list), quicLine)
				counted(t, stats, map[string]uint64{"quic_retries": uint64(retries), "quic_hellos": 1, "quic_hellos_lost": 0, "quic_packets_unopened": 0})
				if source == nil && !split { // only the hello itself tells that it is the same connection
					counted(t, stats, map[string]uint64{"quic_hellos_repeated": uint64(retries)})
				}
			}
		}
	}
}

func TestQUICCoalescedPackets(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	f := func(what string, build func(c *wire.QUICEnd, initial []byte) [][]byte) {
		t.Helper()
		c := quicClient()
		list, stats := replay(t, quicUps(build(c, c.Initial(wire.QUICCrypto(0, hello)))...)...)
		want(t, what, lines(list), quicLine)
		counted(t, stats, map[string]uint64{"quic_initials": 1, "quic_hellos": 1})
	}
	f("0-RTT behind it", func(c *wire.QUICEnd, i []byte) [][]byte { return [][]byte{wire.Join(i, c.Opaque(1, 900))} })
	f("0-RTT before it", func(c *wire.QUICEnd, i []byte) [][]byte { return [][]byte{wire.Join(c.Opaque(1, 900), i)} })
	f("0-RTT in a datagram before it", func(c *wire.QUICEnd, i []byte) [][]byte { return [][]byte{c.Opaque(1, 1200), i} })
	f("a Handshake packet before it", func(c *wire.QUICEnd, i []byte) [][]byte { return [][]byte{wire.Join(c.Opaque(2, 100), i)} })
	f("a short header behind it", func(_ *wire.QUICEnd, i []byte) [][]byte { return [][]byte{wire.Join(i, []byte{0x45, 1, 2, 3})} })
	f("zeros behind it", func(_ *wire.QUICEnd, i []byte) [][]byte { return [][]byte{wire.Join(i, make([]byte, 500))} })
	f("no padding at all", func(_ *wire.QUICEnd, i []byte) [][]byte { return [][]byte{i} })

	c := quicClient()
	list, _ := replay(t, quicUp(wire.Join(c.Initial(wire.QUICCrypto(200, hello[200:])), c.Initial(wire.QUICCrypto(0, hello[:200])))))
	want(t, "two Initials in a datagram", lines(list), quicLine)
	c = quicClient()
	list, _ = replay(t, quicUp(wire.Join(c.Initial(wire.QUICCrypto(200, hello[200:])), make([]byte, 300), c.Initial(wire.QUICCrypto(0, hello[:200])))))
	want(t, "two padded datagrams that the kernel joined", lines(list), quicLine)
}

func TestQUICFramesBeforeCrypto(t *testing.T) {
	crypto := wire.QUICCrypto(0, quicHello(t, "api.example.com"))
	for name, frame := range map[string][]byte{
		"ACK": wire.QUICAck(false), "ACK with ECN": wire.QUICAck(true), "PING": wire.QUICPing(), "PADDING": make([]byte, 77),
		"CONNECTION_CLOSE": wire.QUICClose("not yet"), "an empty CRYPTO": wire.QUICCrypto(0, nil),
	} {
		list, _ := replay(t, quicUp(quicClient().Datagram(frame, crypto)))
		want(t, name+" first", lines(list), quicLine)
		c := quicClient()
		list, _ = replay(t, quicUps(c.Datagram(frame), c.Datagram(crypto))...)
		want(t, name+" in a packet before", lines(list), quicLine)
	}
	_, stats := replay(t, quicUp(quicClient().Datagram([]byte{8, 0}, crypto)))
	counted(t, stats, map[string]uint64{"quic_malformed": 1, "quic_hellos": 0})
}

func TestQUICPacketNumbersOfAnyLength(t *testing.T) {
	crypto := wire.QUICCrypto(0, quicHello(t, "api.example.com"))
	for size := 1; size <= 4; size++ {
		c := quicClient()
		c.Number, c.NumberBytes = 1, size // as Chromium counts
		list, _ := replay(t, quicUp(c.Datagram(crypto)))
		want(t, "a packet number", lines(list), quicLine)
	}
}

func TestQUICVersionNegotiation(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	old := wire.NewQUICClient(0x1a2a3a4a, wire.QUICv1, []byte("destinat"), []byte("source"))
	agreed := wire.NewQUICClient(wire.QUICv2, wire.QUICv2, []byte("anew-one"), []byte("source"))
	list, stats := replay(t, quicUp(old.Datagram(wire.QUICCrypto(300, hello[300:]))),
		quicDown(old.Server(wire.QUICv1, []byte("s")).VersionNegotiation(wire.QUICv2, 0xbabababa)),
		quicUp(agreed.Datagram(wire.QUICCrypto(0, hello))))
	want(t, "a greased version first", lines(list), quicLine)
	counted(t, stats, map[string]uint64{"quic_version_negotiations": 1, "quic_hellos": 1})
	if len(list) == 1 && list[0].Attributes["quic.version"] != "2" {
		t.Errorf("%v", list[0].Attributes)
	}
}

func TestQUICSeveralConnectionsOnOnePort(t *testing.T) {
	var frames [][]byte
	var found []string
	for i, name := range []string{"one.example", "two.example", "three.example", "four.example", "five.example", "six.example"} {
		c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, bytes.Repeat([]byte{byte(i)}, 8), []byte{byte(i), 1, 1, 1})
		hello := quicHello(t, name)
		frames = append(frames, quicUp(c.Datagram(wire.QUICCrypto(100, hello[100:]))))
		if i%2 == 1 { // two at a time, interleaved
			frames[len(frames)-2], frames[len(frames)-1] = frames[len(frames)-1], frames[len(frames)-2]
		}
		frames = append(frames, quicUp(c.Datagram(wire.QUICCrypto(0, hello[:100]))))
		found = append(found, "quic "+name)
	}
	list, stats := replay(t, frames...)
	got := names(list)
	slices.Sort(got)
	slices.Sort(found)
	want(t, "one socket", got, found...)
	counted(t, stats, map[string]uint64{"quic_flows": 1, "quic_connections": 6, "quic_hellos": 6, "quic_hellos_lost": 0})
}

// A flow whose client has an empty id and uses its port again.
func TestQUICPortUsedAgain(t *testing.T) {
	var frames [][]byte
	for _, name := range []string{"one.example", "two.example"} {
		c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte(name)[:8], nil)
		s := c.Server(wire.QUICv1, []byte("server of " + name)[:18])
		frames = append(frames, quicUp(c.Datagram(wire.QUICCrypto(0, quicHello(t, name)))), quicDown(s.Initial(wire.QUICAck(false))))
		c.Destination = s.Source
		frames = append(frames, quicUp(c.Datagram(wire.QUICAck(false))))
	}
	list, stats := replay(t, frames...)
	want(t, "one port", names(list), "quic one.example", "quic two.example")
	counted(t, stats, map[string]uint64{"quic_flows": 1, "quic_connections": 2, "quic_packets_unopened": 0})

	// A packet of the first that comes late does not disturb the second.
	hello := quicHello(t, "three.example")
	c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("three.ex"), nil)
	late := slices.Concat(frames[:1], quicUps(c.Datagram(wire.QUICCrypto(100, hello[100:]))), frames[:1], quicUps(c.Datagram(wire.QUICCrypto(0, hello[:100]))))
	list, stats = replay(t, late...)
	want(t, "a late packet", names(list), "quic one.example", "quic three.example")
	counted(t, stats, map[string]uint64{"quic_connections": 2, "quic_hellos_lost": 0, "quic_packets_unopened": 0})
}

func TestQUICHelloOfManyPackets(t *testing.T) {
	for _, size := range []int{2000, 16 << 10, 60 << 10} {
		hello := quicHello(t, "api.example.com")
		body := hello[4:]
		at := 2 + 32 + 1 + int(body[34])
		at += 2 + int(body[at])<<8 + int(body[at+1])
		at += 1 + int(body[at])
		filler := size - len(hello)
		extensions := wire.Join(wire.U16(0xfafa), wire.U16(filler), make([]byte, filler), body[at+2:]) // before the name
		body = wire.Join(body[:at], wire.U16(len(extensions)), extensions)
		message := wire.Join([]byte{1, byte(len(body) >> 16)}, wire.U16(len(body)), body)
		c := quicClient()
		var frames [][]byte
		for _, f := range pieces(message, 1100) {
			frames = append(frames, quicUp(c.Datagram(f)))
		}
		frames[0], frames[1] = frames[1], frames[0]
		list, _ := replay(t, frames...)
		want(t, "a long hello", lines(list), quicLine)
	}
}

func TestQUICOnADNSPort(t *testing.T) {
	client, server := netip.MustParseAddrPort("192.0.2.1:5353"), netip.MustParseAddrPort("192.0.2.2:53")
	list, stats := replay(t, wire.Datagram(client, server, quicClient().Datagram(wire.QUICCrypto(0, quicHello(t, "api.example.com")))))
	want(t, "port 53", names(list), "quic api.example.com")
	counted(t, stats, map[string]uint64{"dns_messages": 0, "dns_malformed": 0})
	list, _ = replay(t, wire.Datagram(stub, resolver, wire.DNSQuery(0xc300, "a.example", 1)))
	want(t, "a DNS query whose id looks like QUIC", names(list), "dns a.example")
}

func TestQUICOwnerHookAtTheFirstDatagram(t *testing.T) {
	e := newEngine(DefaultLimits())
	var opened []signatures.Flow
	e.opened = func(f signatures.Flow) { opened = append(opened, f) }
	hello := quicHello(t, "api.example.com")
	c := quicClient()
	datagram := c.Datagram(wire.QUICCrypto(50, hello[50:]))
	feed(e, 0, quicUp(datagram))
	told := signatures.Flow{
		Protocol: "udp", Client: netip.MustParseAddrPort(clientEnd), Server: netip.MustParseAddrPort(serverEnd), BytesUp: uint64(len(datagram)),
	}
	if len(opened) != 1 || opened[0] != told {
		t.Fatalf("told of %v", opened)
	}
	feed(e, 0, quicDown(c.Server(wire.QUICv1, []byte("s")).Initial(wire.QUICAck(false))), quicUp(c.Datagram(wire.QUICCrypto(0, hello[:50]))))
	if want(t, "a hello", lines(e.take()), quicLine); len(opened) != 1 {
		t.Errorf("told of %v", opened)
	}
	// The client is who sealed the Initial, whichever port is higher.
	low, high := netip.MustParseAddrPort("192.0.2.10:1000"), netip.MustParseAddrPort("198.51.100.20:50443")
	feed(e, 0, wire.Datagram(low, high, c.Datagram(wire.QUICPing())))
	if len(opened) != 2 || opened[1].Client != low {
		t.Errorf("told of %v", opened)
	}
}
