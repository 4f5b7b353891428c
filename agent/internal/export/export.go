// Package export sends what lies in the spool to the collector over OTLP/HTTP:
// one request at a time, in order, acknowledged in the spool only when the
// collector has answered for it.
//
// It may import agent/internal/spool, agent/internal/sensor and proto/finding
// (for its coverage report), and the OTLP log messages, without gRPC. It does
// not encode findings and does not decide what is worth sending. Small requests
// that wait together are sent as one: encoded export requests may be joined end
// to end, because their one field is a list.
//
// What the answers lead to:
//
//	accepted               acknowledge; records rejected by a partial success are counted and logged
//	429, 408, 5xx, network try again, after a random part of a doubling wait, or as long as Retry-After says
//	400, 413, 422          send its halves, down to single records; those go to the quarantine folder
//	401, 403, 404, 3xx …   the agent is refused, not the data: keep everything, say so, try again
//
// A collector that refuses record after record for good without taking any in
// between is more likely broken than the records: quarantining then slows down
// like every other failure.
package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/gnomon-ai/gnomon/agent/internal/spool"
)

// maxJoined bounds a request joined of several records, in bytes.
const maxJoined = 1 << 20

// firstBackoff is the upper bound of the first wait after a failure.
const firstBackoff = time.Second

// maxServerErrors is how often a request may meet a 500, 501 or another
// 5xx that OTLP does not list for retrying, before it is taken for its cause.
const maxServerErrors = 12

// Deps is what an exporter works with.
type Deps struct {
	Spool     *spool.Spool
	SpoolDir  string // the quarantine folder is made below it
	UserAgent string
	Tracer    trace.Tracer
	Log       *slog.Logger
}

// Exporter sends the spool's records. Run is called once.
type Exporter struct {
	config     Config
	deps       Deps
	client     *client
	quarantine quarantine
	started    time.Time
	sleep      func(context.Context, time.Duration) error
	failures   int // in a row; owned by the sending goroutine, like held
	held       held
	counters   counters

	mu      sync.Mutex
	trouble string // why nothing is taken, "" where it is
}

// held is what was taken from the spool and not yet acknowledged. It is kept
// over the end of Run, because the spool hands nothing out twice.
type held struct {
	data []byte
	last spool.Position
}

// New returns an exporter, reads its certificates and starts nothing.
func New(config Config, deps Deps) (*Exporter, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	client, err := newClient(config, LogsPath, deps.UserAgent)
	if err != nil {
		return nil, err
	}
	return &Exporter{
		config: config, deps: deps, client: client, started: time.Now(), sleep: sleep,
		quarantine: quarantine{filepath.Join(deps.SpoolDir, "quarantine")},
	}, nil
}

// Run sends until ctx ends. It returns nil then, and an error only where the
// spool was closed under it.
func (e *Exporter) Run(ctx context.Context) error {
	defer e.client.close()
	for {
		err := e.next(ctx)
		if err == nil {
			err = e.deliver(ctx, e.held.data)
		}
		if err == nil {
			e.acknowledge()
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, spool.ErrClosed) {
			return fmt.Errorf("exporting: %w", err)
		}
		e.note(err.Error())
		if e.wait(ctx, 0) != nil {
			return nil
		}
	}
}

// Drain sends what is left in the spool, once, until it is empty, ctx ends or
// an attempt fails. It is for the end of the process, after Run.
func (e *Exporter) Drain(ctx context.Context) error {
	defer e.client.close()
	for {
		if err := e.join(); err != nil {
			return err
		}
		if e.held.data == nil {
			return nil
		}
		a, err := e.attempt(ctx, e.held.data)
		if err != nil {
			return fmt.Errorf("sending what is left: %w", err)
		}
		if a.verdict != accepted {
			return fmt.Errorf("sending what is left: %s", a.reason)
		}
		e.succeeded(a)
		e.acknowledge()
	}
}

// next waits for a record, unless one is held, and joins those that wait too.
func (e *Exporter) next(ctx context.Context) error {
	if e.held.data == nil {
		record, position, err := e.deps.Spool.Next(ctx)
		if err != nil {
			return err
		}
		e.held = held{record.Data, position}
	}
	return e.join()
}

// join adds waiting records to what is held, up to the limit. An error matters
// only where nothing is held; else it comes again the next time.
func (e *Exporter) join() error {
	for len(e.held.data) < maxJoined/2 {
		record, position, ok, err := e.deps.Spool.TryNext()
		if err != nil && e.held.data == nil {
			return err
		}
		if err != nil || !ok {
			return nil //nolint:nilerr // what is held goes out first, and the error comes again
		}
		e.held.data = append(e.held.data, record.Data...)
		e.held.last = position
	}
	return nil
}

// acknowledge trims the spool. A failure is counted by the spool: the records
// come again after a restart.
func (e *Exporter) acknowledge() {
	last := e.held.last
	e.held = held{}
	if err := e.deps.Spool.Ack(last); err != nil {
		e.deps.Log.Warn("what was delivered cannot be removed from the spool", "error", err)
	}
}

// deliver sends data until the collector has answered for every record in it.
// It returns an error only when ctx ended.
func (e *Exporter) deliver(ctx context.Context, data []byte) error {
	serverErrors := 0
	for {
		a, err := e.attempt(ctx, data)
		if err != nil {
			return err
		}
		if a.verdict == retry && a.status >= 500 && (a.status < 502 || a.status > 504) {
			if serverErrors++; serverErrors >= maxServerErrors {
				a.verdict = permanent
			}
		}
		switch a.verdict {
		case accepted:
			e.succeeded(a)
			return nil
		case permanent:
			return e.bisect(ctx, data, a)
		case retry:
			e.counters.retries.Add(1)
		case refused:
			e.counters.refusals.Add(1)
		}
		e.note(a.reason)
		if err := e.wait(ctx, a.retryAfter); err != nil {
			return err
		}
	}
}

// attempt posts data once, in a span of its own.
func (e *Exporter) attempt(ctx context.Context, data []byte) (answer, error) {
	ctx, span := e.deps.Tracer.Start(ctx, "gnomon.agent.export")
	defer span.End()
	e.counters.requests.Add(1)
	e.counters.bytes.Add(uint64(len(data)))
	a, err := e.client.post(ctx, data)
	span.SetAttributes(attribute.Int("http.response.status_code", a.status), attribute.Int("http.request.body.size", len(data)))
	return a, err
}

// succeeded notes an accepted request.
func (e *Exporter) succeeded(a answer) {
	e.counters.accepted.Add(1)
	e.failures = 0
	e.note("")
	if a.rejected > 0 {
		e.counters.rejected.Add(uint64(a.rejected))
		e.deps.Log.Error("the collector did not keep some records", "rejected", a.rejected, "reason", a.reason)
	}
}

// bisect sends the halves of a request that is refused for good; a single
// record goes to the quarantine.
func (e *Exporter) bisect(ctx context.Context, data []byte, a answer) error {
	first, second, err := split(data)
	if err != nil || second == nil {
		return e.isolate(ctx, data, a)
	}
	e.counters.splits.Add(1)
	if err := e.deliver(ctx, first); err != nil {
		return err
	}
	return e.deliver(ctx, second)
}

// isolate puts one refused record into the quarantine. Where even that fails,
// the record stays in the spool and is tried again.
func (e *Exporter) isolate(ctx context.Context, data []byte, a answer) error {
	for {
		removed, err := e.quarantine.put(data, a.status, time.Now())
		e.counters.quarantineRemoved.Add(removed)
		if err == nil {
			break
		}
		e.counters.quarantineErrors.Add(1)
		e.note(err.Error())
		if err := e.wait(ctx, 0); err != nil {
			return err
		}
	}
	e.counters.quarantined.Add(1)
	e.deps.Log.Error("a record is refused for good and was put aside", "reason", a.reason, "folder", e.quarantine.dir)
	e.note(a.reason)
	return e.wait(ctx, a.retryAfter)
}

// wait sleeps a random part of a wait that doubles with every failure in a row
// ("full jitter"), at least as long as the collector asked for.
func (e *Exporter) wait(ctx context.Context, atLeast time.Duration) error {
	bound := e.config.MaxBackoff
	if e.failures < 20 {
		bound = min(bound, firstBackoff<<e.failures)
	}
	e.failures++
	pause := rand.N(bound)
	if atLeast > 0 {
		pause = atLeast + rand.N(min(bound, atLeast/4+1))
	}
	return e.sleep(ctx, pause)
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// note remembers why nothing is taken, and logs when that changes.
func (e *Exporter) note(trouble string) {
	e.mu.Lock()
	before := e.trouble
	e.trouble = trouble
	e.mu.Unlock()
	switch {
	case trouble == before:
	case trouble == "":
		e.deps.Log.Info("the collector takes findings again", "endpoint", e.config.Endpoint)
	default:
		e.deps.Log.Warn("findings are kept in the spool", "reason", trouble, "endpoint", e.config.Endpoint)
	}
}
