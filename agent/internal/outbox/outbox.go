// Package outbox is the door into the spool: it cuts findings and coverage
// into requests of bounded size, encodes each once, ready to send, and appends
// them.
//
// It may import proto/finding, proto/otlpwire and agent/internal/spool. It
// keeps nothing: what could not be stored is still the caller's.
package outbox

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/gnomon-ai/gnomon/agent/internal/spool"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

// Limits of one request.
const (
	MaxItems = 256       // findings or coverage reports
	MaxBytes = 256 << 10 // encoded; a larger one is cut in two
)

// Outbox puts findings and coverage into one spool. It is safe for concurrent use.
type Outbox struct {
	spool   *spool.Spool
	version string
	log     *slog.Logger
	refused atomic.Uint64
}

// New returns an outbox for an agent of the given version.
func New(s *spool.Spool, version string, log *slog.Logger) *Outbox {
	return &Outbox{spool: s, version: version, log: log}
}

// Refused counts findings and reports that no request can hold, because they
// do not encode or are too large alone. They are given up.
func (o *Outbox) Refused() uint64 { return o.refused.Load() }

// Findings stores list in order and returns how many of it are done with: all
// of it where the error is nil. The rest may be handed in again; a finding
// stored twice has the same id and revision and counts once.
func (o *Outbox) Findings(list []finding.Finding) (stored int, err error) {
	encode := func(part []finding.Finding) ([]byte, error) { return otlpwire.EncodeFindings(part, o.version) }
	return put(o, spool.Findings, list, encode)
}

// Coverage is Findings for coverage reports.
func (o *Outbox) Coverage(list []finding.Coverage) (stored int, err error) {
	return put(o, spool.Heartbeat, list, otlpwire.EncodeCoverage)
}

// put appends list in requests of at most MaxItems.
func put[T any](o *Outbox, kind spool.Kind, list []T, encode func([]T) ([]byte, error)) (stored int, err error) {
	for stored < len(list) {
		part := list[stored:min(len(list), stored+MaxItems)]
		records := o.requests(kind, nil, func(from, to int) ([]byte, error) { return encode(part[from:to]) }, 0, len(part))
		for _, batch := range batches(records) {
			if err := o.spool.Append(batch...); err != nil {
				return stored, fmt.Errorf("storing %d items: %w", len(part), err)
			}
		}
		stored += len(part)
	}
	return stored, nil
}

// batches groups records so that one append stays well below the spool's bound
// for a batch: one sync for the usual case, one for each large record else.
func batches(records []spool.Record) [][]spool.Record {
	var size int
	for _, r := range records {
		size += len(r.Data)
	}
	if size <= spool.MinMaxBytes/4 {
		return [][]spool.Record{records}
	}
	single := make([][]spool.Record, len(records))
	for i := range records {
		single[i] = records[i : i+1]
	}
	return single
}

// requests appends the records that hold the items from to to-1 of part.
func (o *Outbox) requests(kind spool.Kind, into []spool.Record, encode func(from, to int) ([]byte, error), from, to int) []spool.Record {
	data, err := encode(from, to)
	if err == nil && len(data) <= MaxBytes {
		return append(into, spool.Record{Kind: kind, Items: uint32(to - from), Data: data})
	}
	if to-from == 1 {
		if err == nil {
			err = fmt.Errorf("%d bytes: %w", len(data), spool.ErrTooLarge)
		}
		o.giveUp(1, err)
		return into
	}
	middle := (from + to) / 2
	into = o.requests(kind, into, encode, from, middle)
	return o.requests(kind, into, encode, middle, to)
}

func (o *Outbox) giveUp(items int, err error) {
	o.refused.Add(uint64(items))
	o.log.Error("giving up what no request can hold", "items", items, "error", err)
}
