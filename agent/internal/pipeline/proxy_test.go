package pipeline

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// household is a host with a proxy on a loopback port, and who has which port.
type household struct {
	owners  map[uint16]signatures.Process // by client port
	servers map[uint16]signatures.Process // by server port, on loopback
}

func (h *household) deps(_ *Config, d *Deps) {
	d.Owner = func(f signatures.Flow) (signatures.Process, string) {
		p, ok := h.owners[f.Client.Port()]
		if !ok {
			return p, "exited"
		}
		return p, ""
	}
	d.Server = func(f signatures.Flow) (signatures.Process, bool) {
		p, ok := h.servers[f.Server.Port()]
		return p, ok && f.Server.Addr().IsLoopback()
	}
}

func newHousehold() *household {
	return &household{
		owners: map[uint16]signatures.Process{
			1001: {PID: 10, Name: "claude", Executable: "/usr/bin/claude", User: "ana", Parents: []string{"node", "code"}}, 1002: {PID: 11, Name: "curl", Executable: "/usr/bin/curl", User: "leo"},
			2001: {PID: 21, ParentPID: 20, Name: "squid", Executable: "/usr/bin/squid", User: "proxy"}, 3001: {PID: 30, Name: "firefox", Executable: "/usr/bin/firefox", User: "ana"},
			1003: {PID: 20, Name: "squid", Executable: "/usr/bin/squid", User: "proxy"},
		},
		servers: map[uint16]signatures.Process{3128: {PID: 20, Name: "squid", Executable: "/usr/bin/squid", User: "proxy"}},
	}
}

// over is a TLS observation of a connection from a port to a server.
func (b *bench) over(name string, client uint16, server string) signatures.Observation {
	o := b.tls(name)
	o.Flow.Server = netip.MustParseAddrPort(server)
	o.Flow.Client = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), client)
	return o
}

func TestProxyAndClientAreTold(t *testing.T) {
	b := newBench(t, newHousehold().deps)
	const outside = "203.0.113.7:443"
	b.Emit(b.over("api.acme.example", 1001, "127.0.0.1:3128"))
	b.Emit(b.over("api.acme.example", 1001, "127.0.0.1:3128")) // the hello inside the CONNECT
	b.Emit(b.over("api.acme.example", 2001, outside))
	b.Emit(b.over("api.acme.example", 1002, "127.0.0.1:3128"))
	b.Emit(b.over("api.acme.example", 2001, outside))
	b.Emit(b.over("api.acme.example", 3001, outside)) // asks nobody
	b.Emit(b.over("login.acme.example", 2001, outside))
	b.mustFlush(t)
	got := map[string]map[string]string{}
	for _, f := range b.sink.all() {
		got[f.ProcessName+" "+f.PeerName] = f.Attributes
	}
	want := map[string]map[string]string{
		"claude api.acme.example":  {"proxy.process": "squid", "process.parents": "code > node"},
		"curl api.acme.example":    {"proxy.process": "squid"},
		"squid api.acme.example":   {"proxied_for": "claude,curl"},
		"firefox api.acme.example": nil,
		"squid login.acme.example": nil, // nobody asked for that
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	b.counter(t, map[string]uint64{"via_local_proxy": 3, "by_local_proxy": 3})
}

// The proxy's connection may be seen before the request for it, also after the
// finding of it was stored: it is sent again then.
func TestProxyIsExplainedLate(t *testing.T) {
	b := newBench(t, newHousehold().deps)
	b.Emit(b.over("api.acme.example", 2001, "203.0.113.7:443"))
	b.mustFlush(t)
	b.Emit(b.over("api.acme.example", 1001, "127.0.0.1:3128"))
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	var last finding.Finding
	for _, f := range b.sink.all() {
		if f.ProcessName == "squid" {
			last = f
		}
	}
	if last.Attributes["proxied_for"] != "claude" || last.Revision != 2 || last.Count != 1 {
		t.Errorf("revision %d, count %d, %v", last.Revision, last.Count, last.Attributes)
	}
	b.counter(t, map[string]uint64{"by_local_proxy": 1, "via_local_proxy": 1})
}

// What the sink refuses is not forgotten.
func TestLateAttributeSurvivesARefusal(t *testing.T) {
	refuse := false
	var stored []finding.Finding
	h := newHousehold()
	b := newBench(t, func(c *Config, d *Deps) {
		h.deps(c, d)
		d.Sink = func(list []finding.Finding) (int, error) {
			if refuse {
				refuse = false
				return 0, errors.New("full")
			}
			stored = append(stored, list...)
			return len(list), nil
		}
	})
	b.Emit(b.over("api.acme.example", 2001, "203.0.113.7:443"))
	b.mustFlush(t)
	b.Emit(b.over("api.acme.example", 1001, "127.0.0.1:3128"))
	refuse = true
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	told := false
	for _, f := range stored {
		told = told || f.Attributes["proxied_for"] == "claude"
	}
	if !told {
		t.Errorf("%+v", stored)
	}
}

func TestProxyIsForgotten(t *testing.T) {
	b := newBench(t, newHousehold().deps)
	b.Emit(b.over("api.acme.example", 1001, "127.0.0.1:3128"))
	b.clock.set(legAge + time.Second)
	b.Emit(b.over("api.acme.example", 2001, "203.0.113.7:443"))
	b.counter(t, map[string]uint64{"via_local_proxy": 1, "by_local_proxy": 0})
}

// A program that talks to itself is no proxy, and one that is not known can
// be nobody's client.
func TestNoProxy(t *testing.T) {
	b := newBench(t, newHousehold().deps)
	b.Emit(b.over("api.acme.example", 1003, "127.0.0.1:3128"))
	b.counter(t, map[string]uint64{"via_local_proxy": 0})
	b.Emit(b.over("api.acme.example", 9999, "127.0.0.1:3128"))
	b.Emit(b.over("api.acme.example", 2001, "203.0.113.7:443"))
	b.Emit(b.over("api.acme.example", 9999, "203.0.113.7:443"))
	b.counter(t, map[string]uint64{"via_local_proxy": 1, "by_local_proxy": 0, "owner_exited": 2})
}

func TestLegsAreBounded(t *testing.T) {
	var x proxies
	proxy := signatures.Process{PID: 20, Name: "squid"}
	at := time.Unix(1000, 0)
	for i := range maxLegs + 1 {
		x.add(leg{at: at, name: "n", proxy: proxy, client: string(rune('A' + i))})
	}
	if x.legs[0].client != string(rune('A'+maxLegs)) {
		t.Errorf("the oldest is still there: %+v", x.legs[0])
	}
}

func TestJoinNames(t *testing.T) {
	f := func(list, more, want string) {
		t.Helper()
		if got := joinNames(list, more); got != want {
			t.Errorf("joinNames(%q, %q) is %q, want %q", list, more, got, want)
		}
	}
	f("", "b", "b")
	f("b", "a", "a,b")
	f("a,b", "b,a", "a,b")
	f("a,b,c,d", "e", "a,b,c,d,…")
	f("a,b,c,d,…", "e", "a,b,c,d,…")
	f("a", "", "a")
}

func TestPodAndParentsAreTold(t *testing.T) {
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(signatures.Flow) (signatures.Process, string) {
			return signatures.Process{
				PID: 7, Name: "python3", Parents: []string{"sh", "containerd-shim"}, Container: "c1",
				PodUID: "u1", PodNamespace: "shop", PodName: "assistant-0",
			}, ""
		}
	})
	b.Emit(b.tls("api.acme.example"))
	b.mustFlush(t)
	got := b.sink.all()[0]
	want := map[string]string{
		"process.parents": "containerd-shim > sh", "k8s.pod.uid": "u1", "k8s.pod.name": "assistant-0", "k8s.namespace.name": "shop",
	}
	if diff := cmp.Diff(want, got.Attributes); diff != "" || got.ParentName != "sh" {
		t.Errorf("parent %q, attributes (-want +got):\n%s", got.ParentName, diff)
	}
}
