package link

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// pieces cuts a UDP datagram with body into IP fragments of size bytes.
func pieces(v6 bool, id, size int, body []byte) [][]byte {
	datagram := wire.UDP(1111, 2222, body)
	var frames [][]byte
	for at := 0; at < len(datagram); at += size {
		part := datagram[at:min(at+size, len(datagram))]
		more := at+size < len(datagram)
		packet := wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, id, at, more, part)
		if v6 {
			packet = wire.IP(six[0], six[1], 44, wire.Join(wire.IPv6FragmentHeader(wire.ProtoUDP, id, at, more), part))
		}
		frames = append(frames, wire.EthernetIP(packet))
	}
	return frames
}

func walkAll(t *testing.T, w *Walker, now int64, frames ...[]byte) (found [][]byte, outcomes []Outcome) {
	t.Helper()
	for _, f := range frames {
		var p Packet
		o := w.Walk(capture.LinkEthernet, f, len(f), now, &p)
		outcomes = append(outcomes, o)
		if o == Found {
			found = append(found, bytes.Clone(p.Payload))
		}
	}
	return found, outcomes
}

func TestFragmentsInAnyOrderTwiceAndInterleaved(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, v6 := range []bool{false, true} {
		w := Walker{Fragments: NewFragments(DefaultFragmentLimits())}
		for round := range 50 {
			one, two := bytes.Repeat([]byte("one datagram "), 1+round*7), bytes.Repeat([]byte{byte(round)}, 3000)
			frames := append(pieces(v6, 2*round, 8*(1+round%20), one), pieces(v6, 2*round+1, 1480, two)...)
			frames = append(frames, frames[0]) // comes twice; at the end it may start a datagram anew
			random.Shuffle(len(frames)-1, func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
			found, _ := walkAll(t, &w, 0, frames...)
			if len(found) != 2 || !(bytes.Equal(found[0], one) && bytes.Equal(found[1], two) || bytes.Equal(found[0], two) && bytes.Equal(found[1], one)) {
				t.Fatalf("v6=%v round %d: %d datagrams", v6, round, len(found))
			}
		}
		if s := w.Fragments.Stats(); s.Completed != 100 || s.Refused != 0 || s.Held > 50*3100 {
			t.Errorf("v6=%v: %+v", v6, s)
		}
	}
}

func TestOverlappingFragmentsKeepTheFirst(t *testing.T) {
	w := Walker{Fragments: NewFragments(DefaultFragmentLimits())}
	body := bytes.Repeat([]byte("good"), 20)
	frames := pieces(false, 9, 40, body)
	evil := wire.EthernetIP(wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, 9, 0, true, bytes.Repeat([]byte("evil"), 12)))
	found, _ := walkAll(t, &w, 0, frames[0], evil, frames[1], frames[2])
	want := bytes.Clone(body)
	copy(want[32:], "evil"+"evil") // what was not there yet when it came: bytes 40 to 48 of the datagram
	if len(found) != 1 || !bytes.Equal(found[0], want) {
		t.Errorf("got %q", found)
	}
}

func TestContradictingFragmentsAreRefused(t *testing.T) {
	w := Walker{Fragments: NewFragments(DefaultFragmentLimits())}
	fragment := func(offset int, more bool, n int) []byte {
		return wire.EthernetIP(wire.IPv4Fragment(four[0], four[1], wire.ProtoUDP, 5, offset, more, make([]byte, n)))
	}
	_, outcomes := walkAll(t, &w, 0,
		fragment(16, false, 10), // the end is at 26
		fragment(32, true, 8),   // behind the end
		fragment(8, false, 4),   // another end
		fragment(0, true, 13),   // a length that fragments cannot have
		fragment(65528, true, 16),
		fragment(8, true, 0))
	for i, o := range outcomes {
		want := Malformed
		if i == 0 {
			want = Held
		}
		if o != want {
			t.Errorf("fragment %d: %v, want %v", i, o, want)
		}
	}
	if s := w.Fragments.Stats(); s.Refused != 5 || s.Received != 6 {
		t.Errorf("%+v", s)
	}
}

func TestFragmentLimitsHold(t *testing.T) {
	limits := FragmentLimits{Datagrams: 10, Bytes: 20000, Timeout: time.Second}
	w := Walker{Fragments: NewFragments(limits)}
	for id := range 5000 {
		frames := pieces(false, id, 1480, make([]byte, 3000))
		walkAll(t, &w, int64(id), frames[0], frames[1])
		if s := w.Fragments.Stats(); s.Held > limits.Bytes || len(w.Fragments.table) > limits.Datagrams || len(w.Fragments.queue) > 3*limits.Datagrams+64 {
			t.Fatalf("after %d: %+v, %d datagrams, %d in the queue", id, s, len(w.Fragments.table), len(w.Fragments.queue))
		}
	}
	s := w.Fragments.Stats()
	if held := uint64(len(w.Fragments.table)); s.Evicted != 5000-held || s.Expired != 0 {
		t.Errorf("%+v with %d held", s, held)
	}
	walkAll(t, &w, int64(2*time.Second), pieces(false, 6000, 1480, make([]byte, 3000))[0])
	if s := w.Fragments.Stats(); s.Expired == 0 || len(w.Fragments.table) != 1 {
		t.Errorf("nothing expired: %+v", s)
	}
	one := Walker{Fragments: NewFragments(FragmentLimits{Datagrams: 4, Bytes: 100, Timeout: time.Second})}
	walkAll(t, &one, 0, pieces(false, 1, 1480, make([]byte, 3000))[0])
	if s := one.Fragments.Stats(); s.Held != 0 || s.Evicted != 1 {
		t.Errorf("a datagram beyond the budget stays: %+v", s)
	}
}

// A first fragment that the snap length cut can never be completed; its
// beginning is handed on as it is.
func TestCutFirstFragmentIsRead(t *testing.T) {
	w := Walker{Fragments: NewFragments(DefaultFragmentLimits())}
	frame := pieces(false, 1, 1480, bytes.Repeat([]byte("x"), 3000))[0]
	var p Packet
	if o := w.Walk(capture.LinkEthernet, frame[:100], len(frame), 0, &p); o != Found || len(p.Payload) != 100-14-20-8 || p.Missing == 0 {
		t.Errorf("%v, %+v", o, p)
	}
	frame = pieces(false, 1, 1480, make([]byte, 3000))[1]
	if o := w.Walk(capture.LinkEthernet, frame[:100], len(frame), 0, &p); o != Cut {
		t.Errorf("a later fragment: %v", o)
	}
}

func TestFlushGivesUpWhatIsNotComplete(t *testing.T) {
	w := Walker{Fragments: NewFragments(DefaultFragmentLimits())}
	for id := range 3 {
		walkAll(t, &w, 0, pieces(false, id, 1480, make([]byte, 3000))[0])
	}
	w.Fragments.Flush()
	w.Fragments.Flush()
	if s := w.Fragments.Stats(); s.Expired != 3 || s.Held != 0 || len(w.Fragments.table) != 0 {
		t.Errorf("%+v, %d datagrams", s, len(w.Fragments.table))
	}
}
