package network

import (
	"errors"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/signatures"
)

// continueEvery is how often the bytes of a connection that goes on are told.
const continueEvery = time.Minute

// kernelFlows is the filter that keeps state: what it lets pass of a connection
// and what it counted. It is a *capture.FlowFilter.
type kernelFlows interface {
	Counts(capture.FlowKey) (capture.FlowCounts, error)
	Limit(capture.FlowKey, [2]uint32) error
}

// follower is what an engine needs to tell how many bytes a connection carried
// after its observation. The zero value tells nothing: each observation then
// carries the bytes so far.
type follower struct {
	// follow says whether further bytes of a connection are of interest; nil
	// where nobody asks for them.
	follow func(signatures.Flow) bool
	kernel kernelFlows          // nil where no filter keeps state
	counts func(index int) bool // whether it does so on an interface
	up     uint32               // payload bytes that the kernel lets pass, client to server
	down   uint32
	source int // interface of the frame at work

	oldest, newest *track   // of the connections that were told of, by when to tell again
	letting        bool     // let is called
	fresh          []flowID // the connections that were told of since it was
}

// tracking reports whether more is kept of a connection than the engine needs
// for itself.
func (w *follower) tracking() bool { return w.follow != nil || w.kernel != nil }

// track is what is kept of a connection to tell its bytes.
type track struct {
	flow   flowID
	source [2]int    // interface that counts what each end sends, as a packet may pass several; 0 where none was seen
	limit  [2]uint32 // payload bytes that the kernel lets pass
	read   [2]uint64 // what the kernel had counted when it was last asked
	total  [2]uint64 // what it counted in all, also before it forgot the connection
	told   [2]uint64 // what observations carried
	due    int64     // when to tell again; 0 where no observation went out

	older, newer *track
}

// count adds payload bytes that one end of f sent. Each end is counted on the
// interface it was first seen on.
func (e *engine) count(f *flow, from, n int) {
	if e.tracking() && n > 0 && (e.source != 0 || f.track != nil) { // 0 is where a capture tells of no other interface
		t := e.trackOf(f)
		if t.source[from] == 0 {
			t.source[from] = e.source
		}
		if t.source[from] != e.source {
			return
		}
	}
	f.bytes[from] += uint64(n)
}

// trackOf returns the track of f, made where there is none, with the limits
// that the kernel starts with.
func (e *engine) trackOf(f *flow) *track {
	if f.track == nil {
		f.track = &track{flow: f.id, limit: [2]uint32{e.down, e.down}}
		f.track.limit[max(f.client, 0)] = e.up
	}
	return f.track
}

// more counts a datagram that is not read, of a connection that is known.
func (e *engine) more(p *link.Packet) {
	if !e.tracking() {
		return
	}
	var key flowKey
	from := keyOf(p, &key)
	if f := e.table.find(&key); f != nil {
		e.current = f
		e.table.touch(f, e.now)
		e.count(f, from, len(p.Payload)+p.Missing)
		e.current = nil
	}
}

// tell describes f for an observation; its bytes are those that none told yet.
func (e *engine) tell(f *flow) signatures.Flow {
	d := f.describe()
	if e.follow == nil {
		return d
	}
	t := e.trackOf(f)
	client := max(int(f.client), 0)
	d.BytesUp -= t.told[client]
	d.BytesDown -= t.told[1-client]
	t.told = f.bytes
	if t.due == 0 {
		e.watch(t)
		if e.letting {
			e.fresh = append(e.fresh, f.id)
		}
	}
	return d
}

// let lets go of the connections whose observations went out since the last
// call and that nobody follows. Over UDP there is little more to be learnt of
// one: its track goes altogether, and where its socket is used for a further
// connection that is followed, the bytes of both are that one's.
func (e *engine) let() {
	for _, id := range e.fresh {
		f := e.table.at(id)
		if t := f.track; t != nil && t.due != 0 && !e.follow(f.describe()) {
			e.unwatch(t)
			if e.kernel == nil && f.key.protocol == link.UDP {
				f.track = nil
			}
		}
	}
	e.fresh = e.fresh[:0]
}

// watch puts t behind those to tell of again.
func (e *engine) watch(t *track) {
	t.due = e.now + int64(continueEvery)
	t.older, t.newer = e.newest, nil
	if e.newest != nil {
		e.newest.newer = t
	} else {
		e.oldest = t
	}
	e.newest = t
}

func (w *follower) unwatch(t *track) {
	if t.due == 0 {
		return
	}
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		w.oldest = t.newer
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		w.newest = t.older
	}
	t.due, t.older, t.newer = 0, nil, nil
}

// resume tells what f carried since the last observation of it, where one went
// out and there is something to tell.
func (e *engine) resume(f *flow, at int64) {
	t := f.track
	if t == nil || t.due == 0 || e.follow == nil {
		return
	}
	if e.sync(f) {
		at = e.now
	}
	client := max(int(f.client), 0)
	up, down := f.bytes[client]-t.told[client], f.bytes[1-client]-t.told[1-client]
	if up == 0 && down == 0 {
		return
	}
	t.told = f.bytes
	e.tally[continuations]++
	o := signatures.Observation{Sensor: sensorName, Kind: signatures.KindFlow, Time: time.Unix(0, at).UTC(), Continued: true, Flow: f.describe()}
	o.Flow.BytesUp, o.Flow.BytesDown = up, down
	e.pending = append(e.pending, o)
}

// resumeDue tells of the connections that go on, each once a minute; those
// that nobody follows are let go.
func (e *engine) resumeDue() {
	for t := e.oldest; t != nil && e.now >= t.due; t = e.oldest {
		e.unwatch(t)
		f := e.table.at(t.flow)
		if e.follow(f.describe()) {
			t.due = e.now
			e.resume(f, f.last)
			e.watch(t)
		}
	}
}

// untrack ends the track of f, which is about to be removed.
func (e *engine) untrack(f *flow) {
	if f.track != nil {
		e.unwatch(f.track)
	}
}

// keyAt is the kernel's key of f on an interface.
func (f *flow) keyAt(index int) capture.FlowKey {
	return capture.FlowKey{
		First: f.key.first, Second: f.key.second, FirstPort: f.key.firstPort, SecondPort: f.key.secondPort,
		Where: capture.Where(index, uint8(f.key.protocol)),
	}
}

// counted reports whether the kernel counts what an end sends, and where.
func (e *engine) counted(t *track, end int) (index int, ok bool) {
	index = t.source[end]
	if index == 0 {
		index = t.source[1-end]
	}
	return index, e.kernel != nil && index != 0 && e.counts(index)
}

// sync takes over what the kernel counted, and reports whether that grew: f is
// then not idle.
func (e *engine) sync(f *flow) (grew bool) {
	t := f.track
	for end := range t.source {
		index, ok := e.counted(t, end)
		if !ok {
			continue
		}
		now, err := e.kernel.Counts(f.keyAt(index))
		if err != nil {
			if !errors.Is(err, capture.ErrNoFlow) {
				e.tally[filterErrors]++
			}
			continue
		}
		since := now.Bytes[end]
		if since >= t.read[end] { // else the kernel forgot the connection, and counted anew
			since -= t.read[end]
		}
		t.read[end] = now.Bytes[end]
		t.total[end] += since
		grew = grew || since > 0
		f.bytes[end] = max(f.bytes[end], t.total[end])
	}
	if grew {
		e.table.touch(f, e.now)
	}
	return grew
}

// steer tells the kernel what else of f is to reach this engine: nothing of an
// end that is not read any more, all of one whose protocol carries names
// throughout. Where the kernel has stopped already, what there is is read.
func (e *engine) steer(f *flow) {
	t := f.track
	if t == nil || e.kernel == nil {
		return
	}
	limit := t.limit
	for end := range limit {
		if _, ok := e.counted(t, end); !ok || limit[end] == 0 {
			continue
		}
		switch {
		case f.ignored[end]:
			limit[end] = 0
		case f.half[end] != nil && f.half[end].keeps():
			limit[end] = capture.PassAll
		case limit[end] != capture.PassAll && f.bytes[end] >= uint64(limit[end]):
			e.tally[directionsLeft]++
			e.drain(f, end)
			e.table.dropHalf(f, end)
			e.table.account(f)
			f.ignored[end] = true
			limit[end] = 0
		}
	}
	if limit == t.limit {
		return
	}
	t.limit = limit
	for end, index := range t.source {
		if index == 0 || end == 1 && index == t.source[0] || !e.counts(index) {
			continue
		}
		if e.kernel.Limit(f.keyAt(index), limit) != nil {
			e.tally[filterErrors]++
		}
	}
}

// keeps reports whether an end speaks a protocol that gives names throughout.
func (h *half) keeps() bool {
	switch h.mode {
	case modeStart, modeSearch, modeTLS:
		return false
	}
	return true
}
