package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Live reads the frames of one interface, or its share of them, through an
// AF_PACKET socket with a filter in the kernel. It is used by one goroutine at
// a time.
type Live struct {
	handle handle
	link   LinkType
	index  int
	ring   bool
	empty  bool // the last read found nothing
	waking sync.Mutex
	wake   int // eventfd, -1 when closed
	mode   FilterMode
	why    []error // why nothing better
}

// handle is how frames come in. next returns ErrTimeout where there is none.
type handle interface {
	descriptor() int
	next(*Frame) error
	stats() (Stats, error)
	close()
}

// CheckLive says whether this program may capture at all; an error that is
// os.ErrPermission means that it lacks CAP_NET_RAW.
func CheckLive() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a packet socket: %w", err)
	}
	return unix.Close(fd)
}

// OpenLive opens an interface of this thread's network namespace. With several
// readers, each sees whole connections: the kernel spreads them by their
// addresses and ports, and puts fragments together first.
func OpenLive(name string, o LiveOptions) ([]*Live, error) {
	list, err := openAll(name, o)
	if err != nil {
		for _, l := range list {
			l.Close()
		}
		return nil, fmt.Errorf("opening interface %s: %w", name, err)
	}
	return list, nil
}

func openAll(name string, o LiveOptions) (list []*Live, err error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	link, err := linkOf(name)
	if err != nil {
		return nil, err
	}
	readers := max(o.Readers, 1)
	group := -1
	for range readers {
		l := &Live{link: link, index: device.Index, wake: -1}
		if err := l.open(device, o, o.ReceiveBuffer/readers); err != nil {
			l.Close()
			return list, err
		}
		list = append(list, l)
		if readers > 1 {
			if group, err = join(l.handle.descriptor(), group); err != nil {
				return list, fmt.Errorf("sharing the interface among readers: %w", err)
			}
		}
	}
	for _, l := range list {
		err := l.setFilter(o, FilterOptions{
			RawIP: link == LinkRaw, Loopback: device.Flags&net.FlagLoopback != 0, SnapLength: o.SnapLength,
		})
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// open makes the socket, shut as yet: a ring where one is wanted and to be
// had.
func (l *Live) open(device *net.Interface, o LiveOptions, buffer int) error {
	if o.Ring {
		err := l.openRing(device, o.SnapLength, buffer)
		if err != nil {
			l.why = append(l.why, fmt.Errorf("no ring: %w", err))
		}
	}
	if l.handle == nil {
		p, err := newPackets(device.Name, o.SnapLength, buffer)
		if err != nil {
			return err
		}
		l.handle = p
	}
	if o.Promiscuous {
		member := unix.PacketMreq{Ifindex: int32(device.Index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(l.handle.descriptor(), unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
			return fmt.Errorf("switching to promiscuous mode: %w", err)
		}
	}
	var err error
	l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return err
}

func (l *Live) openRing(device *net.Interface, snap, buffer int) error {
	r, err := newRing(snap, buffer)
	if err != nil {
		return err
	}
	err = attachClassic(r.fd, []bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err == nil {
		err = unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: device.Index})
	}
	if err != nil {
		r.close()
		return err
	}
	l.handle, l.ring = r, true
	return nil
}

// networkOrder gives v the byte order of the wire in memory.
func networkOrder(v uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v))
}

// join takes a socket into a group of readers; -1 makes one.
func join(fd, group int) (int, error) {
	const how = unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_DEFRAG
	if group >= 0 {
		return group, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group|how<<16)
	}
	// The kernel picks a number that nobody has.
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (how|unix.PACKET_FANOUT_FLAG_UNIQUEID)<<16); err != nil {
		return -1, err
	}
	made, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	return made & 0xffff, err
}

// setFilter attaches the filter that was asked for, or with auto the best that
// can be had.
func (l *Live) setFilter(o LiveOptions, program FilterOptions) error {
	fd := l.handle.descriptor()
	attempts := map[FilterMode]func() error{
		FilterEBPF: func() error {
			if o.Flows == nil {
				return errors.New("no eBPF filter")
			}
			return o.Flows.attach(fd, program)
		},
		FilterClassic: func() error {
			text, err := Filter(program)
			if err != nil {
				return err
			}
			return attachClassic(fd, text)
		},
		FilterNone: func() error { return attachClassic(fd, unfiltered(program)) },
	}
	order := []FilterMode{o.Filter}
	if o.Filter == "" || o.Filter == FilterAuto {
		order = []FilterMode{FilterEBPF, FilterClassic, FilterNone}
	}
	for _, mode := range order {
		err := attempts[mode]()
		if err == nil {
			l.mode = mode
			return nil
		}
		l.why = append(l.why, err)
	}
	return errors.Join(l.why...)
}

// unfiltered passes everything but the second sight of a packet on loopback.
func unfiltered(o FilterOptions) []bpf.Instruction {
	all := []bpf.Instruction{bpf.RetConstant{Val: uint32(o.SnapLength)}}
	if !o.Loopback {
		return all
	}
	return append([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: outgoing, SkipTrue: 1}, bpf.RetConstant{Val: 0},
	}, all...)
}

// Mode is the filter in effect; err says why it is not a better one.
func (l *Live) Mode() (mode FilterMode, err error) { return l.mode, errors.Join(l.why...) }

// Ring reports whether frames come through a ring.
func (l *Live) Ring() bool { return l.ring }

// Index is the interface's.
func (l *Live) Index() int { return l.index }

// Next fills in frame. It returns ErrTimeout where none comes within the
// timeout, or Wake was called; ErrDown where the interface went; after any
// other error frames may have been lost.
func (l *Live) Next(frame *Frame, timeout time.Duration) error {
	frame.Link, frame.Interface = l.link, l.index
	err := ErrTimeout
	if !l.empty || timeout <= 0 {
		err = l.handle.next(frame)
	}
	if l.empty = err != nil; errors.Is(err, ErrTimeout) && timeout > 0 {
		if err := l.wait(timeout); err != nil {
			return err
		}
		err = l.handle.next(frame)
		l.empty = err != nil
	}
	return err
}

func (l *Live) wait(timeout time.Duration) error {
	set := []unix.PollFd{{Fd: int32(l.handle.descriptor()), Events: unix.POLLIN}, {Fd: int32(l.wake), Events: unix.POLLIN}}
	n, err := unix.Poll(set, int(timeout.Milliseconds()))
	switch {
	case err == unix.EINTR || err == nil && n == 0:
		return ErrTimeout
	case err != nil:
		return fmt.Errorf("waiting for frames: %w", err)
	case set[0].Revents&unix.POLLERR != 0:
		return l.failure()
	case set[0].Revents == 0:
		var count [8]byte
		_, _ = unix.Read(l.wake, count[:]) // that it woke is all it says
		return ErrTimeout
	}
	return nil
}

// failure reads the error that is pending on the socket.
func (l *Live) failure() error {
	code, err := unix.GetsockoptInt(l.handle.descriptor(), unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return fmt.Errorf("waiting for frames: %w", err)
	case unix.Errno(code) == unix.ENETDOWN:
		return ErrDown
	case code != 0:
		return fmt.Errorf("waiting for frames: %w", unix.Errno(code))
	}
	return nil
}

// Wake ends a Next that waits, now or when it next does. It may be called from
// any goroutine, also after Close.
func (l *Live) Wake() {
	l.waking.Lock()
	defer l.waking.Unlock()
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails where it is awake or closed already
}

// Stats returns the counters since OpenLive.
func (l *Live) Stats() (Stats, error) {
	s, err := l.handle.stats()
	if err != nil {
		return s, fmt.Errorf("reading the counters of the packet socket: %w", err)
	}
	return s, nil
}

// Close lets the socket go.
func (l *Live) Close() {
	if l.handle != nil {
		l.handle.close()
	}
	l.waking.Lock()
	defer l.waking.Unlock()
	if l.wake >= 0 {
		_ = unix.Close(l.wake)
		l.wake = -1
	}
}

// linkOf returns the link type that an interface's frames have.
func linkOf(name string) (LinkType, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return LinkUnsupported, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return LinkUnsupported, err
	}
	err = errors.Join(unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, request), unix.Close(fd))
	if err != nil {
		return LinkUnsupported, fmt.Errorf("asking for its hardware type: %w", err)
	}
	switch kind := request.Uint16(); kind {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return LinkEthernet, nil
	case unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT, unix.ARPHRD_NONE: // NONE: tun, WireGuard
		return LinkRaw, nil
	default:
		return LinkUnsupported, fmt.Errorf("frames of hardware type %d are not decoded", kind)
	}
}
