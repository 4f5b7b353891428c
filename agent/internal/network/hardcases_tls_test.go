package network

import (
	"bytes"
	"crypto/tls"
	"net/netip"
	"slices"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// helloParts returns the segments of a connection that says hello, of at most
// size bytes each, without the handshake before them.
func helloParts(flight []byte, size int) (open, parts, end [][]byte) {
	c := wire.NewConn(clientEnd, serverEnd)
	open = c.Open()
	return open, c.Split(flight, size), c.Close()
}

// TestHardCasesTLS lists how a ClientHello can be cut up, moved about and lost.
func TestHardCasesTLS(t *testing.T) {
	one := hello(t, "api.example.com") // with a post-quantum key share: longer than a segment
	if len(one) < 1500 {
		t.Fatalf("the hello has %d bytes", len(one))
	}
	split := func(flight []byte, size int, order func([][]byte) [][]byte) [][]byte {
		open, parts, end := helloParts(flight, size)
		return frames(open, order(parts), end)
	}
	same := func(p [][]byte) [][]byte { return p }
	backwards := func(p [][]byte) [][]byte { p = slices.Clone(p); slices.Reverse(p); return p }
	bytewise := wire.Records(one, 1)
	found := []string{helloLine}
	counts := map[string]uint64{"tls_hellos": 1}
	noise := func(b []byte) []byte { return bytes.Repeat([]byte{0xee}, len(b)) }

	overlap := wire.NewConn(clientEnd, serverEnd)
	overlapped := append(overlap.Open(),
		overlap.UpAt(0, one[:700]),
		overlap.UpAt(600, append(noise(one[600:700]), one[700:1200]...)), // overlaps what came: the first holds
		overlap.UpAt(0, noise(one[:700])),                                // the same bytes again, but different
		overlap.UpAt(1100, append(noise(one[1100:1200]), one[1200:]...)))
	ahead := wire.NewConn(clientEnd, serverEnd)
	overlappedAhead := append(ahead.Open(),
		ahead.UpAt(700, one[700:1200]),
		ahead.UpAt(650, append(one[650:700:700], noise(one[700:1100])...)), // begins before one that waits
		ahead.UpAt(1200, one[1200:]),
		ahead.UpAt(0, one[:700]))
	lost := func(drop int) [][]byte {
		return split(one, 500, func(p [][]byte) [][]byte { return slices.Delete(slices.Clone(p), drop, drop+1) })
	}
	retransmitted := split(one, 500, func(p [][]byte) [][]byte { return frames(p[:1], p[:2], p[1:3], p[:1], p[3:]) })
	c := wire.NewConn(clientEnd, serverEnd)
	several := c.Open()
	for _, name := range []string{"one.example", "two.example", "three.example"} {
		several = append(several, c.Up(hello(t, name)), c.Down([]byte{21, 3, 3, 0, 2, 2, 40}))
	}
	clientOnly := wire.NewConn(clientEnd, serverEnd)
	clientSide := append([][]byte{clientOnly.Open()[0]}, clientOnly.Split(one, 500)...)
	certificate, err := wire.Certificate("api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	retried, err := wire.Handshake(
		&tls.Config{ServerName: "api.example.com", InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}},
		&tls.Config{Certificates: []tls.Certificate{certificate}, CurvePreferences: []tls.CurveID{tls.CurveP256}})
	if err != nil {
		t.Fatal(err)
	}
	huge := wire.WithExtension(one, wire.Join(wire.U16(99), wire.U16(12000), make([]byte, 12000)))

	runHardCases(t, []hardCase{
		{name: "over two segments", frames: split(one, 1380, same), lines: found, counters: counts},
		{name: "over many segments", frames: split(one, 100, same), lines: found, counters: counts},
		{name: "over segments of one byte", frames: split(one, 1, same), lines: found, counters: counts},
		{name: "of 13 kB", frames: split(huge, 1380, same), lines: found, counters: counts},
		{name: "segments in reverse", frames: split(one, 100, backwards), lines: found, counters: counts},
		{name: "segments retransmitted", frames: retransmitted, lines: found, counters: map[string]uint64{"tls_hellos": 1, "tcp_duplicates": 3}},
		{name: "segments overlapping with other bytes", frames: overlapped, lines: found, counters: counts},
		{name: "segments overlapping one that waits", frames: overlappedAhead, lines: found, counters: counts},
		{name: "over records", frames: session(wire.Records(one, 300)), lines: found, counters: counts},
		{name: "over records of one byte", frames: split(bytewise, 1380, same), lines: found, counters: counts},
		{name: "over records and segments", frames: split(wire.Records(one, 77), 130, same), lines: found, counters: counts},
		{name: "over records of one byte and segments in reverse", frames: split(bytewise, 1380, backwards), lines: found, counters: counts},
		{name: "over records of one byte and segments of seven", frames: split(bytewise, 7, same), lines: found, counters: counts},
		{name: "first segment lost", frames: lost(0), blind: map[string]uint64{"tcp_gap": 1}},
		{
			name: "middle segment lost behind the name", frames: lost(2), lines: found,
			counters: map[string]uint64{"tls_hellos_partial": 1, "tls_hellos_lost": 0}, blind: map[string]uint64{"tcp_gap": 1},
		},
		{
			name: "cut before the name", frames: session(one[:80]),
			counters: map[string]uint64{"tls_hellos_partial": 1, "tls_hellos_lost": 1}, blind: map[string]uint64{"tls_hello_incomplete": 1},
		},
		{name: "second hello after HelloRetryRequest", frames: session(retried), lines: []string{helloLine, helloLine}, counters: map[string]uint64{"tls_hellos": 2}},
		{
			name: "several hellos in one connection", frames: several,
			lines: []string{"tls one.example " + between, "tls two.example " + between, "tls three.example " + between},
		},
		{name: "client side only", frames: clientSide, lines: found, counters: counts},
		{name: "client side only, without a start", frames: clientSide[1:], lines: found, counters: counts},
		{name: "as an offloaded packet", frames: session(wire.Records(huge, 4000)), lines: found, counters: counts},
		{name: "an encrypted record behind it that starts like one", frames: session(one, wire.Join([]byte{22, 3, 3, 0, 40, 1, 9, 0, 0}, zeros(36))), lines: found},
		{
			name: "longer than is read", frames: session(wire.Join([]byte{22, 3, 1, 0x40, 0, 1, 9, 0, 0}, zeros(600))),
			counters: map[string]uint64{"tls_hellos_lost": 1}, blind: map[string]uint64{"tls_hello_incomplete": 1, "message_too_long": 1},
		},
		{name: "without a name", frames: session(hello(t, "")), counters: map[string]uint64{"tls_hellos_nameless": 1, "flows_unnamed": 1}},
	})
}

// TestHardCasesServerSideOnly holds that a server's half alone gives no name,
// and what DNS knew is told instead.
func TestHardCasesServerSideOnly(t *testing.T) {
	c := wire.NewConn("192.0.2.10:50001", "198.51.100.9:443")
	open := c.Open()
	reply := c.Down([]byte{22, 3, 3, 0, 6, 2, 0, 0, 2, 3, 3})
	answer := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "api.example.com", 1, record(sameName, 198, 51, 100, 9)))
	runHardCases(t, []hardCase{
		{name: "with an answer before", frames: [][]byte{answer, open[1], reply}, lines: []string{
			"dns api.example.com 192.0.2.10:40000>192.0.2.53:53", "flow api.example.com 192.0.2.10:50001>198.51.100.9:443",
		}},
		{name: "with nothing", frames: [][]byte{open[1], reply}, counters: map[string]uint64{"flows_unnamed": 1}},
	})
}

// TestHardCasesDTLS lists the forms of a hello in datagrams.
func TestHardCasesDTLS(t *testing.T) {
	client, server := netip.MustParseAddrPort("192.0.2.10:5000"), netip.MustParseAddrPort("198.51.100.20:4433")
	const line = "tls dtls.example.com 192.0.2.10:5000>198.51.100.20:4433"
	body := wire.HelloBody(hello(t, "dtls.example.com"))
	datagrams := func(list [][]byte) [][]byte {
		var out [][]byte
		for _, d := range list {
			out = append(out, wire.Datagram(client, server, d))
		}
		return out
	}
	version := func(list [][]byte, minor byte) [][]byte { // of the record and of the hello
		for _, d := range list {
			d[2] = minor
		}
		list[0][13+12+1] = minor
		return list
	}
	thirteen := wire.DatagramHello(wire.HelloBody(wire.WithExtension(hello(t, "dtls.example.com"), wire.Join(wire.U16(43), wire.U16(5), []byte{4, 0xfe, 0xfc, 0xfe, 0xfd}))), 400)
	parts := wire.DatagramHello(body, 300)
	cookie := wire.DatagramHello(body, 1<<14)
	second := bytes.Clone(cookie[0])
	second[13+5] = 1 // the number of the message
	runHardCases(t, []hardCase{
		{name: "DTLS 1.0", frames: datagrams(version(wire.DatagramHello(body, 1<<14), 0xff)), lines: []string{line}, attributes: map[string]string{"tls.transport": "dtls"}},
		{name: "DTLS 1.0 in pieces", frames: datagrams(version(wire.DatagramHello(body, 500), 0xff)), lines: []string{line}},
		{name: "DTLS 1.2", frames: datagrams(wire.DatagramHello(body, 1<<14)), lines: []string{line}},
		{name: "DTLS 1.3 in pieces", frames: datagrams(thirteen), lines: []string{line}, attributes: map[string]string{"tls.version": "dtls1.3"}},
		{name: "pieces in reverse", frames: func() [][]byte { d := datagrams(parts); slices.Reverse(d); return d }(), lines: []string{line}},
		{name: "pieces in one datagram", frames: datagrams([][]byte{bytes.Join(parts, nil)}), lines: []string{line}},
		{name: "pieces twice", frames: frames(datagrams(parts[:2]), datagrams(parts)), lines: []string{line}},
		{name: "again with a cookie", frames: datagrams([][]byte{cookie[0], second}), lines: []string{line, line}},
		{name: "a piece lost", frames: datagrams(parts[1:]), counters: map[string]uint64{"tls_hellos_lost": 1}, blind: map[string]uint64{"tls_hello_incomplete": 1}},
		{name: "RDP over UDP", frames: [][]byte{wire.Datagram(client, netip.MustParseAddrPort("198.51.100.20:3389"),
			wire.Join([]byte{0, 0x14, 0xc1, 1, 0xf4, 1, 0x64, 0xe0, 0x64, 0, 1, 0}, hello(t, "desk.example.com")))},
			lines: []string{"tls desk.example.com 192.0.2.10:5000>198.51.100.20:3389"}},
		{name: "the port of RDP without a hello", frames: [][]byte{wire.Datagram(client, netip.MustParseAddrPort("198.51.100.20:3389"), make([]byte, 900))}},
	})
}

// TestHardCasesBehindAnotherProtocol lists what a client may say before its
// hello; every recogniser of the table has at least one.
func TestHardCasesBehindAnotherProtocol(t *testing.T) {
	one := hello(t, "api.example.com")
	server := "198.51.100.20:8443"
	behind := func(name string, more ...string) map[string]string {
		m := map[string]string{"tls.behind": name}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	target := func(name string) string { return "flow " + name + " " + clientEnd + ">" + server }
	found := []string{helloLine}
	password := []byte{1, 4, 'u', 's', 'e', 'r', 4, 'p', 'a', 's', 's'}
	byName := wire.Join([]byte{5, 1, 0, 3, 15}, text("api.example.com"), wire.U16(443))
	prelogin := wire.Join([]byte{0x12, 1}, wire.U16(8+11), zeros(4), []byte{0, 0, 6, 0, 6, 0xff, 16, 0, 0, 0, 0})
	mysql := wire.Join([]byte{32, 0, 0, 1, 0x05, 0xae, 0xff, 0x19, 0, 0, 0, 1, 45}, zeros(23))
	maria := wire.Join([]byte{32, 0, 0, 1, 0x04, 0xae, 0xff, 0x19, 0, 0, 0, 64, 45}, zeros(19), []byte{0x1d, 0, 0, 0})
	rdp := wire.Join([]byte{3, 0, 0, 43, 38, 0xe0, 0, 0, 0, 0, 0}, text("Cookie: mstshash=user\r\n\r"), []byte{'\n'}, []byte{1, 0, 8, 0, 3, 0, 0, 0})
	rdp[3], rdp[4] = byte(len(rdp)), byte(len(rdp)-5)
	bind := []byte{0x30, 12, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0}
	startTLS := wire.Join([]byte{0x30, 29, 2, 1, 2, 0x77, 24, 0x80, 22}, text("1.3.6.1.4.1.1466.20037"))
	long := wire.Join([]byte{0x30, 0x82, 0, 29}, startTLS[2:])
	v2 := func(kind byte, addresses []byte) []byte {
		return wire.Join(text(proxySignature), []byte{0x21, kind}, wire.U16(len(addresses)), addresses)
	}
	four := []byte{203, 0, 113, 7, 198, 51, 100, 1, 0xd9, 3, 1, 187}
	six := wire.Join(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::8").AsSlice(), []byte{0xd9, 3, 1, 187})
	var cases []hardCase
	add := func(name string, attributes map[string]string, lines []string, parts ...[]byte) {
		all := append(slices.Clone(parts), one)
		counters := map[string]uint64{"tls_behind_another_protocol": 1}
		cases = append(cases,
			hardCase{name: name, frames: dialogue(all...), lines: lines, attributes: attributes, counters: counters},
			hardCase{name: name + ", in one segment", frames: session(bytes.Join(all, nil)), lines: lines, attributes: attributes, counters: counters})
		c := wire.NewConn(clientEnd, serverEnd)
		cases = append(cases, hardCase{name: name + ", in segments of three bytes", lines: lines, attributes: attributes, counters: counters,
			frames: frames(c.Open(), c.Split(bytes.Join(all, nil), 3), c.Close())})
	}
	add("SOCKS5", behind("socks5", "proxy.target", "203.0.113.9:443"), found, []byte{5, 1, 0}, []byte{5, 1, 0, 1, 203, 0, 113, 9, 1, 187})
	add("SOCKS5 by name", behind("socks5", "proxy.target", "api.example.com:443"), []string{target("api.example.com"), helloLine}, []byte{5, 2, 0, 2}, byName)
	add("SOCKS5 to IPv6", behind("socks5", "proxy.target", "[2001:db8::7]:443"), found,
		[]byte{5, 1, 0}, wire.Join([]byte{5, 1, 0, 4}, netip.MustParseAddr("2001:db8::7").AsSlice(), wire.U16(443)))
	add("SOCKS5 with a password", behind("socks5"), []string{target("api.example.com"), helloLine}, []byte{5, 1, 2}, password, byName)
	add("SOCKS4", behind("socks4", "proxy.target", "203.0.113.9:443"), found, []byte{4, 1, 1, 187, 203, 0, 113, 9, 'u', 0})
	add("SOCKS4a", behind("socks4", "proxy.target", "api.example.com:443"), []string{target("api.example.com"), helloLine},
		text("\x04\x01\x01\xbb\x00\x00\x00\x01user\x00api.example.com\x00"))
	add("HTTP CONNECT", behind("http"), []string{"http proxied.example " + between + " CONNECT ", helloLine},
		text("CONNECT proxied.example:443 HTTP/1.1\r\nHost: proxied.example:443\r\n\r\n"))
	add("PROXY 1", behind("proxy_v1", "proxy.client", "203.0.113.7:55555"), found, text("PROXY TCP4 203.0.113.7 198.51.100.1 55555 443\r\n"))
	add("PROXY 1, IPv6", behind("proxy_v1", "proxy.client", "[2001:db8::7]:55555"), found, text("PROXY TCP6 2001:db8::7 2001:db8::8 55555 443\r\n"))
	add("PROXY 1, unknown", behind("proxy_v1", "proxy.client", ""), found, text("PROXY UNKNOWN\r\n"))
	add("PROXY 2", behind("proxy_v2", "proxy.client", "203.0.113.7:55555"), found, v2(0x11, four))
	add("PROXY 2, IPv6", behind("proxy_v2", "proxy.client", "[2001:db8::7]:55555"), found, v2(0x21, six))
	add("PROXY 2 with options", behind("proxy_v2", "proxy.client", "203.0.113.7:55555"), found, v2(0x11, wire.Join(four, []byte{4, 0, 2, 0, 0})))
	add("PROXY 2, local", behind("proxy_v2", "proxy.client", ""), found, wire.Join(text(proxySignature), []byte{0x20, 0, 0, 0}))
	add("PROXY and SOCKS5", behind("socks5", "proxy.client", "203.0.113.7:55555", "proxy.target", "api.example.com:443"),
		[]string{target("api.example.com"), helloLine}, text("PROXY TCP4 203.0.113.7 198.51.100.1 55555 1080\r\n"), []byte{5, 1, 0}, byName)
	add("SMTP", behind("smtp"), found, text("EHLO client.example\r\n"), text("STARTTLS\r\n"))
	add("LMTP", behind("smtp"), found, text("LHLO client.example\r\n"), text("starttls\r\n"))
	add("NNTP", behind("smtp"), found, text("CAPABILITIES\r\n"), text("STARTTLS\r\n"))
	add("IMAP", behind("imap"), found, text("a1 CAPABILITY\r\n"), text("a2 ID (\"name\" \"x\")\r\n"), text("a3 STARTTLS\r\n"))
	add("IMAP at once", behind("imap"), found, text("1 STARTTLS\r\n"))
	add("POP3", behind("pop3"), found, text("CAPA\r\n"), text("STLS\r\n"))
	add("POP3 with AUTH first", behind("pop3"), found, text("AUTH\r\n"), text("CAPA\r\n"), text("STLS\r\n"))
	add("FTP", behind("ftp"), found, text("AUTH TLS\r\n"))
	add("FTP with FEAT first", behind("ftp"), found, text("FEAT\r\n"), text("AUTH SSL\r\n"))
	add("XMPP", behind("xmpp"), found, text("<?xml version='1.0'?><stream:stream to='example.com' version='1.0'>"), text("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))
	add("XMPP in two elements", behind("xmpp"), found, text("<stream:stream to='example.com'>\n"), text("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls>"))
	add("LDAP", behind("ldap"), found, startTLS)
	add("LDAP with a bind first", behind("ldap"), found, bind, startTLS)
	add("LDAP with a long length", behind("ldap"), found, long)
	add("PostgreSQL", behind("postgresql"), found, []byte{0, 0, 0, 8, 4, 210, 22, 47})
	add("PostgreSQL with GSS first", behind("postgresql"), found, []byte{0, 0, 0, 8, 4, 210, 22, 48}, []byte{0, 0, 0, 8, 4, 210, 22, 47})
	add("MySQL", behind("mysql"), found, mysql)
	add("MariaDB", behind("mysql"), found, maria)
	add("MS-SQL", behind("tds"), found, prelogin, wire.Join([]byte{0x12, 1}, wire.U16(8+len(one)), zeros(4)))
	add("RDP", behind("rdp"), found, rdp)
	for _, w := range wrappers {
		if !slices.ContainsFunc(cases, func(c hardCase) bool { return c.attributes["tls.behind"] == w.name }) {
			t.Errorf("no case for %s", w.name)
		}
	}
	cases = append(cases,
		hardCase{name: "PostgreSQL without a request", frames: session(one), lines: found, attributes: map[string]string{"tls.behind": ""}},
		hardCase{name: "a protocol that nobody knows", frames: dialogue(text("\x7fwhatever"), one), lines: found, attributes: map[string]string{"tls.behind": ""}},
		hardCase{name: "a length that swallows the hello", frames: dialogue([]byte{0x30, 0x7f, 2, 1, 1, 0x77, 0x18}, one), lines: found},
		hardCase{name: "SOCKS5 by name, and no hello", frames: dialogue([]byte{5, 1, 0}, byName, text("\x01\x02\x03")),
			lines: []string{target("api.example.com")}, counters: map[string]uint64{"proxy_targets": 1}},
		hardCase{name: "SOCKS5 to junk", frames: dialogue([]byte{5, 1, 0}, []byte{5, 1, 0, 3, 3, 1, 2, 3, 0, 80}, text("\x01\x02\x03")),
			counters: map[string]uint64{"proxy_targets": 1, "flows_unnamed": 1}},
		hardCase{name: "SMTP without TLS", frames: dialogue(text("EHLO client.example\r\n"), bytes.Repeat(text("a line of mail\r\n"), 2000)),
			counters: map[string]uint64{"directions_given_up": 1}},
	)
	runHardCases(t, cases)
}

func zeros(n int) []byte { return make([]byte, n) }
