package network

import (
	"net/netip"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

var (
	stub     = netip.MustParseAddrPort("192.0.2.10:40000")
	resolver = netip.MustParseAddrPort("192.0.2.53:53")
)

func record(owner []byte, data ...byte) []byte { return wire.DNSRecord(owner, 1, 60, data) }

var sameName = []byte{0xc0, 12}

func TestQueryAndAnswerAreOneUse(t *testing.T) {
	query := wire.Datagram(stub, resolver, wire.DNSQuery(7, "API.example.com", 28))
	answer := wire.Datagram(resolver, stub, wire.DNSAnswer(7, "API.example.com", 28))
	const line = "dns api.example.com 192.0.2.10:40000>192.0.2.53:53"
	list, stats := replay(t, query, answer)
	want(t, "both", lines(list), line)
	if o := list[0]; o.NameEvidence != signatures.EvidenceDNS || o.Attributes["dns.type"] != "AAAA" || o.Attributes["dns.protocol"] != "dns" {
		t.Errorf("%+v", o)
	}
	counted(t, stats, map[string]uint64{"dns_messages": 2, "dns_malformed": 0})
	list, _ = replay(t, answer)
	want(t, "the answer alone", lines(list), line)
	list, _ = replay(t, query, query)
	want(t, "asked twice", lines(list), line, line)
}

func TestQueryOverStream(t *testing.T) {
	two := wire.Join(wire.DNSStream(wire.DNSQuery(1, "one.example", 1)), wire.DNSStream(wire.DNSQuery(2, "two.example", 1)))
	for size := 1; size <= len(two); size += 5 {
		c := wire.NewConn("192.0.2.10:50000", "192.0.2.53:53")
		list, _ := replay(t, append(c.Open(), c.Split(two, size)...)...)
		want(t, "two messages", lines(list), "dns one.example 192.0.2.10:50000>192.0.2.53:53", "dns two.example 192.0.2.10:50000>192.0.2.53:53")
	}
}

func TestQueryInFragments(t *testing.T) {
	datagram := wire.UDP(40000, 53, wire.DNSQuery(7, "fragmented.example.com", 1))
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		parts := [2][]byte{
			wire.IPv4Fragment(stub.Addr(), resolver.Addr(), wire.ProtoUDP, 3, 0, true, datagram[:24]),
			wire.IPv4Fragment(stub.Addr(), resolver.Addr(), wire.ProtoUDP, 3, 24, false, datagram[24:]),
		}
		list, stats := replay(t, wire.EthernetIP(parts[order[0]]), wire.EthernetIP(parts[order[1]]))
		want(t, "two fragments", names(list), "dns fragmented.example.com")
		counted(t, stats, map[string]uint64{"frames_fragment_held": 1, "fragments": 2, "datagrams_reassembled": 1})
	}
	_, stats := replay(t, wire.EthernetIP(wire.IPv4Fragment(stub.Addr(), resolver.Addr(), wire.ProtoUDP, 3, 0, true, datagram[:21])))
	counted(t, stats, map[string]uint64{"fragments_refused": 1, "frames_malformed": 1})
}

func TestCompressionLoopIsMalformed(t *testing.T) {
	loop := wire.Join([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, text("\x01a\xc0\x0c"), []byte{0, 1, 0, 1})
	list, stats := replay(t, wire.Datagram(stub, resolver, loop), wire.Datagram(stub, resolver, []byte("short")))
	want(t, "a loop", names(list))
	counted(t, stats, map[string]uint64{"dns_messages": 1, "dns_malformed": 2})
}

func TestNeighboursAreNoUse(t *testing.T) {
	multicast := netip.MustParseAddrPort("224.0.0.251:5353")
	list, stats := replay(t,
		wire.Datagram(netip.MustParseAddrPort("192.0.2.10:5353"), multicast, wire.DNSQuery(0, "printer.local", 1)),
		wire.Datagram(stub, netip.MustParseAddrPort("224.0.0.252:5355"), wire.DNSQuery(0, "laptop", 1)),
		wire.Datagram(stub, netip.MustParseAddrPort("192.0.2.255:137"), wire.DNSQuery(0, "abcdefgh", 32)),
		wire.Datagram(stub, resolver, wire.DNSQuery(0, "", 2)))
	want(t, "mDNS, LLMNR, NetBIOS and the root", names(list))
	counted(t, stats, map[string]uint64{"dns_multicast_questions": 2, "dns_messages": 3})
}

func TestQueryToAnOddPort(t *testing.T) {
	list, stats := replay(t, wire.Datagram(stub, netip.MustParseAddrPort("192.0.2.53:4444"), wire.DNSQuery(1, "tunnel.example", 16)))
	want(t, "port 4444", lines(list), "dns tunnel.example 192.0.2.10:40000>192.0.2.53:4444")
	counted(t, stats, map[string]uint64{"dns_odd_port": 1})
}

// flowTo returns a connection of stub's host that says nothing of its name.
func flowTo(server string) [][]byte {
	c := wire.NewConn("192.0.2.10:50001", server)
	return append(append(c.Open(), c.Up(text("\x01\x02\x03")), c.Down(text("\x04"))), c.Close()...)
}

func TestAnswerNamesALaterFlow(t *testing.T) {
	alias := wire.DNSName("edge.cdn.example")
	second := wire.DNSName("pop.cdn.example")
	hints := wire.Join(wire.U16(1), []byte{0}, wire.U16(4), wire.U16(4), []byte{198, 51, 100, 9},
		wire.U16(6), wire.U16(16), netip.MustParseAddr("2001:db8::9").AsSlice())
	f := func(what, server string, found []string, records ...[]byte) {
		t.Helper()
		answer := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "api.example.com", 1, records...))
		list, _ := replay(t, append([][]byte{answer}, flowTo(server)...)...)
		want(t, what, lines(list[1:]), found...)
		if len(found) > 0 && (list[1].NameEvidence != signatures.EvidenceDNSAnswer || list[1].Flow.BytesUp != 3 || list[1].Flow.BytesDown != 1) {
			t.Errorf("%s: %+v", what, list[1])
		}
	}
	line := func(server string) []string { return []string{"flow api.example.com 192.0.2.10:50001>" + server} }
	const server = "198.51.100.9:9999"
	f("address", server, line(server), record(sameName, 198, 51, 100, 9))
	f("second address", server, line(server), record(sameName, 198, 51, 100, 8), record(sameName, 198, 51, 100, 9))
	f("alias", server, line(server), wire.DNSRecord(sameName, 5, 60, alias), record(alias, 198, 51, 100, 9))
	f("alias of an alias", server, line(server), wire.DNSRecord(sameName, 5, 60, alias), wire.DNSRecord(alias, 5, 60, second), record(second, 198, 51, 100, 9))
	f("HTTPS record", server, line(server), wire.DNSRecord(sameName, 65, 60, hints))
	f("another address", server, nil, record(sameName, 198, 51, 100, 8))
	f("loopback is not believed", "127.0.0.1:9999", nil, record(sameName, 127, 0, 0, 1))
}

func TestFlowWithANameOfItsOwnIsNotNamedByDNS(t *testing.T) {
	answer := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "other.example", 1, record(sameName, 198, 51, 100, 20)))
	list, _ := replay(t, append([][]byte{answer}, session(hello(t, "api.example.com"))...)...)
	want(t, "a hello", names(list), "dns other.example", "tls api.example.com")

	list, stats := replay(t, append([][]byte{answer}, session(hello(t, ""))...)...)
	want(t, "a hello without a name", names(list), "dns other.example", "flow other.example")
	if list[1].Attributes["tls.server_name"] != "none" {
		t.Errorf("%+v", list[1])
	}
	counted(t, stats, map[string]uint64{"tls_hellos_nameless": 1, "flows_unnamed": 0})
}

func TestConnectionThatWasNeverAnsweredIsNoFlow(t *testing.T) {
	answer := wire.Datagram(resolver, stub, wire.DNSAnswer(1, "api.example.com", 1, record(sameName, 198, 51, 100, 20)))
	list, _ := replay(t, answer, wire.NewConn(clientEnd, serverEnd).Open()[0])
	want(t, "a SYN alone", names(list), "dns api.example.com")
}

func TestAnswerGivenToAnother(t *testing.T) {
	// Behind a resolver of its own, the asker that is seen is not the client.
	list, _ := replay(t, append([][]byte{wire.Datagram(netip.MustParseAddrPort("203.0.113.1:53"), netip.MustParseAddrPort("192.0.2.53:999"),
		wire.DNSAnswer(1, "api.example.com", 1, record(sameName, 198, 51, 100, 9)))}, flowTo("198.51.100.9:9999")...)...)
	want(t, "another asker", names(list), "dns api.example.com", "flow api.example.com")
	// But what the client itself was told goes first.
	list, _ = replay(t, append([][]byte{
		wire.Datagram(resolver, stub, wire.DNSAnswer(1, "mine.example", 1, record(sameName, 198, 51, 100, 9))),
		wire.Datagram(resolver, netip.MustParseAddrPort("192.0.2.99:999"), wire.DNSAnswer(1, "theirs.example", 1, record(sameName, 198, 51, 100, 9))),
	}, flowTo("198.51.100.9:9999")...)...)
	want(t, "two askers", names(list), "dns mine.example", "dns theirs.example", "flow mine.example")
}

func TestAnswersAreBoundedAndAge(t *testing.T) {
	a := newAnswers(10)
	client := [16]byte{1}
	evicted := uint64(0)
	for i := range 100 {
		evicted += a.learn(client, [16]byte{2, byte(i)}, "name", 60, 0)
	}
	if len(a.byKey) != 10 || evicted != 190 {
		t.Errorf("%d answers, %d evicted", len(a.byKey), evicted)
	}
	if a.name(client, [16]byte{2, 99}, int64(answerGrace)) != "name" {
		t.Error("an answer is forgotten early")
	}
	if a.name(client, [16]byte{2, 99}, int64(2*answerGrace)) != "" {
		t.Error("an answer is believed for too long")
	}
	a.learn(client, [16]byte{3}, "long", 1<<31, 0)
	if a.name(client, [16]byte{3}, int64(answerMost)+1) != "" {
		t.Error("an answer is believed beyond answerMost")
	}
}
