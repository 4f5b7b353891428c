package network

import (
	"fmt"
	"strings"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Each form of HTTP/1 that a client may send, and each that a client sends to be
// overlooked: whole, and cut at every place.
func TestRequestForm(t *testing.T) {
	f := func(what, stream string, found ...string) {
		t.Run(what, func(t *testing.T) {
			e := newEngine(DefaultLimits())
			for n := range len(stream) {
				feed(e, 0, session(text(stream[:n]), text(stream[n:]))...)
				e.flush()
				want(t, fmt.Sprintf("cut at %d", n), lines(e.take()), found...)
			}
			if e.tally[panics] != 0 || e.table.held != 0 {
				t.Errorf("%d panics, %d bytes held", e.tally[panics], e.table.held)
			}
		})
	}
	get := func(name, path string) string { return "http " + name + " " + between + " GET " + path }
	const next = "GET /next HTTP/1.1\r\nHost: next.example\r\n\r\n"
	follows := get("next.example", "/next")
	f("absolute_form", "GET http://u:p@a.example:81/x?y#z HTTP/1.1\r\nHost: a.example:81\r\n\r\n", get("a.example", "/x"))
	f("absolute_form_against_host", "GET http://real.example/ HTTP/1.1\r\nHost: front.example\r\n\r\n", get("real.example", "/"), get("front.example", "/"))
	f("authority_form", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "http a.example "+between+" CONNECT ")
	f("authority_form_against_host", "CONNECT a.example:443 HTTP/1.1\r\nHost: proxy.example\r\n\r\n",
		"http a.example "+between+" CONNECT ", "http proxy.example "+between+" CONNECT ")
	f("keep_alive", "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"+next+next, get("a.example", "/a"), follows, follows)
	f("http_1_0", "GET /a HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n"+next, get("a.example", "/a"), follows)
	f("http_1_0_without_host", "GET /a HTTP/1.0\r\n\r\n", get("", "/a"))
	f("http_0_9", "GET /a\r\n")
	f("http_0_9_then_1_1", "GET /a\r\n\r\n"+next, follows)
	f("no_version_but_a_host", "GET /a\r\nHost: a.example\r\n\r\n", get("a.example", "/a"))
	f("unknown_version", "GET /a HTTP/3.7\r\nHost: a.example\r\n\r\n", get("a.example", "/a"))
	f("version_in_small_letters", "GET /a http/1.1\r\nHost: a.example\r\n\r\n", get("a.example", "/a"))
	f("junk_behind_the_version", "GET /a HTTP/1.1 junk\r\nHost: a.example\r\n\r\n", get("a.example", "/a"))
	f("tabs_for_blanks", "GET\t/a\tHTTP/1.1\r\nHost:\ta.example\r\n\r\n", get("a.example", "/a"))
	f("missing_host", "GET /a HTTP/1.1\r\nAccept: */*\r\n\r\n", get("", "/a"))
	f("empty_host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", get("", "/a"))
	f("duplicate_host", "GET /a HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", get("a.example", "/a"), get("b.example", "/a"))
	f("blank_before_the_colon", "GET /a HTTP/1.1\r\nHost : a.example\r\n\r\n", get("a.example", "/a"))
	f("blank_before_the_field", "GET /a HTTP/1.1\r\n Host: a.example\r\n\r\n", get("a.example", "/a"))
	f("folded_field", "GET /a HTTP/1.1\r\nX: a\r\n b\r\nHost:\r\n\ta.example\r\n\r\n", get("a.example", "/a"))
	f("bare_line_feeds", "GET /a HTTP/1.1\nHost: a.example\n\n"+next, get("a.example", "/a"), follows)
	f("empty_lines_before", "\r\n\n\r\nGET /a HTTP/1.1\r\nHost: a.example\r\n\r\n", get("a.example", "/a"))
	f("empty_lines_between", "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n\r\n\r\n"+next, get("a.example", "/a"), follows)
	f("unknown_method", "BREW /pot HTTP/1.1\r\nHost: a.example\r\n\r\n", "http a.example "+between+" BREW /pot")
	f("small_method", "post /a HTTP/1.1\r\nHost: a.example\r\n\r\n", "http a.example "+between+" post /a")
	f("odd_method", "X+Y.Z|! /a HTTP/1.1\r\nHost: a.example\r\n\r\n", "http a.example "+between+" X+Y.Z|! /a")
	f("asterisk_form", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", "http a.example "+between+" OPTIONS ")
	f("expect_continue", "PUT /a HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"+next, "http a.example "+between+" PUT /a", follows)
	f("chunked_with_extensions_and_trailers", "PUT /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"+
		"a;name=\"v;\"\r\n0123456789\r\n3 ; x\nabc\n0\r\nTrailer: Host: no.example\r\n\r\n"+next, "http a.example "+between+" PUT /a", follows)
	f("length_and_chunked", "PUT /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"+next,
		"http a.example "+between+" PUT /a", follows)
	f("chunked_with_a_blank_before_the_colon", "PUT /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"+next,
		"http a.example "+between+" PUT /a", follows)
	f("body_that_looks_like_a_request", "PUT /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 38\r\n\r\nGET / HTTP/1.1\r\nHost: no.example\r\n\r\nxx"+next,
		"http a.example "+between+" PUT /a", follows)
	f("host_in_another_case_with_a_dot", "GET /a HTTP/1.1\r\nhOST: A.Example.:8080\r\n\r\n", get("a.example", "/a"))
	f("websocket", "GET /v1/realtime?key=x HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x85\x01\x02\x03\x04hello", get("a.example", "/v1/realtime"))
	f("websocket_refused", "GET /v1/realtime HTTP/1.1\r\nHost: a.example\r\nUpgrade: WebSocket\r\n\r\n"+next, get("a.example", "/v1/realtime"), follows)
}

func TestWebSocketIsGivenUp(t *testing.T) {
	_, stats := replay(t, session(text("GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n"), []byte{0x81, 0x85, 1, 2, 3, 4}, make([]byte, 1000))...)
	counted(t, stats, map[string]uint64{"directions_given_up": 1})
}

func TestHTTP09IsCounted(t *testing.T) {
	_, stats := replay(t, session(text("GET /old\r\n\r\n"))...)
	counted(t, stats, map[string]uint64{"http_requests_old": 1, "http_requests": 0})
}

// A body of some GiB costs nothing, though its sequence numbers wrap.
func TestVeryLongBodyIsSkipped(t *testing.T) {
	const length = 5 << 30
	e := newEngine(DefaultLimits())
	c := wire.NewConn(clientEnd, serverEnd)
	feed(e, 0, append(c.Open(), c.Up(text(fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n", length))))...)
	part := make([]byte, 1<<16-1000)
	for sent := 0; sent < length; {
		n := min(len(part), length-sent)
		if sent/len(part)%3000 == 0 || sent+n == length { // the rest is lost
			feed(e, 0, c.UpAt(sent, part[:n]))
		}
		sent += n
	}
	if e.table.held != 0 || e.tally[tcpGaps] != 0 {
		t.Errorf("%d bytes are held, %d gaps", e.table.held, e.tally[tcpGaps])
	}
	feed(e, 0, c.UpAt(length, text("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")))
	want(t, "behind the body", names(e.take()), "http a.example", "http b.example")
}

func TestPathsAreCutAndCounted(t *testing.T) {
	list, stats := replay(t, session(text("GET /"+strings.Repeat("a/", 2000)+" HTTP/1.1\r\nHost: a.example\r\n\r\n"))...)
	if len(list) != 1 || len(list[0].Path) != maxText {
		t.Errorf("%d observations, path of %d bytes", len(list), len(list[0].Path))
	}
	counted(t, stats, map[string]uint64{"http_paths_cut": 1, "http_paths_masked": 0})
}

func TestPathsAreMasked(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got, masked := maskPath(path); got != want || masked != (got != path) {
			t.Errorf("%q becomes %q, %v", path, got, masked)
		}
	}
	for _, kept := range []string{
		"", "/", "/v1/chat/completions", "/v1beta/models/gemini-2.5-flash-preview-09-2025:generateContent",
		"/model/anthropic.claude-haiku-4-5-20251001-v1:0/converse", "/openai/deployments/text-embedding-3-large/embeddings",
		"/inference.GRPCInferenceService/ModelInfer", "/v2/models/Llama4MaverickInstruct/infer", "/1234567890123456789012345",
	} {
		f(kept, kept)
	}
	f("/api/mcp/s/NGY4ZTk2YzYtYzE3Ny00MDA5/mcp", "/api/mcp/s/*/mcp")
	f("/session/3f2504e0-4f89-41d3-9a0c-0305e82c3301/sse", "/session/*/sse")
	f("/3f2504e0-4f89-41d3-9a0c-0305e82c3301", "/*")
	f("/hook/0123456789abcdef", "/hook/*")
	f("/key-sk1w3qLr5k7890xYz4567abcdef.json", "/key-*.json")
	list, stats := replay(t, session(text("POST /s/NGY4ZTk2YzYtYzE3Ny00MDA5/mcp?key=secret HTTP/1.1\r\nHost: a.example\r\n\r\n"))...)
	want(t, "a key in the path", lines(list), "http a.example "+between+" POST /s/*/mcp")
	counted(t, stats, map[string]uint64{"http_paths_masked": 1})
}

func TestRequestAttributes(t *testing.T) {
	f := func(fields, mcp, client string) {
		t.Helper()
		list, _ := replay(t, session(text("POST /x?session_id=secret HTTP/1.1\r\nHost: a.example\r\n"+fields+"\r\n"))...)
		if len(list) != 1 || list[0].Attributes[signatures.AttributeHTTPMCP] != mcp || list[0].Attributes[signatures.AttributeHTTPClient] != client {
			t.Fatalf("%q: %+v", fields, list)
		}
		if strings.Contains(fmt.Sprint(list), "secret") {
			t.Errorf("%q: %+v holds a secret", fields, list)
		}
	}
	f("", "", "")
	f("Mcp-Session-Id: secret\r\n", "session", "")
	f("MCP-Protocol-Version: 2025-06-18\r\nMcp-Session-Id: secret\r\nUser-Agent: claude-code/2.0.1 (secret)\r\n", "2025-06-18", "claude-code 2.0.1")
	f("Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nX-Stainless-Lang: python\r\n", "stream", "python")
	f("Content-Type: application/json\r\nAuthorization: Bearer secret\r\n", "events", "")
}

func BenchmarkMaskPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, masked := maskPath("/model/anthropic.claude-haiku-4-5-20251001-v1:0/converse"); masked {
			b.Fatal("masked")
		}
	}
}
