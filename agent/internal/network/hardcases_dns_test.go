package network

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// TestHardCasesDNS lists messages that are cut up, broken or out of place.
func TestHardCasesDNS(t *testing.T) {
	const asks = " 192.0.2.10:40000>192.0.2.53:53"
	query := func(id int, name string) []byte { return wire.DNSQuery(id, name, 1) }
	ask := func(message []byte) []byte { return wire.Datagram(stub, resolver, message) }
	stream := func(size int, messages ...[]byte) [][]byte {
		c := wire.NewConn("192.0.2.10:50000", "192.0.2.53:53")
		var all []byte
		for _, m := range messages {
			all = append(all, wire.DNSStream(m)...)
		}
		return frames(c.Open(), c.Split(all, size), c.Close())
	}
	pipelined := []string{
		"dns one.example 192.0.2.10:50000>192.0.2.53:53", "dns two.example 192.0.2.10:50000>192.0.2.53:53", "dns three.example 192.0.2.10:50000>192.0.2.53:53",
	}
	three := [][]byte{query(1, "one.example"), query(2, "two.example"), query(3, "three.example")}
	lossy := stream(20, three...)
	datagram := wire.UDP(40000, 53, query(7, "fragmented.example.com"))
	four := func(offset int, more bool, part []byte) []byte {
		return wire.EthernetIP(wire.IPv4Fragment(stub.Addr(), resolver.Addr(), wire.ProtoUDP, 3, offset, more, part))
	}
	a6, b6 := netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("2001:db8::53")
	sixth := func(offset int, more bool, part []byte) []byte {
		return wire.EthernetIP(wire.IP(a6, b6, 44, wire.Join(wire.IPv6FragmentHeader(wire.ProtoUDP, 9, offset, more), part)))
	}
	header := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	end := []byte{0, 1, 0, 1}
	edns := wire.Join([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1}, wire.DNSName("edns.example"), end, []byte{0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 4, 0, 3, 0, 0})
	long := bytes.Repeat(append([]byte{63}, bytes.Repeat([]byte("x"), 63)...), 4)
	icmp := func(kind byte, quoted []byte) []byte {
		return wire.EthernetIP(wire.IP(resolver.Addr(), stub.Addr(), 1, wire.Join([]byte{kind, 3}, zeros(6), quoted)))
	}
	quoted := wire.IP(stub.Addr(), resolver.Addr(), wire.ProtoUDP, wire.UDP(40000, 53, query(7, "bounced.example")))
	quotedAnswer := wire.IP(resolver.Addr(), stub.Addr(), wire.ProtoUDP, wire.UDP(53, 40000, wire.DNSAnswer(7, "late.example", 1)))
	quotedOther := wire.IP(stub.Addr(), resolver.Addr(), wire.ProtoUDP, wire.UDP(40000, 9, query(7, "bounced.example")))
	malformed := map[string]uint64{"dns_malformed": 1}
	runHardCases(t, []hardCase{
		{name: "over TCP, pipelined", frames: stream(1<<16, three...), lines: pipelined},
		{name: "over TCP, one byte a segment", frames: stream(1, three...), lines: pipelined},
		{name: "over TCP, split in the length", frames: stream(7, three...), lines: pipelined},
		{name: "over TCP, segments in reverse", frames: func() [][]byte { f := slices.Clone(lossy); slices.Reverse(f[3 : len(f)-2]); return f }(), lines: pipelined},
		{name: "over TCP, a segment lost", frames: slices.Delete(slices.Clone(lossy), 4, 5), blind: map[string]uint64{"tcp_gap": 1},
			counters: map[string]uint64{"tcp_gaps": 1}},
		{name: "IPv4 fragments", frames: [][]byte{four(0, true, datagram[:24]), four(24, false, datagram[24:])}, lines: []string{"dns fragmented.example.com" + asks}},
		{name: "IPv4 fragments in reverse", frames: [][]byte{four(24, false, datagram[24:]), four(0, true, datagram[:24])}, lines: []string{"dns fragmented.example.com" + asks}},
		{name: "IPv4 fragments of eight bytes", frames: [][]byte{
			four(0, true, datagram[:8]), four(16, true, datagram[16:24]), four(8, true, datagram[8:16]), four(24, true, datagram[24:32]),
			four(40, false, datagram[40:]), four(32, true, datagram[32:40]),
		}, lines: []string{"dns fragmented.example.com" + asks}},
		{name: "IPv4 fragments that overlap with other bytes", frames: [][]byte{
			four(0, true, datagram[:24]), four(16, true, bytes.Repeat([]byte("!"), 8)), four(24, false, datagram[24:]),
		}, lines: []string{"dns fragmented.example.com" + asks}},
		{name: "IPv6 fragments", frames: [][]byte{sixth(24, false, datagram[24:]), sixth(0, true, datagram[:24])},
			lines: []string{"dns fragmented.example.com [2001:db8::10]:40000>[2001:db8::53]:53"}},
		{name: "compression in a circle", frames: [][]byte{ask(wire.Join(header, text("\x01a\xc0\x0c"), end))}, counters: malformed},
		{name: "compression forwards", frames: [][]byte{ask(wire.Join(header, text("\xc0\x20"), end, zeros(40)))}, counters: malformed},
		{name: "compression into the header", frames: [][]byte{ask(wire.Join(header, text("\xc0\x02"), end))}, counters: malformed},
		{name: "reserved kinds of label", frames: [][]byte{ask(wire.Join(header, text("\x41ab\x00"), end)), ask(wire.Join(header, text("\x81ab\x00"), end))},
			counters: map[string]uint64{"dns_malformed": 2}},
		{name: "a name that is too long", frames: [][]byte{ask(wire.Join(header, long, []byte{0}, end))}, counters: malformed},
		{name: "junk", frames: [][]byte{ask([]byte("this is no message at all")), ask([]byte("short")), ask(nil)}, counters: map[string]uint64{"dns_malformed": 3}},
		{name: "more questions than there are", frames: [][]byte{ask(wire.Join([]byte{0, 7, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0}, wire.DNSName("one.example"), end))},
			lines: []string{"dns one.example" + asks}, counters: malformed},
		{name: "a dot, a backslash and bytes in a label", frames: [][]byte{ask(wire.Join(header, text("\x07a.b\\c\x01\xff\x07example\x00"), end))},
			lines: []string{`dns a\056b\c\001` + "\uFFFD.example" + asks}, counters: map[string]uint64{"names_unusual": 1}},
		{name: "EDNS", frames: [][]byte{ask(edns)}, lines: []string{"dns edns.example" + asks}},
		{name: "EDNS to an odd port", frames: [][]byte{wire.Datagram(stub, netip.MustParseAddrPort("192.0.2.53:5300"), edns)},
			lines: []string{"dns edns.example 192.0.2.10:40000>192.0.2.53:5300"}, counters: map[string]uint64{"dns_odd_port": 1}},
		{name: "mDNS and LLMNR", frames: [][]byte{
			wire.Datagram(netip.MustParseAddrPort("192.0.2.10:5353"), netip.MustParseAddrPort("224.0.0.251:5353"), query(0, "printer.local")),
			wire.Datagram(stub, netip.MustParseAddrPort("224.0.0.252:5355"), query(0, "laptop")),
		}, counters: map[string]uint64{"dns_multicast_questions": 2}},
		{name: "the root", frames: [][]byte{ask(wire.DNSQuery(1, "", 2))}, counters: map[string]uint64{"dns_messages": 1}},
		{name: "quoted by an ICMP error", frames: [][]byte{icmp(3, quoted)}, lines: []string{"dns bounced.example" + asks}, counters: map[string]uint64{"frames_icmp_quotes": 1}},
		{name: "quoted, and seen before", frames: [][]byte{ask(query(7, "bounced.example")), icmp(3, quoted)}, lines: []string{"dns bounced.example" + asks}},
		{name: "an answer quoted", frames: [][]byte{icmp(3, quotedAnswer)}, lines: []string{"dns late.example" + asks}},
		{name: "quoted and cut", frames: [][]byte{icmp(11, quoted[:len(quoted)-8])}, counters: map[string]uint64{"dns_malformed": 0}},
		{name: "something else quoted", frames: [][]byte{icmp(3, quotedOther)}, counters: map[string]uint64{"frames_icmp_quotes": 1}},
	})
}

// TestHardCasesAnswersNameFlows lists the ways in which an answer names a later
// connection.
func TestHardCasesAnswersNameFlows(t *testing.T) {
	edge, pop := wire.DNSName("edge.cdn.example"), wire.DNSName("pop.cdn.example")
	const asked = "dns api.example.com 192.0.2.10:40000>192.0.2.53:53"
	const server = "198.51.100.9:9999"
	answer := func(name string, records ...[]byte) []byte {
		return wire.Datagram(resolver, stub, wire.DNSAnswer(1, name, 1, records...))
	}
	cname := func(owner, target []byte) []byte { return wire.DNSRecord(owner, 5, 60, target) }
	at := func(owner []byte) []byte { return record(owner, 198, 51, 100, 9) }
	v6 := netip.MustParseAddr("2001:db8::9")
	flow := []string{asked, "flow api.example.com 192.0.2.10:50001>" + server}
	flow6 := []string{asked, "flow api.example.com 192.0.2.10:50001>[2001:db8::9]:9999"}
	later := func(name string) string { return "dns " + name + " 192.0.2.10:40000>192.0.2.53:53" }
	loop := []string{asked, "flow " + "edge.cdn.example" + " 192.0.2.10:50001>" + server}
	overTCP := wire.NewConn("192.0.2.10:50000", "192.0.2.53:53")
	tcp := append(overTCP.Open(), overTCP.Up(wire.DNSStream(wire.DNSQuery(1, "api.example.com", 1))), overTCP.Down(wire.DNSStream(wire.DNSAnswer(1, "api.example.com", 1, at(sameName)))))
	many := make([][]byte, 0, 20)
	owner := sameName
	for i := range 20 {
		target := wire.DNSName("n" + string(rune('a'+i)) + ".cdn.example")
		many, owner = append(many, cname(owner, target)), target
	}
	cases := []hardCase{
		{name: "an address", frames: frames([][]byte{answer("api.example.com", at(sameName))}, flowTo(server)), lines: flow},
		{name: "an alias", frames: frames([][]byte{answer("api.example.com", cname(sameName, edge), at(edge))}, flowTo(server)), lines: flow},
		{name: "a chain", frames: frames([][]byte{answer("api.example.com", cname(sameName, edge), cname(edge, pop), at(pop))}, flowTo(server)), lines: flow},
		{name: "a chain in reverse", frames: frames([][]byte{answer("api.example.com", at(pop), cname(edge, pop), cname(sameName, edge))}, flowTo(server)), lines: flow},
		{name: "a chain over two answers", frames: frames([][]byte{
			answer("api.example.com", cname(sameName, edge)), answer("edge.cdn.example", cname(sameName, pop), at(pop)),
		}, flowTo(server)), lines: []string{asked, later("edge.cdn.example"), flow[1]}},
		{name: "a chain in a circle", frames: frames([][]byte{answer("api.example.com", cname(edge, edge), cname(pop, edge), cname(edge, pop), at(edge))}, flowTo(server)), lines: loop},
		{name: "a chain that is too long, which leaves the alias", frames: frames([][]byte{answer("api.example.com", append(many, at(owner))...)}, flowTo(server)),
			lines: []string{asked, "flow nt.cdn.example 192.0.2.10:50001>" + server}},
		{name: "IPv6", frames: frames([][]byte{answer("api.example.com", wire.DNSRecord(sameName, 28, 60, v6.AsSlice()))}, flowTo("[2001:db8::9]:9999")), lines: []string{asked}},
		{name: "HTTPS record with hints", frames: frames([][]byte{answer("api.example.com", wire.DNSRecord(sameName, 65, 60,
			service("", parameter(4, []byte{198, 51, 100, 9}))))}, flowTo(server)), lines: flow},
		{name: "HTTPS record of another host", frames: frames([][]byte{
			answer("api.example.com", wire.DNSRecord(sameName, 65, 60, service("edge.cdn.example"))), answer("edge.cdn.example", at(sameName)),
		}, flowTo(server)), lines: []string{asked, later("edge.cdn.example"), flow[1]}},
		{name: "SVCB record with hints", frames: frames([][]byte{answer("api.example.com", wire.DNSRecord(sameName, 64, 60,
			service("", parameter(4, []byte{198, 51, 100, 9}))))}, flowTo(server)), lines: flow},
		{name: "over TCP", frames: frames(tcp, flowTo(server)), lines: []string{"dns api.example.com 192.0.2.10:50000>192.0.2.53:53", flow[1]}},
		{name: "an answer of an error", frames: frames([][]byte{func() []byte {
			m := wire.DNSAnswer(1, "api.example.com", 1, at(sameName))
			m[3] |= 3
			return wire.Datagram(resolver, stub, m)
		}()}, flowTo(server)), lines: []string{asked}},
	}
	six := wire.NewConn("[2001:db8::10]:50001", "[2001:db8::9]:9999")
	cases[7].frames = frames([][]byte{answer("api.example.com", wire.DNSRecord(sameName, 28, 60, v6.AsSlice()))},
		six.Open(), [][]byte{six.Up(text("\x01\x02\x03"))}, six.Close())
	cases[7].lines = []string{flow6[0], "flow api.example.com [2001:db8::10]:50001>[2001:db8::9]:9999"}
	runHardCases(t, cases)
}
