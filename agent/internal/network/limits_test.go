package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

func feed(e *engine, at time.Duration, frames ...[]byte) {
	for _, data := range frames {
		e.frame(&capture.Frame{Time: time.Unix(1000, 0).Add(at), Link: capture.LinkEthernet, Data: data, Length: len(data)})
	}
}

func TestFloodOfSYNsDisplacesItself(t *testing.T) {
	limits := DefaultLimits()
	e := newEngine(limits)
	c := wire.NewConn(clientEnd, serverEnd)
	one := hello(t, "api.example.com")
	feed(e, 0, append(c.Open(), c.Up(one[:100]))...)
	const flood = 200_000
	server := netip.MustParseAddr("198.51.100.1")
	for i := range flood {
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		feed(e, 0, wire.EthernetIP(wire.IP(client, server, wire.ProtoTCP, wire.TCP(1000, 443, 1, wire.SYN, nil))))
		if e.table.count() > limits.Flows {
			t.Fatalf("%d flows after %d SYNs", e.table.count(), i)
		}
	}
	feed(e, 0, c.Up(one[100:]))
	list := e.take()
	want(t, "the connection that was there before", names(list), "tls api.example.com")
	if n := e.tally[flowsEvicted]; n != flood+1-uint64(limits.Flows) {
		t.Errorf("%d evictions", n)
	}
	if e.table.held > 0 || e.table.count() != limits.Flows {
		t.Errorf("%d bytes held, %d flows", e.table.held, e.table.count())
	}
	found := false
	for _, b := range e.blindSpots() {
		found = found || b.Reason == "flow_table_full"
	}
	if !found {
		t.Error("evictions are no blind spot")
	}
}

func TestManyOpenConnectionsEvictTheSilent(t *testing.T) {
	limits := DefaultLimits()
	limits.Flows = 100
	e := newEngine(limits)
	for i := range 1000 {
		c := wire.NewConn(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.10"), uint16(10000+i)).String(), serverEnd)
		feed(e, 0, append(c.Open(), c.Up(text("hm")))...)
	}
	if e.table.count() != 100 || e.tally[flowsEvicted] != 900 {
		t.Errorf("%d flows, %d evicted", e.table.count(), e.tally[flowsEvicted])
	}
}

func TestByteBudgetHolds(t *testing.T) {
	limits := DefaultLimits()
	limits.BufferBytes = 256 << 10
	e := newEngine(limits)
	for i := range 500 {
		c := wire.NewConn(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.10"), uint16(10000+i)).String(), serverEnd)
		feed(e, 0, c.Open()...)
		for n := range 8 { // behind a gap
			feed(e, 0, c.UpAt(1000+1400*n, make([]byte, 1400)))
		}
		if e.table.held > limits.BufferBytes {
			t.Fatalf("%d bytes are held", e.table.held)
		}
	}
	if e.tally[buffersEvicted] == 0 || e.table.held == 0 {
		t.Errorf("%d evicted, %d bytes held", e.tally[buffersEvicted], e.table.held)
	}
	e.flush()
	if e.table.held != 0 || e.table.count() != 0 || e.table.open != 0 {
		t.Errorf("after flush: %d bytes, %d flows, %d open", e.table.held, e.table.count(), e.table.open)
	}
	for q := range e.table.queue {
		if e.table.queue[q] != (queue{}) {
			t.Errorf("queue %d is not empty", q)
		}
	}
}

func TestSilentConnectionsAreForgotten(t *testing.T) {
	limits := DefaultLimits()
	e := newEngine(limits)
	opening, open := wire.NewConn("192.0.2.10:1", serverEnd), wire.NewConn("192.0.2.10:2", serverEnd)
	feed(e, 0, opening.Open()[0])
	feed(e, 0, append(open.Open(), open.Up(text("hm")))...)
	e.tick(time.Unix(1000, 0).Add(limits.OpeningTimeout + 1).UnixNano())
	if e.table.count() != 1 || e.tally[flowsIdle] != 1 {
		t.Errorf("%d flows, %d idle", e.table.count(), e.tally[flowsIdle])
	}
	// Any other frame ages flows too.
	feed(e, limits.IdleTimeout+1, wire.Datagram(stub, resolver, wire.DNSQuery(1, "a.example", 1)))
	if e.table.count() != 0 || e.tally[flowsIdle] != 2 {
		t.Errorf("%d flows, %d idle", e.table.count(), e.tally[flowsIdle])
	}
	feed(e, 0, wire.NewConn("192.0.2.10:3", serverEnd).Open()[0]) // time jumps back
	if e.table.count() != 1 {
		t.Errorf("%d flows", e.table.count())
	}
}

// A decoder that fails costs its connection, is counted, and nothing else.
func TestPanicIsCountedAndContained(t *testing.T) {
	e := newEngine(DefaultLimits())
	a := wire.NewConn("192.0.2.10:1", serverEnd)
	one := hello(t, "api.example.com")
	feed(e, 0, append(a.Open(), a.Up(one[:50]))...)
	answers := e.answers
	e.answers = nil // the next flow that is opened fails
	feed(e, 0, wire.NewConn("192.0.2.10:3", serverEnd).Open()[0])
	e.answers = answers
	if e.table.count() != 1 {
		t.Errorf("%d flows: the one that failed is still there", e.table.count())
	}
	feed(e, 0, a.Up(one[50:]))
	want(t, "the other connection", names(e.take()), "tls api.example.com")
	if e.tally[panics] != 1 {
		t.Errorf("%d panics", e.tally[panics])
	}
	if blind := e.blindSpots(); len(blind) == 0 || blind[len(blind)-1].Reason != "panic" {
		t.Errorf("blind: %v", blind)
	}
}

func TestFramesThatSayNothingAreCounted(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	frames := [][]byte{
		wire.Ethernet(0x0806, make([]byte, 28)),
		wire.EthernetIP(wire.IP(stub.Addr(), resolver.Addr(), 1, make([]byte, 8))),
		{1, 2, 3},
		c.Close()[0], // of a connection that is not known
	}
	nested := wire.IP(stub.Addr(), resolver.Addr(), 1, nil)
	for range 9 {
		nested = wire.IP(stub.Addr(), resolver.Addr(), 4, nested)
	}
	_, stats := replay(t, append(frames, wire.EthernetIP(nested))...)
	counted(t, stats, map[string]uint64{
		"frames_not_ip": 1, "frames_other_ip": 1, "frames_malformed": 1, "tcp_without_flow": 1, "frames_too_deep": 1, "packets": 5,
	})
	if stats.Packets != 5 || stats.Bytes == 0 || blind(stats, "tunnel_depth") != 1 {
		t.Errorf("%+v", stats)
	}
	stats, err := Replay(context.Background(), bytes.NewReader(wire.Pcap{Minor: 4, Link: 147}.File([]byte("?"))), "x", func(signatures.Observation) {})
	if err != nil || stats.Counters["frames_unknown_link"] != 1 || blind(stats, "link_type") != 1 {
		t.Errorf("%v %+v", err, stats)
	}
}

func TestFramesCutBySnapLength(t *testing.T) {
	one := hello(t, "api.example.com")
	c := wire.NewConn(clientEnd, serverEnd)
	whole := append(c.Open(), c.Up(one), c.Up(make([]byte, 50)))
	e := newEngine(DefaultLimits())
	const snap = 400
	for _, f := range whole {
		e.frame(&capture.Frame{Time: time.Unix(1, 0), Link: capture.LinkEthernet, Data: f[:min(len(f), snap)], Length: len(f)})
	}
	found := names(e.take())
	if at := bytes.Index(one, text("api.example.com")); at < snap-60 {
		want(t, "a name before the cut", found, "tls api.example.com")
	} else if len(found) != 0 || e.tally[tlsHellosLost] != 1 {
		t.Errorf("%v, %d lost", found, e.tally[tlsHellosLost])
	}
	if e.tally[framesCut] != 1 || e.tally[tlsHellosPartial] != 1 {
		t.Errorf("%d cut, %d partial", e.tally[framesCut], e.tally[tlsHellosPartial])
	}
	e.frame(&capture.Frame{Time: time.Unix(1, 0), Link: capture.LinkEthernet, Data: whole[0][:30], Length: len(whole[0])})
	if e.tally[framesHeaderCut] != 1 {
		t.Error("a cut header is not counted")
	}
}

func TestNamesThroughEncapsulation(t *testing.T) {
	inner := wire.Datagram(stub, resolver, wire.DNSQuery(1, "inner.example", 1))
	vxlan := wire.Datagram(netip.MustParseAddrPort("203.0.113.1:9"), netip.MustParseAddrPort("203.0.113.2:4789"), wire.Join([]byte{8}, make([]byte, 7), inner))
	tagged := wire.Ethernet(wire.TypeQinQ, wire.Tag(1, wire.TypeVLAN, wire.Tag(2, wire.TypeIPv4, inner[14:])))
	list, _ := replay(t, vxlan, tagged)
	want(t, "VXLAN and QinQ", names(list), "dns inner.example", "dns inner.example")
	if list[0].Flow.Client != stub {
		t.Errorf("client %v", list[0].Flow.Client)
	}
}

func TestReplayOfAnUnsoundFile(t *testing.T) {
	file := wire.EthernetFile(session(hello(t, "api.example.com"))...)
	var list []signatures.Observation
	emit := func(o signatures.Observation) { list = append(list, o) }
	stats, err := Replay(context.Background(), bytes.NewReader(file[:len(file)-5]), "cut.pcap", emit)
	var format *capture.FormatError
	if !errors.As(err, &format) || !stats.Truncated || stats.Packets != 5 {
		t.Errorf("%v, %+v", err, stats)
	}
	want(t, "before the cut", names(list), "tls api.example.com")
	if stats, err := Replay(context.Background(), bytes.NewReader([]byte("no capture")), "text", emit); !errors.As(err, &format) || stats.Truncated || stats.Packets != 0 {
		t.Errorf("%v, %+v", err, stats)
	}
	order := binary.LittleEndian
	stats, err = Replay(context.Background(), bytes.NewReader(wire.Join(wire.Section(order), wire.Block(order, 99, nil))), "ng", emit)
	if err != nil || stats.Skipped != 1 {
		t.Errorf("%v, %+v", err, stats)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Replay(ended, bytes.NewReader(file), "x", emit); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestRareCounters(t *testing.T) {
	_, stats := replay(t, session(text("GET /x HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n"+strings.Repeat("Host: a\x01\r\n", 6)+"\r\n"))...)
	counted(t, stats, map[string]uint64{"http_requests_nameless": 1, "http_hosts_dropped": 2, "names_unusual": 4, "observations": 5})

	esni := wire.Join(make([]byte, 32), []byte{0, 0, 2, 0x13, 1, 1, 0}, wire.U16(8), wire.U16(0xffce), wire.U16(0), wire.U16(0xfe0d), wire.U16(0))
	message := wire.Join([]byte{1, 0}, wire.U16(2+len(esni)), []byte{3, 3}, esni)
	_, stats = replay(t, session(wire.Join([]byte{22, 3, 1}, wire.U16(len(message)), message))...)
	counted(t, stats, map[string]uint64{"tls_esni": 1, "tls_ech": 1, "tls_ech_outer": 0, "tls_hellos_nameless": 1})
	if blind(stats, "esni") != 1 {
		t.Errorf("blind: %v", stats.Blind)
	}

	e := newEngine(Limits{Flows: 64, BufferBytes: 1 << 20, Answers: 4, FragmentBytes: 1 << 20, IdleTimeout: time.Minute, OpeningTimeout: time.Minute})
	for i := range 4 {
		feed(e, 0, wire.Datagram(resolver, stub, wire.DNSAnswer(i, "a.example", 1, record(sameName, 203, 0, 113, byte(i)))))
	}
	if e.tally[dnsAnswers] != 4 || e.tally[dnsAnswersEvicted] != 4 {
		t.Errorf("%d answers, %d evicted", e.tally[dnsAnswers], e.tally[dnsAnswersEvicted])
	}
	feed(e, 0, wire.EthernetIP(wire.IPv4Fragment(stub.Addr(), resolver.Addr(), wire.ProtoUDP, 1, 8, true, make([]byte, 8))))
	feed(e, time.Hour, wire.EthernetIP(wire.IPv4Fragment(stub.Addr(), resolver.Addr(), wire.ProtoUDP, 2, 8, true, make([]byte, 8))))
	if m := e.export(); m["datagrams_expired"] != 1 || m["datagrams_evicted"] != 0 {
		t.Errorf("%v", m)
	}
	if list := e.blindSpots(); len(list) != 1 || list[0].Reason != "ip_fragment" {
		t.Errorf("blind: %v", list)
	}
}

func TestCounterNames(t *testing.T) {
	seen := map[string]bool{}
	for c, name := range counterNames {
		if name == "" || seen[name] {
			t.Errorf("counter %d is called %q", c, name)
		}
		seen[name] = true
	}
}

func TestEngineAllocatesNothingForBulk(t *testing.T) {
	e := newEngine(DefaultLimits())
	c := wire.NewConn(clientEnd, serverEnd)
	feed(e, 0, c.Open()...)
	feed(e, 0, c.Split(make([]byte, 20000), 1000)...)
	frame := capture.Frame{Time: time.Unix(1000, 0), Link: capture.LinkEthernet, Data: c.Up(make([]byte, 1000))}
	frame.Length = len(frame.Data)
	if n := testing.AllocsPerRun(1000, func() { e.frame(&frame) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEngineBulk(b *testing.B) {
	e := newEngine(DefaultLimits())
	c := wire.NewConn(clientEnd, serverEnd)
	feed(e, 0, c.Open()...)
	feed(e, 0, c.Split(make([]byte, 20000), 1000)...)
	frame := capture.Frame{Time: time.Unix(1000, 0), Link: capture.LinkEthernet, Data: c.Up(make([]byte, 1000))}
	frame.Length = len(frame.Data)
	b.ReportAllocs()
	for b.Loop() {
		e.frame(&frame)
	}
}

func BenchmarkEngineSessions(b *testing.B) {
	frames := session(hello(b, "api.example.com"))
	e := newEngine(DefaultLimits())
	b.ReportAllocs()
	for b.Loop() {
		feed(e, 0, frames...)
		e.take()
	}
}

// FuzzReplay reads bytes as a capture file, and as the frames of one: nothing
// may fail, and what is told is text within limits.
func FuzzReplay(f *testing.F) {
	one, err := wire.ClientHello(&tls.Config{ServerName: "a.example"})
	if err == nil {
		f.Add(wire.EthernetFile(session(one)...))
	}
	c := wire.NewConn(clientEnd, "192.0.2.1:53")
	f.Add(wire.EthernetFile(append(c.Open(), c.Up(wire.DNSStream(wire.DNSQuery(1, "a.example", 1))))...))
	f.Add(wire.EthernetFile(wire.Datagram(stub, resolver, wire.DNSAnswer(1, "a.example", 1, record(sameName, 1, 2, 3, 4)))))
	f.Add(wire.EthernetFile(session(text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), text("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"))...))
	quic := quicClient()
	f.Add(wire.EthernetFile(quicUp(quic.Datagram(wire.QUICCrypto(90, make([]byte, 300)))), quicUp(quic.Datagram(wire.QUICCrypto(0, quicHello(f, "a.example"))))))
	f.Add(wire.EthernetFile(session(client(f).request("a.example", "/x?y", "mcp-session-id", "1").request("a.example", "/x?y").take())...))
	p := client(f).request("a.example", "/x")
	p.take()
	f.Add(wire.EthernetFile(session(p.request("a.example", "/y").take())...)) // from the middle
	f.Fuzz(func(t *testing.T, file []byte) {
		limits := DefaultLimits()
		limits.Flows, limits.BufferBytes = 64, 128<<10
		emit := func(o signatures.Observation) {
			for _, s := range []string{o.Name, o.Path, o.Method} {
				if len(s) > 2*maxText {
					t.Fatalf("text of %d bytes", len(s))
				}
				for _, r := range s {
					if r < ' ' || r == 0x7f {
						t.Fatalf("%q has a control character", s)
					}
				}
			}
			if o.Kind == "" || (o.Name == "") != (o.NameEvidence == "") {
				t.Fatalf("%+v", o)
			}
		}
		for _, whole := range [][]byte{file, wire.EthernetFile(file)} {
			stats, err := ReplayWith(t.Context(), bytes.NewReader(whole), "fuzz", limits, emit)
			var format *capture.FormatError
			if stats.Panics != 0 || err != nil && !errors.As(err, &format) {
				t.Fatalf("%d panics, %v", stats.Panics, err)
			}
		}
	})
}
