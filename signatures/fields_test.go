package signatures

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fieldWorld(t testing.TB) *Set {
	return mustCompile(t,
		sign("g.mcp", func(s *Signature) {
			s.Paths = []PathRule{{Suffix: "/mcp", AnyHost: true, Weak: true}}
			s.Fields = []FieldRule{{EvidenceHTTPMCP, "20*", false}, {EvidenceHTTPMCP, "session", false}, {EvidenceHTTPMCP, "stream", true}}
			s.Ports = []PortRule{{Port: 8000}}
			s.Confidence = 85
		}),
		sign("g.llm", func(s *Signature) {
			s.Paths = []PathRule{{Suffix: "/v1/messages", AnyHost: true, Weak: true}, {Suffix: "/chat/completions", AnyHost: true}}
			s.Fields = []FieldRule{{EvidenceHTTPClient, "Acme/*", true}}
			s.Confidence = 85
		}),
		sign("acme.api", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostExact, "api.acme.test")} }))
}

func TestMatchFields(t *testing.T) {
	set := fieldWorld(t)
	f := func(e Example, want ...string) {
		t.Helper()
		o := mustObserve(t, e)
		if diff := cmp.Diff(want, brief(set.Match(&o, nil))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", e, diff)
		}
	}
	const host = "tools.test"
	// A strong field decides, and says where.
	f(Example{Host: host, Path: "/agent", MCP: "2025-06-18"},
		"g.mcp 85 http.mcp=2025-06-18 (field http.mcp 20*) ~http.path=/agent (field http.mcp 20*)")
	f(Example{Host: host, Path: "/mcp", MCP: "session", Ports: []uint16{8000}},
		"g.mcp 85 http.mcp=session (field http.mcp session) ~http.path=/mcp (path suffix /mcp) ~net.port=8000 (port 8000)")
	f(Example{Path: "/x", MCP: "session", Ports: []uint16{8000}},
		"g.mcp 85 http.mcp=session (field http.mcp session) ~net.port=8000 (port 8000) ~http.path=/x (field http.mcp session)")
	// A weak one needs a path, and a port is none.
	f(Example{Host: host, Path: "/graphql", MCP: "stream"})
	f(Example{Host: host, Path: "/graphql", MCP: "stream", Ports: []uint16{8000}})
	f(Example{Host: host, Path: "/mcp", MCP: "stream"}, "g.mcp 60 ~http.mcp=stream (field http.mcp stream) ~http.path=/mcp (path suffix /mcp)")
	f(Example{Host: host, Path: "/mcp", MCP: "else"})
	f(Example{Host: host, Path: "/mcp"})
	f(Example{Host: host, Path: "/v1/messages", Client: "Acme/Python 1.2"},
		"g.llm 60 ~http.client=Acme/Python 1.2 (field http.client Acme/*) ~http.path=/v1/messages (path suffix /v1/messages)")
	f(Example{Host: host, Path: "/v1/chat/completions", Client: "Acme/Python 1.2"},
		"g.llm 85 http.path=/v1/chat/completions (path suffix /chat/completions) ~http.client=Acme/Python 1.2 (field http.client Acme/*)")
	f(Example{Host: host, Path: "/v1/messages", Client: "Other/1"})
	f(Example{Host: host, Path: "/", Client: "Acme/Python 1.2"})
	// Two signatures, each by what it knows.
	f(Example{Host: host, Path: "/v1/messages", Client: "Acme/JS 1", MCP: "session"},
		"g.mcp 85 http.mcp=session (field http.mcp session) ~http.path=/v1/messages (field http.mcp session)",
		"g.llm 60 ~http.client=Acme/JS 1 (field http.client Acme/*) ~http.path=/v1/messages (path suffix /v1/messages)")
	// A host that is known says more.
	f(Example{Host: "api.acme.test", Path: "/mcp", MCP: "session"}, "acme.api 90 http.host=api.acme.test (host exact api.acme.test)")
}

func TestFieldsOfOtherKindsAreIgnored(t *testing.T) {
	o := Observation{Kind: KindTLS, Name: "tools.test", Attributes: map[string]string{AttributeHTTPMCP: "session"}}
	if m := fieldWorld(t).Match(&o, nil); len(m) != 0 {
		t.Errorf("a TLS connection matches %v", brief(m))
	}
	if _, err := Compile([]Signature{sign("a.b", func(s *Signature) { s.Fields = []FieldRule{{Field: "http.other", Value: "x"}} })}); err == nil {
		t.Error("a rule for a field that nobody sets is compiled")
	}
}

func TestMatchingFieldsAllocatesNothing(t *testing.T) {
	set := fieldWorld(t)
	o := mustObserve(t, Example{Host: "tools.test", Path: "/agent", MCP: "2025-06-18", Client: "Acme/Go 1", Ports: []uint16{8000}})
	into := make([]Match, 0, MaxMatches)
	if n := testing.AllocsPerRun(100, func() {
		if into = set.Match(&o, into[:0]); len(into) != 1 {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
