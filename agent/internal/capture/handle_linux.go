package capture

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/gopacket/pcapgo"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// packets reads one frame a system call: light on memory, and without the
// delay of a ring. For endpoints, where the filter leaves few frames.
type packets struct {
	handle *pcapgo.EthernetHandle
	fd     int
	total  Stats
}

// newPackets opens an interface with a filter that is shut, and empties it of
// what came before there was one.
func newPackets(name string, snap, buffer int) (*packets, error) {
	handle, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		return nil, err
	}
	p := &packets{handle: handle}
	if err := p.prepare(snap, buffer); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *packets) prepare(snap, buffer int) error {
	var err error
	if p.fd, err = descriptor(p.handle); err != nil {
		return err
	}
	if err := unix.SetNonblock(p.fd, true); err != nil {
		return err
	}
	if err := p.handle.SetCaptureLength(snap); err != nil {
		return err
	}
	if buffer > 0 && unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		// Without CAP_NET_ADMIN the system's limit holds, and drops are counted.
		if err := unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer); err != nil {
			return err
		}
	}
	if err := attachClassic(p.fd, []bpf.Instruction{bpf.RetConstant{Val: 0}}); err != nil {
		return err
	}
	for {
		if _, _, err := p.handle.ZeroCopyReadPacketData(); err != nil {
			break
		}
	}
	_, err = p.handle.Stats() // and start counting here
	return err
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

func (p *packets) descriptor() int { return p.fd }

func (p *packets) next(frame *Frame) error {
	data, info, err := p.handle.ZeroCopyReadPacketData()
	if err == nil {
		frame.Time, frame.Data, frame.Length = info.Timestamp, data, max(info.Length, len(data))
		return nil
	}
	// The handle passes the cause on as text only.
	text := err.Error()
	if strings.HasSuffix(text, unix.EAGAIN.Error()) || strings.HasSuffix(text, unix.EINTR.Error()) {
		return ErrTimeout
	}
	if strings.HasSuffix(text, unix.ENETDOWN.Error()) {
		return ErrDown
	}
	return err
}

func (p *packets) stats() (Stats, error) {
	since, err := p.handle.Stats()
	if err != nil {
		return p.total, err
	}
	p.total.Received += uint64(since.Packets)
	p.total.Dropped += uint64(since.Drops)
	return p.total, nil
}

func (p *packets) close() { p.handle.Close() }

// attachClassic puts a classic program on a packet socket.
func attachClassic(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assembling the kernel filter: %w", err)
	}
	list := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		list[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]}); err != nil {
		return fmt.Errorf("setting the kernel filter: %w", err)
	}
	return nil
}
