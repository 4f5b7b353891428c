package pipeline

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Attributes of findings that a local proxy had a part in. A program that asks
// the proxy is the user of the service: its finding names the proxy. The
// proxy's own connection to the service is a finding of the proxy, and names
// whom it was for.
const (
	attributeProxy   = "proxy.process"
	attributeClients = "proxied_for"
)

const (
	maxLegs    = 128              // requests to local proxies that are remembered
	legAge     = 10 * time.Second // how long one explains a connection of the proxy
	maxClients = 4                // programs that one finding of a proxy names
)

// leg is a request for a name to a program of this host.
type leg struct {
	at     time.Time
	name   string
	proxy  signatures.Process
	client string
}

// proxies remembers the last requests to local programs, in a ring.
type proxies struct {
	mu   sync.Mutex
	legs [maxLegs]leg
	next int
}

// proxy tells whether o is a request for a service to a program of this host,
// and not to the service itself, or the connection that such a program makes
// for it: a resolver, an HTTP or SOCKS proxy, a filter.
func (p *Pipeline) proxy(o *signatures.Observation, whose *attribution) {
	if o.Name == "" {
		return
	}
	now := p.clock.wall()
	if server, ok := p.deps.Server(o.Flow); ok {
		if server.Name == "" || related(&server, &o.Process) {
			return
		}
		whose.via = server.Name
		p.counters.proxied.Add(1)
		if o.Process.Name != "" && p.proxies.add(leg{at: now, name: o.Name, proxy: server, client: o.Process.Name}) {
			p.explain(o.Name, &server, o.Process.Name, now)
		}
		return
	}
	if o.Process.PID == 0 {
		return
	}
	if whose.clients = p.proxies.clients(o.Name, &o.Process, now); whose.clients != "" {
		p.counters.proxies.Add(1)
	}
}

// explain adds a client to what the proxy was seen doing a moment ago: the two
// connections may be seen on two interfaces, in either order.
func (p *Pipeline) explain(name string, proxy *signatures.Process, client string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.folds.byKey {
		if f.PeerName != name || f.ProcessName != cut(proxy.Name) || f.ProcessPath != proxy.Executable || f.User != cut(proxy.User) ||
			now.Sub(f.LastSeen) > legAge || f.Attributes[attributeProxy] != "" {
			continue
		}
		clients := joinNames(f.Attributes[attributeClients], client)
		if clients == f.Attributes[attributeClients] {
			continue
		}
		p.counters.proxies.Add(1)
		setAttribute(&f.Finding, attributeClients, clients)
		f.grown++
		p.wakeUp()
	}
}

// related reports whether two programs are one, or parent and child: a proxy
// may listen in one process and connect in another.
func related(a, b *signatures.Process) bool {
	return a.PID != 0 && b.PID != 0 && (a.PID == b.PID || a.PID == b.ParentPID || b.PID == a.ParentPID)
}

// add remembers l, and reports whether it is new, or was old enough to be
// forgotten.
func (x *proxies) add(l leg) (fresh bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.legs { // the same again: a CONNECT and the hello inside it
		if old := &x.legs[i]; old.name == l.name && old.client == l.client && old.proxy.PID == l.proxy.PID {
			fresh, old.at = l.at.Sub(old.at) > legAge, l.at
			return fresh
		}
	}
	x.legs[x.next] = l
	x.next = (x.next + 1) % maxLegs
	return true
}

// clients lists who asked the program for name lately, "" where nobody did.
func (x *proxies) clients(name string, program *signatures.Process, now time.Time) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := ""
	for i := range x.legs {
		l := &x.legs[i]
		if l.name == name && now.Sub(l.at) <= legAge && related(&l.proxy, program) {
			list = joinNames(list, l.client)
		}
	}
	return list
}

// joinNames adds what list does not hold yet, up to maxClients names; an
// ellipsis stands for the rest.
func joinNames(list, more string) string {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
	for name := range strings.SplitSeq(more, ",") {
		switch {
		case name == "" || slices.Contains(names, name) || slices.Contains(names, "…"):
		case len(names) == maxClients:
			names = append(names, "…")
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names) // the ellipsis sorts behind letters
	return strings.Join(names, ",")
}
