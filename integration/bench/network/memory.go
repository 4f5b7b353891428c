package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// memory prints the resident memory of the agent with many connections open,
// and under floods that go through a pipe: no file of their size is written.
func memory(ctx context.Context, o *options) error {
	fmt.Printf("%-34s %12s %10s %12s %12s %9s\n", "memory, replay from a pipe", "connections", "packets", "RSS at 10 %", "RSS, peak", "CPU s")
	initial, err := quicInitial(ctx)
	if err != nil {
		return err
	}
	list := []struct {
		name  string
		flows uint64
		send  func(w *wire, n uint64) error
	}{
		{"open, a ClientHello half sent", 128_000, halfHello},
		{"flood of SYNs", o.floods, syn},
		{"flood of QUIC Initials", o.floods, func(w *wire, n uint64) error { return w.udp(n, initial) }},
	}
	for _, l := range list {
		if l.flows == 0 {
			continue
		}
		if err := flood(ctx, o, l.name, l.flows, l.send); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

func flood(ctx context.Context, o *options, name string, flows uint64, send func(*wire, uint64) error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, o.agent, "replay", "--emit", "findings", "--output", "jsonl", "-")
	pipe, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	w, err := newWire(pipe)
	if err != nil {
		return err
	}
	var early, peak int64
	for n := range flows {
		if err := send(w, n); err != nil {
			return err
		}
		if n == flows/10 {
			early = resident(c.Process.Pid)
		}
		if n%100_000 == 0 {
			peak = max(peak, resident(c.Process.Pid))
		}
	}
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	peak = max(peak, resident(c.Process.Pid))
	if err := pipe.Close(); err != nil {
		return err
	}
	if err := c.Wait(); err != nil && c.ProcessState.ExitCode() != 3 {
		return err
	}
	cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	fmt.Printf("%-34s %12d %10d %8.1f MiB %8.1f MiB %9.2f\n", name, flows, w.packets, float64(early)/(1<<20), float64(peak)/(1<<20), cpu.Seconds())
	return nil
}

func resident(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// wire writes frames as a capture.
type wire struct {
	out     *pcapgo.Writer
	buffer  *bufio.Writer
	frame   [14 + 20 + 20 + 1500]byte
	packets uint64
	clock   time.Time
}

func newWire(to io.Writer) (*wire, error) {
	w := &wire{buffer: bufio.NewWriterSize(to, 1<<20), clock: time.Unix(1_700_000_000, 0)}
	w.out = pcapgo.NewWriter(w.buffer)
	return w, w.out.WriteFileHeader(65535, layers.LinkTypeEthernet)
}

const (
	flagSYN = 2
	flagACK = 16
)

// ip fills in what is the same in every frame, and the client of connection n:
// an address and port of its own.
func (w *wire) ip(n uint64, protocol byte, length int, fromServer bool) []byte {
	f := w.frame[:14+20+length]
	f[12], f[13] = 8, 0
	h := f[14:]
	h[0], h[8], h[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+length))
	client, server := h[12:16], h[16:20]
	if fromServer {
		client, server = server, client
	}
	binary.BigEndian.PutUint32(client, 10<<24+uint32(n))
	copy(server, []byte{198, 51, 100, 7})
	return h[20:]
}

func (w *wire) write(length int) error {
	w.clock = w.clock.Add(10 * time.Microsecond)
	w.packets++
	f := w.frame[:14+20+length]
	return w.out.WritePacket(gopacket.CaptureInfo{Timestamp: w.clock, CaptureLength: len(f), Length: len(f)}, f)
}

func (w *wire) tcp(n uint64, flags byte, sequence uint32, payload []byte, fromServer bool) error {
	h := w.ip(n, 6, 20+len(payload), fromServer)
	client, server := uint16(40000), uint16(443)
	if fromServer {
		client, server = server, client
	}
	binary.BigEndian.PutUint16(h, client)
	binary.BigEndian.PutUint16(h[2:], server)
	binary.BigEndian.PutUint32(h[4:], sequence)
	h[12], h[13] = 5<<4, flags
	copy(h[20:], payload)
	return w.write(20 + len(payload))
}

func (w *wire) udp(n uint64, payload []byte) error {
	h := w.ip(n, 17, 8+len(payload), false)
	binary.BigEndian.PutUint16(h, 40000)
	binary.BigEndian.PutUint16(h[2:], 443)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	copy(h[8:], payload)
	return w.write(8 + len(payload))
}

func syn(w *wire, n uint64) error { return w.tcp(n, flagSYN, uint32(n), nil, false) }

// halfHello opens a connection and sends the start of a ClientHello, whose
// rest the agent then waits for.
func halfHello(w *wire, n uint64) error {
	start := [100]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}
	if err := w.tcp(n, flagSYN, 0, nil, false); err != nil {
		return err
	}
	if err := w.tcp(n, flagSYN|flagACK, 0, nil, true); err != nil {
		return err
	}
	return w.tcp(n, flagACK, 1, start[:], false)
}

// quicInitial is the first datagram of a real client. Its keys follow from
// what is in it, so it is as good on every connection.
func quicInitial(ctx context.Context) ([]byte, error) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		dial(ctx, socket.LocalAddr().String())
	}()
	buffer := make([]byte, 1500)
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	n, _, err := socket.ReadFromUDP(buffer)
	cancel()
	<-done
	return buffer[:n], err
}
