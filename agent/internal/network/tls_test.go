package network

import (
	"crypto/tls"
	"net/netip"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

const helloLine = "tls api.example.com " + clientEnd + ">" + serverEnd

func TestHelloOnAnyPort(t *testing.T) {
	list, stats := replay(t, session(hello(t, "API.Example.com"))...)
	want(t, "a hello", lines(list), helloLine)
	o := list[0]
	if o.Sensor != "network" || o.NameEvidence != signatures.EvidenceTLS || o.Flow.Protocol != "tcp" || o.Time.Unix() != 1003 {
		t.Errorf("%+v", o)
	}
	if o.Attributes["tls.alpn"] != "h2,http/1.1" || o.Attributes["tls.version"] != "1.3" {
		t.Errorf("attributes %v", o.Attributes)
	}
	counted(t, stats, map[string]uint64{"tls_hellos": 1, "flows_opened": 1, "flows_closed": 1, "packets": 6, "tcp_segments": 6})
}

func TestHelloOverSegmentsInAllOrders(t *testing.T) {
	one := hello(t, "api.example.com")
	permutations(4, func(order []int) {
		c := wire.NewConn(clientEnd, serverEnd)
		frames := c.Open()
		parts := c.Split(one, (len(one)+3)/4)
		for _, i := range order {
			frames = append(frames, parts[i])
		}
		list, stats := replay(t, append(frames, c.Close()...)...)
		want(t, "segments in another order", lines(list), helloLine)
		if out := stats.Counters["tcp_out_of_order"]; order[0] != 0 && out == 0 {
			t.Errorf("order %v: nothing counted as out of order", order)
		}
	})
}

func TestHelloOverTinySegments(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	list, _ := replay(t, append(c.Open(), c.Split(hello(t, "api.example.com"), 7)...)...)
	want(t, "segments of 7 bytes, no end", lines(list), helloLine)
}

func TestHelloWithOverlapDuplicateAndRetransmission(t *testing.T) {
	one := hello(t, "api.example.com")
	half := len(one) / 2
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(),
		c.UpAt(0, one[:half]),
		c.UpAt(0, one[:half]),               // a duplicate
		c.UpAt(half+50, one[half+50:]),      // early
		c.UpAt(half-100, make([]byte, 100)), // a retransmission with other bytes: the first holds
		c.UpAt(half-40, one[half-40:half+60]))
	list, stats := replay(t, frames...)
	want(t, "overlapping segments", lines(list), helloLine)
	counted(t, stats, map[string]uint64{"tcp_duplicates": 2, "tcp_out_of_order": 1})
}

func TestHelloWithLostFirstSegmentIsBlind(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	open := c.Open()
	parts := c.Split(hello(t, "api.example.com"), 600)
	list, stats := replay(t, append(append(open, parts[1:]...), c.Close()...)...)
	want(t, "without the first segment", lines(list))
	if blind(stats, "tcp_gap") != 1 {
		t.Errorf("blind: %v", stats.Blind)
	}
}

func TestHelloWithLostLastSegment(t *testing.T) {
	one := hello(t, "api.example.com")
	f := func(what string, part []byte, found []string, lost uint64) {
		t.Helper()
		list, stats := replay(t, session(part)...)
		want(t, what, lines(list), found...)
		counted(t, stats, map[string]uint64{"tls_hellos_partial": 1, "tls_hellos_lost": lost})
		if blind(stats, "tls_hello_incomplete") != lost {
			t.Errorf("%s: blind %v", what, stats.Blind)
		}
	}
	f("cut behind the name", one[:len(one)-10], []string{helloLine}, 0)
	f("cut before the name", one[:80], nil, 1)
}

func TestHelloOverSeveralRecords(t *testing.T) {
	records := wire.Records(hello(t, "api.example.com"), 64)
	c := wire.NewConn(clientEnd, serverEnd)
	list, _ := replay(t, append(c.Open(), c.Split(records, 333)...)...)
	want(t, "records and segments", lines(list), helloLine)
}

func TestHelloWithAndWithoutPostQuantumKeyShare(t *testing.T) {
	for _, group := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519} {
		one, err := wire.ClientHello(&tls.Config{ServerName: "api.example.com", CurvePreferences: []tls.CurveID{group}})
		if err != nil {
			t.Fatal(err)
		}
		c := wire.NewConn(clientEnd, serverEnd)
		list, _ := replay(t, append(c.Open(), c.Split(one, 1380)...)...)
		want(t, group.String(), lines(list), helloLine)
	}
}

func TestHelloRetryRequest(t *testing.T) {
	certificate, err := wire.Certificate("api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	// The client shares a key for the first group; the server wants the other.
	sent, err := wire.Handshake(
		&tls.Config{ServerName: "api.example.com", InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}},
		&tls.Config{Certificates: []tls.Certificate{certificate}, CurvePreferences: []tls.CurveID{tls.CurveP256}})
	if err != nil {
		t.Fatal(err)
	}
	list, stats := replay(t, session(sent)...)
	want(t, "two hellos", lines(list), helloLine, helloLine)
	counted(t, stats, map[string]uint64{"tls_hellos": 2, "directions_given_up": 1})
}

func TestHelloBehindAnotherProtocol(t *testing.T) {
	one := hello(t, "api.example.com")
	f := func(what string, parts ...[]byte) {
		t.Helper()
		list, _ := replay(t, session(append(parts, one)...)...)
		want(t, what, lines(list[len(list)-1:]), helloLine)
	}
	joined := func(what string, before []byte) {
		t.Helper()
		list, _ := replay(t, session(wire.Join(before, one))...)
		want(t, what+" in one segment", lines(list), helloLine)
	}
	socks5 := [][]byte{{5, 1, 2}, {1, 1, 'u', 1, 'p'}, wire.Join([]byte{5, 1, 0, 3, 11}, text("example.com"), wire.U16(443))}
	f("SOCKS5 with a password", socks5...)
	f("SOCKS4", []byte{4, 1, 1, 187, 192, 0, 2, 1, 'u', 0})
	f("SOCKS4a", []byte("\x04\x01\x01\xbb\x00\x00\x00\x01user\x00example.com\x00"))
	f("SMTP", text("EHLO client.example\r\n"), text("STARTTLS\r\n"))
	f("IMAP", text("a1 CAPABILITY\r\n"), text("a2 STARTTLS\r\n"))
	f("POP3", text("STLS\r\n"))
	f("FTP", text("AUTH TLS\r\n"))
	f("XMPP", text("<stream:stream to='example.com'>"), text("<starttls/>"))
	f("LDAP", []byte{0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16, 3, 1, 0, 9, 1})
	f("PostgreSQL", []byte{0, 0, 0, 8, 4, 210, 22, 47})
	f("PROXY version 1", text("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"))
	joined("PROXY version 1", text("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"))
	joined("PROXY version 2", wire.Join(text(proxySignature), []byte{0x21, 0x11, 0, 12}, make([]byte, 12)))
	joined("SOCKS5 without waiting", []byte{5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 1, 187})

	list, _ := replay(t, session(text("CONNECT proxied.example:443 HTTP/1.1\r\nHost: proxied.example:443\r\n\r\n"), one)...)
	want(t, "CONNECT", names(list), "http proxied.example", "tls api.example.com")

	c := wire.NewConn(clientEnd, serverEnd)
	list, _ = replay(t, append(c.Open(), c.Split(wire.Join(text("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"), one), 9)...)...)
	want(t, "PROXY in tiny segments", lines(list), helloLine)
}

func TestUnknownProtocolIsLeftAlone(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	frames := c.Open()
	for range 20 {
		frames = append(frames, c.Up(make([]byte, 1000)))
	}
	list, stats := replay(t, append(frames, c.Up(hello(t, "late.example")))...)
	want(t, "a hello behind 20 kB", lines(list))
	counted(t, stats, map[string]uint64{"directions_given_up": 1, "flows_unnamed": 1})
}

func TestEncryptedHelloIsMarkedAndBlind(t *testing.T) {
	one := hello(t, "cloudflare-ech.com")
	ech := wire.Join(wire.U16(0xfe0d), wire.U16(8), make([]byte, 8))
	body := append(wire.HelloBody(one), ech...)
	at := 2 + 32 + 1 + int(body[34])
	at += 2 + int(body[at])<<8 + int(body[at+1])
	at += 1 + int(body[at])
	n := len(body) - at - 2
	body[at], body[at+1] = byte(n>>8), byte(n)
	message := wire.Join([]byte{1, byte(len(body) >> 16)}, wire.U16(len(body)), body)
	flight := wire.Join([]byte{22, 3, 1}, wire.U16(len(message)), message)
	list, stats := replay(t, session(flight)...)
	want(t, "an outer name", names(list), "tls cloudflare-ech.com")
	if list[0].Attributes["tls.ech"] != "outer" || blind(stats, "ech") != 1 {
		t.Errorf("%v, %v", list[0].Attributes, stats.Blind)
	}
	// DNS knows better.
	answer := wire.DNSAnswer(1, "hidden.example", 1, wire.DNSRecord([]byte{0xc0, 12}, 1, 60, []byte{198, 51, 100, 20}))
	resolver, client := netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("192.0.2.10:40000")
	list, _ = replay(t, append([][]byte{wire.Datagram(resolver, client, answer)}, session(flight)...)...)
	want(t, "an outer name behind DNS", names(list), "dns hidden.example", "flow hidden.example", "tls cloudflare-ech.com")
}

func TestDatagramHello(t *testing.T) {
	body := wire.HelloBody(hello(t, "dtls.example.com"))
	client, server := netip.MustParseAddrPort("[2001:db8::1]:5000"), netip.MustParseAddrPort("[2001:db8::2]:4433")
	const line = "tls dtls.example.com [2001:db8::1]:5000>[2001:db8::2]:4433"
	whole := wire.DatagramHello(body, 1<<14)
	list, stats := replay(t, wire.Datagram(client, server, whole[0]), wire.Datagram(client, server, whole[0]))
	want(t, "sent twice, as with a cookie", lines(list), line, line)
	counted(t, stats, map[string]uint64{"udp_datagrams": 2, "tls_hellos": 2})
	parts := wire.DatagramHello(body, 400)
	permutations(len(parts), func(order []int) {
		var frames [][]byte
		for _, i := range order {
			frames = append(frames, wire.Datagram(client, server, parts[i]))
		}
		list, _ := replay(t, frames...)
		want(t, "in pieces", lines(list), line)
		if list[0].Attributes["tls.transport"] != "dtls" || list[0].Flow.Protocol != "udp" {
			t.Errorf("%+v", list[0])
		}
	})
}

func TestReusedPortsAreANewConnection(t *testing.T) {
	a := wire.NewConn(clientEnd, serverEnd)
	frames := append(a.Open(), a.Up(hello(t, "one.example")))
	frames = append(frames, a.Open()...) // goes on from where it was: other sequence numbers
	list, stats := replay(t, append(frames, a.Up(hello(t, "two.example")))...)
	want(t, "ports used again", names(list), "tls one.example", "tls two.example")
	counted(t, stats, map[string]uint64{"flows_opened": 2, "flows_closed": 2})
}

func TestOneWayCaptureWithoutAStart(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	list, _ := replay(t, c.Up(hello(t, "api.example.com")))
	want(t, "nothing but the hello", lines(list), helloLine)
	// The client is who says hello, also where the server has the higher port.
	d := wire.NewConn("192.0.2.10:4000", "198.51.100.20:50443")
	list, _ = replay(t, d.Up(hello(t, "api.example.com")))
	want(t, "ports the other way", lines(list), "tls api.example.com 192.0.2.10:4000>198.51.100.20:50443")
}
