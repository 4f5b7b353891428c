//go:build !linux

package inspect

import "net/netip"

// Sockets is sock_diag(7), which only Linux has.
type Sockets struct{}

// OpenSockets returns ErrUnsupported.
func OpenSockets() (*Sockets, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Sockets) Close() error { return nil }

// Find returns ErrUnsupported.
func (*Sockets) Find(string, netip.AddrPort, netip.AddrPort) (Socket, bool, error) {
	return Socket{}, false, ErrUnsupported
}

// AppendListening returns ErrUnsupported.
func (*Sockets) AppendListening(into []Socket) ([]Socket, error) { return into, ErrUnsupported }
