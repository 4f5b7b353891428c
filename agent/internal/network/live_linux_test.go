package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// waitFor calls until it returns true, for at most ten seconds.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// running starts a sensor and returns what it observed so far, and how to stop
// it.
func running(t *testing.T, s *Sensor) (observed func() []signatures.Observation, stop func()) {
	t.Helper()
	var mu sync.Mutex
	var list []signatures.Observation
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(o signatures.Observation) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, o)
		})
	}()
	observed = func() []signatures.Observation {
		mu.Lock()
		defer mu.Unlock()
		return append([]signatures.Observation(nil), list...)
	}
	return observed, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLiveHelloOnLoopback(t *testing.T) {
	if err := capture.CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	defer goleak.VerifyNone(t)
	config := DefaultConfig()
	config.Interfaces = []string{"lo"}
	s := New(config, slog.New(slog.DiscardHandler))
	observed, stop := running(t, s)
	waitFor(t, "the interface", func() bool { return s.Coverage().Counters["interfaces_open"] == 1 })

	certificate, err := wire.Certificate("live.example.com")
	if err != nil {
		t.Fatal(err)
	}
	server, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		if c, err := server.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	client, err := tls.Dial("tcp", server.Addr().String(), &tls.Config{ServerName: "Live.Example.COM", InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	local := client.LocalAddr().String()
	client.Close()
	<-accepted

	var found []signatures.Observation
	waitFor(t, "the name", func() bool {
		found = nil
		for _, o := range observed() {
			if o.Name == "live.example.com" {
				found = append(found, o)
			}
		}
		return len(found) > 0
	})
	r := s.Coverage()
	if r.State != sensor.On || r.Reason != "" || r.Since.IsZero() || r.Counters["tls_hellos"] == 0 || r.Counters["panics_recovered"] != 0 {
		t.Errorf("%+v", r)
	}
	stop()
	if len(found) != 1 {
		t.Errorf("%d observations of one hello", len(found))
	}
	o := found[0]
	if o.Kind != signatures.KindTLS || o.Flow.Client.String() != local || o.Flow.Server.String() != server.Addr().String() || o.Attributes["tls.alpn"] != "h2" {
		t.Errorf("%+v", o)
	}
	r = s.Coverage()
	if r.State != sensor.Off || r.Counters["kernel_received"] == 0 || r.Counters["interfaces_open"] != 0 {
		t.Errorf("after the end: %+v", r)
	}
}

// TestLiveQUICOnLoopback holds that real QUIC passes the kernel's filter, on a
// port of the server's choice, and that the owner hook hears of it once.
func TestLiveQUICOnLoopback(t *testing.T) {
	if err := capture.CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	config := DefaultConfig()
	config.Interfaces = []string{"lo"}
	s := New(config, slog.New(slog.DiscardHandler))
	var mu sync.Mutex
	opened := map[string]int{}
	s.OnOpen(func(f signatures.Flow) {
		mu.Lock()
		defer mu.Unlock()
		opened[f.Protocol+" "+f.Server.String()]++
	})
	observed, stop := running(t, s)
	defer stop()
	waitFor(t, "the interface", func() bool { return s.Coverage().Counters["interfaces_open"] == 1 })
	server := quicServer(t, nil, true)
	// A plain socket, so that the client has the kernel split and join
	// datagrams for it, and an empty connection id.
	client, err := quicgo.DialAddr(t.Context(), server.String(), &tls.Config{ServerName: "quic.live.example", InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = client.CloseWithError(0, "")
	waitFor(t, "the name", func() bool {
		for _, o := range observed() {
			if o.Kind == signatures.KindQUIC && o.Name == "quic.live.example" && o.Flow.Server.String() == server.String() {
				return true
			}
		}
		return false
	})
	mu.Lock()
	defer mu.Unlock()
	if n := opened["udp "+server.String()]; n != 1 {
		t.Errorf("the hook was told %d times: %v", n, opened)
	}
}

func TestLiveWithAnInterfaceThatIsNotThere(t *testing.T) {
	if err := capture.CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	defer goleak.VerifyNone(t)
	config := DefaultConfig()
	config.Interfaces = []string{"lo", "no-such-interface"}
	var log bytes.Buffer
	s := New(config, slog.New(slog.NewTextHandler(&log, nil)))
	_, stop := running(t, s)
	waitFor(t, "the state", func() bool { return s.Coverage().State == sensor.Degraded })
	r := s.Coverage()
	if r.Counters["interfaces_open"] != 1 || r.Counters["interfaces_failed"] != 1 || !strings.Contains(r.Reason, "no-such-interface") {
		t.Errorf("%+v", r)
	}
	stop()
	if n := strings.Count(log.String(), "no-such-interface"); n == 0 {
		t.Error("nothing is logged")
	}
}

func TestLiveOnAllInterfacesThatAreUp(t *testing.T) {
	if err := capture.CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	defer goleak.VerifyNone(t)
	s := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	up := uint64(0)
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 {
			up++
		}
	}
	_, stop := running(t, s)
	waitFor(t, "the interfaces", func() bool {
		c := s.Coverage().Counters
		return c["interfaces_open"]+c["interfaces_failed"] == up && c["interfaces_open"] > 0
	})
	stop()
}

func TestRunWithoutTheRightToCapture(t *testing.T) {
	done := make(chan error, 1)
	s := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	go func() {
		runtime.LockOSThread() // never unlocked: the thread that lost its rights ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- err
			return
		}
		done <- s.Run(context.Background(), func(signatures.Observation) {})
	}()
	err := <-done
	var u *sensor.Unavailable
	if !errors.As(err, &u) || !errors.Is(err, os.ErrPermission) || !strings.Contains(u.Remedy, "cap_net_raw") {
		t.Fatalf("%v", err)
	}
	if r := s.Coverage(); r.State != sensor.Off || !strings.Contains(r.Reason, "cap_net_raw") {
		t.Errorf("%+v", r)
	}
}
