package link

import (
	"slices"
	"time"
)

// FragmentLimits bound what reassembling IP fragments may hold.
type FragmentLimits struct {
	Datagrams int           // datagrams that are not complete
	Bytes     int           // bytes of all of them together
	Timeout   time.Duration // age at which a datagram is given up (RFC 8200, section 4.5, says 60 s)
}

// DefaultFragmentLimits returns limits for an endpoint.
func DefaultFragmentLimits() FragmentLimits {
	return FragmentLimits{Datagrams: 512, Bytes: 4 << 20, Timeout: 30 * time.Second}
}

// FragmentStats counts what happened to fragments.
type FragmentStats struct {
	Received  uint64 // fragments
	Completed uint64 // datagrams
	Expired   uint64 // datagrams given up for age
	Evicted   uint64 // datagrams given up for one of the limits
	Refused   uint64 // fragments that contradict their datagram or are cut
	Held      int    // bytes held now
}

const (
	maxDatagram   = 65535
	fragmentGrain = 8 // bytes; what offsets count in
	bitmapWords   = (maxDatagram/fragmentGrain + 64) / 64
)

type fragmentKey struct {
	source, destination Address
	id                  uint32
	protocol            uint8
}

// datagram is one that is being put together. Where fragments overlap, the
// first that came holds.
type datagram struct {
	key    fragmentKey
	data   []byte
	have   [bitmapWords]uint64 // units of fragmentGrain bytes
	filled int                 // units that are there
	total  int                 // length, -1 as long as the last fragment has not come
	born   int64               // Unix nanoseconds of the first fragment
}

// Fragments puts IP fragments together. The zero value is not usable; see
// NewFragments.
type Fragments struct {
	limits FragmentLimits
	table  map[fragmentKey]*datagram
	queue  []*datagram // oldest first; entries no longer in the table are passed over
	spare  []byte      // buffer of the datagram that was completed last
	stats  FragmentStats
}

// NewFragments returns an empty table.
func NewFragments(limits FragmentLimits) *Fragments {
	return &Fragments{limits: limits, table: make(map[fragmentKey]*datagram)}
}

// Stats returns the counters.
func (f *Fragments) Stats() FragmentStats { return f.stats }

// fragment takes one fragment. It reports whether s.data now is a whole
// datagram, or the cut beginning of one; if not, s holds the outcome.
func (w *Walker) fragment(s *state, id uint32, protocol uint8, offset int, more bool) bool {
	if s.quoted { // the rest is not coming
		s.end(OtherIP)
		return offset == 0
	}
	f := w.Fragments
	if f == nil {
		s.end(Held)
		return false
	}
	f.stats.Received++
	if s.missing > 0 {
		f.stats.Refused++
		if offset == 0 { // never to be completed, and the beginning is what matters
			return true
		}
		s.end(Cut)
		return false
	}
	key := fragmentKey{s.packet.Source.Address, s.packet.Destination.Address, id, protocol}
	whole, ok := f.add(key, s.data, offset, more, s.now)
	if !ok {
		f.stats.Refused++
		s.end(Malformed)
		return false
	}
	if whole == nil {
		s.end(Held)
		return false
	}
	s.data = whole
	return true
}

// add returns the datagram when it is complete; the slice is valid until the
// next call.
func (f *Fragments) add(key fragmentKey, data []byte, offset int, more bool, now int64) (whole []byte, ok bool) {
	f.expire(now)
	end := offset + len(data)
	if end > maxDatagram || len(data) == 0 || more && len(data)%fragmentGrain != 0 {
		return nil, false
	}
	d := f.table[key]
	if d == nil {
		d = f.create(key, now)
	}
	if !more {
		if d.total >= 0 && d.total != end || len(d.data) > end {
			return nil, false
		}
		d.total = end
	} else if d.total >= 0 && end > d.total {
		return nil, false
	}
	f.store(d, data, offset)
	if d.total < 0 || d.filled*fragmentGrain < d.total {
		f.fit(d)
		return nil, true
	}
	f.stats.Completed++
	whole = d.data[:d.total]
	f.remove(d)
	f.spare = d.data
	return whole, true
}

func (f *Fragments) create(key fragmentKey, now int64) *datagram {
	for len(f.table) >= max(f.limits.Datagrams, 1) {
		f.evictOldest()
	}
	if len(f.queue) > 2*f.limits.Datagrams+64 {
		f.queue = slices.DeleteFunc(f.queue, func(d *datagram) bool { return f.table[d.key] != d })
	}
	d := &datagram{key: key, data: f.spare[:0], total: -1, born: now}
	f.spare = nil
	f.table[key] = d
	f.queue = append(f.queue, d)
	return d
}

// store copies the units of data that are not there yet.
func (f *Fragments) store(d *datagram, data []byte, offset int) {
	end := offset + len(data)
	if end > len(d.data) {
		f.stats.Held += end - len(d.data)
		if end > cap(d.data) {
			grown := make([]byte, end, min(maxDatagram, max(2*cap(d.data), end, 4096)))
			copy(grown, d.data)
			d.data = grown
		}
		d.data = d.data[:end]
	}
	for at := offset; at < end; at += fragmentGrain {
		unit := at / fragmentGrain
		if d.have[unit/64]>>(unit%64)&1 != 0 {
			continue
		}
		d.have[unit/64] |= 1 << (unit % 64)
		d.filled++
		copy(d.data[at:min(at+fragmentGrain, end)], data[at-offset:])
	}
}

// fit keeps the table within its byte budget; keep is the last to go.
func (f *Fragments) fit(keep *datagram) {
	for f.stats.Held > f.limits.Bytes && len(f.table) > 0 {
		if len(f.table) == 1 {
			f.stats.Evicted++
			f.remove(keep)
			return
		}
		f.evictOldest()
	}
}

// evictOldest drops the datagram that has waited longest.
func (f *Fragments) evictOldest() {
	if d := f.oldest(); d != nil {
		f.stats.Evicted++
		f.remove(d)
	}
}

func (f *Fragments) oldest() *datagram {
	for len(f.queue) > 0 {
		d := f.queue[0]
		if f.table[d.key] == d {
			return d
		}
		f.queue = f.queue[1:]
	}
	return nil
}

func (f *Fragments) expire(now int64) {
	for d := f.oldest(); d != nil && now-d.born > int64(f.limits.Timeout); d = f.oldest() {
		f.stats.Expired++
		f.remove(d)
	}
}

// Flush gives up all datagrams that are not complete, as at the end of a
// capture.
func (f *Fragments) Flush() {
	for d := f.oldest(); d != nil; d = f.oldest() {
		f.stats.Expired++
		f.remove(d)
	}
}

func (f *Fragments) remove(d *datagram) {
	delete(f.table, d.key)
	f.stats.Held -= len(d.data)
}
