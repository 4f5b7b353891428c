package owner

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// dialled makes n connections within this process.
func dialled(b *testing.B, n int) []signatures.Flow {
	b.Helper()
	listener := listenTCP(b, "tcp4", "127.0.0.1:0")
	flows := make([]signatures.Flow, 0, n)
	for range n {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		server, err := listener.Accept()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = client.Close(); _ = server.Close() })
		flows = append(flows, tcpFlow(client.LocalAddr(), client.RemoteAddr()))
	}
	return flows
}

func lookups(b *testing.B, r *Resolver, flows []signatures.Flow, before func(*Resolver)) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if before != nil {
			before(r)
		}
		if _, reason := r.Lookup(flows[i%len(flows)]); reason != "" {
			b.Fatal(reason)
		}
		i++
	}
}

func forgetConnections(r *Resolver) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	clear(r.memory.known)
}

// Asked before: one question whether the socket is still the same.
func BenchmarkLookupRemembered(b *testing.B) {
	lookups(b, newResolver(b, nil), dialled(b, 100), nil)
}

// A connection of a process that is known: sock_diag, one readlink, one stat.
func BenchmarkLookupKnownProcess(b *testing.B) {
	lookups(b, newResolver(b, nil), dialled(b, 100), forgetConnections)
}

// Nothing is known: a full walk for each.
func BenchmarkLookupCold(b *testing.B) {
	flows := dialled(b, 100)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := newResolver(b, func(c *Config) { c.Holders.NewestPIDs = 0 })
		b.StartTimer()
		if _, reason := r.Lookup(flows[0]); reason != "" {
			b.Fatal(reason)
		}
		b.StopTimer()
		_ = r.Close()
		b.StartTimer()
	}
}

// Nobody's connection, as on a gateway.
func BenchmarkLookupNotLocal(b *testing.B) {
	r := newResolver(b, nil)
	flow := dialled(b, 1)[0]
	flow.Client = netip.MustParseAddrPort("192.0.2.7:40000")
	flow.Server = netip.MustParseAddrPort("198.51.100.9:443")
	b.ReportAllocs()
	for b.Loop() {
		if _, reason := r.Lookup(flow); reason != NotLocal {
			b.Fatal(reason)
		}
	}
}

// What the capture loop pays at a SYN.
func BenchmarkObserve(b *testing.B) {
	r := newResolver(b, nil)
	flow := dialled(b, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		r.Observe(flow)
		select {
		case <-r.queue:
		default:
		}
	}
}

// The fallback: the whole connection table through gopsutil.
func BenchmarkLookupFallback(b *testing.B) {
	r := newResolver(b, func(c *Config) { c.SnapshotAge = time.Nanosecond })
	r.refuse = true
	lookups(b, r, dialled(b, 100), forgetConnections)
}
