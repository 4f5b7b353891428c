// Package pipeline is the agent's straight line: an observation is matched,
// its owner looked up, the match folded over a window, and the finding handed
// to the sink that stores it.
//
//	Emit: observation -> Set.Match -> owner -> fold
//	Run:  folds that are new or whose window ended -> sink
//
// What matches nothing goes no further than a counter: an unmatched name never
// leaves the host. What an application says of itself always matches: where no
// signature knows what it names, it is an unknown AI service by its own word. A fingerprint's first sighting reaches the sink within two
// seconds, as revision 1 of a finding; the end of the window brings the final
// counts as a higher revision of the same finding id, unless nothing was added.
// Windows are aligned to the wall clock, except that a window never starts at
// an instant that an earlier window of this process started at, nor before the
// process did: two windows therefore never share a finding id, and the counts
// of all findings add up whatever the clock does and however often the agent
// starts.
//
// What comes from a sensor that reads its source again after a crash (Checkpoint)
// is stored together with that sensor's positions and not in between, so that
// what is read again was not stored and what was stored is not read again.
//
// The bytes that a connection carries after it was observed come as Continued
// observations. They are added to the findings of its last observation, without
// matching or attributing again, and are no further use. Where the window of
// those has ended, the use goes on in the current one: a connection that
// carries bytes in a window counts once there. As many connections are followed
// as folds may be open.
//
// The asset of a finding is its signature's, except for model files: there the
// signature says no more than the format, and the asset is the model. Its key
// is "model:sha256:<hex>" where a digest is known, else
// "model:<publisher>/<name>" where the header tells both, else
// "model:header:<hash>" over format, size and header facts, which follows the
// same file across hosts and names. A model file is reported once, as the
// model; that its place also fits an app or a store is that thing's own finding.
//
// The package may import signatures, proto/finding, proto/genai and
// agent/internal/sensor.
// It does not encode, store or send, and knows no sensor.
package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Sink takes findings over, in order, and returns how many of them are done
// with; the rest is handed in again later. It is called by one goroutine at a
// time.
type Sink func([]finding.Finding) (stored int, err error)

// Owner answers whose a connection is. reason says why the process is not
// known, "" where it is; the user may be known all the same.
type Owner func(signatures.Flow) (process signatures.Process, reason string)

// Deps is what a pipeline works with.
type Deps struct {
	Set   *signatures.Set // to begin with, see Use
	Agent Agent
	// Owner may be nil; OwnerUnknown is then the reason that findings give.
	Owner        Owner
	OwnerUnknown string
	// Server answers which program of this host a connection leads to, "not
	// ok" for one that leads elsewhere. It may be nil: proxies are then not
	// told.
	Server     func(signatures.Flow) (process signatures.Process, ok bool)
	Sink       Sink
	Log        *slog.Logger
	Checkpoint *Checkpoint // nil where no sensor reads again what was not stored
}

// Agent is what every finding says of the agent and its host.
type Agent struct {
	ID, HostName, HostID, OS, Channel string
}

// Pipeline turns observations into findings. Emit is safe for concurrent use.
type Pipeline struct {
	config   Config
	deps     Deps
	using    atomic.Pointer[inUse]
	clock    clock
	rooms    sync.Pool // of *[signatures.MaxMatches]signatures.Match
	counters counters
	proxies  proxies
	started  time.Time

	flushing sync.Mutex // one flush at a time

	mu      sync.Mutex // guards what follows
	folds   folds
	flows   flows
	windows windows
	closing []*fold       // ended, their last counts not yet stored
	marked  time.Duration // of the clock: when the last checkpoint was kept
	trouble string        // why the sink does not take findings, "" where it does
	wake    chan struct{}
}

// New returns a pipeline; it starts nothing.
func New(config Config, deps Deps) (*Pipeline, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if deps.Set == nil || deps.Sink == nil || deps.Log == nil {
		return nil, errors.New("pipeline: set, sink and log are needed")
	}
	return newWithClock(config, deps, systemClock()), nil
}

func newWithClock(config Config, deps Deps, clock clock) *Pipeline {
	p := &Pipeline{
		config: config, deps: deps, clock: clock,
		started: clock.wall(), folds: newFolds(config.MaxFolds, config.Offline), flows: newFlows(config.MaxFolds), wake: make(chan struct{}, 1),
	}
	p.Use(deps.Set)
	p.windows = newWindows(config.Window, clock)
	if deps.Checkpoint != nil {
		p.folds.hold = deps.Checkpoint.Sensor
		p.marked = clock.since() - deps.Checkpoint.Every
	}
	p.rooms.New = func() any { return new([signatures.MaxMatches]signatures.Match) }
	return p
}

// Emit takes one observation: the first half of the line. It is a sensor.Emit.
func (p *Pipeline) Emit(o signatures.Observation) {
	defer p.guard(o.Kind)
	if o.Continued {
		p.resume(&o)
		return
	}
	p.settle(&o)
	room := p.rooms.Get().(*[signatures.MaxMatches]signatures.Match)
	defer p.rooms.Put(room)
	using := p.using.Load()
	matches := p.unsuppressed(using, &o, p.match(using.set, &o, room))
	if len(matches) == 0 {
		return
	}
	whose := p.attribute(&o)
	folded := make([]*fold, 0, len(matches))
	for i := range matches {
		folded = append(folded, p.fold(p.build(using.set, &o, &matches[i], whose), o.Time))
	}
	p.follow(&o, folded)
	if p.config.Offline {
		p.makeRoom()
	}
}

// match asks the catalogue, and counts.
func (p *Pipeline) match(set *signatures.Set, o *signatures.Observation, room *[signatures.MaxMatches]signatures.Match) []signatures.Match {
	p.counters.observed(o.Kind)
	if o.OS == "" && !isNetwork(o.Kind) {
		o.OS = p.deps.Agent.OS
	}
	if o.Kind == signatures.KindApplication {
		return p.applicationMatch(set, o, room)
	}
	matches := set.Match(o, room[:0])
	if o.Kind == signatures.KindModelFile {
		matches = p.modelMatch(o, matches, room)
	}
	if len(matches) == 0 {
		p.counters.unmatched.Add(1)
	}
	p.counters.matches.Add(uint64(len(matches)))
	return matches
}

// attribution is what was found out about whose a connection is, beside the
// process in the observation.
type attribution struct {
	unknown string // why the process is not known, "" where it is
	via     string // the local proxy that was asked
	clients string // the programs that asked this one, which is a proxy
}

// attribute fills in the process of a matched network observation, or of the
// application that spoke over a connection.
func (p *Pipeline) attribute(o *signatures.Observation) (whose attribution) {
	if !isNetwork(o.Kind) && (o.Kind != signatures.KindApplication || !o.Flow.Client.IsValid()) {
		return attribution{}
	}
	if o.Remote {
		whose.unknown = "not_local" // and nobody is asked
	} else if p.deps.Owner == nil {
		whose.unknown = p.deps.OwnerUnknown
	} else {
		o.Process, whose.unknown = p.deps.Owner(o.Flow)
	}
	p.counters.owner(whose.unknown)
	if p.deps.Server != nil && !o.Remote && isNetwork(o.Kind) {
		p.proxy(o, &whose)
	}
	return whose
}

// fold adds one sighting to the fold of its fingerprint.
func (p *Pipeline) fold(f finding.Finding, at time.Time) *fold {
	if at.IsZero() {
		at = p.clock.wall()
	}
	at = at.UTC().Round(0)
	f.FirstSeen, f.LastSeen, f.Count = at, at, max(1, f.Count)
	f.Fingerprint = finding.ComputeFingerprint(&f)

	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.config.Offline {
		p.roll()
	}
	return p.put(f)
}

// put adds f to the open fold of its fingerprint, or opens one.
func (p *Pipeline) put(f finding.Finding) *fold {
	p.place(&f)
	if open := p.folds.add(f); open != nil {
		return open
	}
	if p.folds.full() {
		p.overflow()
		p.place(&f)
	}
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	defer p.wakeUp()
	return p.folds.open(f)
}

// Run is the second half of the line: it hands findings to the sink until ctx
// ends, and then all that are still open. It sleeps while nothing is folded.
func (p *Pipeline) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	backoff := p.config.FirstFlush
	for {
		wait := time.Hour
		if open, err := p.flush(false); err != nil {
			backoff = min(backoff*2, p.config.maxBackoff())
			wait = backoff
		} else {
			backoff = p.config.FirstFlush
			wait = p.untilDue(open)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return p.Flush()
		case <-timer.C:
			continue
		case <-p.wake:
		}
		// A new fingerprint: give its companions a moment to arrive too.
		timer.Reset(max(backoff, p.config.FirstFlush))
		select {
		case <-ctx.Done():
			return p.Flush()
		case <-timer.C:
		}
	}
}

// Flush ends every window and hands everything to the sink. It tries three
// times; what the sink still refuses is lost, counted, and told by the error.
func (p *Pipeline) Flush() error {
	var err error
	for try := range 3 {
		if try > 0 {
			time.Sleep(p.config.FirstFlush / 2)
		}
		if _, err = p.flush(true); err == nil {
			return nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counters.lost.Add(uint64(len(p.closing)))
	p.closing = nil
	return err
}

// flush hands to the sink what is due: ended folds that have counts to add,
// and open folds that were never stored. open says whether folds stay open.
func (p *Pipeline) flush(end bool) (open bool, err error) {
	p.flushing.Lock()
	defer p.flushing.Unlock()
	due, batch, grown, commit := p.collect(end)
	stored := 0
	if len(batch) > 0 {
		stored, err = p.deps.Sink(batch)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range due[:stored] {
		f.stored, f.Revision = grown[i], batch[i].Revision
	}
	p.counters.findings.Add(uint64(stored))
	p.folds.putBackFresh(due[stored:])
	p.closing = dropStored(p.closing)
	p.report(err)
	if err == nil && commit != nil {
		commit()
		p.marked = p.clock.since()
		p.counters.checkpoints.Add(1)
	}
	return p.folds.count() > 0, err
}
