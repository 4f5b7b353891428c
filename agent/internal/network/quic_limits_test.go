package network

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// flood calls feed with n frames of one datagram, each from another client.
// The frame is the same memory.
func flood(datagram []byte, n int, feed func(frame *capture.Frame)) {
	const source = 14 + 12 // of the client's address
	frame := capture.Frame{Time: time.Unix(1000, 0), Link: capture.LinkEthernet, Data: quicUp(datagram)}
	frame.Length = len(frame.Data)
	for i := range n {
		binary.BigEndian.PutUint32(frame.Data[source:], 0x0a000000+uint32(i))
		feed(&frame)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFloodOfInitialsKeepsMemoryFlat floods with Initials that open and hold
// half a hello, with such that do not open, and with junk: the limits hold,
// what is displaced is counted, and a connection that was there before is
// still read.
func TestFloodOfInitialsKeepsMemoryFlat(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	half := quicClient().Datagram(wire.QUICCrypto(0, hello[:600]))
	whole := quicClient().Datagram(wire.QUICCrypto(0, hello))
	broken := quicClient().Datagram(wire.QUICCrypto(0, hello[:600]))
	broken[len(broken)-1] ^= 1
	junk := append([]byte{0xc3, 0xab, 0xcd, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e}, make([]byte, 1182)...)
	f := func(what string, datagram []byte, displacesItself bool) {
		t.Helper()
		limits := DefaultLimits()
		limits.Flows, limits.BufferBytes = 2048, 512<<10
		e := newEngine(limits)
		e.take()
		before := wire.NewConn(clientEnd, serverEnd)
		one := helloOf(t)
		feed(e, 0, append(before.Open(), before.Up(one[:100]))...)
		check := func(frame *capture.Frame) {
			e.frame(frame)
			e.take()
			if e.table.held > limits.BufferBytes || e.table.count() > limits.Flows {
				t.Fatalf("%s: %d bytes held, %d flows", what, e.table.held, e.table.count())
			}
		}
		const n = 30_000
		flood(datagram, n, check)
		middle := heap()
		flood(datagram, n, check)
		if after := heap(); after > middle+1<<20 {
			t.Errorf("%s: %d bytes became %d", what, middle, after)
		}
		feed(e, 0, before.Up(one[100:]))
		if kept := len(e.take()) == 1; kept != displacesItself {
			t.Errorf("%s: the connection before it is kept: %v", what, kept)
		}
		if e.tally[flowsEvicted] < n-uint64(limits.Flows) {
			t.Errorf("%s: %d evicted", what, e.tally[flowsEvicted])
		}
		e.flush()
		if e.table.held != 0 || e.table.count() != 0 || e.tally[panics] != 0 {
			t.Errorf("%s: %d bytes, %d flows, %d panics", what, e.table.held, e.table.count(), e.tally[panics])
		}
		if found := e.blindSpots(); len(found) == 0 {
			t.Errorf("%s: nothing is blind", what)
		}
	}
	f("Initials that do not open", broken, true)
	f("junk", junk, true)
	f("half hellos", half, false)
	f("whole hellos", whole, false)
}

func helloOf(t testing.TB) []byte { return hello(t, "before.example") }

// TestQUICStateIsFreed holds that a flow whose name is known, and one that is
// given up, hold no bytes.
func TestQUICStateIsFreed(t *testing.T) {
	e := newEngine(DefaultLimits())
	hello := quicHello(t, "api.example.com")
	c := quicClient()
	feed(e, 0, quicUp(c.Datagram(wire.QUICCrypto(300, hello[300:]))))
	if e.table.held < len(hello)-300 {
		t.Errorf("%d bytes are held", e.table.held)
	}
	feed(e, 0, quicUp(c.Datagram(wire.QUICCrypto(0, hello[:300]))))
	if e.table.held != 0 {
		t.Errorf("%d bytes are held", e.table.held)
	}
	want(t, "a hello", lines(e.take()), quicLine)
}

// TestQUICBudgetIsShared holds that half a hello gives way when the budget is
// used up, is read as far as it goes, and is counted.
func TestQUICBudgetIsShared(t *testing.T) {
	limits := DefaultLimits()
	limits.BufferBytes = 128 << 10
	e := newEngine(limits)
	hello := quicHello(t, "api.example.com")
	half := quicClient().Datagram(wire.QUICCrypto(0, hello[:len(hello)-20]))
	found := 0
	flood(half, 200, func(frame *capture.Frame) {
		e.frame(frame)
		found += len(e.take())
	})
	if e.tally[buffersEvicted] == 0 || found != int(e.tally[buffersEvicted]) || found < 100 {
		t.Errorf("%d gave way, %d names", e.tally[buffersEvicted], found)
	}
}

// repeated returns a frame of a flow that has been read, or given up, before.
func repeated(tb testing.TB, e *engine, datagrams ...[]byte) *capture.Frame {
	tb.Helper()
	frame := &capture.Frame{Time: time.Unix(1000, 0), Link: capture.LinkEthernet}
	for range quicTries + 1 {
		for _, d := range datagrams {
			frame.Data = quicUp(d)
			frame.Length = len(frame.Data)
			e.frame(frame)
		}
	}
	e.take()
	return frame
}

func TestQUICRejectsWithoutAllocating(t *testing.T) {
	hello := quicHello(t, "api.example.com")
	whole := quicClient().Datagram(wire.QUICCrypto(0, hello))
	broken := quicClient().Datagram(wire.QUICCrypto(0, hello))
	broken[len(broken)-1] ^= 1
	other := append([]byte{0xc3, 0xab, 0xcd, 0, 1, 7}, make([]byte, 1194)...)
	for what, datagram := range map[string][]byte{"a hello again": whole, "of a flow that was given up": broken, "no QUIC": other} {
		e := newEngine(DefaultLimits())
		frame := repeated(t, e, datagram)
		if n := testing.AllocsPerRun(1000, func() { e.frame(frame) }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkQUICFirstInitial(b *testing.B) {
	e := newEngine(DefaultLimits())
	frame := capture.Frame{Time: time.Unix(1000, 0), Link: capture.LinkEthernet}
	frame.Data = quicUp(quicClient().Datagram(wire.QUICCrypto(0, quicHello(b, "api.example.com"))))
	frame.Length = len(frame.Data)
	client := netip.MustParseAddr("10.0.0.0")
	i := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		i++
		address := client.As4()
		binary.BigEndian.PutUint32(frame.Data[14+12:], binary.BigEndian.Uint32(address[:])+i)
		e.frame(&frame)
		e.take()
	}
}

func BenchmarkQUICReject(b *testing.B) {
	hello := quicHello(b, "api.example.com")
	broken := quicClient().Datagram(wire.QUICCrypto(0, hello))
	broken[len(broken)-1] ^= 1
	for what, datagram := range map[string][]byte{
		"again":   quicClient().Datagram(wire.QUICCrypto(0, hello)),
		"givenup": broken,
		"junk":    append([]byte{0xc3, 0xab, 0xcd, 0, 1, 7}, make([]byte, 1194)...),
	} {
		b.Run(what, func(b *testing.B) {
			e := newEngine(DefaultLimits())
			frame := repeated(b, e, datagram)
			b.ReportAllocs()
			for b.Loop() {
				e.frame(frame)
			}
		})
	}
}

// BenchmarkQUICFlood is an Initial each from another client that no key opens.
func BenchmarkQUICFlood(b *testing.B) {
	broken := quicClient().Datagram(wire.QUICPing())
	broken[len(broken)-1] ^= 1
	e := newEngine(DefaultLimits())
	b.ReportAllocs()
	b.ResetTimer()
	flood(broken, b.N, e.frame)
}
