package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// talk sends n datagrams with their number behind the marker to a socket of
// this namespace.
func talk(t *testing.T, marker string, n int) {
	t.Helper()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for i := range n {
		if _, err := server.WriteTo(fmt.Appendf(nil, "%s%04d", marker, i), server.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRingSeesEachPacketOnce(t *testing.T) {
	inNamespace(t, func() {
		l := openOne(t, "lo", LiveOptions{SnapLength: 65536, ReceiveBuffer: 1 << 20, Ring: true, Filter: FilterNone})
		if !l.Ring() {
			_, why := l.Mode()
			t.Fatalf("no ring: %v", why)
		}
		const sent = 5000 // more than a block holds
		talk(t, "ring ", sent)
		seen := map[string]int{}
		var f Frame
		for deadline := time.Now().Add(10 * time.Second); len(seen) < sent && time.Now().Before(deadline); {
			err := l.Next(&f, 100*time.Millisecond)
			if err != nil && !errors.Is(err, ErrTimeout) {
				t.Fatal(err)
			}
			if at := bytes.Index(f.Data, []byte("ring ")); err == nil && at >= 0 {
				seen[string(f.Data[at:])]++
				if f.Link != LinkEthernet || f.Length != len(f.Data) || time.Since(f.Time).Abs() > time.Minute || f.Interface != l.Index() {
					t.Fatalf("frame %+v", f)
				}
			}
		}
		if len(seen) != sent {
			t.Errorf("saw %d of %d", len(seen), sent)
		}
		for text, n := range seen {
			if n != 1 {
				t.Errorf("%q was seen %d times", text, n)
			}
		}
		if err := l.Next(&f, 10*time.Millisecond); !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v", err)
		}
		if s, err := l.Stats(); err != nil || s.Received != sent || s.Dropped != 0 {
			t.Errorf("the kernel counted %+v, %v", s, err)
		}
	})
}

func TestRingCutsToTheSnapLength(t *testing.T) {
	inNamespace(t, func() {
		l := openOne(t, "lo", LiveOptions{SnapLength: 100, ReceiveBuffer: 1 << 20, Ring: true, Filter: FilterNone})
		talk(t, strings.Repeat("x", 500), 1)
		var f Frame
		if err := l.Next(&f, 10*time.Second); err != nil || len(f.Data) != 100 || f.Length != 14+20+8+504 {
			t.Errorf("%d of %d bytes, %v", len(f.Data), f.Length, err)
		}
	})
}

func TestRingCountsDropsAndFreezes(t *testing.T) {
	inNamespace(t, func() {
		l := openOne(t, "lo", LiveOptions{SnapLength: 65536, ReceiveBuffer: 1, Ring: true, Filter: FilterNone})
		var s Stats
		for deadline := time.Now().Add(10 * time.Second); s.Dropped == 0 && time.Now().Before(deadline); {
			talk(t, strings.Repeat("x", 1000), 500)
			var err error
			if s, err = l.Stats(); err != nil {
				t.Fatal(err)
			}
		}
		if s.Dropped == 0 || s.Frozen == 0 || s.Received <= s.Dropped {
			t.Errorf("nobody reads, and the kernel counted %+v", s)
		}
	})
}

// TestWithoutARingPacketsAreReadOneByOne asks for a ring larger than can be.
func TestWithoutARingPacketsAreReadOneByOne(t *testing.T) {
	inNamespace(t, func() {
		l := openOne(t, "lo", LiveOptions{SnapLength: 65536, ReceiveBuffer: 1 << 40, Ring: true, Filter: FilterNone})
		if mode, why := l.Mode(); l.Ring() || mode != FilterNone || why == nil || !strings.Contains(why.Error(), "no ring") {
			t.Fatalf("ring %v, %s: %v", l.Ring(), mode, why)
		}
		talk(t, "one by one", 1)
		var f Frame
		if err := l.Next(&f, 10*time.Second); err != nil || !bytes.Contains(f.Data, []byte("one by one")) {
			t.Errorf("%q, %v", f.Data, err)
		}
	})
}

// TestReadersShareConnections opens several connections: all frames of one
// come to one reader, both ways, and none comes to two.
func TestReadersShareConnections(t *testing.T) {
	inNamespace(t, func() {
		const readers, connections = 3, 40
		list, err := OpenLive("lo", LiveOptions{SnapLength: 65536, ReceiveBuffer: 4 << 20, Ring: true, Readers: readers, Filter: FilterNone})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			defer l.Close()
		}
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		for i := range connections {
			client, err := net.Dial("tcp4", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			marker := fmt.Appendf(nil, "connection %03d", i)
			for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
				if _, err := way[0].Write(marker); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(way[1], make([]byte, len(marker))); err != nil {
					t.Fatal(err)
				}
			}
			client.Close()
			server.Close()
		}
		seen := map[string][]int{}
		frames := 0
		for n, l := range list {
			var f Frame
			for l.Next(&f, 300*time.Millisecond) == nil {
				if at := bytes.Index(f.Data, []byte("connection ")); at >= 0 {
					seen[string(f.Data[at:])] = append(seen[string(f.Data[at:])], n)
					frames++
				}
			}
		}
		busy := map[int]bool{}
		for i := range connections {
			by := seen[fmt.Sprintf("connection %03d", i)]
			if len(by) != 2 || by[0] != by[1] {
				t.Errorf("connection %d came to readers %v, want one twice", i, by)
				continue
			}
			busy[by[0]] = true
		}
		if frames != 2*connections || len(busy) != readers {
			t.Errorf("%d frames, %d readers at work", frames, len(busy))
		}
	})
}

func TestNextEndsWhenWoken(t *testing.T) {
	inNamespace(t, func() {
		for _, ring := range []bool{false, true} {
			l := openOne(t, "lo", LiveOptions{SnapLength: 65536, Ring: ring})
			timer := time.AfterFunc(20*time.Millisecond, l.Wake)
			defer timer.Stop()
			began := time.Now()
			if err := l.Next(new(Frame), time.Minute); !errors.Is(err, ErrTimeout) || time.Since(began) > 10*time.Second {
				t.Errorf("ring %v: %v after %v", ring, err, time.Since(began))
			}
		}
	})
}

func TestNextTellsOfAnInterfaceThatWent(t *testing.T) {
	inNamespace(t, func() {
		for _, ring := range []bool{false, true} {
			for _, how := range [][]string{{"link", "set", "gna", "down"}, {"link", "del", "gna"}} {
				ip(t, "link", "add", "gna", "type", "veth", "peer", "name", "gnb")
				ip(t, "link", "set", "gna", "up")
				l := openOne(t, "gna", LiveOptions{SnapLength: 65536, Ring: ring})
				ip(t, how...)
				var err error
				for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
					if err = l.Next(new(Frame), 100*time.Millisecond); err != nil && !errors.Is(err, ErrTimeout) {
						break
					}
				}
				if !errors.Is(err, ErrDown) {
					t.Errorf("ring %v, ip %v: got %v", ring, how, err)
				}
				if how[1] == "set" {
					ip(t, "link", "del", "gna")
				}
			}
		}
	})
}

func TestWatchHearsOfInterfaces(t *testing.T) {
	inNamespace(t, func() {
		w, err := WatchLinks()
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan error)
		go func() {
			for {
				err := w.Wait()
				heard <- err
				if err != nil {
					return
				}
			}
		}()
		ip(t, "link", "add", "gna", "type", "veth", "peer", "name", "gnb")
		select {
		case err := <-heard:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("nothing was heard")
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		for {
			if err := <-heard; err != nil {
				return
			}
		}
	})
}

// TestRawLinksAreFiltered reads a tunnel device, whose frames have no link
// layer, and puts packets on it as a VPN does.
func TestRawLinksAreFiltered(t *testing.T) {
	flows := newFlowFilter(t, 64)
	inNamespace(t, func() {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skipf("a tunnel device needs /dev/net/tun: %v", err)
		}
		defer unix.Close(fd)
		request, err := unix.NewIfreq("gnt")
		if err != nil {
			t.Fatal(err)
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			t.Fatal(err)
		}
		ip(t, "link", "set", "gnt", "up")
		for _, mode := range []FilterMode{FilterEBPF, FilterClassic} {
			l := openOne(t, "gnt", LiveOptions{SnapLength: kept, Filter: mode, Flows: flows})
			for _, e := range pairs() {
				hello := []byte{0x16, 3, 1, 2, 0, 1}
				for _, packet := range [][]byte{e.packet(0, wire.ACK, nil), e.packet(0, wire.ACK, hello)} {
					if _, err := unix.Write(fd, packet); err != nil {
						t.Fatal(err)
					}
				}
				var f Frame
				if err := l.Next(&f, 10*time.Second); err != nil || f.Link != LinkRaw || !bytes.Equal(f.Data, e.packet(0, wire.ACK, hello)) {
					t.Errorf("%s, %v: %+v, %v", mode, e, f, err)
				}
			}
		}
	})
}

// TestForcedFilters holds that a filter that is asked for is the one, or none.
func TestForcedFilters(t *testing.T) {
	flows := newFlowFilter(t, 64)
	inNamespace(t, func() {
		for _, mode := range []FilterMode{FilterEBPF, FilterClassic, FilterNone, FilterAuto} {
			l := openOne(t, "lo", LiveOptions{SnapLength: kept, Filter: mode, Flows: flows})
			want := mode
			if mode == FilterAuto {
				want = FilterEBPF
			}
			if got, why := l.Mode(); got != want || why != nil {
				t.Errorf("%s: got %s, %v", mode, got, why)
			}
		}
		l := openOne(t, "lo", LiveOptions{SnapLength: kept})
		if got, why := l.Mode(); got != FilterClassic || why == nil {
			t.Errorf("without maps: got %s, %v", got, why)
		}
		if _, err := OpenLive("lo", LiveOptions{SnapLength: kept, Filter: FilterEBPF}); err == nil {
			t.Error("ebpf without maps opens")
		}
	})
}
