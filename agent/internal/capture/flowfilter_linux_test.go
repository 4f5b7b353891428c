package capture

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

const (
	testUp   = 8000
	testDown = 2000
)

func newFlowFilter(t testing.TB, flows int) *FlowFilter {
	t.Helper()
	f, err := NewFlowFilter(FlowOptions{Flows: flows, Up: testUp, Down: testDown, SnapLength: kept})
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("an eBPF filter needs CAP_BPF: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// runs runs the program in the kernel on a frame as if the interface had seen
// it (BPF_PROG_TEST_RUN), and reports whether it passes. The kernel takes an
// Ethernet header off before a program of this type sees the packet, so one
// more stands before the frame.
func (f *FlowFilter) runs(t testing.TB, o FilterOptions, frame []byte) bool {
	t.Helper()
	p, err := f.program(o)
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.Run(&ebpf.RunOptions{Data: append(make([]byte, 14), frame...)})
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 && n != kept {
		t.Fatalf("the program returns %d", n)
	}
	return n > 0
}

// loopbackIndex is the interface that BPF_PROG_TEST_RUN stands packets on.
const loopbackIndex = 1

// keyOf is the key that user space makes of a connection.
func keyOf(protocol uint8, a, b netip.AddrPort) (key FlowKey, first int) {
	x, y := a.Addr().As16(), b.Addr().As16()
	if order := bytes.Compare(x[:], y[:]); order > 0 || order == 0 && a.Port() > b.Port() {
		a, b, x, y, first = b, a, y, x, 1
	}
	return FlowKey{x, y, a.Port(), b.Port(), Where(loopbackIndex, protocol)}, first
}

type endpoints struct{ client, server netip.AddrPort }

func (e endpoints) packet(from int, flags byte, payload []byte) []byte {
	a, b := e.client, e.server
	if from == 1 {
		a, b = b, a
	}
	return wire.IP(a.Addr(), b.Addr(), wire.ProtoTCP, wire.TCP(a.Port(), b.Port(), 1, flags, payload))
}

func (e endpoints) counts(t testing.TB, f *FlowFilter) (up, down uint64, packets [2]uint64) {
	t.Helper()
	key, client := keyOf(wire.ProtoTCP, e.client, e.server)
	c, err := f.Counts(key)
	if err != nil {
		t.Fatal(err)
	}
	return c.Bytes[client], c.Bytes[1-client], [2]uint64{c.Packets[client], c.Packets[1-client]}
}

func pairs() []endpoints {
	pair := func(client, server string) endpoints {
		return endpoints{netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)}
	}
	return []endpoints{
		pair("192.0.2.1:50000", "198.51.100.1:443"), pair("198.51.100.1:50000", "192.0.2.1:443"),
		pair("192.0.2.1:443", "192.0.2.1:50000"), pair("192.0.2.9:40000", "192.0.2.10:50000"),
		pair("[2001:db8::1]:50000", "[2001:db8::2]:443"), pair("[2001:db8:0:1::1]:50000", "[2001:db8::2]:443"),
		pair("[2001:db8::1]:1", "[2001:db8::1]:65535"), pair("[2001:db8::9]:443", "[2001:db8::1]:50000"),
	}
}

// TestFlowFilterLetsTheFirstBytesPass sends a connection through the program:
// both ends up to their limits, all of it counted, the rest not seen.
func TestFlowFilterLetsTheFirstBytesPass(t *testing.T) {
	f := newFlowFilter(t, 1024)
	segment := bytes.Repeat([]byte{0x17}, 1000)
	for _, e := range pairs() {
		for _, framed := range []string{"raw", "ethernet", "vlan", "qinq"} {
			o := FilterOptions{RawIP: framed == "raw"}
			send := func(from int, flags byte, payload []byte) bool {
				p := e.packet(from, flags, payload)
				kind := wire.TypeIPv4
				if e.client.Addr().Is6() {
					kind = wire.TypeIPv6
				}
				switch framed {
				case "ethernet":
					p = wire.EthernetIP(p)
				case "vlan":
					p = wire.Ethernet(wire.TypeVLAN, wire.Tag(5, kind, p))
				case "qinq":
					p = wire.Ethernet(0x88a8, wire.Tag(7, wire.TypeVLAN, wire.Tag(5, kind, p)))
				}
				return f.runs(t, o, p)
			}
			if !send(0, wire.SYN, nil) || !send(1, wire.SYN|wire.ACK, nil) || send(0, wire.ACK, nil) {
				t.Errorf("%v %s: the handshake", e, framed)
			}
			passed := [2]int{}
			for range 20 {
				for from := range 2 {
					if send(from, wire.ACK, segment) {
						passed[from]++
					}
				}
			}
			if want := [2]int{testUp / 1000, testDown / 1000}; passed != want {
				t.Errorf("%v %s: %v segments pass, want %v", e, framed, passed, want)
			}
			if !send(0, wire.FIN|wire.ACK, segment[:7]) || !send(1, wire.RST, nil) {
				t.Errorf("%v %s: the end", e, framed)
			}
			if up, down, packets := e.counts(t, f); up != 20007 || down != 20000 || packets != [2]uint64{21, 20} {
				t.Errorf("%v %s: counted %d and %d bytes, %v packets", e, framed, up, down, packets)
			}
		}
	}
}

// TestFlowFilterTakesNewLimits holds that user space can shut an end for good,
// open it for good, and that a new connection on the same ports starts anew.
func TestFlowFilterTakesNewLimits(t *testing.T) {
	f := newFlowFilter(t, 1024)
	o := FilterOptions{RawIP: true}
	segment := make([]byte, 1000)
	for _, e := range pairs() {
		key, client := keyOf(wire.ProtoTCP, e.client, e.server)
		limit := func(up, down uint32) {
			var l [2]uint32
			l[client], l[1-client] = up, down
			if err := f.Limit(key, l); err != nil {
				t.Fatal(err)
			}
		}
		passes := func(from int) bool { return f.runs(t, o, e.packet(from, wire.ACK, segment)) }
		open := func() {
			if !f.runs(t, o, e.packet(0, wire.SYN, nil)) {
				t.Fatal("SYN")
			}
		}
		open()
		if !passes(0) || !passes(1) {
			t.Fatalf("%v: nothing passes", e)
		}
		limit(PassAll, 0)
		for range 30 {
			if !passes(0) || passes(1) {
				t.Fatalf("%v: limits are not held", e)
			}
		}
		limit(0, 0)
		if passes(0) || passes(1) {
			t.Errorf("%v: something passes", e)
		}
		limit(PassAll, PassAll)
		if passes(0) || passes(1) {
			t.Errorf("%v: an end that was shut for good is open", e)
		}
		if up, down, _ := e.counts(t, f); up != 33000 || down != 33000 {
			t.Errorf("%v: counted %d and %d", e, up, down)
		}
		open()
		if up, down, _ := e.counts(t, f); up != 0 || down != 0 {
			t.Errorf("%v: a new connection starts at %d and %d", e, up, down)
		}
		open() // again
		if !passes(0) || !passes(1) || !passes(1) || passes(1) {
			t.Errorf("%v: a new connection does not start anew", e)
		}
	}
}

// TestFlowFilterKeepsHTTPOpen holds that an end which starts with a request
// passes beyond its limit before user space says a word, and until it says no.
func TestFlowFilterKeepsHTTPOpen(t *testing.T) {
	f := newFlowFilter(t, 1024)
	o := FilterOptions{RawIP: true}
	for _, e := range pairs() {
		for _, start := range append(httpStarts(), "GETX", "HTTP", "\x16\x03\x01\x00") {
			f.runs(t, o, e.packet(0, wire.SYN, nil))
			first := append([]byte(start), make([]byte, 996)...)
			passed := 0
			for i := range 20 {
				payload := make([]byte, 1000)
				if i == 0 {
					payload = first
				}
				if f.runs(t, o, e.packet(0, wire.ACK, payload)) {
					passed++
				}
			}
			want := testUp / 1000
			if slices.Contains(httpStarts(), start) {
				want = 20
			}
			if passed != want {
				t.Errorf("%v: %d segments of %q pass, want %d", e, passed, start, want)
			}
			key, _ := keyOf(wire.ProtoTCP, e.client, e.server)
			if err := f.Limit(key, [2]uint32{}); err != nil {
				t.Fatal(err)
			}
			if f.runs(t, o, e.packet(0, wire.ACK, first)) {
				t.Errorf("%v: %q cannot be shut", e, start)
			}
		}
	}
}

// TestFlowFilterWithoutAStart holds that a connection whose start was not seen
// takes the higher port for the client's.
func TestFlowFilterWithoutAStart(t *testing.T) {
	f := newFlowFilter(t, 1024)
	for _, e := range pairs() {
		if e.client.Port() < e.server.Port() {
			continue
		}
		for range 3 {
			f.runs(t, FilterOptions{RawIP: true}, e.packet(1, wire.ACK, make([]byte, 1000)))
		}
		key, client := keyOf(wire.ProtoTCP, e.client, e.server)
		c, err := f.Counts(key)
		want := FlowCounts{}
		want.Bytes[1-client], want.Packets[1-client] = 3000, 3
		want.Limit[client], want.Limit[1-client] = testUp, testDown
		if err != nil || c != want {
			t.Errorf("%v: %s", e, cmp.Diff(want, c))
		}
	}
	// The end of a connection that nobody knows is no reason to know it.
	e := endpoints{netip.MustParseAddrPort("192.0.2.77:50000"), netip.MustParseAddrPort("192.0.2.78:443")}
	if !f.runs(t, FilterOptions{RawIP: true}, e.packet(0, wire.FIN|wire.ACK, nil)) {
		t.Error("FIN")
	}
	key, _ := keyOf(wire.ProtoTCP, e.client, e.server)
	if _, err := f.Counts(key); !errors.Is(err, ErrNoFlow) {
		t.Errorf("got %v", err)
	}
}

// TestFlowFilterCountsUDP holds that QUIC's long headers always pass, and of
// the rest of a flow only the first datagrams; all are counted.
func TestFlowFilterCountsUDP(t *testing.T) {
	f := newFlowFilter(t, 1024)
	client, server := netip.MustParseAddrPort("192.0.2.1:50000"), netip.MustParseAddrPort("192.0.2.2:4433")
	send := func(a, b netip.AddrPort, n, times int, start ...byte) (passed int) {
		payload := append(start, make([]byte, n-len(start))...)
		for range times {
			if f.runs(t, FilterOptions{RawIP: true}, wire.IP(a.Addr(), b.Addr(), wire.ProtoUDP, wire.UDP(a.Port(), b.Port(), payload))) {
				passed++
			}
		}
		return passed
	}
	check := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d pass, want %d", what, got, want)
		}
	}
	check("long headers up", send(client, server, 1200, 20, 0xc3), 20)
	check("long headers down", send(server, client, 1200, 2, 0xe3), 2)
	check("short headers up", send(client, server, 700, 20, 0x43), 0)
	check("short headers down", send(server, client, 800, 20, 0x43), firstDatagrams-2)
	check("long headers again", send(client, server, 1200, 1, 0xc3), 1)
	key, first := keyOf(wire.ProtoUDP, client, server)
	c, err := f.Counts(key)
	want := FlowCounts{Limit: c.Limit}
	want.Bytes[first], want.Bytes[1-first] = 21*1200+20*700, 2*1200+20*800
	want.Packets[first], want.Packets[1-first] = 41, 22
	if err != nil || c != want {
		t.Errorf("%v, %s", err, cmp.Diff(want, c))
	}
	other := netip.MustParseAddrPort("192.0.2.1:50001")
	check("a greased bit", send(other, server, 1200, 20, 0x83, 0xff, 0, 0, 29), 20)
	check("DNS on an odd port", send(other, server, 40, 20, 0, 7, 1, 0, 0, 1), 20)
	media := netip.MustParseAddrPort("192.0.2.3:40000")
	check("media", send(client, media, 500, 100, 0x80), firstDatagrams)
	check("the other way", send(media, client, 500, 100, 0x80), firstDatagrams)
}

// TestFlowFilterPassesSplitHellos sends hellos of three segments, whichever
// end has the lower port, and in both orders of addresses.
func TestFlowFilterPassesSplitHellos(t *testing.T) {
	f := newFlowFilter(t, 1024)
	for _, e := range pairs() {
		f.runs(t, FilterOptions{RawIP: true}, e.packet(0, wire.SYN, nil))
		for i, payload := range [][]byte{append([]byte{0x16, 3, 1, 0x20}, make([]byte, 1396)...), make([]byte, 1400), make([]byte, 300)} {
			if !f.runs(t, FilterOptions{RawIP: true}, e.packet(0, wire.ACK, payload)) {
				t.Errorf("%v: segment %d does not pass", e, i)
			}
		}
	}
}

// TestFlowFilterUnderManyFlows opens far more connections than the map holds:
// each new one passes, and the newest are counted right.
func TestFlowFilterUnderManyFlows(t *testing.T) {
	const room, opened = 2048, 20 * 2048
	f := newFlowFilter(t, room)
	ends := func(i int) endpoints {
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		return endpoints{netip.AddrPortFrom(client, 50000), netip.MustParseAddrPort("192.0.2.1:443")}
	}
	hello := append([]byte{0x16, 3, 1}, make([]byte, 500)...)
	for i := range opened {
		e := ends(i)
		if !f.runs(t, FilterOptions{RawIP: true}, e.packet(0, wire.SYN, nil)) || !f.runs(t, FilterOptions{RawIP: true}, e.packet(0, wire.ACK, hello)) {
			t.Fatalf("connection %d does not pass", i)
		}
	}
	if up, _, _ := ends(opened-1).counts(t, f); up != uint64(len(hello)) {
		t.Errorf("the newest connection counts %d", up)
	}
}

// TestFlowFilterSurvivesJunk runs cut and mangled frames: the program ends with
// a verdict on each.
func TestFlowFilterSurvivesJunk(t *testing.T) {
	f := newFlowFilter(t, 1024)
	random := rand.New(rand.NewPCG(1, 2))
	for _, e := range pairs() {
		frame := wire.EthernetIP(e.packet(0, wire.ACK, []byte("data and more data")))
		for cut := range frame {
			f.runs(t, FilterOptions{}, frame[:cut])
		}
		for range 2000 {
			mangled := bytes.Clone(frame)
			for range 1 + random.IntN(6) {
				mangled[12+random.IntN(len(mangled)-12)] = byte(random.Uint32())
			}
			f.runs(t, FilterOptions{}, mangled)
			f.runs(t, FilterOptions{RawIP: true}, mangled[14:])
		}
	}
}

// TestFlowFilterNeedsOnlyItsRights loads and attaches the filter on a thread
// that has CAP_BPF and CAP_NET_RAW and no more, and says what to grant on one
// that has nothing.
func TestFlowFilterNeedsOnlyItsRights(t *testing.T) {
	newFlowFilter(t, 64)
	with := func(rights ...uint) error {
		done := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			for _, right := range rights {
				data[right/32].Effective |= 1 << (right % 32)
				data[right/32].Permitted |= 1 << (right % 32)
			}
			if err := unix.Capset(&header, &data[0]); err != nil {
				done <- err
				return
			}
			f, err := NewFlowFilter(FlowOptions{Flows: 64, SnapLength: kept})
			if err != nil {
				done <- err
				return
			}
			list, err := OpenLive("lo", LiveOptions{SnapLength: 2048, Filter: FilterEBPF, Flows: f})
			for _, l := range list {
				l.Close()
			}
			done <- errors.Join(err, f.Close())
		}()
		return <-done
	}
	if err := with(unix.CAP_BPF, unix.CAP_NET_RAW); err != nil {
		t.Errorf("%+v", err)
	}
	if err := with(unix.CAP_NET_RAW); !errors.Is(err, os.ErrPermission) || !bytes.Contains([]byte(err.Error()), []byte("grant CAP_BPF")) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkFlowFilter(b *testing.B) {
	f := newFlowFilter(b, 1024)
	e := pairs()[0]
	p, err := f.program(FilterOptions{RawIP: true})
	if err != nil {
		b.Fatal(err)
	}
	for name, packet := range map[string][]byte{
		"bulk": e.packet(1, wire.ACK, make([]byte, 1400)), "acknowledgement": e.packet(0, wire.ACK, nil),
	} {
		b.Run(name, func(b *testing.B) {
			data := append(make([]byte, 14), packet...)
			if _, err := p.Run(&ebpf.RunOptions{Data: data, Repeat: 10000}); err != nil {
				b.Fatal(err)
			}
			key, first := keyOf(wire.ProtoTCP, e.client, e.server)
			var l [2]uint32
			l[first] = PassAll
			if err := f.Limit(key, l); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if _, err := p.Run(&ebpf.RunOptions{Data: data, Repeat: uint32(b.N)}); err != nil {
				b.Fatal(err)
			}
		})
	}
}
