package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// consume takes all that a segment brings.
func consume(b *Buffer, out *[]byte, sequence uint32, payload []byte) Outcome {
	ready, outcome := b.Add(sequence, payload)
	for ok := outcome == Ready || outcome == Skipped; ok; ready, ok = b.Pull() {
		*out = append(*out, ready...)
		b.Keep(nil)
	}
	return outcome
}

// However a stream is cut, reordered, repeated and overlapped, it comes out
// as it was, also where sequence numbers wrap.
func TestAnyOrderGivesTheStream(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		whole := make([]byte, 1+random.IntN(20000))
		for i := range whole {
			whole[i] = byte(random.Uint32())
		}
		start := random.Uint32()
		if seed%2 == 0 {
			start = -uint32(random.IntN(1000))
		}
		type piece struct{ from, to int }
		var pieces []piece
		for at := 0; at < len(whole); {
			n := min(1+random.IntN(1460), len(whole)-at)
			pieces = append(pieces, piece{max(at-random.IntN(100), 0), at + n})
			if random.IntN(4) == 0 {
				pieces = append(pieces, pieces[random.IntN(len(pieces))])
			}
			at += n
		}
		for i := range pieces { // within a window, as networks reorder
			j := min(i+random.IntN(8), len(pieces)-1)
			pieces[i], pieces[j] = pieces[j], pieces[i]
		}
		var b Buffer
		b.Start(start)
		var got []byte
		for _, p := range pieces {
			if o := consume(&b, &got, start+uint32(p.from), whole[p.from:p.to]); o == Full {
				t.Fatalf("seed %d: full", seed)
			}
		}
		if !bytes.Equal(got, whole) || b.Gap() || b.Held() != 0 {
			t.Fatalf("seed %d: %d of %d bytes, %d held", seed, len(got), len(whole), b.Held())
		}
	}
}

func TestWhatIsNotConsumedComesAgain(t *testing.T) {
	var b Buffer
	ready, _ := b.Add(100, []byte("abc"))
	if string(ready) != "abc" || !b.Keep(ready[1:]) {
		t.Fatalf("%q", ready)
	}
	ready, _ = b.Add(103, []byte("def"))
	if string(ready) != "bcdef" || string(b.Rest()) != "bcdef" || b.Held() < 5 || b.Next() != 106 {
		t.Fatalf("%q, %d held", ready, b.Held())
	}
	b.Keep(ready)
	ready, _ = b.Add(106, []byte("g"))
	if string(ready) != "bcdefg" {
		t.Fatalf("%q", ready)
	}
	b.Keep(ready[5:])
	if string(b.Rest()) != "g" {
		t.Fatalf("%q", b.Rest())
	}
	b.Keep(nil)
	if b.Held() != 0 {
		t.Errorf("%d bytes stay", b.Held())
	}
}

func TestKeepIsBounded(t *testing.T) {
	var b Buffer
	ready, _ := b.Add(0, make([]byte, MaxData+1))
	if b.Keep(ready) || b.Held() != 0 {
		t.Errorf("%d bytes are kept", b.Held())
	}
}

func TestSegmentsBehindAGapAreBounded(t *testing.T) {
	var b Buffer
	b.Start(0)
	waiting := 0
	for i := range 2 * MaxLaterCount {
		switch _, o := b.Add(uint32(10+10*i), make([]byte, 5)); o {
		case Waiting:
			waiting++
		case Full:
		default:
			t.Fatalf("segment %d: %v", i, o)
		}
	}
	if waiting != MaxLaterCount {
		t.Errorf("%d segments wait", waiting)
	}
	var large Buffer
	large.Start(0)
	for i := range 10 {
		large.Add(uint32(10+20000*i), make([]byte, 20000))
	}
	if large.Held() > MaxLater {
		t.Errorf("%d bytes wait", large.Held())
	}
}

func TestJumpOverALostSegment(t *testing.T) {
	var b Buffer
	var got []byte
	b.Start(0)
	consume(&b, &got, 0, []byte("abc"))
	consume(&b, &got, 6, []byte("ghi"))
	consume(&b, &got, 9, []byte("jkl"))
	if string(got) != "abc" || !b.Gap() {
		t.Fatalf("%q", got)
	}
	if lost := b.Jump(); lost != 3 {
		t.Errorf("%d bytes lost", lost)
	}
	for ready, ok := b.Pull(); ok; ready, ok = b.Pull() {
		got = append(got, ready...)
		b.Keep(nil)
	}
	if string(got) != "abcghijkl" || b.Gap() || b.Jump() != 0 {
		t.Errorf("%q", got)
	}
	if o := consume(&b, &got, 3, []byte("def")); o != Duplicate {
		t.Errorf("the lost segment after all: %v", o)
	}
	if o := consume(&b, &got, 10, []byte("kl+")); o != Ready || string(got) != "abcghijkl+" {
		t.Errorf("%v, %q", o, got)
	}
}

func TestSkipNeedsNoBytes(t *testing.T) {
	var b Buffer
	var got []byte
	consume(&b, &got, 0, []byte("head"))
	b.Skip(100)
	if o := consume(&b, &got, 4, make([]byte, 50)); o != Skipped {
		t.Errorf("%v", o)
	}
	// 20 bytes are never seen, and do not matter.
	if o := consume(&b, &got, 74, append(make([]byte, 30), "next"...)); o != Ready || string(got) != "headnext" {
		t.Errorf("%v, %q", o, got)
	}
	b.Skip(10)
	b.Lose(12)
	if o := consume(&b, &got, 4+100+4+12, []byte("!")); o != Ready || string(got) != "headnext!" {
		t.Errorf("%v, %q", o, got)
	}
	// A segment that waits comes out of the skipped part without its gap.
	var c Buffer
	c.Start(0)
	got = nil
	consume(&c, &got, 50, []byte("xx"))
	c.Skip(51)
	if ready, ok := c.Pull(); !ok || string(ready) != "x" {
		t.Errorf("%q %v", ready, ok)
	}
}

// What is skipped may pass over a segment that waits.
func TestSkipPassesOverWaitingSegments(t *testing.T) {
	var b Buffer
	var got []byte
	b.Start(0)
	consume(&b, &got, 20, []byte("inside the skipped part"))
	b.Skip(100)
	if o := consume(&b, &got, 0, make([]byte, 90)); o != Skipped || b.Gap() || b.Held() != 0 {
		t.Errorf("%v, %d bytes held", o, b.Held())
	}
	consume(&b, &got, 110, []byte("late"))
	if lost := b.Jump(); lost != 20 || b.Next() != 110 {
		t.Errorf("%d bytes lost, at %d", lost, b.Next())
	}
}

func TestInOrderBytesAreNotCopied(t *testing.T) {
	payload := make([]byte, 1000)
	var b Buffer
	sequence := uint32(0)
	if n := testing.AllocsPerRun(1000, func() {
		ready, _ := b.Add(sequence, payload)
		if &ready[0] != &payload[0] {
			t.Fatal("copied")
		}
		b.Keep(nil)
		sequence += 1000
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzBuffer feeds pieces of a known stream, as bytes of the input say, and
// checks that what comes out is the stream but for the gaps that were jumped.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 10, 0, 20, 10, 0, 10, 10, 0})
	f.Add([]byte{30, 10, 0, 0, 40, 0, 5, 10, 1, 60, 10, 2})
	f.Add([]byte{255, 255, 1, 0, 255, 3})
	f.Fuzz(func(t *testing.T, moves []byte) {
		whole := make([]byte, 4096)
		for i := range whole {
			whole[i] = byte(i*7 + i>>8)
		}
		const start = uint32(1<<32 - 1000)
		var b Buffer
		b.Start(start)
		check := func(ready []byte) {
			end := int(b.Next() - start)
			if end > len(whole) || len(ready) > end || !bytes.Equal(ready, whole[end-len(ready):end]) {
				t.Fatalf("%d bytes that end at %d are not the stream", len(ready), end)
			}
		}
		for ; len(moves) >= 3; moves = moves[3:] {
			from := int(moves[0]) * 15
			to := min(from+int(moves[1]), len(whole))
			before := b.Next()
			ready, outcome := b.Add(start+uint32(from), whole[from:to])
			for ok := outcome == Ready || outcome == Skipped; ok; ready, ok = b.Pull() {
				check(ready)
				b.Keep(ready[len(ready)*int(moves[2]&3)/3:])
			}
			switch moves[2] >> 2 {
			case 1:
				b.Jump()
				for ready, ok := b.Pull(); ok; ready, ok = b.Pull() {
					check(ready)
					b.Keep(nil)
				}
			case 2:
				if int(b.Next()-start)+100 < len(whole) {
					b.Keep(nil)
					b.Skip(uint64(moves[1]))
				}
			}
			if int32(b.Next()-before) < 0 {
				t.Fatal("the stream goes back")
			}
			if len(b.later) > MaxLaterCount || b.laterBytes > MaxLater || len(b.data) > MaxData+256 {
				t.Fatalf("%d segments, %d bytes wait, %d are kept", len(b.later), b.laterBytes, len(b.data))
			}
		}
	})
}

func BenchmarkInOrder(b *testing.B) {
	payload := make([]byte, 1400)
	var buffer Buffer
	sequence := uint32(0)
	b.ReportAllocs()
	b.SetBytes(1400)
	for b.Loop() {
		buffer.Add(sequence, payload)
		buffer.Keep(nil)
		sequence += 1400
	}
}
