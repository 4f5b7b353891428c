package network

import (
	"hash/maphash"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/http2"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
	"github.com/gnomon-ai/gnomon/signatures"
)

// engine turns frames into observations. Its clock is the frames' own. It is
// used by one goroutine at a time.
type engine struct {
	tally
	follower
	limits  Limits
	walker  link.Walker
	table   *table
	answers *answers
	aliases recent[told, alias]      // name that a client asked for, by what it was told to ask for instead
	outer   recent[told, publicName] // names behind the public name of encrypted hellos
	veils   veils
	preface preface // at work
	asked   recentQueries
	scratch []byte // a ClientHello that is spread over records
	ja4     tls.JA4
	block   []byte // an HTTP/2 header block that is spread over frames
	http2   http2.Request

	quicOpener quic.Opener
	quicPacket quic.Packet
	quicNumber uint64 // number of the packet that was opened last
	seed       maphash.Seed

	pending  []signatures.Observation
	packet   link.Packet
	now      int64          // Unix nanoseconds of the newest frame; it never goes back
	at       int64          // of the frame at work
	due      int64          // no flow is idle before
	openings []*quicOpening // to be used again
	current  *flow          // the one at work, dropped where decoding fails
	opened   func(signatures.Flow)
}

func newEngine(limits Limits) *engine {
	fragments := link.DefaultFragmentLimits()
	fragments.Bytes = limits.FragmentBytes
	return &engine{
		limits:  limits,
		walker:  link.Walker{Fragments: link.NewFragments(fragments)},
		table:   newTable(limits),
		answers: newAnswers(limits.Answers),
		aliases: newRecent[told, alias](rememberedNames),
		outer:   newRecent[told, publicName](rememberedNames),
		veils:   newVeils(),
		scratch: make([]byte, tls.MaxHello),
		seed:    maphash.MakeSeed(),
	}
}

// take hands out what was observed since the last call; the slice is valid
// until the next frame.
func (e *engine) take() []signatures.Observation {
	list := e.pending
	e.pending = e.pending[:0]
	return list
}

var outcomeCounters = [link.Outcomes]counter{
	link.NotIP: framesNotIP, link.OtherIP: framesOtherIP, link.Held: framesHeld, link.Malformed: framesMalformed,
	link.Cut: framesHeaderCut, link.TooDeep: framesTooDeep, link.UnknownLink: framesUnknownLink,
	link.Quoted: framesQuoted, link.Encrypted: framesEncrypted, link.Protected: framesProtected,
}

// frame takes one frame. A failure of a decoder is counted, and costs the
// connection it happened in and no other.
func (e *engine) frame(f *capture.Frame) {
	defer e.recover()
	e.tally[packets]++
	e.tally[packetBytes] += uint64(f.Length)
	if f.Length > len(f.Data) {
		e.tally[framesCut]++
	}
	e.at = f.Time.UnixNano()
	e.now = max(e.now, e.at)
	e.source = f.Interface
	p := &e.packet
	if outcome := e.walker.Walk(f.Link, f.Data, f.Length, e.now, p); outcome != link.Found {
		e.tally[outcomeCounters[outcome]]++
		switch outcome {
		case link.Quoted:
			e.quoted(p)
		case link.Encrypted:
			e.vpn(p)
		}
		return
	}
	if p.Protocol == link.TCP {
		e.tcp(p)
	} else {
		e.udp(p)
	}
	e.expire(4)
}

func (e *engine) recover() {
	cause := recover()
	if cause == nil {
		return
	}
	e.tally[panics]++
	if f := e.current; f != nil && e.table.find(&f.key) == f {
		e.untrack(f)
		e.table.remove(f)
	}
	e.current = nil
}

// flush closes all that is open, as at the end of a capture.
func (e *engine) flush() {
	e.at = e.now
	e.walker.Fragments.Flush()
	for {
		f := e.table.oldest(openQueue)
		if f == nil {
			f = e.table.oldest(openingQueue)
		}
		if f == nil {
			return
		}
		e.closeGuarded(f, flowsClosed)
	}
}

// closeGuarded closes a flow that is not the one at work.
func (e *engine) closeGuarded(f *flow, why counter) {
	defer e.recover()
	e.current = f
	e.close(f, why)
	e.current = nil
}

// tick ages what is open; live capture calls it when no frame comes.
func (e *engine) tick(now int64) {
	e.now = max(e.now, now)
	e.at = e.now
	e.expire(1 << 20)
}

// expire closes idle flows, at most as many as given.
func (e *engine) expire(most int) {
	e.resumeDue()
	if e.now < e.due {
		return
	}
	for range most {
		if !e.expireOldest(openingQueue, e.limits.OpeningTimeout) && !e.expireOldest(openQueue, e.limits.IdleTimeout) {
			e.due = e.nextExpiry()
			return
		}
	}
}

// expireOldest closes the flow at the old end of a queue where it is idle. One
// whose packets stay in the kernel is not.
func (e *engine) expireOldest(q int, timeout time.Duration) bool {
	f := e.table.oldest(q)
	if f == nil || e.now-f.last <= int64(timeout) {
		return false
	}
	if f.track != nil && e.sync(f) {
		return true
	}
	e.closeGuarded(f, flowsIdle)
	return true
}

// nextExpiry is a time before which no flow is idle: that of the oldest ones,
// and of one that opens now.
func (e *engine) nextExpiry() int64 {
	opening, open := int64(e.limits.OpeningTimeout), int64(e.limits.IdleTimeout)
	next := e.now + min(opening, open)
	if f := e.table.oldest(openingQueue); f != nil {
		next = min(next, f.last+opening)
	}
	if f := e.table.oldest(openQueue); f != nil {
		next = min(next, f.last+open)
	}
	return next + 1
}

// open makes a flow and room for it.
func (e *engine) open(key flowKey, opening bool) *flow {
	for e.table.full() {
		f := e.table.victim()
		if f == nil {
			break
		}
		e.closeGuarded(f, flowsEvicted)
	}
	e.tally[flowsOpened]++
	e.current = e.table.add(key, opening, e.now)
	return e.current
}
