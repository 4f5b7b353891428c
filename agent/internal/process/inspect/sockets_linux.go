package inspect

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// answerBytes is the size of the receive buffer: the kernel fills up to 32 KiB
// a read of a dump (NLMSG_GOODSIZE limits of net/netlink/af_netlink.c).
const answerBytes = 32 << 10

// Sockets asks the kernel for sockets over sock_diag(7), which needs no
// capability. It sees the network namespace that it was opened in. It is safe
// for concurrent use.
type Sockets struct {
	mu       sync.Mutex
	fd       int
	sequence uint32
	request  []byte
	answer   []byte
}

// OpenSockets opens a netlink socket and checks on a socket of its own that
// TCP and UDP can be asked for: a kernel without the module answers "not
// found" to everything.
func OpenSockets() (*Sockets, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("opening sock_diag: %w", err)
	}
	s := &Sockets{fd: fd, answer: make([]byte, answerBytes)}
	// The kernel answers before send returns; the limit only guards against a
	// kernel that does not.
	limit := unix.Timeval{Sec: 1}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("limiting sock_diag answers: %w", err)
	}
	if err := s.check(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// check finds two sockets of its own.
func (s *Sockets) check() error {
	loopback := net.IPv4(127, 0, 0, 1)
	stream, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: loopback})
	if err != nil {
		return fmt.Errorf("checking sock_diag: %w", err)
	}
	defer stream.Close()
	datagram, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback})
	if err != nil {
		return fmt.Errorf("checking sock_diag: %w", err)
	}
	defer datagram.Close()
	peer := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 9)
	for protocol, local := range map[string]netip.AddrPort{
		"tcp": stream.Addr().(*net.TCPAddr).AddrPort(),
		"udp": datagram.LocalAddr().(*net.UDPAddr).AddrPort(),
	} {
		if _, ok, err := s.Find(protocol, local, peer); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("sock_diag does not know %s sockets: %w", protocol, ErrUnsupported)
		}
	}
	return nil
}

// Close frees the netlink socket.
func (s *Sockets) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return err
}

// Find returns the socket of this host whose near end is local and whose far
// end is remote; protocol is "tcp" or "udp". A UDP socket that is bound but
// not connected matches every remote, and a TCP listener answers for a
// connection that has no socket of its own (yet), with Listening set.
func (s *Sockets) Find(protocol string, local, remote netip.AddrPort) (Socket, bool, error) {
	local = netip.AddrPortFrom(local.Addr().Unmap().WithZone(""), local.Port())
	remote = netip.AddrPortFrom(remote.Addr().Unmap().WithZone(""), remote.Port())
	if !local.Addr().IsValid() || local.Addr().Is4() != remote.Addr().Is4() {
		return Socket{}, false, nil
	}
	query := diagQuery{protocol: protocolTCP, family: familyIPv6, states: allTCPStates, local: local, remote: remote}
	if local.Addr().Is4() {
		query.family = familyIPv4
	}
	if protocol == "udp" {
		query.protocol = protocolUDP
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if protocol == "udp" {
		// The kernel reads the ends of an exact UDP question swapped, "for
		// historical reasons" (udp_dump_one, net/ipv4/udp_diag.c).
		query.local, query.remote = remote, local
	}
	found, ok, err := s.exact(query)
	if err != nil || !ok || !answers(found, local, remote) {
		return Socket{}, false, err
	}
	return toSocket(found, protocol), true, nil
}

// answers guards against a socket that the kernel offers for another pair.
func answers(found diagSocket, local, remote netip.AddrPort) bool {
	if found.local.Port() != local.Port() {
		return false
	}
	if address := found.local.Addr(); !address.IsUnspecified() && address != local.Addr() {
		return false
	}
	if found.remote.Port() == 0 {
		return true // a listener, or an unconnected UDP socket
	}
	return found.remote == remote
}

func toSocket(found diagSocket, protocol string) Socket {
	return Socket{
		Inode: found.inode, UID: found.uid, UIDKnown: found.inode != 0 || found.uid != 0,
		Listening: protocol == "tcp" && found.state == tcpListen,
		Port:      found.local.Port(),
		Cookie:    found.cookie,
	}
}

// exact asks for one socket. The caller holds the lock.
func (s *Sockets) exact(query diagQuery) (diagSocket, bool, error) {
	var found diagSocket
	ok := false
	err := s.ask(query, func(socket diagSocket) { found, ok = socket, true })
	if errors.Is(err, unix.ENOENT) {
		return diagSocket{}, false, nil
	}
	return found, ok, err
}

// AppendListening appends the listening TCP sockets, both families.
func (s *Sockets) AppendListening(into []Socket) ([]Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, family := range []uint8{familyIPv4, familyIPv6} {
		query := diagQuery{
			family: family, protocol: protocolTCP, states: 1 << tcpListen, dump: true,
			local:  netip.AddrPortFrom(netip.IPv6Unspecified(), 0),
			remote: netip.AddrPortFrom(netip.IPv6Unspecified(), 0),
		}
		if family == familyIPv4 {
			query.local = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
			query.remote = query.local
		}
		err := s.ask(query, func(socket diagSocket) { into = append(into, toSocket(socket, "tcp")) })
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return into, err
		}
	}
	return into, nil
}

// ask sends query and hands every socket of the answer to take. The caller
// holds the lock.
func (s *Sockets) ask(query diagQuery, take func(diagSocket)) error {
	if s.fd < 0 {
		return errors.New("sock_diag is closed")
	}
	s.sequence++
	s.request = appendQuery(s.request[:0], query, s.sequence)
	if err := unix.Sendto(s.fd, s.request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("asking sock_diag: %w", err)
	}
	for {
		n, err := unix.Read(s.fd, s.answer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading sock_diag answer: %w", err)
		}
		done, err := s.takeAnswer(s.answer[:n], query.dump, take)
		if err != nil || done {
			return err
		}
	}
}

// takeAnswer goes through one read; done reports that the answer is complete.
func (s *Sockets) takeAnswer(data []byte, dump bool, take func(diagSocket)) (done bool, err error) {
	for len(data) > 0 {
		event, rest, err := nextEvent(data)
		if err != nil {
			return true, err
		}
		data = rest
		if event.sequence != s.sequence {
			continue // a late answer to a question that was given up
		}
		switch {
		case event.isError && event.errno == 0, event.done:
			done = true
		case event.isError:
			return true, fmt.Errorf("sock_diag refused: %w", unix.Errno(event.errno))
		case event.isSocket:
			take(event.socket)
			done = !dump
		}
	}
	return done, nil
}
