package capture

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

func openLoopback(t *testing.T) *Live {
	t.Helper()
	if err := CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	return openOne(t, "lo", LiveOptions{SnapLength: 65536, ReceiveBuffer: 1 << 20, Filter: FilterClassic})
}

func openOne(t *testing.T, name string, o LiveOptions) *Live {
	t.Helper()
	list, err := OpenLive(name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(list[0].Close)
	if len(list) != 1 {
		t.Fatalf("%d readers", len(list))
	}
	return list[0]
}

// Each packet on loopback goes out and comes in; it must be seen once.
func TestLiveLoopbackSeesEachPacketOnce(t *testing.T) {
	l := openLoopback(t)
	conn, err := net.Dial("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const sent = 20
	marker := fmt.Sprintf("marker of %s ", t.Name())
	for i := range sent {
		// Nobody listens: the answer that the port is closed makes every other
		// write fail before it is sent, and it is then sent again.
		for _, err := conn.Write(fmt.Appendf(nil, "%s%02d", marker, i)); err != nil; {
			_, err = conn.Write(fmt.Appendf(nil, "%s%02d", marker, i))
		}
	}
	seen := map[string]int{}
	var f Frame
	for deadline := time.Now().Add(10 * time.Second); len(seen) < sent && time.Now().Before(deadline); {
		err := l.Next(&f, 100*time.Millisecond)
		if err != nil && !errors.Is(err, ErrTimeout) {
			t.Fatal(err)
		}
		if at := strings.Index(string(f.Data), marker); err == nil && at >= 0 {
			seen[string(f.Data[at:])]++
			if f.Link != LinkEthernet || f.Length != len(f.Data) || time.Since(f.Time) > time.Minute {
				t.Errorf("frame %+v", f)
			}
		}
	}
	if len(seen) != sent {
		t.Errorf("saw %d of %d packets", len(seen), sent)
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%q was seen %d times", text, n)
		}
	}
	if s, err := l.Stats(); err != nil || s.Received < sent {
		t.Errorf("the kernel counted %+v, %v", s, err)
	}
}

func TestLiveFilterIsInTheKernel(t *testing.T) {
	l := openLoopback(t)
	before, err := l.Stats()
	if err != nil {
		t.Fatal(err)
	}
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for range 100 {
		if _, err := server.WriteTo([]byte("\x80 media, not wanted"), server.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	after, err := l.Stats()
	if err != nil {
		t.Fatal(err)
	}
	// Other programs use loopback too, but hardly so much in a moment.
	if n := after.Received - before.Received; n >= 100 {
		t.Errorf("%d frames passed", n)
	}
}

func TestLiveTimesOutOnASilentInterface(t *testing.T) {
	l := openLoopback(t)
	var f Frame
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if errors.Is(l.Next(&f, 10*time.Millisecond), ErrTimeout) {
			return
		}
	}
	t.Error("no timeout in 10 s")
}

func TestLiveCountsDrops(t *testing.T) {
	if err := CheckLive(); err != nil {
		t.Skipf("live capture needs CAP_NET_RAW: %v", err)
	}
	l := openOne(t, "lo", LiveOptions{SnapLength: 2048, ReceiveBuffer: 2048, Filter: FilterClassic})
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	hello := append([]byte{0x16, 0xfe, 0xfd}, make([]byte, 1000)...)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		for range 100 {
			if _, err := server.WriteTo(hello, server.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := l.Stats(); err != nil {
			t.Fatal(err)
		} else if s.Dropped > 0 {
			return
		}
	}
	t.Error("nothing is counted as dropped, and nobody reads")
}

func TestOpenLiveOfNoInterface(t *testing.T) {
	if _, err := OpenLive("no-such-interface", LiveOptions{SnapLength: 100}); err == nil || !strings.Contains(err.Error(), "no-such-interface") {
		t.Errorf("got %v", err)
	}
}
