package network

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"net/netip"
	"slices"
	"testing"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

// service returns the data of an HTTPS record: priority 1, the given target,
// and parameters, each with its header.
func service(target string, parameters ...[]byte) []byte {
	return wire.Join(wire.U16(1), wire.DNSName(target), wire.Join(parameters...))
}

func parameter(key int, value []byte) []byte {
	return wire.Join(wire.U16(key), wire.U16(len(value)), value)
}

// echHello returns the first flight of a real client that was given the
// configuration, and the list that holds it.
func echHello(t *testing.T, id byte, public, secret string) (flight, list []byte) {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	list = wire.ECHConfigList(wire.ECHConfig(id, key.PublicKey().Bytes(), public))
	flight, err = wire.ClientHello(&tls.Config{ServerName: secret, MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: list})
	if err != nil {
		t.Fatal(err)
	}
	return flight, list
}

// TestHardCasesECH lists encrypted hellos, real and not, and what is known of
// them.
func TestHardCasesECH(t *testing.T) {
	const to = "198.51.100.20:8443"
	asked := func(name string) string { return "dns " + name + " " + stub.String() + ">" + resolver.String() }
	outer := func(name string) string { return "tls " + name + " " + clientEnd + ">" + to }
	flow := func(name string) string { return "flow " + name + " " + clientEnd + ">" + to }
	address := []byte{198, 51, 100, 20}
	answer := func(to netip.AddrPort, name string, kind int, data []byte) []byte {
		return wire.Datagram(resolver, to, wire.DNSAnswer(1, name, kind, wire.DNSRecord(sameName, kind, 60, data)))
	}
	a := func(name string) []byte { return answer(stub, name, 1, address) }
	real, list := echHello(t, 77, "outer.example", "secret.example")
	https := answer(stub, "secret.example", 65, service("", parameter(5, list)))
	hinted := answer(stub, "secret.example", 65, service("", parameter(4, address), parameter(5, list)))
	elsewhere := answer(netip.MustParseAddrPort("192.0.2.99:40000"), "secret.example", 65, service("", parameter(5, list)))
	other := answer(stub, "secret.example", 65, service("", parameter(5, wire.ECHConfigList(wire.ECHConfig(78, zeros(32), "outer.example")))))
	known, _ := echHello(t, 1, "cloudflare-ech.com", "secret.example")
	greased := wire.WithExtension(hello(t, "plain.example"), wire.ECHExtension(77, 32, 144))
	inner := wire.WithExtension(hello(t, "inner.example"), wire.Join(wire.U16(0xfe0d), wire.U16(1), []byte{1}))
	retry := wire.WithExtension(hello(t, "outer.example"), wire.ECHExtension(77, 0, 144))
	ech := func(kind, basis string) map[string]string {
		return map[string]string{"tls.ech": kind, "tls.ech_basis": basis}
	}
	hidden := map[string]uint64{"ech": 1}
	esni := wire.Join(wire.U16(0xffce), wire.U16(8), zeros(8))

	runHardCases(t, []hardCase{
		{
			name: "real, known by the record and its hint", frames: frames([][]byte{hinted}, session(real)),
			lines:      []string{asked("secret.example"), flow("secret.example"), outer("outer.example")},
			attributes: ech(echOuter, echByRecord), blind: hidden, counters: map[string]uint64{"tls_ech": 1, "tls_ech_outer": 1, "dns_ech_configs": 1},
		},
		{
			name: "real, known by the record and an address", frames: frames([][]byte{https, a("secret.example")}, session(real)),
			lines:      []string{asked("secret.example"), asked("secret.example"), flow("secret.example"), outer("outer.example")},
			attributes: ech(echOuter, echByRecord), blind: hidden,
		},
		{
			name: "real, known by the record alone", frames: frames([][]byte{https}, session(real)),
			lines:      []string{asked("secret.example"), flow("secret.example"), outer("outer.example")},
			attributes: ech(echOuter, echByRecord), blind: hidden,
		},
		{
			name: "real, the record was given to another", frames: frames([][]byte{elsewhere}, session(real)),
			lines:      []string{"dns secret.example 192.0.2.99:40000>192.0.2.53:53", outer("outer.example")},
			attributes: ech(echOuter, echByRecord), blind: hidden,
		},
		{
			name: "real, behind a HelloRetryRequest", frames: frames([][]byte{https}, session(real, retry)),
			lines:      []string{asked("secret.example"), flow("secret.example"), outer("outer.example"), outer("outer.example")},
			attributes: ech(echOuter, echByRecord), blind: map[string]uint64{"ech": 2},
		},
		{
			name: "real, under a known public name", frames: session(known), lines: []string{outer("cloudflare-ech.com")},
			attributes: ech(echOuter, echByList), blind: hidden,
		},
		{
			name: "real, under a known public name, with an address", frames: frames([][]byte{a("secret.example")}, session(known)),
			lines:      []string{asked("secret.example"), flow("secret.example"), outer("cloudflare-ech.com")},
			attributes: ech(echOuter, echByList), blind: hidden,
		},
		{
			name: "real, and nothing is known", frames: session(real), lines: []string{outer("outer.example")},
			attributes: ech(echOffered, ""), counters: map[string]uint64{"tls_ech": 1, "tls_ech_outer": 0, "tls_ech_grease": 0},
		},
		{
			name: "with the public name, of another configuration", frames: frames([][]byte{other}, session(real)),
			lines: []string{asked("secret.example"), outer("outer.example")}, attributes: ech(echOffered, ""),
		},
		{
			name: "GREASE, known by an address", frames: frames([][]byte{a("plain.example")}, session(greased)),
			lines:      []string{asked("plain.example"), outer("plain.example")},
			attributes: ech(echGrease, echByAnswer), counters: map[string]uint64{"tls_ech_grease": 1},
		},
		{
			name: "GREASE with the number of a real one", frames: frames([][]byte{https}, session(greased)),
			lines: []string{asked("secret.example"), outer("plain.example")}, attributes: ech(echOffered, ""),
		},
		{name: "GREASE, and nothing is known", frames: session(greased), lines: []string{outer("plain.example")}, attributes: ech(echOffered, "")},
		{
			name: "inner", frames: session(inner), lines: []string{outer("inner.example")},
			attributes: ech(echInner, ""), counters: map[string]uint64{"tls_ech_inner": 1},
		},
		{
			name: "ESNI without a name", frames: session(wire.WithExtension(hello(t, ""), esni)),
			counters: map[string]uint64{"tls_esni": 1, "tls_esni_hidden": 1}, blind: map[string]uint64{"esni": 1},
		},
		{
			name: "ESNI with a name", frames: session(wire.WithExtension(hello(t, "plain.example"), esni)), lines: []string{outer("plain.example")},
			attributes: map[string]string{"tls.esni": "offered"}, counters: map[string]uint64{"tls_esni": 1, "tls_esni_hidden": 0},
		},
	})
}

// An outer name is no destination: no rule matches it, and the flow is told
// under the name that is behind it.
func TestOuterNameIsNoDestination(t *testing.T) {
	flight, list := echHello(t, 9, "outer.example", "secret.example")
	https := wire.DNSAnswer(1, "secret.example", 65, wire.DNSRecord(sameName, 65, 60, service("", parameter(5, list))))
	seen, _ := replay(t, frames([][]byte{wire.Datagram(resolver, stub, https)}, session(flight))...)
	if len(seen) != 3 || seen[2].NameEvidence != signatures.EvidenceTLSOuter || seen[1].NameEvidence != signatures.EvidenceDNSAnswer {
		t.Fatalf("%+v", seen)
	}
	if m := seen[1].Attributes; m["tls.ech"] != "outer" || m["tls.outer_name"] != "outer.example" {
		t.Errorf("attributes %v", m)
	}
}

// TestHardCasesBlindByChoice lists the ways to hide names that somebody chose.
func TestHardCasesBlindByChoice(t *testing.T) {
	tlsTo := func(server, name string, alpn ...string) [][]byte {
		one, err := wire.ClientHello(&tls.Config{ServerName: name, NextProtos: alpn, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		c := wire.NewConn("192.0.2.10:50001", server)
		return append(c.Open(), c.Up(one))
	}
	line := func(kind, name, server string) string { return kind + " " + name + " 192.0.2.10:50001>" + server }
	const web, dot = "198.51.100.9:443", "198.51.100.9:853"
	client := netip.MustParseAddrPort("192.0.2.10:50001")
	datagram := func(port uint16, payload []byte) []byte {
		return wire.Datagram(client, netip.AddrPortFrom(netip.MustParseAddr("198.51.100.9"), port), payload)
	}
	answer := func(name string) []byte {
		return wire.Datagram(resolver, stub, wire.DNSAnswer(1, name, 1, record(sameName, 198, 51, 100, 9)))
	}
	askedFor := func(name string) string { return "dns " + name + " " + stub.String() + ">" + resolver.String() }
	wireGuard := append([]byte{1, 0, 0, 0}, make([]byte, 144)...)
	openVPN := append(append([]byte{0x38}, "session."...), 0, 0, 0, 0, 0)
	openVPNAuth := append(append([]byte{0x38}, "session."...), make([]byte, 33)...)
	ike := func(version, exchange byte) []byte {
		return wire.Join([]byte("initiatr"), zeros(8), []byte{33, version, exchange, 8}, zeros(4), wire.U32(28+100), zeros(100))
	}
	esp := func(packet func(netip.Addr, netip.Addr, byte, []byte) []byte) []byte {
		return wire.EthernetIP(packet(client.Addr(), netip.MustParseAddr("198.51.100.9"), 50, zeros(80)))
	}
	ddr := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "_dns.resolver.arpa", 64, wire.DNSRecord(sameName, 64, 60,
		service("dns.corp.example", parameter(1, []byte("\x02h2")), parameter(4, []byte{198, 51, 100, 9}), parameter(7, []byte("/dns-query{?dns}"))))))
	designated := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "_dns.resolver.arpa", 64, wire.DNSRecord(sameName, 64, 60, service("dot.corp.example"))))
	dtls := wire.DatagramHello(wire.HelloBody(hello(t, "resolver.example")), 1<<14)[0]
	mark := func(reason string) map[string]string { return map[string]string{"blind": reason} }
	one := func(reason string) map[string]uint64 { return map[string]uint64{reason: 1} }
	request := "GET /dns-query?dns=AAAB HTTP/1.1\r\nHost: resolver.example\r\n\r\n"
	tcpVPN := wire.NewConn("192.0.2.10:50001", "198.51.100.9:443")
	pptp := wire.Join([]byte{0x30, 0x81}, wire.U16(0x880b), zeros(12), []byte{0xff, 3, 0, 0xfd}, zeros(40))

	runHardCases(t, []hardCase{
		{name: "DoH by name", frames: tlsTo(web, "dns.google", "h2"), lines: []string{line("tls", "dns.google", web)},
			attributes: mark("doh"), blind: one("doh"), counters: one("hidden_doh")},
		{name: "DoH by the name of a browser", frames: tlsTo(web, "Mozilla.Cloudflare-DNS.com", "h2"),
			lines: []string{line("tls", "mozilla.cloudflare-dns.com", web)}, attributes: mark("doh"), blind: one("doh")},
		{name: "DoH by a customer's name", frames: tlsTo(web, "abc123.dns.nextdns.io"), lines: []string{line("tls", "abc123.dns.nextdns.io", web)},
			attributes: mark("doh"), blind: one("doh")},
		{name: "DoH by address", frames: tlsTo("1.1.1.1:443", ""), counters: map[string]uint64{"hidden_doh": 1, "flows_unnamed": 1}, blind: one("doh")},
		{name: "DoH by IPv6 address", frames: func() [][]byte {
			c := wire.NewConn("[2001:db8::1]:50001", "[2001:4860:4860::8888]:443")
			return append(c.Open(), c.Up(hello(t, "")))
		}(), counters: one("hidden_doh"), blind: one("doh")},
		{name: "DoH in the clear", frames: session(text(request + request)), lines: []string{
			"http resolver.example " + between + " GET /dns-query", "http resolver.example " + between + " GET /dns-query",
		}, attributes: mark("doh"), counters: one("hidden_doh"), blind: one("doh")},
		{name: "DoH that DNS designates", frames: frames([][]byte{ddr}, tlsTo(web, "dns.corp.example")),
			lines: []string{askedFor("_dns.resolver.arpa"), line("tls", "dns.corp.example", web)}, attributes: mark("doh"),
			counters: map[string]uint64{"dns_resolver_designations": 1, "hidden_doh": 1}, blind: one("doh")},
		{name: "DoT that DNS designates", frames: frames([][]byte{designated}, tlsTo(web, "dot.corp.example")),
			lines: []string{askedFor("_dns.resolver.arpa"), line("tls", "dot.corp.example", web)}, attributes: mark("dot"), blind: one("dot")},
		{name: "DoT by port", frames: tlsTo(dot, "resolver.example"), lines: []string{line("tls", "resolver.example", dot)},
			attributes: mark("dot"), counters: one("hidden_dot"), blind: one("dot")},
		{name: "DoT by port, without a name", frames: tlsTo(dot, ""), counters: one("hidden_dot"), blind: one("dot")},
		{name: "DoT by its protocol", frames: tlsTo(web, "resolver.example", "dot"), lines: []string{line("tls", "resolver.example", web)},
			attributes: mark("dot"), blind: one("dot")},
		{name: "DoQ by its protocol", frames: tlsTo(web, "resolver.example", "doq"), lines: []string{line("tls", "resolver.example", web)},
			attributes: mark("doq"), counters: one("hidden_doq"), blind: one("doq")},
		{name: "DNS over DTLS", frames: [][]byte{datagram(853, dtls)}, lines: []string{line("tls", "resolver.example", dot)},
			attributes: mark("dot"), blind: one("dot")},
		{name: "private relay", frames: tlsTo(web, "mask.icloud.com", "h3"), lines: []string{line("tls", "mask.icloud.com", web)},
			attributes: mark("relay"), counters: one("hidden_relay"), blind: one("relay")},
		{name: "private relay, named by DNS", frames: frames([][]byte{answer("mask-h2.icloud.com")}, tlsTo(web, "")),
			lines: []string{askedFor("mask-h2.icloud.com"), line("flow", "mask-h2.icloud.com", web)}, attributes: mark("relay"), blind: one("relay")},
		{name: "VPN by name", frames: tlsTo(web, "zero-trust-client.cloudflareclient.com"),
			lines: []string{line("tls", "zero-trust-client.cloudflareclient.com", web)}, attributes: mark("vpn"), counters: one("hidden_vpn"), blind: one("vpn")},
		{name: "VPN relay", frames: tlsTo(web, "derp10b.tailscale.com"), lines: []string{line("tls", "derp10b.tailscale.com", web)},
			attributes: mark("vpn"), blind: one("vpn")},
		{name: "WireGuard", frames: [][]byte{answer("vpn.example"), datagram(51820, wireGuard), datagram(51820, wireGuard)},
			lines:      []string{askedFor("vpn.example"), line("flow", "vpn.example", "198.51.100.9:51820")},
			attributes: mark("vpn"), counters: one("hidden_vpn"), blind: one("vpn")},
		{name: "WireGuard on another port", frames: [][]byte{datagram(2408, wireGuard)}, blind: one("vpn")},
		{name: "OpenVPN", frames: [][]byte{datagram(443, openVPN)}, blind: one("vpn")},
		{name: "OpenVPN with authentication", frames: [][]byte{datagram(1194, openVPNAuth)}, blind: one("vpn")},
		{name: "OpenVPN over TCP", frames: append(tcpVPN.Open(), tcpVPN.Up(wire.Join(wire.U16(len(openVPN)), openVPN))), blind: one("vpn")},
		{name: "IKE 2", frames: [][]byte{datagram(500, ike(0x20, 34))}, blind: one("vpn")},
		{name: "IKE 1", frames: [][]byte{datagram(500, ike(0x10, 2))}, blind: one("vpn")},
		{name: "IKE behind address translation", frames: [][]byte{datagram(4500, wire.Join(zeros(4), ike(0x20, 34)))}, blind: one("vpn")},
		{name: "ESP", frames: [][]byte{answer("gateway.example"), esp(wire.IP), esp(wire.IP)},
			lines:      []string{askedFor("gateway.example"), "flow gateway.example 192.0.2.10:0>198.51.100.9:0"},
			attributes: mark("vpn"), counters: map[string]uint64{"hidden_vpn": 1, "frames_encrypted": 2}, blind: one("vpn")},
		{name: "PPTP", frames: [][]byte{wire.EthernetIP(wire.IP(client.Addr(), netip.MustParseAddr("198.51.100.9"), 47, pptp))}, blind: one("vpn")},
		{name: "encrypted by the link", frames: [][]byte{wire.Ethernet(0x88e5, wire.Join([]byte{0x0c}, zeros(60)))},
			counters: one("frames_link_encrypted"), blind: one("link_encryption")},
		{name: "names that only look alike", frames: frames(tlsTo(web, "notdns.google"), tlsTo("198.51.100.9:444", "dns.google.evil.example"), tlsTo("1.1.1.1:8443", "")),
			lines: []string{line("tls", "notdns.google", web), line("tls", "dns.google.evil.example", "198.51.100.9:444")}, attributes: mark("")},
		{name: "datagrams that only look alike", frames: [][]byte{
			datagram(51820, wireGuard[:147]), datagram(51820, append([]byte{1, 0, 0, 1}, wireGuard[4:]...)), datagram(443, openVPNAuth),
			datagram(500, ike(0x20, 35)), datagram(500, ike(0x20, 34)[:90]), datagram(4500, ike(0x20, 34)), datagram(9, zeros(60)),
		}},
	})
}

// A hello that QUIC carried is told as such, and to the port of DNS over QUIC it
// is blind.
func TestHelloOverQUIC(t *testing.T) {
	e := newEngine(DefaultLimits())
	client, server := netip.MustParseAddrPort("192.0.2.10:50001"), netip.MustParseAddrPort("198.51.100.9:853")
	p := link.Packet{Protocol: link.UDP, Source: link.Endpoint{Address: client.Addr().As16(), Port: client.Port()},
		Destination: link.Endpoint{Address: server.Addr().As16(), Port: server.Port()}}
	var key flowKey
	from := keyOf(&p, &key)
	if !e.hello(e.datagramFlow(key, from), from, wire.HelloBody(hello(t, "resolver.example")), false, overQUIC) {
		t.Fatal("not read")
	}
	list := e.take()
	want(t, "a hello", lines(list), "quic resolver.example 192.0.2.10:50001>198.51.100.9:853")
	if o := list[0]; o.NameEvidence != signatures.EvidenceQUIC || o.Attributes["blind"] != "doq" || o.Attributes["tls.ja4"][0] != 'q' || e.tally[hiddenDoQ] != 1 {
		t.Errorf("%+v", o)
	}
}

// The lists hold what they say they hold.
func TestVeilListsAreSound(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range veiledNames() {
		if seen[n.name] || n.kind == veilNone || n.source == "" || len(n.source) < 12 || n.source[:8] != "https://" {
			t.Errorf("%+v", n)
		}
		seen[n.name] = true
		if n.name[0] == '.' {
			n.name = "x" + n.name
		}
		if name, usual := hostName([]byte(n.name)); !usual || name != n.name {
			t.Errorf("%s is not in normal form", n.name)
		}
	}
	var all []string
	for source, list := range veiledAddresses() {
		if source[:8] != "https://" {
			t.Errorf("source %s", source)
		}
		all = append(all, list...)
	}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) || len(newVeils().addresses) != n {
		t.Errorf("%d addresses, %d of them different", len(all), n)
	}
	v := newVeils()
	for kind := veilNone + 1; kind < veilKinds; kind++ {
		if veilReasons[kind] == "" || veilCounters[kind] == 0 {
			t.Errorf("kind %d has no reason or counter", kind)
		}
	}
	for i := range 2 * maxDesignations {
		v.designated.put(string(rune('a'+i)), veilDoH)
	}
	if len(v.designated.entries) != maxDesignations || v.designated.evicted != maxDesignations {
		t.Errorf("%d designations, %d evicted", len(v.designated.entries), v.designated.evicted)
	}
}

func TestNamesFromDNSAreBounded(t *testing.T) {
	e := newEngine(DefaultLimits())
	for i := range rememberedNames {
		name := "n" + string(rune(0x4e00+i)) + ".example"
		data := service("", parameter(5, wire.ECHConfigList(wire.ECHConfig(byte(i), zeros(32), "p"+name))))
		feed(e, 0, wire.Datagram(resolver, stub, wire.DNSAnswer(i, "a.example", 65, wire.DNSRecord(sameName, 65, 60, data))))
	}
	if len(e.outer.entries) != rememberedNames || e.tally[dnsNamesEvicted] != rememberedNames { // each for the asker and for anybody
		t.Errorf("%d names, %d evicted", len(e.outer.entries), e.tally[dnsNamesEvicted])
	}
	found := false
	for _, b := range e.blindSpots() {
		found = found || b.Reason == "dns_memory"
	}
	if !found {
		t.Error("what was forgotten is no blind spot")
	}
}
