package inspect

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v3/net"
)

// Snapshot is the table of all connections with their processes, read as a
// whole through gopsutil and kept for a moment. It is the way on Windows and
// the fallback where sock_diag is refused on Linux; one reading costs as much
// as a walk through every process (tens of milliseconds), so a connection
// younger than the table may be missed. It is safe for concurrent use.
type Snapshot struct {
	maxAge time.Duration

	mu       sync.Mutex
	at       time.Time
	sockets  map[snapshotKey]Socket
	readings uint64
}

type snapshotKey struct {
	protocol      string
	local, remote netip.AddrPort
}

// NewSnapshot returns a Snapshot that is read anew when older than maxAge.
func NewSnapshot(maxAge time.Duration) *Snapshot { return &Snapshot{maxAge: maxAge} }

// Readings counts how often the table was read.
func (s *Snapshot) Readings() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readings
}

// Find is Sockets.Find on the table.
func (s *Snapshot) Find(protocol string, local, remote netip.AddrPort) (Socket, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return Socket{}, false, err
	}
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	for _, key := range []snapshotKey{
		{protocol, local, remote},
		{protocol, local, netip.AddrPort{}},
		{protocol, netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port()), netip.AddrPort{}},
		{protocol, netip.AddrPortFrom(netip.IPv6Unspecified(), local.Port()), netip.AddrPort{}},
	} {
		if socket, ok := s.sockets[key]; ok {
			return socket, true, nil
		}
	}
	return Socket{}, false, nil
}

// AppendListening is Sockets.AppendListening on the table.
func (s *Snapshot) AppendListening(into []Socket) ([]Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return into, err
	}
	for _, socket := range s.sockets {
		if socket.Listening {
			into = append(into, socket)
		}
	}
	return into, nil
}

func (s *Snapshot) refresh() error {
	if s.sockets != nil && time.Since(s.at) < s.maxAge {
		return nil
	}
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		return fmt.Errorf("listing connections: %w", ErrUnsupported)
	}
	list, err := net.ConnectionsWithContext(context.Background(), "inet")
	if err != nil {
		return fmt.Errorf("listing connections: %w", err)
	}
	s.at = time.Now()
	s.readings++
	s.sockets = make(map[snapshotKey]Socket, len(list))
	for i := range list {
		key, socket, ok := fromConnection(&list[i])
		if ok {
			s.sockets[key] = socket
		}
	}
	return nil
}

func fromConnection(c *net.ConnectionStat) (snapshotKey, Socket, bool) {
	key := snapshotKey{protocol: "tcp"}
	if c.Type == syscall.SOCK_DGRAM {
		key.protocol = "udp"
	}
	local, err := netip.ParseAddr(c.Laddr.IP)
	if err != nil || c.Laddr.Port > 1<<16-1 || c.Raddr.Port > 1<<16-1 {
		return key, Socket{}, false
	}
	key.local = netip.AddrPortFrom(local.Unmap().WithZone(""), uint16(c.Laddr.Port))
	if remote, err := netip.ParseAddr(c.Raddr.IP); err == nil && c.Raddr.Port != 0 {
		key.remote = netip.AddrPortFrom(remote.Unmap().WithZone(""), uint16(c.Raddr.Port))
	}
	socket := Socket{PID: c.Pid, Listening: c.Status == "LISTEN", Port: key.local.Port()}
	if len(c.Uids) > 0 && c.Uids[0] >= 0 {
		socket.UID, socket.UIDKnown = uint32(c.Uids[0]), true
	}
	return key, socket, true
}
