// Package stream puts one direction of a TCP connection in order, for readers
// that need its first bytes and little more.
//
// It is pure: no I/O, no goroutine, no log, no clock. Segments that come in
// order and are consumed at once are not copied. It imports nothing of ours.
// It is no TCP stack: it follows no window, no acknowledgement, and where
// segments overlap the first that came holds. What is held is bounded, and
// what the bounds cost is told to the caller, who counts it.
package stream

import "slices"

// Limits of one direction. Later bounds the bytes, and MaxLater the segments,
// that wait for a gap to be filled; MaxData bounds the bytes that are in order
// and not consumed.
const (
	MaxData       = 66 << 10 // a DNS message over TCP with its length, or a ClientHello with its records
	MaxLater      = 64 << 10
	MaxLaterCount = 64
)

// Outcome says what became of a segment.
type Outcome uint8

// What can become of a segment.
const (
	Ready     Outcome = iota // it goes on where the stream stands
	Duplicate                // nothing in it is new
	Waiting                  // it lies behind a gap and is kept
	Full                     // it lies behind a gap and there is no room: call Jump, or drop it
	Skipped                  // it lies in a part that is skipped
)

type segment struct {
	sequence uint32
	data     []byte
}

// Buffer is one direction. The zero value starts at whatever comes first.
type Buffer struct {
	next       uint32 // sequence number of the byte that must come next
	started    bool
	skip       uint64 // bytes to pass over before anything is handed out
	data       []byte // in order, handed out and not consumed
	later      []segment
	laterBytes int
}

// Start says with which byte the direction starts: the one after the SYN.
func (b *Buffer) Start(sequence uint32) {
	b.next, b.started = sequence, true
}

// Held returns the bytes that the buffer keeps.
func (b *Buffer) Held() int { return cap(b.data) + b.laterBytes }

// Gap reports whether something waits for bytes that have not come.
func (b *Buffer) Gap() bool { return len(b.later) > 0 }

// Next returns the sequence number that must come next.
func (b *Buffer) Next() uint32 { return b.next }

// Rest returns what was handed out last and not consumed.
func (b *Buffer) Rest() []byte { return b.data }

// Skip passes over the next n bytes of the stream, whether they come or not.
// What was handed out before is consumed.
func (b *Buffer) Skip(n uint64) {
	b.data = nil
	b.skip += n
}

// Add takes a segment. With Ready, ready is all that is in order and not
// consumed; it may be payload itself. The caller then calls Keep. With Ready
// and Skipped the stream went on, and the caller calls Pull.
func (b *Buffer) Add(sequence uint32, payload []byte) (ready []byte, outcome Outcome) {
	if !b.started {
		b.Start(sequence)
	}
	ahead := int32(sequence - b.next)
	if ahead < 0 {
		old := -int64(ahead)
		if old >= int64(len(payload)) {
			return nil, Duplicate
		}
		payload, ahead = payload[old:], 0
		sequence = b.next
	}
	if ahead > 0 {
		if uint64(ahead) > b.skip {
			return nil, b.wait(sequence, payload)
		}
		b.skip -= uint64(ahead)
		b.next = sequence
	}
	return b.accept(payload)
}

// accept takes bytes that are in order.
func (b *Buffer) accept(payload []byte) ([]byte, Outcome) {
	b.next += uint32(len(payload))
	if b.skip > 0 {
		n := min(b.skip, uint64(len(payload)))
		b.skip -= n
		payload = payload[n:]
		if len(payload) == 0 {
			return nil, Skipped
		}
	}
	if len(b.data) == 0 {
		return payload, Ready
	}
	b.data = append(b.data, payload...)
	return b.data, Ready
}

// Keep tells which end of what was handed out is not consumed yet. It reports
// false where that is more than MaxData; then nothing is kept.
func (b *Buffer) Keep(rest []byte) bool {
	switch {
	case len(rest) == 0:
		b.data = nil
	case len(rest) > MaxData:
		b.data = nil
		return false
	case len(rest) != len(b.data) || &rest[0] != &b.data[0]:
		b.data = append(b.data[:0], rest...)
	}
	return true
}

// Pull hands out the next segment that waited and now fits, as Add does. ok is
// false where there is none.
func (b *Buffer) Pull() (ready []byte, ok bool) {
	for len(b.later) > 0 {
		s := b.later[0]
		ahead := int32(s.sequence - b.next)
		if ahead > 0 && uint64(ahead) > b.skip {
			return nil, false
		}
		b.later = slices.Delete(b.later, 0, 1)
		b.laterBytes -= cap(s.data)
		if len(b.later) == 0 {
			b.later = nil
		}
		if ready, outcome := b.Add(s.sequence, s.data); outcome == Ready {
			return ready, true
		}
	}
	return nil, false
}

// Jump gives up the bytes before the first segment that waits, and all that
// was not consumed. It returns how many bytes are lost; 0 means that there is
// no gap. The caller then calls Pull.
func (b *Buffer) Jump() (lost uint32) {
	if len(b.later) == 0 || int32(b.later[0].sequence-b.next) <= 0 {
		return 0
	}
	b.data = nil
	lost = b.later[0].sequence - b.next
	b.skip -= min(b.skip, uint64(lost))
	b.next = b.later[0].sequence
	return lost
}

// Lose passes over n bytes that will never come, and gives up what was not
// consumed.
func (b *Buffer) Lose(n int) {
	b.data = nil
	b.skip -= min(b.skip, uint64(n))
	b.next += uint32(n)
}

// wait keeps a segment for later, in order of sequence numbers.
func (b *Buffer) wait(sequence uint32, payload []byte) Outcome {
	if len(b.later) >= MaxLaterCount || b.laterBytes+len(payload) > MaxLater {
		return Full
	}
	at := len(b.later)
	for at > 0 && int32(sequence-b.later[at-1].sequence) < 0 {
		at--
	}
	if at > 0 {
		before := b.later[at-1]
		if int64(sequence-before.sequence)+int64(len(payload)) <= int64(len(before.data)) {
			return Duplicate
		}
	}
	kept := slices.Clone(payload)
	b.laterBytes += cap(kept)
	b.later = slices.Insert(b.later, at, segment{sequence, kept})
	return Waiting
}
