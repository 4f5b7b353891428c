// Package heartbeat tells the collector at regular intervals what each part of
// the agent looked at and what it could not see: one coverage report a sensor,
// also for a sensor that is off, and one for each of the agent's own parts.
//
// It may import agent/internal/sensor and proto/finding. It stores through a
// function that main gives it and does not know the spool.
//
// Counters in reports are totals since the part started, so that a report that
// is left out loses nothing. Reports are therefore thinned out when they pile
// up unsent: below Config.MaxPending of them waiting every beat is stored,
// above it one an hour, and none above Config.MaxPending plus one an hour for
// two weeks. What is left out is counted.
package heartbeat

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// Config says how often the agent reports.
type Config struct {
	Interval   time.Duration `yaml:"interval"`
	MaxPending int           `yaml:"max_pending"` // reports that may wait unsent before they are thinned out
}

// DefaultConfig reports every minute.
func DefaultConfig() Config { return Config{Interval: time.Minute, MaxPending: 300} }

// Validate checks c; errors name the key of the configuration.
func (c Config) Validate() error {
	switch {
	case c.Interval < time.Second || c.Interval > time.Hour:
		return fmt.Errorf("interval: %v is not between 1s and 1h", c.Interval)
	case c.MaxPending < 1 || c.MaxPending > 100_000:
		return fmt.Errorf("max_pending: %d is not between 1 and 100000", c.MaxPending)
	}
	return nil
}

// sparse is the distance of reports while too many wait.
const sparse = time.Hour

// sparseBeats bounds the beats stored at that distance: two weeks.
const sparseBeats = 14 * 24

// Source is a part of the agent that reports.
type Source struct {
	Name     string
	Coverage func() sensor.Report
}

// Deps is what a heartbeat works with.
type Deps struct {
	Agent   finding.Coverage // agent, host, channel and version of every report
	Sources []Source
	Store   func([]finding.Coverage) (stored int, err error)
	Pending func() uint64 // reports stored and not yet delivered
	Log     *slog.Logger
}

// Heartbeat reports until its Run ends.
type Heartbeat struct {
	config Config
	deps   Deps
	now    func() time.Time
	last   time.Time // when a beat was stored
	failed bool

	stored, thinned, failures, panics atomic.Uint64
}

// New returns a heartbeat; it starts nothing.
func New(config Config, deps Deps) (*Heartbeat, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Heartbeat{config: config, deps: deps, now: time.Now}, nil
}

// Run beats soon after the start and then at every interval until ctx ends. The last beat
// is the caller's to ask for, with Beat, when everything has stopped.
func (h *Heartbeat) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(min(firstBeat, h.config.Interval)):
	}
	ticker := time.NewTicker(h.config.Interval)
	defer ticker.Stop()
	for {
		h.Beat()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// firstBeat is what the sensors get to start: a report before would call them
// off until the next one.
const firstBeat = 2 * time.Second

// Beat stores one report of every source, unless too many wait already. It is
// called by one goroutine at a time.
func (h *Heartbeat) Beat() {
	now := h.now()
	if !h.due(now) {
		h.thinned.Add(1)
		return
	}
	reports := h.Reports(now)
	if _, err := h.deps.Store(reports); err != nil {
		if h.failures.Add(1); !h.failed {
			h.deps.Log.Error("coverage cannot be stored, trying again with the next beat", "error", err)
		}
		h.failed = true
		return
	}
	h.failed = false
	h.last = now
	h.stored.Add(1)
}

// due says whether a beat is stored now.
func (h *Heartbeat) due(now time.Time) bool {
	pending, bound := h.deps.Pending(), uint64(h.config.MaxPending)
	switch {
	case pending < bound:
		return true
	case pending >= bound+sparseBeats*uint64(len(h.deps.Sources)+1):
		return false
	default:
		return now.Sub(h.last) >= sparse || now.Before(h.last)
	}
}

// Reports asks every source, and reports on the heartbeat itself.
func (h *Heartbeat) Reports(now time.Time) []finding.Coverage {
	all := make([]finding.Coverage, 0, len(h.deps.Sources)+1)
	for _, source := range h.deps.Sources {
		all = append(all, h.report(source.Name, h.ask(source), now))
	}
	return append(all, h.report("heartbeat", sensor.Report{State: sensor.On, Counters: h.Counters()}, now))
}

// ask guards against a source that fails: it is reported as degraded.
func (h *Heartbeat) ask(source Source) (r sensor.Report) {
	defer func() {
		if fault := recover(); fault != nil {
			h.panics.Add(1)
			r = sensor.Report{State: sensor.Degraded, Reason: fmt.Sprintf("its report failed (%v); restart the agent and report this", fault)}
		}
	}()
	return source.Coverage()
}

// report completes r to what travels.
func (h *Heartbeat) report(name string, r sensor.Report, now time.Time) finding.Coverage {
	c := h.deps.Agent
	c.Sensor, c.State, c.Reason = name, r.State, r.Reason
	c.Since, c.Until = r.Since.UTC(), now.UTC()
	if r.Since.IsZero() {
		c.Since = c.Until
	}
	c.Blind, c.Counters = r.Blind, r.Counters
	return c
}

// Counters returns the totals by name.
func (h *Heartbeat) Counters() map[string]uint64 {
	return map[string]uint64{
		"beats_stored": h.stored.Load(), "beats_thinned": h.thinned.Load(),
		"beats_failed": h.failures.Load(), "panics": h.panics.Load(),
	}
}
