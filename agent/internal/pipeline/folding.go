package pipeline

import (
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Find is Emit for a look at one observation: it returns its findings, without
// counts, window and id, and folds nothing. What is suppressed is found all the
// same: who looks by hand sees all.
func (p *Pipeline) Find(o signatures.Observation) (found []finding.Finding) {
	defer p.guard(o.Kind)
	set := p.using.Load().set
	matches := p.match(set, &o, new([signatures.MaxMatches]signatures.Match))
	if len(matches) == 0 {
		return nil
	}
	whose := p.attribute(&o)
	for i := range matches {
		found = append(found, p.build(set, &o, &matches[i], whose))
	}
	return found
}

// makeRoom hands ended folds to the sink from within Emit: nobody minds a
// reader of captures that waits, and nothing is lost.
func (p *Pipeline) makeRoom() {
	p.mu.Lock()
	waiting := len(p.closing)
	p.mu.Unlock()
	if waiting > p.config.MaxFolds/2 {
		// A refusal is counted, and told by the last Flush.
		_, _ = p.flush(false)
	}
}

// place puts f into the current window, offline into that of its own time.
func (p *Pipeline) place(f *finding.Finding) {
	f.WindowStart, f.WindowEnd = p.windows.start, p.windows.end
	if p.config.Offline {
		f.WindowStart = f.FirstSeen.Truncate(p.config.Window)
		f.WindowEnd = f.WindowStart.Add(p.config.Window)
	}
}

// roll ends the window when its time is over, or when the clock jumped back.
func (p *Pipeline) roll() {
	ended, jumped := p.windows.roll()
	if jumped {
		p.counters.clockJumps.Add(1)
	}
	if ended {
		p.close(p.folds.takeAll())
	}
}

// overflow ends the quarter of the folds that was not seen for longest, early.
func (p *Pipeline) overflow() {
	evicted := p.folds.takeOldest(p.config.MaxFolds/4 + 1)
	p.counters.earlyFlushes.Add(uint64(len(evicted)))
	p.close(evicted)
	p.windows.restart()
}

// close moves ended folds to those that wait for their last flush. Their number
// is bounded: when the sink takes nothing for long, the oldest are lost and
// counted.
func (p *Pipeline) close(ended []*fold) {
	for _, f := range ended {
		if f.stored == f.grown {
			p.counters.finalsUnneeded.Add(1)
			continue
		}
		p.closing = append(p.closing, f)
	}
	if over := len(p.closing) - 2*p.config.MaxFolds; over > 0 {
		p.counters.lost.Add(uint64(over))
		p.closing = append(p.closing[:0:0], p.closing[over:]...)
	}
	p.wakeUp()
}

func (p *Pipeline) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// dropStored keeps the folds that have something left to store.
func dropStored(closing []*fold) []*fold {
	kept := closing[:0:0]
	for _, f := range closing {
		if f.stored < f.grown {
			kept = append(kept, f)
		}
	}
	return kept
}

// report counts a failed flush, and logs when trouble starts and ends.
func (p *Pipeline) report(err error) {
	switch {
	case err != nil:
		p.counters.sinkErrors.Add(1)
		if p.trouble == "" {
			p.deps.Log.Error("findings cannot be stored, trying again", "error", err)
		}
		p.trouble = err.Error()
	case p.trouble != "":
		p.trouble = ""
		p.deps.Log.Info("findings can be stored again")
	}
}

// untilEnd is how long the current window still lasts.
func (p *Pipeline) untilEnd() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.windows.left()
}

// guard keeps a fault in the handling of one observation from ending the agent.
func (p *Pipeline) guard(kind signatures.Kind) {
	if r := recover(); r != nil {
		if p.counters.panics.Add(1) == 1 {
			p.deps.Log.Error("an observation was dropped because its handling failed; further ones are only counted", "kind", kind, "fault", r)
		}
	}
}
