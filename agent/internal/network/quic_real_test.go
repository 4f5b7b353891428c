package network

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// tap writes down as frames what passes a client's socket.
type tap struct {
	net.PacketConn
	mu     sync.Mutex
	frames [][]byte
}

func (c *tap) record(up bool, far net.Addr, b []byte) {
	from, to := endOf(c.LocalAddr()), endOf(far)
	if !up {
		from, to = to, from
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, wire.Datagram(from, to, slices.Clone(b)))
}

func endOf(a net.Addr) netip.AddrPort {
	end := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
}

// ReadFrom implements net.PacketConn.
func (c *tap) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil {
		c.record(false, from, b[:n])
	}
	return n, from, err
}

// WriteTo implements net.PacketConn.
func (c *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	c.record(true, to, b)
	return c.PacketConn.WriteTo(b, to)
}

// quicServer serves QUIC on loopback until the test ends.
func quicServer(t *testing.T, config *quicgo.Config, retry bool) net.Addr {
	t.Helper()
	certificate, err := wire.Certificate("server.example")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	transport := &quicgo.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return retry }}
	listener, err := transport.Listen(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h3"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			if _, err := listener.Accept(context.Background()); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		_ = transport.Close()
		_ = socket.Close()
		accepting.Wait()
	})
	return socket.LocalAddr()
}

// dialQUIC completes a handshake under each name, over one socket, and returns
// what passed it.
func dialQUIC(t *testing.T, server net.Addr, config *quicgo.Config, protocols []string, names ...string) [][]byte {
	t.Helper()
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // the tap has no buffer to set
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	record := &tap{PacketConn: socket}
	transport := &quicgo.Transport{Conn: record}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var dialing sync.WaitGroup
	for _, name := range names {
		dialing.Go(func() {
			c, err := transport.Dial(ctx, server, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols}, config)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			_ = c.CloseWithError(0, "")
		})
	}
	dialing.Wait()
	_ = transport.Close()
	_ = socket.Close()
	record.mu.Lock()
	defer record.mu.Unlock()
	return record.frames
}

// TestRealQUIC has quic-go's client and server speak, and reads what passed.
func TestRealQUIC(t *testing.T) {
	defer goleak.VerifyNone(t)
	h3 := []string{"h3"}
	big := []string{"h3"}
	for i := range 60 {
		big = append(big, fmt.Sprintf("%03d%s", i, strings.Repeat(".", 110)))
	}
	many := []string{"a.example", "b.example", "c.example", "d.example"}
	for _, c := range []struct {
		what      string
		version   quicgo.Version
		retry     bool
		protocols []string
		names     []string
	}{
		{"version 1", quicgo.Version1, false, h3, many[:1]},
		{"version 2", quicgo.Version2, false, h3, many[:1]},
		{"version 1 with a Retry", quicgo.Version1, true, h3, many[:1]},
		{"version 2 with a Retry", quicgo.Version2, true, h3, many[:1]},
		{"a hello of seven kilobytes", quicgo.Version1, false, big, many[:1]},
		{"a hello of seven kilobytes with a Retry", quicgo.Version2, true, big, many[:1]},
		{"four connections over one socket", quicgo.Version1, false, h3, many},
		{"four connections over one socket with Retries", quicgo.Version1, true, h3, many},
	} {
		t.Run(c.what, func(t *testing.T) {
			config := &quicgo.Config{Versions: []quicgo.Version{c.version}}
			frames := dialQUIC(t, quicServer(t, config, c.retry), config, c.protocols, c.names...)
			list, stats := replay(t, frames...)
			got := names(list)
			slices.Sort(got)
			var expected []string
			for _, name := range c.names {
				expected = append(expected, "quic "+name)
			}
			want(t, c.what, got, expected...)
			if len(stats.Blind) > 0 || (stats.Counters["quic_retries"] > 0) != c.retry {
				t.Errorf("blind %v, %d retries", stats.Blind, stats.Counters["quic_retries"])
			}
		})
	}
	t.Run("version negotiation", func(t *testing.T) {
		server := quicServer(t, &quicgo.Config{Versions: []quicgo.Version{quicgo.Version2}}, false)
		frames := dialQUIC(t, server, &quicgo.Config{Versions: []quicgo.Version{quicgo.Version1, quicgo.Version2}}, h3, "a.example")
		list, stats := replay(t, frames...)
		want(t, "a version that the server does not speak first", slices.Compact(names(list)), "quic a.example")
		counted(t, stats, map[string]uint64{"quic_hellos_lost": 0})
		if stats.Counters["quic_version_negotiations"] == 0 {
			t.Error("no version was negotiated")
		}
	})
}
