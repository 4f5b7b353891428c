package tls

import "slices"

// MaxPieces bounds the separate stretches of an Assembly.
const MaxPieces = 32

type stretch struct{ from, to int32 }

// Assembly puts a message together from pieces that come in any order, twice,
// or overlapping. The zero value is empty.
type Assembly struct {
	data []byte
	have []stretch // in order, apart from each other
}

// Held returns the bytes that the assembly keeps.
func (a *Assembly) Held() int { return cap(a.data) + 8*cap(a.have) }

// Reset empties the assembly and lets its memory go.
func (a *Assembly) Reset() { *a = Assembly{} }

// Clear empties the assembly and keeps its memory for another message. It lets
// go what a long one took.
func (a *Assembly) Clear() {
	const usual = 4 << 10
	if cap(a.data) > usual {
		a.data = nil
	}
	a.data, a.have = a.data[:0], a.have[:0]
}

// Add takes the piece at offset. Where pieces overlap, the one that came first
// holds. It reports false where the piece ends beyond MaxHello or leaves more
// than MaxPieces stretches.
func (a *Assembly) Add(offset int, piece []byte) bool {
	if offset < 0 || offset > MaxHello || len(piece) > MaxHello-offset {
		return false
	}
	if len(piece) == 0 {
		return true
	}
	start, end := int32(offset), int32(offset+len(piece))
	first := 0 // the first stretch that touches the piece, or lies behind it
	for first < len(a.have) && a.have[first].to < start {
		first++
	}
	last := first // one behind the last that touches it
	for last < len(a.have) && a.have[last].from <= end {
		last++
	}
	if first == last && len(a.have) == MaxPieces {
		return false
	}
	a.copyGaps(offset, int(end), piece, first, last)
	merged := stretch{start, end}
	if first < last {
		merged.from = min(start, a.have[first].from)
		merged.to = max(end, a.have[last-1].to)
	}
	if a.have == nil {
		a.have = make([]stretch, 0, 2)
	}
	a.have = slices.Replace(a.have, first, last, merged)
	return true
}

// copyGaps copies what of the piece is not there yet; the stretches first to
// last touch it.
func (a *Assembly) copyGaps(offset, end int, piece []byte, first, last int) {
	if end > len(a.data) {
		if end > cap(a.data) {
			grown := make([]byte, len(a.data), min(MaxHello, max(end, 2*cap(a.data), 2048)))
			copy(grown, a.data)
			a.data = grown
		}
		a.data = a.data[:end]
	}
	at := offset
	for _, s := range a.have[first:last] {
		if from := int(s.from); from > at {
			copy(a.data[at:from], piece[at-offset:])
		}
		at = max(at, int(s.to))
	}
	if at < end {
		copy(a.data[at:end], piece[at-offset:])
	}
}

// Prefix returns what is there from the start of the message without a gap.
func (a *Assembly) Prefix() []byte {
	if len(a.have) == 0 || a.have[0].from > 0 {
		return nil
	}
	return a.data[:a.have[0].to]
}
