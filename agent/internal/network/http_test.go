package network

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

const between = clientEnd + ">" + serverEnd

func TestRequestOnAnyPort(t *testing.T) {
	list, stats := replay(t, session(text("POST /v1/chat/completions?key=secret HTTP/1.1\r\nHost: API.example.com:8443\r\n\r\n"))...)
	want(t, "a request", lines(list), "http api.example.com "+between+" POST /v1/chat/completions")
	if list[0].NameEvidence != signatures.EvidenceHTTPHost {
		t.Errorf("%+v", list[0])
	}
	counted(t, stats, map[string]uint64{"http_requests": 1, "http_requests_nameless": 0})
}

func TestRequestForms(t *testing.T) {
	f := func(what, request string, found ...string) {
		t.Helper()
		list, _ := replay(t, session(text(request))...)
		want(t, what, lines(list), found...)
	}
	f("absolute form", "GET http://a.example/x?y HTTP/1.1\r\n\r\n", "http a.example "+between+" GET /x")
	f("absolute form without a path", "GET http://a.example HTTP/1.1\r\nHost: b.example\r\n\r\n",
		"http a.example "+between+" GET /", "http b.example "+between+" GET /")
	f("no host", "GET /v1/models HTTP/1.0\r\n\r\n", "http  "+between+" GET /v1/models")
	f("two hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", "http a.example "+between+" GET /", "http b.example "+between+" GET /")
	f("IPv6 host", "GET / HTTP/1.1\r\nHost: [2001:db8::5]:80\r\n\r\n", "http 2001:db8::5 "+between+" GET /")
	f("header without an end", "GET / HTTP/1.1\r\nHost: a.example\r\n", "http a.example "+between+" GET /")
	f("a text protocol", "NICK somebody\r\nUSER somebody\r\n")
	f("a response", "HTTP/1.1 200 OK\r\nHost: a.example\r\n\r\n")
	f("host with control characters", "GET / HTTP/1.1\r\nHost: a\x01.example\r\n\r\n", `http a\001.example `+between+" GET /")
}

func TestRequestSplitAnywhere(t *testing.T) {
	request := "GET /path HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"
	for n := 1; n < len(request); n++ {
		list, _ := replay(t, session(text(request[:n]), text(request[n:]))...)
		want(t, fmt.Sprintf("split at %d", n), lines(list), "http a.example "+between+" GET /path")
	}
}

func TestManyRequestsOfOneConnection(t *testing.T) {
	var all strings.Builder
	var found []string
	add := func(host, more, body string) {
		fmt.Fprintf(&all, "POST / HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", host, more, body)
		found = append(found, "http "+host)
	}
	add("one.example", "", "")
	add("two.example", "Content-Length: 30\r\n", "GET / HTTP/1.1\r\nHost: body\r\n\r\n")
	add("three.example", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1f;x=y\r\n"+strings.Repeat("x", 31)+"\r\n0\r\nTrailer: 1\r\n\r\n")
	add("four.example", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n")
	add("five.example", "Content-Length: 0\r\n", "")
	for _, size := range []int{1 << 20, 100, 7, 1} {
		c := wire.NewConn(clientEnd, serverEnd)
		list, stats := replay(t, append(c.Open(), c.Split(text(all.String()), size)...)...)
		want(t, fmt.Sprintf("segments of %d", size), names(list), found...)
		counted(t, stats, map[string]uint64{"http_requests": 5})
	}
}

func TestLongBodyIsSkippedThoughSegmentsAreLost(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(), c.Up(text("PUT /big HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n")))
	body := c.Split(make([]byte, 100000), 1000)
	for i, f := range body {
		if i%3 != 0 {
			frames = append(frames, f)
		}
	}
	list, stats := replay(t, append(frames, c.Up(text("GET /next HTTP/1.1\r\nHost: b.example\r\n\r\n")))...)
	want(t, "a body with gaps", names(list), "http a.example", "http b.example")
	counted(t, stats, map[string]uint64{"tcp_gaps": 0, "tcp_out_of_order": 0})
}

func TestRequestBehindAGapIsFound(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(), c.Up(text("GET /one HTTP/1.1\r\nHost: a.example\r\n")))
	c.Up(text("Lost: header\r\n\r\n"))
	list, stats := replay(t, append(frames, c.Up(text("GET /two HTTP/1.1\r\nHost: b.example\r\n\r\n")))...)
	want(t, "behind a gap", names(list), "http a.example", "http b.example")
	counted(t, stats, map[string]uint64{"tcp_gaps": 1, "http_requests_partial": 1})
}

func TestHeaderTooLongIsCounted(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	frames := append(c.Open(), c.Up(text("GET / HTTP/1.1\r\nHost: a.example\r\nX: ")))
	list, stats := replay(t, append(frames, c.Split(make([]byte, 70<<10), 1400)...)...)
	want(t, "70 kB of header", names(list), "http a.example")
	counted(t, stats, map[string]uint64{"http_requests_partial": 1, "directions_overfull": 1, "directions_given_up": 1})
}

// benchmarkSegment feeds a segment of a client again and again, as one that
// follows.
func benchmarkSegment(b *testing.B, e *engine, frame []byte) {
	const sequenceAt = 14 + 20 + 4
	n := uint32(len(frame) - 14 - 40)
	b.ReportAllocs()
	for b.Loop() {
		feed(e, 0, frame)
		if len(e.take()) != 1 {
			b.Fatal("nothing was observed")
		}
		binary.BigEndian.PutUint32(frame[sequenceAt:], binary.BigEndian.Uint32(frame[sequenceAt:])+n)
	}
}
