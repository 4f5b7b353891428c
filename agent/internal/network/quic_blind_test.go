package network

import (
	"bytes"
	"crypto/tls"
	"net/netip"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// blindOnce holds that a reason, and no other, is a blind spot.
func blindOnce(t *testing.T, what string, stats ReplayStats, reason string) {
	t.Helper()
	if len(stats.Blind) != 1 || blind(stats, reason) != 1 {
		t.Errorf("%s: blind %v, want %s once", what, stats.Blind, reason)
	}
}

func TestQUICCaptureThatStartsLateIsBlind(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	c := quicClient()
	s := c.Server(wire.QUICv1, []byte("server's own"))
	answer := s.Initial(wire.QUICAck(false), wire.QUICCrypto(0, []byte{2, 0, 0, 3, 3, 3, 3}))
	list, stats := replay(t, quicDown(answer), quicDown(answer))
	want(t, "the server's side alone", names(list))
	blindOnce(t, "the server's side alone", stats, "quic_initial_undecryptable")

	first := c.Datagram(wire.QUICCrypto(200, hello[200:]))
	c.Destination = s.Source
	second := c.Datagram(wire.QUICCrypto(0, hello[:200]))
	list, stats = replay(t, quicDown(answer), quicUp(second))
	want(t, "without the first Initial", names(list))
	blindOnce(t, "without the first Initial", stats, "quic_initial_undecryptable")

	list, stats = replay(t, quicDown(answer), quicUp(first), quicUp(second))
	want(t, "the answer first", lines(list), quicLine)
	if len(stats.Blind) > 0 {
		t.Errorf("blind %v", stats.Blind)
	}
	_, stats = replay(t, quicUp(c.Opaque(2, 300)), quicUp(c.Opaque(1, 300)))
	blindOnce(t, "Handshake and 0-RTT packets alone", stats, "quic_initial_undecryptable")
}

func TestQUICHelloOfWhichAPieceIsLost(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	at := bytes.Index(hello, text("api.example.com")) + len("api.example.com")
	head, tail := wire.QUICCrypto(0, hello[:at]), wire.QUICCrypto(at+1, hello[at+1:])

	list, stats := replay(t, quicUp(quicClient().Datagram(head)))
	want(t, "its end", lines(list), quicLine)
	counted(t, stats, map[string]uint64{"tls_hellos_partial": 1, "quic_hellos": 1})
	if len(stats.Blind) > 0 {
		t.Errorf("blind %v", stats.Blind)
	}
	_, stats = replay(t, quicUp(quicClient().Datagram(tail)))
	blindOnce(t, "its start", stats, "quic_hello_incomplete")
	_, stats = replay(t, quicUp(quicClient().Datagram(wire.QUICCrypto(0, hello[:60]))))
	blindOnce(t, "the name", stats, "tls_hello_incomplete")

	// Once the client goes on, what is missing will not come: the name need
	// not wait for the flow to end.
	e := newEngine(DefaultLimits())
	c := quicClient()
	feed(e, 0, quicUp(c.Datagram(head, wire.QUICCrypto(at+1, hello[at+1:]))))
	want(t, "before the Handshake packet", names(e.take()))
	feed(e, 0, quicUp(c.Opaque(2, 100)))
	want(t, "at the Handshake packet", lines(e.take()), quicLine)
	if e.table.held != 0 {
		t.Errorf("%d bytes are held", e.table.held)
	}
}

func TestQUICUndecryptableIsNamedByDNS(t *testing.T) {
	client, server := netip.MustParseAddrPort("192.0.2.10:50001"), netip.MustParseAddrPort("198.51.100.9:443")
	answer := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "api.example.com", 1, record(sameName, 198, 51, 100, 9)))
	broken := quicClient().Datagram(wire.QUICCrypto(0, quicHello(t, "api.example.com")))
	broken[len(broken)-1] ^= 1
	list, stats := replay(t, answer, wire.Datagram(client, server, broken), wire.Datagram(client, server, broken))
	want(t, "two Initials", lines(list[1:]), "flow api.example.com 192.0.2.10:50001>198.51.100.9:443")
	blindOnce(t, "two Initials", stats, "quic_initial_undecryptable")
	counted(t, stats, map[string]uint64{"quic_packets_unopened": 2, "quic_flows": 1})
}

func TestQUICJunkIsCountedAndGivenUp(t *testing.T) {
	junk := append([]byte{0xc3, 0xab, 0xcd, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e}, make([]byte, 1182)...)
	e := newEngine(DefaultLimits())
	for range 100 {
		feed(e, 0, quicUp(junk))
	}
	if n := e.tally[quicUnopened]; n != quicTries {
		t.Errorf("%d attempts", n)
	}
	e.flush()
	if e.tally[quicVersionUnknown] != 1 || e.tally[quicUndecrypted] != 0 || e.tally[directionsGivenUp] != 1 || len(e.take()) != 0 {
		t.Errorf("%v", e.export())
	}
	if list := e.blindSpots(); len(list) != 1 || list[0].Reason != "quic_version_unknown" {
		t.Errorf("blind %v", list)
	}
	// What starts like a long header and is none is left to others.
	_, stats := replay(t, quicUp(append([]byte{0xc0}, make([]byte, 1199)...)), quicUp(bytes.Repeat([]byte{0xff}, 1200)),
		quicUp(junk[:600]), quicUp(quicClient().VersionNegotiation(1)))
	counted(t, stats, map[string]uint64{"quic_datagrams": 0, "quic_flows": 0, "flows_opened": 0, "udp_datagrams": 4})
}

// An Initial that opens and holds no ClientHello.
func TestQUICStreamThatIsNoHello(t *testing.T) {
	_, stats := replay(t, quicUp(quicClient().Datagram(wire.QUICCrypto(0, []byte("CHLO is no ClientHello")))))
	counted(t, stats, map[string]uint64{"quic_malformed": 1, "quic_hellos": 0, "tls_hellos": 0})
	_, stats = replay(t, quicUp(quicClient().Datagram(wire.QUICCrypto(0, []byte{1, 0, 0, 2, 9, 9}))))
	counted(t, stats, map[string]uint64{"quic_malformed": 1, "quic_hellos": 0, "tls_hellos": 0})
}

func TestQUICHelloThatIsTooLong(t *testing.T) {
	for what, frames := range map[string][][]byte{
		"by its own account":   {wire.QUICCrypto(0, []byte{1, 1, 0, 0, 3, 3})},
		"by an offset":         {wire.QUICCrypto(1<<40, []byte{1})},
		"in too many pieces":   pieces2(100),
		"just behind the most": {wire.QUICCrypto(65530, make([]byte, 10))},
	} {
		list, stats := replay(t, quicUp(quicClient().Datagram(frames...)))
		want(t, what, names(list))
		blindOnce(t, what, stats, "quic_hello_too_long")
	}
}

// pieces2 returns n frames of one byte, none beside another.
func pieces2(n int) [][]byte {
	var frames [][]byte
	for i := range n {
		frames = append(frames, wire.QUICCrypto(2*i, []byte{1}))
	}
	return frames
}

func TestQUICCutBySnapLength(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	at := bytes.Index(hello, text("api.example.com"))
	frame := quicUp(quicClient().Datagram(wire.QUICCrypto(0, hello)))
	const headers = 14 + 20 + 8 + 28 + 4 // to the CRYPTO data, at most
	cut := func(b []byte, n int) *engine {
		e := newEngine(DefaultLimits())
		e.frame(&capture.Frame{Time: time.Unix(1, 0), Link: capture.LinkEthernet, Data: b[:n], Length: len(b)})
		e.flush()
		return e
	}
	e := cut(frame, headers+at+30)
	want(t, "a name before the cut", lines(e.take()), quicLine)
	if e.tally[tlsHellosPartial] != 1 || len(e.blindSpots()) != 0 {
		t.Errorf("%d partial, blind %v", e.tally[tlsHellosPartial], e.blindSpots())
	}
	e = cut(frame, headers+20)
	want(t, "a cut before the name", lines(e.take()))
	if e.tally[quicHellosLost] != 1 {
		t.Errorf("%v", e.blindSpots())
	}
	e = cut(frame, headers+60)
	want(t, "a cut behind the random", lines(e.take()))
	if e.tally[tlsHellosLost] != 1 {
		t.Errorf("%v", e.blindSpots())
	}
	for _, n := range []int{14 + 20 + 8 + 26, 14 + 20 + 8 + 40} {
		e = cut(frame, n)
		if list := e.blindSpots(); len(list) != 1 || list[0].Reason != "quic_initial_cut" {
			t.Errorf("%d bytes: blind %v", n, list)
		}
	}
	// Unproved bytes are held against what they should be.
	other := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("destinat"), nil)
	other.Destination = []byte("changed!")
	e = cut(quicUp(other.Datagram(wire.QUICCrypto(0, hello))), 600)
	if list := e.blindSpots(); len(list) != 1 || list[0].Reason != "quic_initial_cut" || len(e.take()) != 0 {
		t.Errorf("other keys: blind %v", list)
	}
}

func TestDNSOverQUICIsBlind(t *testing.T) {
	doq, err := wire.QUICHello(&tls.Config{ServerName: "resolver.example", NextProtos: []string{"doq-i11", "doq"}})
	if err != nil {
		t.Fatal(err)
	}
	list, stats := replay(t, quicUp(quicClient().Datagram(wire.QUICCrypto(0, doq))))
	want(t, "by its protocol", names(list), "quic resolver.example")
	blindOnce(t, "by its protocol", stats, "doq")

	client, server := netip.MustParseAddrPort("192.0.2.10:50001"), netip.MustParseAddrPort("198.51.100.9:853")
	sealed := quicClient().Datagram(wire.QUICCrypto(0, quicHello(t, "resolver.example")))
	list, stats = replay(t, wire.Datagram(client, server, sealed))
	want(t, "by its port", names(list), "quic resolver.example")
	blindOnce(t, "by its port", stats, "doq")
	sealed[len(sealed)-1] ^= 1
	_, stats = replay(t, wire.Datagram(client, server, sealed))
	blindOnce(t, "by its port, undecrypted", stats, "doq")
}
