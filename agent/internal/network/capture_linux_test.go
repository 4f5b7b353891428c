package network

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// needEBPF skips where the filter that keeps state cannot be had.
func needEBPF(t *testing.T) {
	t.Helper()
	f, err := capture.NewFlowFilter(capture.FlowOptions{Flows: 64, SnapLength: 100})
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("an eBPF filter needs CAP_BPF: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// metered counts the bytes of a connection as TCP carries them.
type metered struct {
	net.Conn
	read, written uint64
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.read += uint64(n)
	return n, err
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	m.written += uint64(n)
	return n, err
}

// carried reports whether that many bytes were told of the connection: exactly
// those that it carried, and those segments besides that the kernel says were
// sent again in this namespace.
func (m *metered) carried(s *space, up, down uint64) bool {
	const segment = 1 << 16
	again := s.retransmitted() * segment
	return up >= m.written && up <= m.written+again && down >= m.read && down <= m.read+again
}

// transfer opens a TLS connection under name within this thread's namespace,
// sends up bytes, gets down bytes, and returns the client's end, closed.
func transfer(t *testing.T, address, name string, up, down int64) *metered {
	t.Helper()
	certificate, err := wire.Certificate(name)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		defer listener.Close()
		c, err := listener.Accept()
		if err != nil {
			served <- err
			return
		}
		server := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
		_, err = io.CopyN(io.Discard, server, up)
		if err == nil {
			_, err = io.CopyN(server, endless{}, down)
		}
		served <- errors.Join(err, server.Close())
	}()
	plain, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m := &metered{Conn: plain}
	client := tls.Client(m, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if _, err := io.CopyN(client, endless{}, up); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, client); err != nil || n != down {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	client.Close()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	return m
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// bytesTold adds up the bytes of all observations of connections to a name.
func bytesTold(list []signatures.Observation, name string) (uses int, up, down uint64) {
	flows := map[signatures.Flow]bool{}
	bare := func(f signatures.Flow) signatures.Flow {
		f.BytesUp, f.BytesDown = 0, 0
		return f
	}
	for _, o := range list {
		if o.Name == name {
			flows[bare(o.Flow)] = true
			uses++
		}
		if flows[bare(o.Flow)] {
			up, down = up+o.Flow.BytesUp, down+o.Flow.BytesDown
		}
	}
	return uses, up, down
}

// TestBulkStaysInTheKernelAndIsCounted transfers far more than may pass: the
// name is seen, few frames reach user space, and every byte is told. Whichever
// end has the lower port, over IPv4 and IPv6.
func TestBulkStaysInTheKernelAndIsCounted(t *testing.T) {
	needEBPF(t)
	for _, address := range []string{"127.0.0.1:4433", "127.0.0.1:65000", "[::1]:4433"} {
		inNamespace(t, func(s *space) {
			config := DefaultConfig()
			config.Filter = capture.FilterEBPF
			r := s.run(config, nil)
			r.waitOpen(1)
			m := transfer(t, address, "bulk.example.com", 8<<20, 64<<20)
			waitFor(t, "the last bytes", func() bool {
				_, up, down := bytesTold(r.observed(), "bulk.example.com")
				return up+down >= m.read+m.written
			})
			r.stop()
			uses, up, down := bytesTold(r.observed(), "bulk.example.com")
			if uses != 1 || !m.carried(s, up, down) {
				t.Errorf("%s: %d uses, %d bytes up and %d down, want %d and %d", address, uses, up, down, m.written, m.read)
			}
			c := r.Coverage().Counters
			if c["kernel_received"] > 60 || c["packets"] > 60 || c["kernel_drops"] > 0 {
				t.Errorf("%s: %d frames reached user space, %d were dropped", address, c["kernel_received"], c["kernel_drops"])
			}
			if c["tcp_gaps"]+c["tls_hellos_lost"]+c["filter_errors"]+c["panics_recovered"] > 0 || c["continuations"] == 0 {
				t.Errorf("%s: %v", address, c)
			}
		})
	}
}

// TestEveryFilterFindsTheName runs the same transfer by each filter, through
// ring and packet socket.
func TestEveryFilterFindsTheName(t *testing.T) {
	needEBPF(t)
	for _, filter := range []capture.FilterMode{capture.FilterEBPF, capture.FilterClassic, capture.FilterNone} {
		for _, ring := range []string{"on", "off"} {
			inNamespace(t, func(s *space) {
				config := DefaultConfig()
				config.Filter, config.Ring = filter, ring
				r := s.run(config, nil)
				r.waitOpen(1)
				c := r.Coverage().Counters
				if c["capture_mode_"+string(filter)] != 1 || c["interfaces_ring"] != map[string]uint64{"on": 1}[ring] {
					t.Errorf("%s, ring %s: %v", filter, ring, c)
				}
				m := transfer(t, "127.0.0.1:4433", "every.example.com", 100<<10, 100<<10)
				waitFor(t, "the bytes", func() bool {
					uses, up, down := bytesTold(r.observed(), "every.example.com")
					return uses == 1 && (filter == capture.FilterClassic || up+down >= m.written+m.read)
				})
				r.stop()
				uses, up, down := bytesTold(r.observed(), "every.example.com")
				if filter == capture.FilterClassic {
					up, down = m.written, m.read // it lets pass what it lets pass
				}
				if uses != 1 || !m.carried(s, up, down) {
					t.Errorf("%s, ring %s: %d uses, %d bytes up and %d down, want %d and %d", filter, ring, uses, up, down, m.written, m.read)
				}
			})
		}
	}
}

// TestKeepAliveIsSeenThroughout sends fifty requests on one connection, far
// beyond what passes by itself.
func TestKeepAliveIsSeenThroughout(t *testing.T) {
	needEBPF(t)
	inNamespace(t, func(s *space) {
		config := DefaultConfig()
		config.Filter = capture.FilterEBPF
		r := s.run(config, nil)
		r.waitOpen(1)
		listener, err := net.Listen("tcp", "127.0.0.1:8000")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			_, _ = w.Write(make([]byte, 3000))
		})}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		conn, err := net.Dial("tcp", "127.0.0.1:8000")
		if err != nil {
			t.Fatal(err)
		}
		m := &metered{Conn: conn}
		answers := bufio.NewReader(m)
		want := map[string]int{}
		for i := range 50 {
			path := fmt.Sprintf("/v1/chat/%02d", i)
			want[path] = 1
			q, err := http.NewRequest("POST", "http://gateway.example"+path, strings.NewReader(strings.Repeat("x", 2000)))
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Write(m); err != nil {
				t.Fatal(err)
			}
			a, err := http.ReadResponse(answers, q)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, a.Body)
			a.Body.Close()
		}
		conn.Close()
		waitFor(t, "the last bytes", func() bool { _, up, _ := bytesTold(r.observed(), "gateway.example"); return up >= m.written })
		r.stop()
		if diff := cmp.Diff(want, r.paths()); diff != "" {
			t.Errorf("requests seen (-want +got):\n%s", diff)
		}
		if _, up, down := bytesTold(r.observed(), "gateway.example"); !m.carried(s, up, down) {
			t.Errorf("%d bytes up and %d down, want %d and %d", up, down, m.written, m.read)
		}
	})
}

// TestInterfacesComeAndGo has interfaces appear, go down and up, change their
// name and vanish under a running sensor, far faster than it looks by itself.
func TestInterfacesComeAndGo(t *testing.T) {
	inNamespace(t, func(s *space) {
		r := s.run(DefaultConfig(), nil)
		r.waitOpen(1)
		s.ip("link", "add", "gna", "type", "veth", "peer", "name", "gnb")
		s.ip("link", "set", "gna", "up")
		s.ip("link", "set", "gnb", "up")
		r.waitOpen(3)
		s.ip("link", "set", "gna", "down")
		r.waitOpen(2)
		s.ip("link", "set", "gna", "name", "gnc")
		s.ip("link", "set", "gnc", "up")
		r.waitOpen(3)
		send(t, "gnc", "after.up.example")
		waitFor(t, "a name on the new interface", func() bool {
			for _, o := range r.observed() {
				if o.Name == "after.up.example" {
					return true
				}
			}
			return false
		})
		s.ip("link", "del", "gnc")
		r.waitOpen(1)
		if report := r.Coverage(); report.State != sensor.On || report.Counters["interfaces_failed"] != 0 {
			t.Errorf("%+v", report)
		}
		r.stop()
	})
}

// TestANewNameIsTheSameInterface renames an interface while it is read.
func TestANewNameIsTheSameInterface(t *testing.T) {
	s := New(DefaultConfig(), nil)
	s.opened[7] = &opened{name: "old"}
	if !s.known(net.Interface{Index: 7, Name: "new"}) || s.opened[7].name != "new" || s.known(net.Interface{Index: 8, Name: "new"}) {
		t.Errorf("%+v", s.opened[7])
	}
}

// TestANamedInterfaceIsWaitedFor names one that comes later, and goes down.
func TestANamedInterfaceIsWaitedFor(t *testing.T) {
	inNamespace(t, func(s *space) {
		config := DefaultConfig()
		config.Interfaces = []string{"gna"}
		r := s.run(config, nil)
		reason := func(what string) {
			t.Helper()
			waitFor(t, what, func() bool {
				report := r.Coverage()
				return report.State == sensor.Degraded && strings.Contains(report.Reason, what) && report.Counters["interfaces_open"] == 0
			})
		}
		reason("gna is not there")
		s.ip("link", "add", "gna", "type", "veth", "peer", "name", "gnb")
		reason("gna is down")
		s.ip("link", "set", "gna", "up")
		r.waitOpen(1)
		waitFor(t, "the state", func() bool { return r.Coverage().State == sensor.On })
		s.ip("link", "set", "gna", "down")
		reason("gna is down")
		r.stop()
	})
}

// send puts a DNS query for name on an interface.
func send(t *testing.T, device, name string) {
	t.Helper()
	i, err := net.InterfaceByName(device)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	frame := wire.Datagram(stub, resolver, wire.DNSQuery(1, name, 1))
	if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: i.Index, Halen: 6}); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutCAP_BPFTheClassicFilterIsUsed takes that right away.
func TestWithoutCAP_BPFTheClassicFilterIsUsed(t *testing.T) {
	inNamespace(t, func(s *space) {
		only := func() error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			data[0].Effective, data[0].Permitted = 1<<unix.CAP_NET_RAW, 1<<unix.CAP_NET_RAW
			return unix.Capset(&header, &data[0])
		}
		r := s.run(DefaultConfig(), only)
		r.waitOpen(1)
		report := r.Coverage()
		if report.State != sensor.On || report.Counters["capture_mode_classic"] != 1 || !strings.Contains(report.Reason, "grant CAP_BPF") {
			t.Errorf("%+v", report)
		}
		transfer(t, "127.0.0.1:4433", "classic.example.com", 1000, 1000)
		waitFor(t, "the name", func() bool { uses, _, _ := bytesTold(r.observed(), "classic.example.com"); return uses == 1 })
		r.stop()

		config := DefaultConfig()
		config.Filter = capture.FilterEBPF
		r = s.run(config, only)
		var u *sensor.Unavailable
		if err := <-r.ended; !errors.As(err, &u) || !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "network.filter is ebpf") {
			t.Errorf("got %v", err)
		}
	})
}

// TestGatewayReadersShareWhatDNSSays runs three engines on an interface: every
// name is found once, and an answer that one engine saw names connections that
// another one sees.
func TestGatewayReadersShareWhatDNSSays(t *testing.T) {
	inNamespace(t, func(s *space) {
		config := DefaultConfig()
		config.Gateway, config.Readers, config.ReceiveBuffer = true, 3, 8<<20
		config.Interfaces = []string{"gnb"}
		s.ip("link", "add", "gna", "type", "veth", "peer", "name", "gnb")
		s.ip("link", "set", "gna", "up")
		s.ip("link", "set", "gnb", "up")
		r := s.run(config, nil)
		r.waitOpen(1)
		i, err := net.InterfaceByName("gna")
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		put := func(frames ...[]byte) {
			t.Helper()
			for _, frame := range frames {
				if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: i.Index, Halen: 6}); err != nil {
					t.Fatal(err)
				}
			}
		}
		put(wire.Datagram(resolver, stub, wire.DNSAnswer(1, "shared.example", 1,
			wire.DNSRecord(wire.DNSName("shared.example"), 1, 60, []byte{198, 51, 100, 9}))))
		waitFor(t, "the answer", func() bool { return r.Coverage().Counters["dns_answers"] > 0 })
		const connections = 60
		for n := range connections {
			named := wire.NewConn(fmt.Sprintf("192.0.2.10:%d", 40000+n), "198.51.100.20:8443")
			one := hello(t, fmt.Sprintf("n%02d.example", n))
			put(append(append(named.Open(), named.Split(one, 600)...), named.Close()...)...)
			bare := wire.NewConn(fmt.Sprintf("192.0.2.10:%d", 50000+n), "198.51.100.9:9999")
			put(append(append(bare.Open(), bare.Up(text("hello")), bare.Down(text("hi"))), bare.Close()...)...)
		}
		seen := func() map[string]int {
			m := map[string]int{}
			for _, o := range r.observed() {
				if !o.Continued && o.Kind != signatures.KindDNS {
					m[o.Name]++
				}
			}
			return m
		}
		want := map[string]int{"shared.example": connections}
		for n := range connections {
			want[fmt.Sprintf("n%02d.example", n)] = 1
		}
		deadline := time.Now().Add(10 * time.Second)
		for !cmp.Equal(want, seen()) && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
		if diff := cmp.Diff(want, seen()); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		busy := 0
		for _, w := range r.workers {
			w.mu.Lock()
			if w.engine.tally[tlsHellos] > 0 {
				busy++
			}
			w.mu.Unlock()
		}
		c := r.Coverage().Counters
		if busy != 3 || c["interfaces_ring"] != 1 || c["tls_hellos"] != connections || c["flows_opened"] != 2*connections {
			t.Errorf("%d engines at work, %v", busy, c)
		}
		r.stop()
	})
}
