package link

import (
	"testing"
	"unsafe"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// FuzzWalk walks a frame as any link type, twice, through a table of
// fragments.
func FuzzWalk(f *testing.F) {
	for _, c := range encapsulations() {
		f.Add(uint16(c.link), 0, c.frame)
	}
	for _, frame := range pieces(true, 3, 16, []byte("some datagram that is cut")) {
		f.Add(uint16(1), 10, frame)
	}
	f.Add(uint16(1), 0, wiretest.EthernetIP(wiretest.IP(outer[0], outer[1], 1, wiretest.Join([]byte{3, 3}, zeros(6), inner4()))))
	f.Add(uint16(1), 0, inIP(50, zeros(64)))
	f.Fuzz(func(t *testing.T, kind uint16, more int, frame []byte) {
		w := Walker{Fragments: NewFragments(FragmentLimits{Datagrams: 4, Bytes: 1 << 18, Timeout: 1})}
		wire := len(frame) + max(min(more, 1<<16), 0)
		sameWalk(t, capture.LinkType(kind), frame, wire)
		for now := range int64(2) {
			var p Packet
			o := w.Walk(capture.LinkType(kind), frame, wire, now, &p)
			if o >= outcomes {
				t.Fatalf("outcome %d", o)
			}
			s := w.Fragments.Stats()
			if s.Held < 0 || s.Held > 1<<18 || len(w.Fragments.table) > 4 {
				t.Fatalf("fragments: %+v", s)
			}
			if o != Found && o != Quoted && o != Encrypted {
				continue
			}
			if o == Quoted && p.Protocol != UDP || o == Found && p.Protocol != TCP && p.Protocol != UDP || p.Depth == 0 || p.Depth > MaxDepth || p.Missing < 0 {
				t.Fatalf("%+v", p)
			}
			if s.Received == 0 && !within(frame, p.Payload) {
				t.Fatal("the payload is no part of the frame")
			}
			if len(p.Payload) > maxDatagram+len(frame) {
				t.Fatalf("payload of %d bytes", len(p.Payload))
			}
		}
	})
}

// within reports whether part is a slice of whole.
func within(whole, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	start, at := uintptr(unsafe.Pointer(unsafe.SliceData(whole))), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	return at >= start && at+uintptr(len(part)) <= start+uintptr(len(whole))
}
