// Package query answers what was found and judged: the Finding, Usage and
// Verdict services.
//
// It may import store, for what it reads, and reconcile, for the order of
// verdicts. It changes nothing and keeps nothing: each answer is read when
// asked.
package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/gnomon-ai/gnomon/collector/internal/store"
	"github.com/gnomon-ai/gnomon/proto/finding"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

// Limits of one list. A list that was cut says so.
const (
	defaultLimit = 1_000
	maxLimit     = 100_000
)

// limitOf returns how many rows a caller asked for.
func limitOf(f *gnomonv1.Filter) (int, error) {
	n := f.GetLimit()
	if n > maxLimit {
		return 0, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("limit is %d, at most %d rows are answered: narrow the filter", n, maxLimit))
	}
	if n == 0 {
		return defaultLimit, nil
	}
	return int(n), nil
}

// without refuses a field of a filter that a list cannot be narrowed by: to
// ignore it would answer more than was asked for.
func without(list, field, value string) error {
	if value == "" {
		return nil
	}
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("%s cannot be narrowed by %s: leave it out", list, field))
}

// gather collects rows up to limit; read must ask for one more than that, so
// that a cut list is known.
func gather[T any](limit int, read func(each func(T) error) error) (rows []T, truncated bool, err error) {
	err = read(func(row T) error {
		if len(rows) == limit {
			truncated = true
			return nil
		}
		rows = append(rows, row)
		return nil
	})
	return rows, truncated, storeError(err)
}

// storeError gives an error of the store the code that tells a caller whether
// to ask again.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	var again *store.Retryable
	switch {
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, err)
	case errors.As(err, &again):
		return connect.NewError(connect.CodeUnavailable, fmt.Errorf("the store does not answer, try again: %w", err))
	}
	return connect.NewError(connect.CodeInternal, err)
}

// dayAfter makes the half-open end of a filter by days include its last day.
func dayAfter(until time.Time) time.Time {
	if until.IsZero() {
		return until
	}
	return until.Add(-time.Nanosecond).UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
}

// FindingStore is what the findings service reads; *store.Store is one.
type FindingStore interface {
	Findings(ctx context.Context, filter store.FindingFilter, each func(finding.Finding) error) error
	Usages(ctx context.Context, filter store.UsageFilter, each func(store.UsageRow) error) error
	Coverage(ctx context.Context, filter store.CoverageFilter, each func(finding.Coverage) error) error
}

// Findings serves findings, usage and coverage.
type Findings struct{ store FindingStore }

// NewFindings returns the service over a store.
func NewFindings(s FindingStore) *Findings { return &Findings{s} }

// ListFindings implements the service.
func (s *Findings) ListFindings(ctx context.Context, r *gnomonv1.ListFindingsRequest) (*gnomonv1.ListFindingsResponse, error) {
	f := r.GetFilter()
	limit, err := limitOf(f)
	if err := cmp.Or(err, without("findings", "verdict", f.GetVerdict())); err != nil {
		return nil, err
	}
	filter := store.FindingFilter{
		Since: moment(f.GetSince()), Until: moment(f.GetUntil()), Host: f.GetHost(), User: f.GetUser(),
		AssetKey: f.GetAsset(), Sensor: f.GetSensor(), Limit: limit + 1,
	}
	rows, truncated, err := gather(limit, func(each func(finding.Finding) error) error { return s.store.Findings(ctx, filter, each) })
	if err != nil {
		return nil, err
	}
	response := &gnomonv1.ListFindingsResponse{Truncated: truncated}
	for i := range rows {
		response.Findings = append(response.Findings, NewFinding(&rows[i]))
	}
	return response, nil
}

// ListCoverage implements the service.
func (s *Findings) ListCoverage(ctx context.Context, r *gnomonv1.ListCoverageRequest) (*gnomonv1.ListCoverageResponse, error) {
	f := r.GetFilter()
	limit, err := limitOf(f)
	if err := cmp.Or(err, without("coverage", "user", f.GetUser()), without("coverage", "asset", f.GetAsset()),
		without("coverage", "verdict", f.GetVerdict())); err != nil {
		return nil, err
	}
	filter := store.CoverageFilter{Since: moment(f.GetSince()), Until: moment(f.GetUntil()), Host: f.GetHost(), Sensor: f.GetSensor(), Limit: limit + 1}
	rows, truncated, err := gather(limit, func(each func(finding.Coverage) error) error { return s.store.Coverage(ctx, filter, each) })
	if err != nil {
		return nil, err
	}
	response := &gnomonv1.ListCoverageResponse{Truncated: truncated}
	for i := range rows {
		response.Coverage = append(response.Coverage, newCoverage(&rows[i]))
	}
	return response, nil
}

// ListUsage implements the service.
func (s *Findings) ListUsage(ctx context.Context, r *gnomonv1.ListUsageRequest) (*gnomonv1.ListUsageResponse, error) {
	f := r.GetFilter()
	limit, err := limitOf(f)
	if err := cmp.Or(err, without("usage", "sensor", f.GetSensor()), without("usage", "verdict", f.GetVerdict())); err != nil {
		return nil, err
	}
	filter := store.UsageFilter{
		SinceDay: moment(f.GetSince()), UntilDay: dayAfter(moment(f.GetUntil())),
		AssetKey: f.GetAsset(), Host: f.GetHost(), User: f.GetUser(), Limit: limit + 1,
	}
	rows, truncated, err := gather(limit, func(each func(store.UsageRow) error) error { return s.store.Usages(ctx, filter, each) })
	if err != nil {
		return nil, err
	}
	response := &gnomonv1.ListUsageResponse{Truncated: truncated}
	for i := range rows {
		response.Usage = append(response.Usage, newUsage(&rows[i]))
	}
	return response, nil
}

func newUsage(u *store.UsageRow) *gnomonv1.Usage {
	return &gnomonv1.Usage{
		Asset: &gnomonv1.Asset{Key: u.AssetKey, Kind: u.AssetKind, Name: u.AssetName, Provider: u.Provider},
		Host:  u.Host, User: u.User, Day: u.Day.UTC().Format(time.DateOnly),
		FirstSeen: stamp(u.FirstSeen), LastSeen: stamp(u.LastSeen), Count: u.Count, Confidence: uint32(u.Confidence),
		Processes: u.Processes, Sensors: u.Sensors, Channels: u.Channels,
	}
}
