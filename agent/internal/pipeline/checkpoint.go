package pipeline

import (
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// Checkpoint ties the positions of a sensor to the findings of what it read up
// to them. Its folds reach the sink at checkpoints alone, and each with all it
// holds: the first use after a quiet time within two seconds, further ones every
// Every, and at the end of a window.
type Checkpoint struct {
	Sensor string        // whose observations are read again when they were not stored
	Every  time.Duration // at least this long between two checkpoints, but for the end of a window
	// Mark calls still while the sensor hands nothing over, and returns what
	// keeps the positions that it had then; nil where there is nothing to keep.
	// It is called by one goroutine at a time, also after the sensor has ended.
	Mark func(still func()) (keep func())
}

// collect takes what is due: ended folds that have counts to add, and open ones
// that were never stored; at a checkpoint also what the held sensor added to
// open ones. grown is how far each had grown then; keep is nil but at a
// checkpoint.
func (p *Pipeline) collect(end bool) (due []*fold, batch []finding.Finding, grown []uint64, keep func()) {
	p.mu.Lock()
	if !end && !p.config.Offline {
		p.roll()
	}
	checkpoint := p.checkpointDue(end)
	p.mu.Unlock()
	take := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if end {
			p.close(p.folds.takeAll())
			p.windows.restart()
		}
		due = slices.Concat(p.closing, p.folds.takeFresh())
		if checkpoint {
			due = append(due, p.folds.takeHeld()...)
		} else {
			due = slices.DeleteFunc(due, p.folds.held)
		}
		batch, grown = make([]finding.Finding, len(due)), make([]uint64, len(due))
		for i, f := range due {
			batch[i], grown[i] = f.snapshot(), f.grown
		}
	}
	if checkpoint {
		keep = p.deps.Checkpoint.Mark(take)
	} else {
		take()
	}
	return due, batch, grown, keep
}

// checkpointDue reports whether the next flush is a checkpoint: when it is time,
// at the end, and when a held fold has ended.
func (p *Pipeline) checkpointDue(end bool) bool {
	c := p.deps.Checkpoint
	if c == nil {
		return false
	}
	return end || p.clock.since()-p.marked >= c.Every || slices.ContainsFunc(p.closing, p.folds.held)
}

// untilDue is how long nothing has to be stored, if nothing comes in: until the
// end of the window where folds are open, and until the next checkpoint.
func (p *Pipeline) untilDue(open bool) time.Duration {
	wait := time.Hour
	if open {
		wait = p.untilEnd()
	}
	if c := p.deps.Checkpoint; c != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		wait = min(wait, max(c.Every-(p.clock.since()-p.marked), p.config.FirstFlush/10))
	}
	return wait
}
