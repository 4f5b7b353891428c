// Package ingest is the collector's straight line:
//
//	OTLP --> decode --> limits --> validate --> group commit --> insert is durable --> reply OK
//
// What applications say of their own use of AI joins it before the group commit,
// where it is matched and folded (uses.go).
//
// This file reads top to bottom in that order. The line holds nothing that was
// acknowledged: a request waits until the insert that carries it is durable,
// and requests that wait together share one insert. Overload has one answer,
// ErrOverloaded; there is no buffer without bound.
//
// It may import proto, signatures and the OTLP data library. It does not know how a
// request arrived (receive), what a store is made of (store), or what is
// sanctioned (reconcile).
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/metric"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Store keeps findings. Both calls return nil only when the rows are durable.
type Store interface {
	InsertFindings(ctx context.Context, list []finding.Finding) error
	InsertCoverage(ctx context.Context, list []finding.Coverage) error
}

// Errors that ask the sender to try again. A receiver maps them to its
// protocol's retryable codes.
var (
	ErrOverloaded  = errors.New("too many findings are waiting to be stored, send them again later")
	ErrUnavailable = errors.New("the store does not answer, send them again later")
	ErrStopping    = errors.New("the collector is stopping, send them again to the next one")
)

// Result says what became of a request's records.
type Result struct {
	Accepted int
	Rejected int
	Problem  string // the first refusal, in words; "" where none was refused
}

// Line is the straight line. New starts nothing; Run does the inserts.
type Line struct {
	config    Config
	store     Store
	permanent func(error) bool
	log       *slog.Logger
	metrics   *metrics
	now       func() time.Time
	catalogue *signatures.Set
	reader    *genai.Reader
	run       string // names this run of the collector
	folds     *folds // of the goroutine that inserts

	mu      sync.Mutex
	waiting []*request // in order of arrival
	queued  int        // findings and coverage reports in waiting and in the running insert
	stopped bool
	wake    chan struct{} // holds a token while waiting is not empty
}

// request is one caller's records on their way to an insert.
type request struct {
	findings []finding.Finding
	coverage []finding.Coverage
	told     []finding.Finding // what applications say, still to be folded
	gone     atomic.Bool       // the sender left, and is going to repeat what applications say
	refused  int               // records that the store refused for good
	done     chan error        // buffered: the insert never waits for its caller
}

func (r *request) size() int { return len(r.findings) + len(r.coverage) + len(r.told) }

// New returns a line over store. catalogue says which AI applications mean. permanent tells an insert error that no
// repetition will mend from one that time may.
func New(config Config, store Store, catalogue *signatures.Set, permanent func(error) bool, meter metric.Meter, log *slog.Logger) (*Line, error) {
	m, err := newMetrics(meter)
	if err != nil {
		return nil, err
	}
	return &Line{
		config: config, store: store, permanent: permanent, log: log, metrics: m, now: time.Now,
		catalogue: catalogue, reader: genai.NewReader(genai.DefaultLimits()), run: newRun(), folds: newFolds(config.Applications),
		wake: make(chan struct{}, 1),
	}, nil
}

// Accept takes one request and returns when its records are durable. Records
// that can never be taken are counted in Result; an error means that none of
// them is known to be stored and that the sender is to repeat the request.
func (l *Line) Accept(ctx context.Context, source Source, logs plog.Logs) (Result, error) {
	d := decode(logs, l.now().Add(l.config.ClockSkew), l.reader.Builder())
	l.metrics.recovers.Add(ctx, int64(d.recovers))
	l.metrics.reject(ctx, d.rejected)
	result := Result{Problem: d.firstProblem}
	for _, n := range d.rejected {
		result.Rejected += n
	}
	said := d.said.Batch()
	l.metrics.application(ctx, said.Stats)
	r := &request{findings: d.findings, coverage: d.coverage, told: l.tell(ctx, source, said.Uses), done: make(chan error, 1)}
	if r.size() == 0 {
		return result, nil
	}
	if err := l.wait(ctx, r); err != nil {
		return Result{}, err
	}
	if r.refused > 0 && result.Problem == "" {
		result.Problem = string(ReasonStore)
	}
	result.Rejected += r.refused
	result.Accepted = len(r.findings) + len(r.coverage) + int(said.Stats.Named) - r.refused
	return result, nil
}

// wait puts r in line and returns when it is durable.
func (l *Line) wait(ctx context.Context, r *request) error {
	if err := l.enqueue(r); err != nil {
		l.metrics.refuse(ctx, refusal(err))
		return err
	}
	select {
	case err := <-r.done:
		if err != nil {
			l.metrics.refuse(ctx, refusal(err))
		}
		return err
	case <-ctx.Done():
		r.gone.Store(true)
		l.metrics.refuse(ctx, "sender_gone")
		return fmt.Errorf("waiting for the insert: %w", ctx.Err())
	}
}

// enqueue puts r in line for the next insert, or refuses it. A request larger
// than the whole queue is taken when nothing else waits, or it could never be.
func (l *Line) enqueue(r *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrStopping
	}
	if l.queued > 0 && l.queued+r.size() > l.config.QueueFindings {
		return ErrOverloaded
	}
	l.queued += r.size()
	l.waiting = append(l.waiting, r)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// Run inserts what waits until ctx ends; then it refuses new requests, inserts
// what still waits, and returns.
func (l *Line) Run(ctx context.Context) error {
	for {
		select {
		case <-l.wake:
			l.linger(ctx)
			l.commit()
		case <-ctx.Done():
			l.mu.Lock()
			l.stopped = true
			l.mu.Unlock()
			for l.commit() {
			}
			return nil
		}
	}
}

// linger waits for company, unless a whole batch waits already.
func (l *Line) linger(ctx context.Context) {
	l.mu.Lock()
	full := l.queued >= l.config.BatchFindings
	l.mu.Unlock()
	if full || l.config.Linger == 0 {
		return
	}
	select {
	case <-time.After(l.config.Linger):
	case <-ctx.Done():
	}
}

// commit inserts one batch of waiting requests and answers them. It reports
// whether there were any.
func (l *Line) commit() bool {
	batch := l.take()
	if len(batch) == 0 {
		return false
	}
	err := l.insert(batch)
	l.mu.Lock()
	for _, r := range batch {
		l.queued -= r.size()
	}
	if len(l.waiting) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	l.mu.Unlock()
	for i, r := range batch {
		r.done <- err[i]
	}
	return true
}

// take removes the next batch from the queue: whole requests, at least one.
func (l *Line) take() []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.waiting) && (n == 0 || size+l.waiting[n].size() <= l.config.BatchFindings) {
		size += l.waiting[n].size()
		n++
	}
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return batch
}

// insert stores a batch and returns each request's outcome. It does not end
// with the callers' contexts: several share it.
func (l *Line) insert(batch []*request) []error {
	ctx, cancel := context.WithTimeout(context.Background(), l.config.InsertTimeout)
	defer cancel()
	outcome := make([]error, len(batch))
	err := l.insertTogether(ctx, batch)
	switch {
	case err == nil:
	case l.permanent(err):
		for i, r := range batch {
			outcome[i] = l.insertAlone(ctx, r)
		}
	default:
		l.log.Warn("insert failed, senders are told to repeat", "error", err, "requests", len(batch))
		for i := range outcome {
			outcome[i] = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return outcome
}

func (l *Line) insertTogether(ctx context.Context, batch []*request) error {
	var all request
	if len(batch) == 1 {
		all.findings, all.coverage = batch[0].findings, batch[0].coverage
	} else {
		for _, r := range batch {
			all.findings = append(all.findings, r.findings...)
			all.coverage = append(all.coverage, r.coverage...)
		}
	}
	for _, r := range batch {
		if !r.gone.Load() {
			all.told = append(all.told, r.told...)
		}
	}
	rows, early := l.folds.stage(all.told, l.now())
	if early {
		l.metrics.foldsEarly.Add(ctx, 1)
	}
	l.metrics.doubtful.Add(ctx, int64(l.folds.doubtful))
	l.folds.doubtful = 0
	all.findings = slices.Concat(all.findings, rows)
	if err := l.insertRows(ctx, &all); err != nil {
		l.metrics.insert(ctx, "failed")
		return err
	}
	l.folds.commit(rows)
	l.metrics.insert(ctx, "ok")
	l.metrics.batch.Record(ctx, int64(len(all.findings)))
	l.metrics.accept(ctx, len(all.findings), len(all.coverage))
	return nil
}

func (l *Line) insertRows(ctx context.Context, r *request) error {
	if len(r.findings) > 0 {
		if err := l.store.InsertFindings(ctx, r.findings); err != nil {
			return fmt.Errorf("inserting %d findings: %w", len(r.findings), err)
		}
	}
	if len(r.coverage) > 0 {
		if err := l.store.InsertCoverage(ctx, r.coverage); err != nil {
			return fmt.Errorf("inserting %d coverage reports: %w", len(r.coverage), err)
		}
	}
	return nil
}

// insertAlone stores one request whose batch was refused for good, halving it
// until the rows that the store refuses stand alone: they are counted and
// dropped, and nothing else is.
func (l *Line) insertAlone(ctx context.Context, r *request) error {
	part := &request{findings: r.findings, coverage: r.coverage, told: r.told}
	err := l.insertTogether(ctx, []*request{part})
	switch {
	case err == nil:
		return nil
	case !l.permanent(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case r.size() == 1:
		l.log.Error("the store refuses a record, it is dropped", "error", err)
		l.metrics.reject(ctx, map[Reason]int{ReasonStore: 1})
		r.refused++
		return nil
	}
	f, c, t := len(r.findings)/2, len(r.coverage)/2, len(r.told)/2
	switch {
	case f+c+t > 0:
	case len(r.findings) > 0: // at most one of each kind: part the kinds
		f = len(r.findings)
	default:
		c = len(r.coverage)
	}
	halves := [2]*request{
		{findings: r.findings[:f], coverage: r.coverage[:c], told: r.told[:t]},
		{findings: r.findings[f:], coverage: r.coverage[c:], told: r.told[t:]},
	}
	for _, half := range halves {
		if err := l.insertAlone(ctx, half); err != nil {
			return err
		}
		r.refused += half.refused
	}
	return nil
}

// refusal is the metric label of an error that asks for repetition.
func refusal(err error) string {
	switch {
	case errors.Is(err, ErrOverloaded):
		return "overloaded"
	case errors.Is(err, ErrStopping):
		return "stopping"
	}
	return "store_unavailable"
}
