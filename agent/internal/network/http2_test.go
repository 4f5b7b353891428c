package network

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

// peer writes what one side of an HTTP/2 connection sends, with the framer and
// the encoder of x/net.
type peer struct {
	t   testing.TB
	out bytes.Buffer
	*http2.Framer
	table bytes.Buffer
	*hpack.Encoder
	stream uint32
}

func newPeer(t testing.TB) *peer {
	p := &peer{t: t}
	p.Framer = http2.NewFramer(&p.out, nil)
	p.AllowIllegalWrites = true
	p.Encoder = hpack.NewEncoder(&p.table)
	return p
}

// client returns a peer that has sent the preface and its settings.
func client(t testing.TB) *peer {
	p := newPeer(t)
	p.out.WriteString(http2.ClientPreface)
	p.ok(p.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}))
	p.ok(p.WriteWindowUpdate(0, 1<<20))
	return p
}

func (p *peer) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// block encodes fields, given as name and value in turn.
func (p *peer) block(fields ...string) []byte {
	p.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		p.ok(p.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	b := bytes.Clone(p.table.Bytes())
	p.table.Reset()
	return b
}

func pseudo(authority, path string) []string {
	return []string{":method", "POST", ":scheme", "http", ":authority", authority, ":path", path}
}

// request sends the header of a request on a new stream.
func (p *peer) request(authority, path string, more ...string) *peer {
	p.t.Helper()
	p.next()
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{
		StreamID: p.stream, BlockFragment: p.block(append(pseudo(authority, path), more...)...), EndHeaders: true,
	}))
	return p
}

func (p *peer) next() {
	if p.stream == 0 {
		p.stream = 1
	} else {
		p.stream += 2
	}
}

// take returns what was sent since the last call.
func (p *peer) take() []byte {
	b := bytes.Clone(p.out.Bytes())
	p.out.Reset()
	return b
}

func post(name, path string) string { return "http " + name + " " + between + " POST " + path }

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	p := client(t).request("API.example.com:8443", "/v1/chat/completions?key=secret", "authorization", "Bearer sk-secret")
	p.ok(p.WriteData(1, true, []byte("prompt")))
	p.request("b.example", "/two").request("API.example.com:8443", "/v1/models")
	all := p.take()
	for _, size := range []int{1 << 20, 40, 9, 1} {
		c := wire.NewConn(clientEnd, serverEnd)
		list, stats := replay(t, append(c.Open(), c.Split(all, size)...)...)
		want(t, fmt.Sprintf("segments of %d", size), lines(list),
			post("api.example.com", "/v1/chat/completions"), post("b.example", "/two"), post("api.example.com", "/v1/models"))
		counted(t, stats, map[string]uint64{
			"http2_prefaces": 1, "http2_requests": 3, "http_requests": 3, "http2_malformed": 0, "http2_requests_unknown": 0, "http2_midway": 0,
		})
		if list[0].NameEvidence != signatures.EvidenceHTTPHost || len(stats.Blind) != 0 {
			t.Errorf("%+v, %v", list[0], stats.Blind)
		}
	}
}

func TestHTTP2SplitAnywhere(t *testing.T) {
	all := client(t).request("a.example", "/path").take()
	for n := 1; n < len(all); n++ {
		list, _ := replay(t, session(all[:n], all[n:])...)
		want(t, fmt.Sprintf("split at %d", n), lines(list), post("a.example", "/path"))
	}
}

func TestHTTP2BehindAnUpgrade(t *testing.T) {
	upgrade := "POST /first HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 5\r\n\r\nhello"
	p := client(t)
	p.stream = 1 // is the request that was upgraded
	p.request("a.example", "/second")
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(), c.Up(text(upgrade)), c.Down(text("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")))
	list, _ := replay(t, append(frames, c.Up(p.take()))...)
	want(t, "granted", lines(list), post("a.example", "/first"), post("a.example", "/second"))

	list, _ = replay(t, session(text(upgrade), text("GET /plain HTTP/1.1\r\nHost: b.example\r\n\r\n"))...)
	want(t, "refused", names(list), "http a.example", "http b.example")
}

func TestHTTP2BehindAProxy(t *testing.T) {
	all := client(t).request("a.example", "/x").take()
	list, _ := replay(t, session(text("CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"), all)...)
	want(t, "CONNECT", lines(list), "http a.example "+between+" CONNECT ", post("a.example", "/x"))
	list, _ = replay(t, session(wire.Join(text("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), all))...)
	want(t, "PROXY protocol", lines(list), post("a.example", "/x"))
	list, _ = replay(t, session([]byte{5, 1, 0}, []byte{5, 1, 0, 1, 198, 51, 100, 1, 0, 80}, all)...)
	want(t, "SOCKS 5", lines(list), post("a.example", "/x"))
}

func TestHTTP2HeadersInPieces(t *testing.T) {
	p := client(t)
	block := p.block(append(pseudo("a.example", "/x"), "x-long", strings.Repeat("x", 20000))...)
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block[:3], PadLength: 200, Priority: http2.PriorityParam{StreamDep: 0, Exclusive: true, Weight: 200},
	}))
	for rest := block[3:]; ; {
		n := min(len(rest), 7000)
		p.ok(p.WriteContinuation(1, n == len(rest), rest[:n]))
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
	}
	p.stream = 1
	all := p.request("a.example", "/y").take()
	for _, size := range []int{1 << 20, 1400, 13} {
		c := wire.NewConn(clientEnd, serverEnd)
		list, _ := replay(t, append(c.Open(), c.Split(all, size)...)...)
		want(t, fmt.Sprintf("segments of %d", size), lines(list), post("a.example", "/x"), post("a.example", "/y"))
	}
}

func TestHTTP2AuthorityAgainstHost(t *testing.T) {
	all := client(t).request("front.example", "/x", "host", "behind.example").request("same.example:80", "/x", "host", "SAME.example").take()
	list, _ := replay(t, session(all)...)
	want(t, "two names", lines(list), post("front.example", "/x"), post("behind.example", "/x"), post("same.example", "/x"))
	list, _ = replay(t, session(client(t).request("user:password@a.example", "/x").take())...)
	want(t, "a password", lines(list), post("a.example", "/x"))
}

func TestHTTP2ManyStreams(t *testing.T) {
	p := client(t)
	var found []string
	for i := range 2000 {
		p.request(fmt.Sprintf("host%d.example", i%50), fmt.Sprint("/", i), "x-id", fmt.Sprint(i))
		found = append(found, post(fmt.Sprintf("host%d.example", i%50), fmt.Sprint("/", i)))
	}
	c := wire.NewConn(clientEnd, serverEnd)
	list, stats := replay(t, append(c.Open(), c.Split(p.take(), 1400)...)...)
	want(t, "2000 streams", lines(list), found...)
	counted(t, stats, map[string]uint64{"http2_requests": 2000})
}

func TestHTTP2DataIsSkippedThoughSegmentsAreLost(t *testing.T) {
	p := client(t).request("a.example", "/upload")
	head := p.take()
	for range 60 {
		p.ok(p.WriteData(1, false, make([]byte, 16384)))
	}
	body := p.take()
	next := p.request("a.example", "/next").take()
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(), c.Up(head))
	for i, f := range c.Split(body, 1024) {
		if i%16 != 5 && i%16 != 6 { // inside of frames
			frames = append(frames, f)
		}
	}
	list, stats := replay(t, append(frames, c.Up(next))...)
	want(t, "a body with holes", lines(list), post("a.example", "/upload"), post("a.example", "/next"))
	counted(t, stats, map[string]uint64{"tcp_gaps": 0, "http2_requests_unknown": 0})
}

// What other frames say is of no interest, and must not confuse.
func TestHTTP2OtherFrames(t *testing.T) {
	p := client(t).request("a.example", "/one")
	p.ok(p.WritePing(false, [8]byte{1, 2}))
	p.ok(p.WriteSettingsAck())
	p.ok(p.WritePriority(1, http2.PriorityParam{StreamDep: 3}))
	p.ok(p.WriteRawFrame(http2.FrameType(0x10), 0, 0, []byte("\x00\x00\x00\x01u=3"))) // PRIORITY_UPDATE, RFC 9218
	p.ok(p.WriteRawFrame(http2.FrameType(0xfa), 0xff, 0, []byte("grease")))
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block("x-trailer", "1"), EndHeaders: true, EndStream: true}))
	p.ok(p.WriteRSTStream(1, http2.ErrCodeCancel))
	p.ok(p.WriteGoAway(0, http2.ErrCodeNo, []byte("enough")))
	server := newPeer(t)
	server.ok(server.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 65536}))
	server.ok(server.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: server.block(":status", "200", "host", "wrong.example"), EndHeaders: true}))
	server.ok(server.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true, BlockFragment: server.block(pseudo("wrong.example", "/pushed")...)}))
	down := server.take()
	c := wire.NewConn(clientEnd, serverEnd)
	up := p.take()
	frames := append(c.Open(), c.Down(down), c.Up(up), c.Down(down), c.Up(p.request("b.example", "/two").take()))
	list, stats := replay(t, append(frames, c.Close()...)...)
	want(t, "both directions", lines(list), post("a.example", "/one"), post("b.example", "/two"))
	counted(t, stats, map[string]uint64{"http2_malformed": 0, "http2_requests": 2})

	c = wire.NewConn(clientEnd, serverEnd)
	list, _ = replay(t, c.Down(down), c.Down(down))
	want(t, "the server alone", names(list))
}

func TestHTTP2FromTheMiddle(t *testing.T) {
	p := client(t).request("old.example", "/old")
	p.take() // not captured
	old := p.request("old.example", "/new").take()
	mixed := p.request("new.example", "/old").take()
	known := p.request("new.example", "/new2").take()
	list, stats := replay(t, session(old, mixed, known)...)
	want(t, "frames without a preface", lines(list), "http  "+between+" POST /new", "http new.example "+between+" POST ", post("new.example", "/new2"))
	counted(t, stats, map[string]uint64{"http2_midway": 1, "http2_prefaces": 0, "http2_requests": 3, "http2_requests_unknown": 2, "http_requests_nameless": 1})
	if blind(stats, "http2_table") != 2 {
		t.Errorf("blind: %v", stats.Blind)
	}
}

func TestHTTP2BehindAGap(t *testing.T) {
	p := client(t).request("a.example", "/one")
	one := p.take()
	lost := p.request("lost.example", "/two").take()
	three := p.request("lost.example", "/three").take()
	four := p.request("b.example", "/four").take()
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(), c.Up(one))
	c.Up(lost)
	list, stats := replay(t, append(frames, c.Up(three), c.Up(four))...)
	want(t, "behind a gap", lines(list), post("a.example", "/one"), "http  "+between+" POST /three", post("b.example", "/four"))
	counted(t, stats, map[string]uint64{"tcp_gaps": 1, "http2_requests_unknown": 1})

	// Where a header is cut by the gap, what there is of it counts.
	c = wire.NewConn(clientEnd, serverEnd)
	frames = append(c.Open(), c.Up(one[:len(one)-5]))
	c.Up(one[len(one)-5:])
	list, stats = replay(t, append(frames, c.Up(four))...)
	want(t, "a header with a hole", names(list), "http a.example", "http b.example")
	counted(t, stats, map[string]uint64{"http_requests_partial": 1})
}

func TestHTTP2HeadersTooLong(t *testing.T) {
	p := client(t)
	block := p.block(append(pseudo("a.example", "/long"), "x-long", strings.Repeat("x", 80<<10))...)
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:16000]}))
	for rest := block[16000:]; len(rest) > 0; {
		n := min(len(rest), 16000)
		p.ok(p.WriteContinuation(1, n == len(rest), rest[:n]))
		rest = rest[n:]
	}
	p.stream = 1
	all := p.request("a.example", "/x").request("b.example", "/y").take()
	c := wire.NewConn(clientEnd, serverEnd)
	list, stats := replay(t, append(c.Open(), c.Split(all, 1400)...)...)
	want(t, "80 kB of header", lines(list), post("a.example", "/long"), "http  "+between+" POST /x", post("b.example", "/y"))
	counted(t, stats, map[string]uint64{"http2_blocks_too_long": 1, "http2_requests_unknown": 1, "directions_overfull": 0})
	if blind(stats, "http2_headers_too_long") != 1 {
		t.Errorf("blind: %v", stats.Blind)
	}
	p = client(t).request("a.example", "/"+strings.Repeat("x", 5000))
	_, stats = replay(t, session(p.take())...)
	counted(t, stats, map[string]uint64{"http2_values_dropped": 1, "http_paths_cut": 1})
}

// A flood of empty continuations ends where a header may be no longer.
func TestHTTP2ContinuationFlood(t *testing.T) {
	p := client(t)
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block(pseudo("a.example", "/x")...)}))
	for range 20000 {
		p.ok(p.WriteContinuation(1, false, nil))
	}
	c := wire.NewConn(clientEnd, serverEnd)
	list, stats := replay(t, append(c.Open(), c.Split(p.take(), 100)...)...)
	want(t, "180 kB of nothing", lines(list), post("a.example", "/x"))
	counted(t, stats, map[string]uint64{"http2_blocks_too_long": 1, "panics_recovered": 0})
}

func TestHTTP2Malformed(t *testing.T) {
	f := func(what string, send func(p *peer)) {
		t.Helper()
		p := client(t).request("a.example", "/x")
		send(p)
		list, stats := replay(t, session(p.take(), p.request("b.example", "/y").take())...)
		want(t, what, names(list), "http a.example")
		counted(t, stats, map[string]uint64{"http2_malformed": 1})
		if blind(stats, "http2_malformed") != 1 {
			t.Errorf("%s: blind: %v", what, stats.Blind)
		}
	}
	headers := func(stream uint32, block []byte, end bool) func(p *peer) {
		return func(p *peer) {
			p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: end}))
		}
	}
	f("an index of nothing", headers(3, []byte{0x82, 0xff, 0x30}, true))
	f("a field that is cut", headers(3, []byte{0x82, 0x41}, true))
	f("no stream", headers(0, []byte{0x82}, true))
	f("a frame between header and continuation", func(p *peer) {
		headers(3, []byte{0x82}, false)(p)
		p.ok(p.WritePing(false, [8]byte{}))
	})
	f("a continuation of another stream", func(p *peer) {
		headers(3, []byte{0x82}, false)(p)
		p.ok(p.WriteContinuation(5, true, nil))
	})
}

func TestPrefaceThatIsNone(t *testing.T) {
	for _, s := range []string{"PRI * HTTP/2.0\r\n\r\n", "PRI", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRI * HTTP/1.1\r\n\r\n"} {
		list, stats := replay(t, session(text(s))...)
		for _, o := range list {
			if o.Name != "" {
				t.Errorf("%q: %+v", s, o)
			}
		}
		counted(t, stats, map[string]uint64{"http2_prefaces": 0, "http2_requests": 0})
	}
}

func TestDNSOverClearHTTP(t *testing.T) {
	coded := base64.RawURLEncoding.EncodeToString(wire.DNSQuery(0, "asked.example", 28))
	want2 := []string{"http resolver.example " + between + " GET /dns-query", "dns asked.example " + between}
	list, _ := replay(t, session(text("GET /dns-query?ct&dns="+coded+" HTTP/1.1\r\nHost: resolver.example\r\n\r\n"))...)
	want(t, "HTTP/1", lines(list), want2...)
	p := client(t)
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: p.block(
		":method", "GET", ":scheme", "http", ":authority", "resolver.example", ":path", "/dns-query?dns="+coded)}))
	list, _ = replay(t, session(p.take())...)
	want(t, "HTTP/2", lines(list), want2...)
	for _, query := range []string{"dns=!!", "dns=", "x=" + coded, "dns=" + strings.Repeat("A", 2000)} {
		list, _ = replay(t, session(text("GET /dns-query?"+query+" HTTP/1.1\r\nHost: r.example\r\n\r\n"))...)
		want(t, query, names(list), "http r.example")
	}
}

// The tables of many connections stay within the budget for bytes.
func TestHTTP2TablesAreAccountedFor(t *testing.T) {
	limits := DefaultLimits()
	limits.BufferBytes = 128 << 10
	e := newEngine(limits)
	for i := range 300 {
		p := client(t)
		for n := range 20 {
			p.request(fmt.Sprintf("host%d.example", n), fmt.Sprint("/", n, strings.Repeat("/x", 50)))
		}
		c := wire.NewConn(fmt.Sprintf("192.0.2.10:%d", 10000+i), serverEnd)
		feed(e, 0, append(c.Open(), c.Up(p.take()))...)
		if e.table.held > limits.BufferBytes {
			t.Fatalf("%d bytes are held", e.table.held)
		}
	}
	if len(e.take()) != 300*20 || e.tally[buffersEvicted] == 0 || e.table.held == 0 {
		t.Errorf("%d evicted, %d bytes held", e.tally[buffersEvicted], e.table.held)
	}
	e.flush()
	if e.table.held != 0 {
		t.Errorf("%d bytes are held of nothing", e.table.held)
	}
}

func BenchmarkRequestHTTP2(b *testing.B) {
	p := client(b).request("llm.internal.example:8000", "/v1/chat/completions", "content-type", "application/json")
	c := wire.NewConn(clientEnd, serverEnd)
	e := newEngine(DefaultLimits())
	feed(e, 0, append(c.Open(), c.Up(p.take()))...)
	e.take()
	frame := c.Up(p.request("llm.internal.example:8000", "/v1/chat/completions", "content-type", "application/json").take())
	benchmarkSegment(b, e, frame)
}

func BenchmarkRequestHTTP1(b *testing.B) {
	c := wire.NewConn(clientEnd, serverEnd)
	e := newEngine(DefaultLimits())
	feed(e, 0, c.Open()...)
	benchmarkSegment(b, e, c.Up(text("POST /v1/chat/completions HTTP/1.1\r\nHost: llm.internal.example:8000\r\nContent-Type: application/json\r\nUser-Agent: x\r\n\r\n")))
}
