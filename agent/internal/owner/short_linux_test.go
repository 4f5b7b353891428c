package owner

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/signatures"
)

// tap watches the loopback interface as a capture would, and tells of the first
// packet and the first payload of every TCP connection to one port.
type tap struct {
	fd    int
	port  uint16
	first func(signatures.Flow) // the SYN
	hello func(signatures.Flow) // the first payload of the client
}

func openTap(t testing.TB, port uint16) *tap {
	t.Helper()
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		t.Fatalf("opening a packet socket needs CAP_NET_RAW: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: 1}); err != nil {
		t.Fatal(err)
	}
	limit := unix.Timeval{Usec: 20_000}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20); err != nil {
		t.Fatal(err)
	}
	return &tap{fd: fd, port: port}
}

// watch reads packets until stop is closed.
func (p *tap) watch(stop <-chan struct{}) {
	seen := make(map[netip.AddrPort]bool)
	buffer := make([]byte, 2048)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, from, err := unix.Recvfrom(p.fd, buffer, 0)
		if err != nil {
			continue // the time limit, to look at stop
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue // loopback shows each packet twice
		}
		p.packet(buffer[:n], seen)
	}
}

// packet looks at one IPv4 TCP packet of the test's own making.
func (p *tap) packet(data []byte, seen map[netip.AddrPort]bool) {
	if len(data) < 40 || data[0]>>4 != 4 || data[9] != 6 {
		return
	}
	end := int(binary.BigEndian.Uint16(data[2:]))
	if end > len(data) || end < int(data[0]&15)*4 {
		return // somebody else's, longer than the buffer
	}
	tcp := data[int(data[0]&15)*4 : end]
	if len(tcp) < 20 || binary.BigEndian.Uint16(tcp[2:]) != p.port {
		return
	}
	flow := signatures.Flow{
		Protocol: "tcp",
		Client:   netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[12:16])), binary.BigEndian.Uint16(tcp)),
		Server:   netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[16:20])), p.port),
	}
	switch {
	case tcp[13]&0x12 == 0x02:
		p.first(flow)
	case len(tcp) > int(tcp[12]>>4)*4 && !seen[flow.Client]:
		seen[flow.Client] = true
		p.hello(flow)
	}
}

// shares counts attributions of short-lived programs.
type shares struct {
	programs   int
	atHello    int // process known, asked at the hello
	afterwards int // process known, asked after the program was gone
	user       int // user known by then
}

// shortLived runs n programs of a role, one after the other.
func shortLived(t testing.TB, role string, n int, prefetch bool) (share shares) {
	t.Helper()
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			// One reply, as every TLS client has to wait for.
			if _, err := connection.Read(make([]byte, 16)); err == nil {
				_, _ = connection.Write([]byte("r"))
			}
			_ = connection.Close()
		}
	})
	r := newResolver(t, func(c *Config) {
		c.MaxWait = 50 * time.Millisecond
		c.Holders.MinWalkGap = 20 * time.Millisecond
	})
	startRun(t, r)
	p := openTap(t, netip.MustParseAddrPort(listener.Addr().String()).Port())
	p.first = func(flow signatures.Flow) {
		if prefetch {
			r.Observe(flow)
		}
	}
	type asked struct {
		flow signatures.Flow
		pid  int32 // of the answer at the hello
	}
	hellos := make(chan asked, n)
	p.hello = func(flow signatures.Flow) {
		process, _ := r.Lookup(flow)
		hellos <- asked{flow, process.PID}
	}
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(stop) })
	for range n {
		program := start(t, role, "tcp", listener.Addr().String(), nil)
		_ = program.command.Wait()
		want := int32(program.command.Process.Pid)
		select {
		case hello := <-hellos:
			process, _ := r.Lookup(hello.flow)
			for _, pid := range []int32{hello.pid, process.PID} {
				if pid != 0 && pid != want {
					t.Errorf("attributed to process %d, want %d", pid, want)
				}
			}
			share.programs++
			if hello.pid == want {
				share.atHello++
			}
			if process.PID == want {
				share.afterwards++
			}
			if process.User != "" {
				share.user++
			}
		case <-time.After(deadline):
			t.Fatal("the connection was not seen")
		}
	}
	close(stop)
	watching.Wait()
	_ = listener.Close()
	accepting.Wait()
	t.Logf("%s, observed %v: %+v; %v", role, prefetch, share, r.Counters())
	return share
}

// Programs that connect, send, get a reply and exit, as every TLS client at
// its shortest: remembering their owner at the SYN must attribute them even
// when asked after their end.
func TestShortLivedPrograms(t *testing.T) {
	const n = 40
	if got := shortLived(t, "exchange", n, true); got.afterwards < n*3/4 || got.user < n*3/4 {
		t.Errorf("%+v attributed, want three quarters at least", got)
	}
}

// BenchmarkShortLived reports the share attributed, with and without Observe.
// On loopback nothing delays a program, so its life after the SYN is a
// fraction of a millisecond: on a network it is a round trip longer.
func BenchmarkShortLived(b *testing.B) {
	for _, role := range []string{"exit", "exchange"} {
		for _, prefetch := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/observed=%v", role, prefetch), func(b *testing.B) {
				var all shares
				for b.Loop() {
					got := shortLived(b, role, 200, prefetch)
					all.programs += got.programs
					all.atHello += got.atHello
					all.afterwards += got.afterwards
					all.user += got.user
				}
				percent := func(n int) float64 { return 100 * float64(n) / float64(all.programs) }
				b.ReportMetric(percent(all.atHello), "%at-hello")
				b.ReportMetric(percent(all.afterwards), "%afterwards")
				b.ReportMetric(percent(all.user), "%user")
			})
		}
	}
}
