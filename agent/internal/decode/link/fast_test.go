package link

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
)

// sameWalk holds the fast walk against the full one: what it takes, the full
// walk takes, to the same packet. It reports whether it took the frame.
func sameWalk(t *testing.T, kind capture.LinkType, frame []byte, wire int) bool {
	t.Helper()
	var short, full Packet
	if !fast(kind, frame, max(wire-len(frame), 0), &short) {
		return false
	}
	var w Walker
	if o := w.walk(kind, frame, wire, 0, &full); o != Found {
		t.Fatalf("the fast walk takes a frame that is %s: %x", o, frame)
	}
	if diff := cmp.Diff(full, short); diff != "" {
		t.Fatalf("the walks differ on %x (- full, + fast):\n%s", frame, diff)
	}
	return true
}

// Every frame of the table is walked the same way, also cut at every byte and
// with every byte of its headers changed.
func TestFastWalkIsTheFullWalk(t *testing.T) {
	taken := 0
	for _, c := range encapsulations() {
		for n := range len(c.frame) {
			if sameWalk(t, c.link, c.frame[:n], len(c.frame)) {
				taken++
			}
		}
		for i := range min(len(c.frame), 14+40+20) {
			for bit := range 8 {
				changed := append([]byte(nil), c.frame...)
				changed[i] ^= 1 << bit
				if sameWalk(t, c.link, changed, len(changed)) {
					taken++
				}
			}
		}
	}
	if taken < 1000 {
		t.Errorf("only %d frames took the fast walk: the test says nothing", taken)
	}
}
