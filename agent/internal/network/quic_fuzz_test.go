package network

import (
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// FuzzQUICFrames seals bytes as the frames of two Initials, which is what an
// opened packet brings: nothing fails, budgets hold, one hello gives one name
// at most, and at the end nothing is held.
func FuzzQUICFrames(f *testing.F) {
	hello := quicHello(f, "a.example")
	f.Add(wire.QUICCrypto(0, hello), wire.QUICPing(), false)
	f.Add(wire.QUICCrypto(300, hello[300:]), wire.Join(wire.QUICAck(true), wire.QUICCrypto(0, hello[:300])), true)
	f.Add(wire.Join(pieces(hello, 50)[:20]...), wire.Join(pieces(hello, 50)[20:]...), false)
	f.Add(wire.QUICCrypto(0, []byte{1, 0, 0, 2, 9, 9}), wire.QUICClose("no"), true)
	f.Fuzz(func(t *testing.T, first, second []byte, empty bool) {
		if len(first) > 20000 || len(second) > 20000 {
			return
		}
		source := []byte("source")
		if empty {
			source = nil
		}
		c := wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("destinat"), source)
		limits := DefaultLimits()
		limits.BufferBytes = 128 << 10
		e := newEngine(limits)
		feed(e, 0, quicUp(c.Initial(first)), quicUp(c.Initial(second)))
		if e.table.held > limits.BufferBytes {
			t.Fatalf("%d bytes are held", e.table.held)
		}
		e.flush()
		if e.tally[panics] != 0 || e.table.held != 0 || e.tally[quicInitials]+e.tally[quicUnopened] > 2 || e.tally[quicConnectionsOpened] != 1 {
			t.Fatalf("%v", e.export())
		}
		if list := e.take(); len(list) > 1 {
			t.Fatalf("%d names of one hello", len(list))
		}
	})
}
