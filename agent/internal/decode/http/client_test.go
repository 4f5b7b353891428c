package http

import (
	"strings"
	"testing"
)

func parse(t *testing.T, header string) *Request {
	t.Helper()
	var r Request
	if !Parse([]byte(header), &r) {
		t.Fatalf("%q: not read", header)
	}
	return &r
}

func TestMCP(t *testing.T) {
	f := func(what, header string, kind MCPKind, version string) {
		t.Helper()
		got, v := parse(t, header+"\r\n").MCP()
		if got != kind || string(v) != version {
			t.Errorf("%s: %v %q", what, got, v)
		}
	}
	const post = "POST /mcp HTTP/1.1\r\nHost: a\r\n"
	f("version", post+"MCP-Protocol-Version: 2025-06-18\r\nMcp-Session-Id: secret\r\n", MCPVersioned, "2025-06-18")
	f("version in another form", post+"mcp-protocol-version: draft secret\r\n", MCPInSession, "")
	f("session", "DELETE /x HTTP/1.1\r\nmcp-session-id: secret\r\n", MCPInSession, "")
	f("method", post+"Mcp-Method: tools/call\r\n", MCPInSession, "")
	f("first request", post+"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n", MCPStream, "")
	f("two fields", post+"Content-Type: application/json; charset=utf-8\r\nAccept: text/event-stream\r\nAccept: application/json\r\n", MCPStream, "")
	f("accepts anything", post+"Content-Type: application/json\r\nAccept: */*\r\n", NoMCP, "")
	f("sends no JSON", post+"Accept: application/json, text/event-stream\r\n", NoMCP, "")
	f("event stream", "GET /sse HTTP/1.1\r\nAccept: text/event-stream\r\nUser-Agent: python-httpx/0.27\r\n", MCPEvents, "")
	f("event stream of a browser", "GET /sse HTTP/1.1\r\nAccept: text/event-stream\r\nUser-Agent: Mozilla/5.0\r\n", NoMCP, "")
	f("event stream of a page", "GET /sse HTTP/1.1\r\nAccept: text/event-stream\r\nSec-Fetch-Mode: cors\r\n", NoMCP, "")
	f("message", "POST /messages/?session_id=secret HTTP/1.1\r\nContent-Type: application/json\r\n", MCPEvents, "")
	f("message, as others write it", "POST /message?a=b&sessionId=secret HTTP/1.1\r\nContent-Type: application/json\r\n", MCPEvents, "")
	f("another key", "POST /messages?xsession_id=1&session_idx=2&session_id HTTP/1.1\r\nContent-Type: application/json\r\n", NoMCP, "")
	f("nothing", post, NoMCP, "")
}

func TestClient(t *testing.T) {
	f := func(fields, product, version string) {
		t.Helper()
		c := parse(t, "POST / HTTP/1.1\r\n"+fields+"\r\n").Client()
		if c.Product != product || string(c.Version) != version {
			t.Errorf("%q: %q %q", fields, c.Product, c.Version)
		}
	}
	f("User-Agent: OpenAI/Python 1.30.1\r\n", "OpenAI/Python", "1.30.1")
	f("User-Agent: AsyncAnthropic/Python 0.34.0\r\nanthropic-version: 2023-06-01\r\n", "AsyncAnthropic/Python", "0.34.0")
	f("User-Agent: claude-cli/2.0.14 (external, cli)\r\n", "claude-cli", "2.0.14")
	f("User-Agent: ollama-python/0.4.7 (x86_64 linux) Python/3.12\r\n", "ollama-python", "0.4.7")
	f("User-Agent: ollama/0.5.1 (amd64 linux) Go/go1.23\r\n", "ollama", "0.5.1")
	f("User-Agent: curl/8.0\r\nAnthropic-Version: 2023-06-01\r\n", "anthropic-version", "2023-06-01")
	f("User-Agent: x\r\nX-Stainless-Lang: JS\r\n", "js", "")
	f("User-Agent: Mozilla/5.0\r\n", "", "")
	// Nothing that somebody chose gets through.
	f("User-Agent: OpenAI/Python sk-secret\r\n", "OpenAI/Python", "")
	f("User-Agent: OpenAI/Python 1.2-sk-secret\r\n", "OpenAI/Python", "1.2")
	f("User-Agent: OpenAI/Python 1..2\r\n", "OpenAI/Python", "1")
	f("User-Agent: OpenAI/Python 11111111111111111111111\r\n", "OpenAI/Python", strings.Repeat("1", 16))
	f("User-Agent: OpenAI/Pythonsecret 1.2\r\n", "", "")
	f("User-Agent: secret OpenAI/Python 1.2\r\n", "", "")
	f("Anthropic-Version: secret\r\n", "", "")
	f("X-Stainless-Lang: secret\r\n", "", "")
}

func TestNameOf(t *testing.T) {
	for text, want := range map[string]Name{
		"Host": Host, ":path": PseudoPath, "ACCEPT": Accept, ":method": PseudoMethod, ":status": PseudoStatus, ":scheme": PseudoScheme,
		"Upgrade": Upgrade, ":authority": PseudoAuthority, "User-Agent": UserAgent, "Mcp-Method": MCPMethod, "content-type": ContentType,
		"Content-Length": ContentLength, "Sec-Fetch-Mode": FetchMode, "Mcp-Session-Id": MCPSession, "X-Stainless-Lang": StainlessLang,
		"Transfer-Encoding": TransferEncoding, "anthropic-version": AnthropicVersion, "MCP-Protocol-Version": MCPVersion,
		"": Other, "cookie": Other, "hose": Other, "sccept": Other, "upgradf": Other, "user_agent": Other, "content-lengtx": Other, "mcp-session-ix": Other,
	} {
		if got := NameOf([]byte(text)); got != want {
			t.Errorf("%q is field %d, want %d", text, got, want)
		}
	}
}

// FuzzClient holds what may leave the parser to its form, whatever was sent.
func FuzzClient(f *testing.F) {
	f.Add("OpenAI/Python 1.30.1", "2025-06-18", "/messages?session_id=x")
	f.Add("claude-cli/2.0 (external)", "draft", "/?dns=AAAB")
	f.Fuzz(func(t *testing.T, agent, version, target string) {
		var r Request
		header := "GET " + target + " HTTP/1.1\r\nUser-Agent: " + agent + "\r\nMcp-Protocol-Version: " + version + "\r\nAnthropic-Version: " + version + "\r\n\r\n"
		if !Parse([]byte(header), &r) {
			return
		}
		const digits = "0123456789.-"
		c := r.Client()
		if len(c.Version) > 16 || strings.Trim(string(c.Version), digits) != "" {
			t.Fatalf("version %q of %q", c.Version, c.Product)
		}
		if _, v := r.MCP(); len(v) > 10 || strings.Trim(string(v), digits) != "" {
			t.Fatalf("version %q", v)
		}
		if v, ok := r.QueryValue("dns"); ok && !strings.Contains(target+agent+version, string(v)) {
			t.Fatalf("value %q", v)
		}
	})
}
