package pipeline

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// connection names a connection as observations do.
type connection struct {
	protocol       string
	client, server netip.AddrPort
}

func connectionOf(f *signatures.Flow) connection { return connection{f.Protocol, f.Client, f.Server} }

// followed is a connection whose last observation matched.
type followed struct {
	key          connection
	folds        []*fold // one for each match; they may have ended
	older, newer *followed
}

// flows remembers which folds the further bytes of a connection belong to; the
// least recently used is forgotten. Its owner guards it.
type flows struct {
	max            int
	byKey          map[connection]*followed
	oldest, newest *followed
}

func newFlows(max int) flows { return flows{max: max, byKey: make(map[connection]*followed)} }

// find returns a connection and marks it as used; nil where it is not known.
func (s *flows) find(key connection) *followed {
	f := s.byKey[key]
	if f != nil && s.newest != f {
		s.unlink(f)
		s.link(f)
	}
	return f
}

// put remembers the folds of a connection, and reports whether another one was
// forgotten for it.
func (s *flows) put(key connection, folds []*fold) (evicted bool) {
	if f := s.find(key); f != nil {
		f.folds = folds
		return false
	}
	if evicted = len(s.byKey) >= s.max; evicted {
		s.remove(s.oldest)
	}
	f := &followed{key: key, folds: folds}
	s.byKey[key] = f
	s.link(f)
	return evicted
}

func (s *flows) remove(f *followed) {
	s.unlink(f)
	delete(s.byKey, f.key)
}

func (s *flows) link(f *followed) {
	f.older, f.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = f
	} else {
		s.oldest = f
	}
	s.newest = f
}

func (s *flows) unlink(f *followed) {
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		s.oldest = f.newer
	}
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		s.newest = f.older
	}
}

// followable reports whether an observation is of a connection that may go on.
// A DNS lookup is answered, and over; a log tells of a connection once.
func followable(o *signatures.Observation) bool {
	return isNetwork(o.Kind) && !o.Remote && o.Kind != signatures.KindDNS && o.Flow.Client.IsValid()
}

// Follows reports whether further bytes of a connection would count.
func (p *Pipeline) Follows(f signatures.Flow) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flows.byKey[connectionOf(&f)] != nil
}

// settle gives the bytes that came since the last observation of a connection
// to that one, before the next is matched. Where its window is over they are
// left to the next, which is a use in this window by itself.
func (p *Pipeline) settle(o *signatures.Observation) {
	if !followable(o) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows.byKey[connectionOf(&o.Flow)]
	if f == nil {
		return
	}
	at := p.timeOf(o)
	if !slices.ContainsFunc(f.folds, func(to *fold) bool { return !p.current(to, at) }) {
		p.carry(f, o, at)
		o.Flow.BytesUp, o.Flow.BytesDown = 0, 0
	}
	p.flows.remove(f) // what comes now belongs to this observation
}

// follow remembers where the further bytes of a matched connection belong.
func (p *Pipeline) follow(o *signatures.Observation, folds []*fold) {
	if !followable(o) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flows.put(connectionOf(&o.Flow), folds) {
		p.counters.followedEvicted.Add(1)
	}
}

// resume takes the further bytes of a connection.
func (p *Pipeline) resume(o *signatures.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows.find(connectionOf(&o.Flow))
	if f == nil {
		p.counters.continuedUnmatched.Add(1)
		return
	}
	p.counters.continued.Add(1)
	p.carry(f, o, p.timeOf(o))
}

// carry adds the bytes of o to the folds of f. A fold that has ended is opened
// again in the current window.
func (p *Pipeline) carry(f *followed, o *signatures.Observation, at time.Time) {
	for i, to := range f.folds {
		if p.current(to, at) {
			to.carry(o.Flow.BytesUp, o.Flow.BytesDown, at)
			p.folds.touched(to)
			continue
		}
		again := to.snapshot()
		again.Revision, again.Count = 0, 1
		again.FirstSeen, again.LastSeen = at, at
		again.BytesUp, again.BytesDown = o.Flow.BytesUp, o.Flow.BytesDown
		f.folds[i] = p.put(again)
	}
}

// timeOf is when o was seen; the window is then that of now.
func (p *Pipeline) timeOf(o *signatures.Observation) time.Time {
	at := o.Time
	if at.IsZero() {
		at = p.clock.wall()
	}
	if !p.config.Offline {
		p.roll()
	}
	return at.UTC().Round(0)
}

// current reports whether what is seen at a time belongs into a fold. Offline,
// folds of several windows are open together.
func (p *Pipeline) current(f *fold, at time.Time) bool {
	return !f.ended && (!p.config.Offline || at.Before(f.WindowEnd))
}
