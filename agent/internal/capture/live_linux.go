package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/gopacket/pcapgo"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Live reads the frames of one interface through an AF_PACKET socket, with the
// filter of Filter in the kernel. It is used by one goroutine at a time.
type Live struct {
	handle *pcapgo.EthernetHandle
	fd     int
	link   LinkType
	index  int
	stats  Stats
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

// OpenLive opens an interface.
func OpenLive(name string, o LiveOptions) (*Live, error) {
	link, err := linkOf(name)
	if err != nil {
		return nil, err
	}
	device, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("opening interface %s: %w", name, err)
	}
	handle, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		return nil, fmt.Errorf("opening interface %s: %w", name, err)
	}
	l := &Live{handle: handle, link: link, index: device.Index}
	if err := l.prepare(device, o); err != nil {
		handle.Close()
		return nil, fmt.Errorf("opening interface %s: %w", name, err)
	}
	return l, nil
}

func (l *Live) prepare(device *net.Interface, o LiveOptions) error {
	var err error
	if l.fd, err = descriptor(l.handle); err != nil {
		return err
	}
	if err := unix.SetNonblock(l.fd, true); err != nil {
		return err
	}
	if err := l.handle.SetCaptureLength(o.SnapLength); err != nil {
		return err
	}
	if o.ReceiveBuffer > 0 && unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, o.ReceiveBuffer) != nil {
		// Without CAP_NET_ADMIN the system's limit holds, and drops are counted.
		if err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReceiveBuffer); err != nil {
			return err
		}
	}
	if o.Promiscuous {
		if err := l.handle.SetPromiscuous(true); err != nil {
			return fmt.Errorf("switching to promiscuous mode: %w", err)
		}
	}
	return l.setFilter(FilterOptions{
		RawIP:      l.link == LinkRaw,
		Loopback:   device.Flags&net.FlagLoopback != 0,
		SnapLength: o.SnapLength,
	})
}

// descriptor finds the socket of a handle, which has no other way to be waited
// on: its own read blocks for ever on a silent interface, and Close does not
// wake it. The package is at its final version, so the field stays.
func descriptor(h *pcapgo.EthernetHandle) (int, error) {
	field := reflect.ValueOf(h).Elem().FieldByName("fd")
	if !field.IsValid() || field.Kind() != reflect.Int {
		return 0, errors.New("this version of pcapgo keeps its socket elsewhere")
	}
	return int(field.Int()), nil
}

// setFilter first shuts the socket and empties it of what came before there
// was a filter.
func (l *Live) setFilter(o FilterOptions) error {
	shut, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		return err
	}
	if err := l.handle.SetBPF(shut); err != nil {
		return fmt.Errorf("setting the kernel filter: %w", err)
	}
	for {
		if _, _, err := l.handle.ZeroCopyReadPacketData(); err != nil {
			break
		}
	}
	program, err := Filter(o)
	if err != nil {
		return err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assembling the kernel filter: %w", err)
	}
	if err := l.handle.SetBPF(raw); err != nil {
		return fmt.Errorf("setting the kernel filter: %w", err)
	}
	_, err = l.handle.Stats() // and start counting here
	return err
}

// Next fills in frame. It returns ErrTimeout where none comes within the
// timeout; any other error ends the capture of this interface.
func (l *Live) Next(frame *Frame, timeout time.Duration) error {
	for waited := false; ; waited = true {
		data, info, err := l.handle.ZeroCopyReadPacketData()
		if err == nil {
			frame.Time, frame.Link, frame.Interface = info.Timestamp, l.link, l.index
			frame.Data, frame.Length = data, max(info.Length, len(data))
			return nil
		}
		// The handle passes the cause on as text only.
		if text := err.Error(); !strings.HasSuffix(text, unix.EAGAIN.Error()) && !strings.HasSuffix(text, unix.EINTR.Error()) {
			return err
		}
		if waited {
			return ErrTimeout
		}
		if err := l.wait(timeout); err != nil {
			return err
		}
	}
}

func (l *Live) wait(timeout time.Duration) error {
	set := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
	switch n, err := unix.Poll(set, int(timeout.Milliseconds())); {
	case err == unix.EINTR || err == nil && n == 0:
		return ErrTimeout
	case err != nil:
		return fmt.Errorf("waiting for frames: %w", err)
	}
	return nil
}

// Stats returns the counters since OpenLive.
func (l *Live) Stats() (Stats, error) {
	since, err := l.handle.Stats()
	if err != nil {
		return l.stats, fmt.Errorf("reading the counters of the packet socket: %w", err)
	}
	l.stats.Received += uint64(since.Packets)
	l.stats.Dropped += uint64(since.Drops)
	return l.stats, nil
}

// Close lets the socket go.
func (l *Live) Close() { l.handle.Close() }

// Hardware types (linux/if_arp.h).
const (
	hardwareEthernet = 1
	hardwareTunnel   = 768
	hardwareTunnel6  = 769
	hardwareLoopback = 772
	hardwareSIT      = 776
	hardwareNone     = 65534 // tun, WireGuard
)

// linkOf returns the link type that an interface's frames have.
func linkOf(name string) (LinkType, error) {
	text, err := os.ReadFile("/sys/class/net/" + name + "/type")
	if err != nil {
		return LinkUnsupported, fmt.Errorf("opening interface %s: %w", name, err)
	}
	kind, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return LinkUnsupported, fmt.Errorf("opening interface %s: its hardware type: %w", name, err)
	}
	switch kind {
	case hardwareEthernet, hardwareLoopback:
		return LinkEthernet, nil
	case hardwareTunnel, hardwareTunnel6, hardwareSIT, hardwareNone:
		return LinkRaw, nil
	}
	return LinkUnsupported, fmt.Errorf("opening interface %s: frames of hardware type %d are not decoded", name, kind)
}
