package owner

import (
	"net/netip"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/signatures"
)

// LookupServer returns the program of this host that flow leads to: the one
// that listens there. "Not ok" means that the server's end is another host's,
// in another network namespace, or that its program cannot be told. It never
// waits.
func (r *Resolver) LookupServer(flow signatures.Flow) (process signatures.Process, ok bool) {
	defer r.survive()
	k, valid := keyOf(flow)
	if !valid || !r.local.has(k.server.Addr()) {
		return signatures.Process{}, false
	}
	// The listener outlives the connection, and its holder is known after the
	// first question.
	anyone := netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	if k.server.Addr().Is4() {
		anyone = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	for _, peer := range []netip.AddrPort{anyone, k.client} {
		socket, found, err := r.find(k.protocol(), k.server, peer)
		if err != nil || !found {
			continue
		}
		if socket.PID == 0 && socket.Inode == 0 {
			continue
		}
		if a := r.hold(inspect.Socket{Inode: socket.Inode, PID: socket.PID, UID: socket.UID, UIDKnown: socket.UIDKnown}, 0); a.reason == "" {
			r.counters.servers.Add(1)
			a.process.Arguments = nil // nobody matches on them
			return a.process, true
		}
	}
	return signatures.Process{}, false
}
