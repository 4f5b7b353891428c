package owner

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/gnomon-ai/gnomon/signatures"
)

// The program that listens is told, of a connection that is there, of one that
// has ended, and over UDP.
func TestLookupServer(t *testing.T) {
	r := newResolver(t, nil)
	f := func(name, network, address string, want bool) {
		t.Run(name, func(t *testing.T) {
			s := serve(t, network, address)
			p := start(t, "stay", network, s.address, nil)
			flow := s.next(t)
			for _, alive := range []bool{true, false} {
				if !alive {
					_ = p.input.Close()
					_ = p.command.Wait()
				}
				got, ok := r.LookupServer(flow)
				if ok != want || got.PID != int32(os.Getpid()) || got.Arguments != nil {
					t.Errorf("client alive %v: ok %v, pid %d, want %d", alive, ok, got.PID, os.Getpid())
				}
			}
		})
	}
	f("tcp", "tcp4", "127.0.0.1:0", true)
	f("tcp on every address", "tcp", ":0", true)
	f("udp", "udp4", "127.0.0.1:0", true)
	if n := r.Counters()["owner_servers"]; n != 6 {
		t.Errorf("owner_servers is %d, want 6", n)
	}
	elsewhere := signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("127.0.0.1:1"), Server: netip.MustParseAddrPort("192.0.2.1:443")}
	if got, ok := r.LookupServer(elsewhere); ok {
		t.Errorf("%+v serves another host's address", got)
	}
	if got, ok := r.LookupServer(signatures.Flow{Protocol: "icmp"}); ok {
		t.Errorf("%+v", got)
	}
}

// A first packet under ports that were used before is another connection:
// where its socket is gone already, the earlier owner is forgotten.
func TestObserveForgetsTheEarlierOwner(t *testing.T) {
	r := newResolver(t, nil)
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	k := mustKey(t, tcpFlow(client.LocalAddr(), client.RemoteAddr()))
	r.prefetch(k)
	first, ok := r.memory.get(k, r.memory.known[k].at)
	if !ok || first.process.PID != int32(os.Getpid()) || !r.confirmed(k, first) {
		t.Fatalf("%+v, ok %v", first, ok)
	}
	r.prefetch(k) // a SYN that is sent again
	if again := r.memory.known[k]; again.at != first.at {
		t.Error("a connection that is still there was looked for again")
	}
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close()
	eventually(t, "the end of the socket", func() bool { return !r.confirmed(k, first) })
	r.prefetch(k)
	if later := r.memory.known[k]; later.reason != NoSocket || later.process.PID != 0 {
		t.Errorf("%+v: the earlier owner is kept", later)
	}
	// Also where the question comes before the queue was worked off.
	r.remember(k, first)
	r.Observe(signatures.Flow{Protocol: "tcp", Client: k.client, Server: k.server})
	if got, reason := r.Lookup(signatures.Flow{Protocol: "tcp", Client: k.client, Server: k.server}); reason != NoSocket || got.PID != 0 {
		t.Errorf("pid %d, reason %q: the earlier owner is told", got.PID, reason)
	}
}
