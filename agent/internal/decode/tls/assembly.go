package tls

// MaxPieces bounds the separate stretches of an Assembly.
const MaxPieces = 32

type stretch struct{ from, to int }

// Assembly puts a message together from pieces that come in any order, twice,
// or overlapping. The zero value is empty.
type Assembly struct {
	data  []byte
	have  [MaxPieces]stretch // in order, apart from each other
	count int
}

// Held returns the bytes that the assembly keeps.
func (a *Assembly) Held() int { return cap(a.data) }

// Reset empties the assembly and lets its memory go.
func (a *Assembly) Reset() { *a = Assembly{} }

// Add takes the piece at offset. Where pieces overlap, the one that came first
// holds. It reports false where the piece ends beyond MaxHello or leaves more
// than MaxPieces stretches.
func (a *Assembly) Add(offset int, piece []byte) bool {
	end := offset + len(piece)
	if offset < 0 || end > MaxHello {
		return false
	}
	if len(piece) == 0 {
		return true
	}
	first := 0 // the first stretch that touches the piece, or lies behind it
	for first < a.count && a.have[first].to < offset {
		first++
	}
	last := first // one behind the last that touches it
	for last < a.count && a.have[last].from <= end {
		last++
	}
	if first == last && a.count == MaxPieces {
		return false
	}
	a.copyGaps(offset, end, piece, first, last)
	merged := stretch{offset, end}
	if first < last {
		merged.from = min(offset, a.have[first].from)
		merged.to = max(end, a.have[last-1].to)
	}
	tail := a.count - last
	copy(a.have[first+1:], a.have[last:last+tail])
	a.have[first] = merged
	a.count = first + 1 + tail
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
		if s.from > at {
			copy(a.data[at:s.from], piece[at-offset:])
		}
		at = max(at, s.to)
	}
	if at < end {
		copy(a.data[at:end], piece[at-offset:])
	}
}

// Prefix returns what is there from the start of the message without a gap.
func (a *Assembly) Prefix() []byte {
	if a.count == 0 || a.have[0].from > 0 {
		return nil
	}
	return a.data[:a.have[0].to]
}
