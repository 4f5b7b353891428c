package network

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

// share is what one observation tells of a connection's bytes.
type share struct {
	Name      string
	Continued bool
	Up, Down  uint64
	At        time.Duration // after the first frame
}

func shares(list []signatures.Observation) []share {
	var out []share
	for _, o := range list {
		out = append(out, share{o.Name, o.Continued, o.Flow.BytesUp, o.Flow.BytesDown, o.Time.Sub(time.Unix(1000, 0))})
	}
	return out
}

func following(interested bool) *engine {
	e := newEngine(DefaultLimits())
	e.follow = func(signatures.Flow) bool { return interested }
	return e
}

// TestFurtherBytesAreTold follows a connection over minutes: its bytes are
// told once each, with the hello, every minute that it is at work, and at its
// end.
func TestFurtherBytesAreTold(t *testing.T) {
	e := following(true)
	one := hello(t, "api.example.com")
	n := uint64(len(one))
	c := wire.NewConn(clientEnd, serverEnd)
	feed(e, 0, append(c.Open(), c.Up(one), c.Down(make([]byte, 1000)))...)
	feed(e, 30*time.Second, c.Down(make([]byte, 1000)))
	feed(e, 61*time.Second, c.Down(make([]byte, 500)))
	feed(e, 100*time.Second, c.Up(make([]byte, 7)))
	e.tick(time.Unix(1000+125, 0).UnixNano())
	e.tick(time.Unix(1000+300, 0).UnixNano()) // nothing new
	feed(e, 310*time.Second, c.Up(make([]byte, 9)))
	feed(e, 311*time.Second, c.Close()...)
	want := []share{
		{"api.example.com", false, n, 0, 0},
		{"", true, 0, 2500, 61 * time.Second},
		{"", true, 7, 0, 100 * time.Second},
		{"", true, 9, 0, 311 * time.Second},
	}
	if diff := cmp.Diff(want, shares(e.take())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.tally[continuations] != 3 || e.tally[observations] != 1 || e.oldest != nil || e.newest != nil {
		t.Errorf("%d continuations, %d observations", e.tally[continuations], e.tally[observations])
	}
}

// TestEachRequestTellsWhatIsNew holds that requests of one connection do not
// tell the same bytes again.
func TestEachRequestTellsWhatIsNew(t *testing.T) {
	e := following(true)
	request := text("GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n")
	c := wire.NewConn(clientEnd, serverEnd)
	feed(e, 0, append(c.Open(), c.Up(request), c.Down(make([]byte, 100)), c.Up(request), c.Down(make([]byte, 50)))...)
	feed(e, time.Second, c.Close()...)
	n := uint64(len(request))
	want := []share{{"a.example", false, n, 0, 0}, {"a.example", false, n, 100, 0}, {"", true, 0, 50, time.Second}}
	if diff := cmp.Diff(want, shares(e.take())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestWhatNobodyFollowsIsLetGo holds that a connection of no interest is not
// looked at again, and that without a follower nothing changes at all.
func TestWhatNobodyFollowsIsLetGo(t *testing.T) {
	one := hello(t, "api.example.com")
	run := func(e *engine) []share {
		c := wire.NewConn(clientEnd, serverEnd)
		feed(e, 0, append(c.Open(), c.Up(one))...)
		for i := range 10 {
			feed(e, time.Duration(i+1)*30*time.Second, c.Down(make([]byte, 10)))
		}
		feed(e, 6*time.Minute, c.Close()...)
		return shares(e.take())
	}
	hello := share{"api.example.com", false, uint64(len(one)), 0, 0}
	e := following(false)
	asked := 0
	e.follow = func(signatures.Flow) bool { asked++; return false }
	if diff := cmp.Diff([]share{hello}, run(e)); diff != "" || asked != 1 || e.oldest != nil {
		t.Errorf("of no interest, asked for %d times: (-want +got)\n%s", asked, diff)
	}
	e = newEngine(DefaultLimits())
	if diff := cmp.Diff([]share{hello}, run(e)); diff != "" || e.tally[continuations] != 0 {
		t.Errorf("without a follower: (-want +got)\n%s", diff)
	}
}

// TestQUICBytesAreTold counts datagrams that are not read, of a connection
// that is known.
func TestQUICBytesAreTold(t *testing.T) {
	e := following(true)
	initial := quicClient().Datagram(wire.QUICCrypto(0, quicHello(t, "api.example.com")))
	short := append([]byte{0x43}, make([]byte, 999)...)
	feed(e, 0, quicUp(initial))
	feed(e, time.Second, quicUp(short), quicDown(short), quicDown(short))
	feed(e, time.Second, wire.Datagram(stub, netip.MustParseAddrPort("198.51.100.9:444"), short)) // nobody's
	e.flush()
	want := []share{{"api.example.com", false, uint64(len(initial)), 0, 0}, {"", true, 1000, 2000, time.Second}}
	if diff := cmp.Diff(want, shares(e.take())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestEachEndIsCountedWhereItWasFirstSeen shows a connection on two interfaces,
// as a veth pair and its bridge do, and one whose two ways differ.
func TestEachEndIsCountedWhereItWasFirstSeen(t *testing.T) {
	one := hello(t, "api.example.com")
	show := func(e *engine, data []byte, interfaces ...int) {
		for _, i := range interfaces {
			e.frame(&capture.Frame{Time: time.Unix(1000, 0), Link: capture.LinkEthernet, Data: data, Length: len(data), Interface: i})
		}
	}
	for _, both := range []bool{true, false} {
		e := following(true)
		c := wire.NewConn(clientEnd, serverEnd)
		up, down := []int{3, 4}, []int{4, 3}
		if !both {
			up, down = []int{3}, []int{4}
		}
		for _, frame := range append(c.Open(), c.Up(one)) {
			show(e, frame, up...)
		}
		for range 5 {
			show(e, c.Down(make([]byte, 100)), down...)
		}
		e.flush()
		want := []share{{"api.example.com", false, uint64(len(one)), 0, 0}, {"", true, 0, 500, 0}}
		if diff := cmp.Diff(want, shares(e.take())); diff != "" {
			t.Errorf("both %v: (-want +got)\n%s", both, diff)
		}
	}
}

// kernelMap stands for the maps of the filter, so that a test can say what was
// counted.
type kernelMap struct {
	counts map[capture.FlowKey]capture.FlowCounts
	limits map[capture.FlowKey][2]uint32
	asked  int
}

func (k *kernelMap) Counts(key capture.FlowKey) (capture.FlowCounts, error) {
	k.asked++
	c, ok := k.counts[key]
	if !ok {
		return c, capture.ErrNoFlow
	}
	return c, nil
}

func (k *kernelMap) Limit(key capture.FlowKey, limit [2]uint32) error {
	k.limits[key] = limit
	return nil
}

func overKernel(up, down uint32) (*engine, *kernelMap) {
	e := following(true)
	k := &kernelMap{map[capture.FlowKey]capture.FlowCounts{}, map[capture.FlowKey][2]uint32{}, 0}
	e.kernel, e.up, e.down = k, up, down
	e.counts = func(index int) bool { return index == 3 }
	return e, k
}

func on(e *engine, index int, at time.Duration, frames ...[]byte) {
	for _, data := range frames {
		e.frame(&capture.Frame{Time: time.Unix(1000, 0).Add(at), Link: capture.LinkEthernet, Data: data, Length: len(data), Interface: index})
	}
}

// TestConnectionInTheKernelIsNotIdle has nothing reach the engine for an hour
// while the kernel counts, forgets, and counts anew.
func TestConnectionInTheKernelIsNotIdle(t *testing.T) {
	e, k := overKernel(24<<10, 4<<10)
	one := hello(t, "api.example.com")
	n := uint64(len(one))
	c := wire.NewConn(clientEnd, serverEnd)
	on(e, 3, 0, append(c.Open(), c.Up(one))...)
	var f *flow
	for id := range flowID(chunk) {
		if one := e.table.at(id + 1); one.id != 0 {
			f = one
		}
	}
	key, client := f.keyAt(3), int(f.client)
	e.take()
	set := func(up, down uint64) {
		var counts capture.FlowCounts
		counts.Bytes[client], counts.Bytes[1-client] = up, down
		k.counts[key] = counts
	}
	var up, down uint64
	for minute := 1; minute <= 60; minute++ {
		set(n, uint64(minute)*1000)
		if minute > 30 { // the kernel forgot it, and counts from 0
			set(0, uint64(minute-30)*1000)
		}
		e.tick(time.Unix(1000, 0).Add(time.Duration(minute) * time.Minute).UnixNano())
		for _, o := range e.take() {
			up, down = up+o.Flow.BytesUp, down+o.Flow.BytesDown
			if !o.Continued {
				t.Errorf("%+v", o)
			}
		}
	}
	if up != 0 || down != 60_000 || e.table.count() != 1 {
		t.Errorf("told %d up and %d down, want 0 and 60000; %d flows", up, down, e.table.count())
	}
	e.tick(time.Unix(1000, 0).Add(70 * time.Minute).UnixNano())
	e.tick(time.Unix(1000, 0).Add(80 * time.Minute).UnixNano())
	if e.table.count() != 0 || e.tally[flowsIdle] != 1 || e.oldest != nil {
		t.Errorf("%d flows are left, %d idle", e.table.count(), e.tally[flowsIdle])
	}
}

// TestTheKernelIsToldWhatIsOfInterest holds what an engine says to the filter
// of a TLS connection, of HTTP, and of what it cannot read.
func TestTheKernelIsToldWhatIsOfInterest(t *testing.T) {
	const up, down = 10_000, 2000
	f := func(what string, wantUp, wantDown uint32, left uint64, talk func(c *wire.Conn) [][]byte) {
		t.Helper()
		e, k := overKernel(up, down)
		c := wire.NewConn(clientEnd, serverEnd)
		on(e, 3, 0, append(c.Open(), talk(c)...)...)
		got := [2]uint32{up, down}
		for key, limit := range k.limits {
			got = limit
			if key.FirstPort != 50000 { // the client is the lower end
				t.Errorf("%s: key %+v", what, key)
			}
		}
		if got != [2]uint32{wantUp, wantDown} || e.tally[directionsLeft] != left || e.tally[tcpGaps] != 0 {
			t.Errorf("%s: told %v, want %d and %d; left %d, %d gaps", what, got, wantUp, wantDown, e.tally[directionsLeft], e.tally[tcpGaps])
		}
	}
	record := append([]byte{0x17, 3, 3, 1, 0}, make([]byte, 256)...)
	serverHello := append([]byte{0x16, 3, 3, 0, 80, 2}, make([]byte, 80)...)
	f("hello", up, down, 0, func(c *wire.Conn) [][]byte { return [][]byte{c.Up(hello(t, "a.example"))} })
	f("TLS", 0, 0, 0, func(c *wire.Conn) [][]byte {
		return [][]byte{c.Up(hello(t, "a.example")), c.Down(serverHello), c.Up(record)}
	})
	f("HTTP", capture.PassAll, 0, 0, func(c *wire.Conn) [][]byte {
		return [][]byte{c.Up(text("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")), c.Down(text("HTTP/1.1 200 OK\r\n\r\n"))}
	})
	f("an unknown server", up, 0, 1, func(c *wire.Conn) [][]byte {
		return [][]byte{c.Down(bytes.Repeat([]byte{0xaa}, 1500)), c.Down(bytes.Repeat([]byte{0xaa}, 1500))}
	})
	e, k := overKernel(up, down)
	c := wire.NewConn(clientEnd, serverEnd)
	on(e, 9, 0, append(c.Open(), c.Up(hello(t, "a.example")), c.Up(record))...)
	if len(k.limits) != 0 || k.asked != 0 {
		t.Errorf("the filter of another interface is told %v", k.limits)
	}
}

// TestAHelloBeyondTheLimitIsBlind holds that the engine knows that no more of a
// hello will come, and says so.
func TestAHelloBeyondTheLimitIsBlind(t *testing.T) {
	e, _ := overKernel(4000, 2000)
	one := hello(t, "a.example")
	long := append([]byte{0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb}, one[9:]...) // claims 16 KiB
	long = append(long, make([]byte, 5000-len(long))...)
	c := wire.NewConn(clientEnd, serverEnd)
	on(e, 3, 0, append(c.Open(), c.Split(long, 1000)...)...)
	if e.tally[directionsLeft] != 1 || e.tally[tlsHellosPartial] != 1 || e.table.held != 0 {
		t.Errorf("%d left, %d partial, %d bytes held", e.tally[directionsLeft], e.tally[tlsHellosPartial], e.table.held)
	}
}
