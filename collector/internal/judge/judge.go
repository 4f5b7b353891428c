// Package judge runs reconcile over what the store and the state hold:
//
//	inventory revision + usage --> reconcile (pure) --> verdicts
//
// This file reads top to bottom in that order. Each usage has two verdicts. The
// one at the event holds every finding against the inventory and the directory
// that were in force when its window began; it changes only while findings are
// still added to the usage. The current one holds the same usage against the
// newest inventory and directory; every change of it is recorded.
//
// It may import store, state, inventory and reconcile. It decides nothing
// itself: what a usage is, is store's; what a verdict is, is reconcile's.
package judge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
)

// State holds the inventory and the directory; *state.State is one.
type State interface {
	InventoryRevisions(ctx context.Context) ([]state.Revision, error)
	InventoryRevision(ctx context.Context, number int64) (state.Revision, *inventory.Document, error)
	DirectorySnapshots(ctx context.Context) ([]state.Revision, error)
	DirectoryAt(ctx context.Context, at time.Time) (state.Revision, *inventory.Directory, error)
}

// Store holds usage and verdicts; *store.Store is one.
type Store interface {
	Watermark(ctx context.Context) (time.Time, error)
	ChangedUsageDays(ctx context.Context, since time.Time, each func(store.ChangedDay) error) error
	UsageSegments(ctx context.Context, filter store.SegmentFilter, revisionTimes []time.Time, each func(store.UsageSegment) error) error
	Verdicts(ctx context.Context, filter store.VerdictFilter, each func(store.VerdictRow) error) error
	UpsertVerdicts(ctx context.Context, verdicts []store.VerdictRow) error
	InsertVerdictChanges(ctx context.Context, changes []store.VerdictChange) error
}

// Judge keeps the verdicts up to date. New starts nothing.
type Judge struct {
	config  Config
	store   Store
	state   State
	log     *slog.Logger
	tracer  trace.Tracer
	metrics *metrics
	now     func() time.Time
	nudge   chan struct{}
	done    progress
}

// progress is how far the last complete pass came.
type progress struct {
	watermark time.Time // findings stored before it are judged
	inventory int64     // newest revision and snapshot that were applied
	directory int64
	started   bool
}

// New returns a judge.
func New(config Config, usages Store, declared State, meter metric.Meter, tracer trace.Tracer, log *slog.Logger) (*Judge, error) {
	m, err := newMetrics(meter)
	if err != nil {
		return nil, err
	}
	return &Judge{
		config: config, store: usages, state: declared, log: log, tracer: tracer, metrics: m, now: time.Now,
		nudge: make(chan struct{}, 1),
	}, nil
}

// Nudge starts a pass soon: something people changed waits for its verdicts.
func (j *Judge) Nudge() {
	select {
	case j.nudge <- struct{}{}:
	default:
	}
}

// Run judges until ctx ends. A pass that fails is logged and tried again: what
// it had not yet written is judged then.
func (j *Judge) Run(ctx context.Context) error {
	ticker := time.NewTicker(j.config.Interval)
	defer ticker.Stop()
	for {
		if err := j.Pass(ctx); err != nil && ctx.Err() == nil {
			j.metrics.failed.Add(ctx, 1)
			j.log.Warn("judging usage failed, it is tried again", "error", err, "again_in", j.config.Interval)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-j.nudge:
		case <-ticker.C:
		}
	}
}

// Pass judges every usage that changed since the last complete pass, or all of
// the lookback where the inventory or the directory changed. It is not safe
// for concurrent use.
func (j *Judge) Pass(ctx context.Context) error {
	ctx, span := j.tracer.Start(ctx, "judge.pass")
	defer span.End()
	started := j.now()
	watermark, err := j.store.Watermark(ctx)
	if err != nil {
		return err
	}
	inForce, err := j.loadInForce(ctx)
	if err != nil {
		return err
	}
	since := j.done.watermark
	cause := causeFindings
	if changed := j.changed(inForce); changed != "" {
		since, cause = time.Time{}, changed
	}
	var days []time.Time
	earliest := started.Add(-j.config.Lookback)
	if err := j.store.ChangedUsageDays(ctx, since, func(d store.ChangedDay) error {
		if d.Day.After(earliest) {
			days = append(days, d.Day)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, day := range days {
		if err := j.judgeDay(ctx, inForce, day, since, cause); err != nil {
			return fmt.Errorf("judging %s: %w", day.Format(time.DateOnly), err)
		}
	}
	j.done = progress{watermark: watermark, inventory: inForce.newestInventory(), directory: inForce.newestDirectory(), started: true}
	j.metrics.pass(ctx, j.now().Sub(started))
	return nil
}

// Why a current verdict changed.
const (
	causeFindings  = "findings"
	causeInventory = "inventory"
	causeDirectory = "directory"
)

// changed says what people changed since the last complete pass, "" for
// nothing. Before the first pass everything counts as new findings.
func (j *Judge) changed(f *inForce) string {
	switch {
	case !j.done.started:
		return ""
	case f.newestInventory() != j.done.inventory:
		return causeInventory
	case f.newestDirectory() != j.done.directory:
		return causeDirectory
	}
	return ""
}

// batch is how many verdicts are written at a time.
const batch = 10_000

// judgeDay judges the usages of one day that changed since an instant, or all
// of them where it is zero. Their stored verdicts are in memory for its length.
func (j *Judge) judgeDay(ctx context.Context, f *inForce, day, since time.Time, cause string) error {
	next := day.Add(24 * time.Hour)
	before := map[usageKey]store.VerdictRow{}
	if err := j.store.Verdicts(ctx, store.VerdictFilter{SinceDay: day, UntilDay: next, FindingsSince: since}, func(row store.VerdictRow) error {
		before[usageKey{row.AssetKey, row.Host, row.User}] = row
		return nil
	}); err != nil {
		return err
	}
	w := writer{judge: j, cause: cause}
	var open []store.UsageSegment
	judgeOpen := func() error {
		if len(open) == 0 {
			return nil
		}
		key := keyOf(&open[0])
		previous, known := before[key]
		row, err := j.judgeUsage(ctx, f, open, previous, known)
		if err != nil {
			return err
		}
		open = open[:0]
		return w.add(ctx, row, previous, known)
	}
	filter := store.SegmentFilter{SinceDay: day, UntilDay: next, ChangedSince: since}
	if err := j.store.UsageSegments(ctx, filter, f.revisionTimes(), func(s store.UsageSegment) error {
		if len(open) > 0 && keyOf(&s) != keyOf(&open[0]) {
			if err := judgeOpen(); err != nil {
				return err
			}
		}
		open = append(open, s)
		return nil
	}); err != nil {
		return err
	}
	if err := judgeOpen(); err != nil {
		return err
	}
	return w.flush(ctx)
}

type usageKey struct{ asset, host, user string }

func keyOf(s *store.UsageSegment) usageKey { return usageKey{s.AssetKey, s.Host, s.User} }
