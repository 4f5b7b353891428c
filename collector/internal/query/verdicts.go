package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

// VerdictStore is what the verdicts service reads; *store.Store is one.
type VerdictStore interface {
	Verdicts(ctx context.Context, filter store.VerdictFilter, each func(store.VerdictRow) error) error
	VerdictCounts(ctx context.Context, filter store.VerdictFilter) ([]store.VerdictCount, error)
}

// Verdicts serves verdicts.
type Verdicts struct {
	store VerdictStore
	order []reconcile.Word
}

// NewVerdicts returns the service; order is that of headlines, worst first.
func NewVerdicts(s VerdictStore, order []reconcile.Word) *Verdicts { return &Verdicts{s, order} }

func verdictFilter(f *gnomonv1.Filter) (store.VerdictFilter, error) {
	if err := without("verdicts", "sensor", f.GetSensor()); err != nil {
		return store.VerdictFilter{}, err
	}
	filter := store.VerdictFilter{
		SinceDay: moment(f.GetSince()), UntilDay: dayAfter(moment(f.GetUntil())),
		AssetKey: f.GetAsset(), Host: f.GetHost(), User: f.GetUser(),
	}
	if word := f.GetVerdict(); word != "" {
		if !slices.Contains(reconcile.DefaultOrder(), reconcile.Word(word)) {
			return filter, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("%q is no verdict: use one of %s", word, reconcile.DefaultOrder()))
		}
		filter.Verdicts = []string{word}
	}
	return filter, nil
}

// ListVerdicts implements the service.
func (s *Verdicts) ListVerdicts(ctx context.Context, r *gnomonv1.ListVerdictsRequest) (*gnomonv1.ListVerdictsResponse, error) {
	limit, err := limitOf(r.GetFilter())
	if err != nil {
		return nil, err
	}
	filter, err := verdictFilter(r.GetFilter())
	if err != nil {
		return nil, err
	}
	filter.Limit = limit + 1
	rows, truncated, err := gather(limit, func(each func(store.VerdictRow) error) error { return s.store.Verdicts(ctx, filter, each) })
	if err != nil {
		return nil, err
	}
	response := &gnomonv1.ListVerdictsResponse{Truncated: truncated}
	for i := range rows {
		response.Verdicts = append(response.Verdicts, newUsageVerdict(&rows[i]))
	}
	return response, nil
}

func newUsageVerdict(v *store.VerdictRow) *gnomonv1.UsageVerdict {
	return &gnomonv1.UsageVerdict{
		Usage: &gnomonv1.Usage{
			Asset: &gnomonv1.Asset{Key: v.AssetKey, Kind: v.AssetKind, Name: v.AssetName, Provider: v.Provider},
			Host:  v.Host, User: v.User, Day: v.Day.UTC().Format(time.DateOnly),
			FirstSeen: stamp(v.FirstSeen), LastSeen: stamp(v.LastSeen), Count: v.Count, Confidence: uint32(v.Confidence),
			Processes: v.Processes,
		},
		AtEvent: &gnomonv1.Judgement{
			Verdict: v.VerdictAtEvent, Reason: v.ReasonAtEvent, Dimensions: v.Dimensions, EntryId: v.EntryID,
			InventoryRevision: v.InventoryRevision, DirectorySnapshot: v.DirectorySnapshot, Catalogue: v.Catalogue, EvaluatedAt: stamp(v.EvaluatedAt),
		},
		Current: &gnomonv1.Judgement{
			Verdict: v.VerdictCurrent, Reason: v.ReasonCurrent, Dimensions: v.DimensionsCurrent, EntryId: v.EntryCurrent,
			InventoryRevision: v.RevisionCurrent, Catalogue: v.Catalogue, EvaluatedAt: stamp(v.ChangedAt),
		},
	}
}

// CountVerdicts implements the service.
func (s *Verdicts) CountVerdicts(ctx context.Context, r *gnomonv1.CountVerdictsRequest) (*gnomonv1.CountVerdictsResponse, error) {
	filter, err := verdictFilter(r.GetFilter())
	if err != nil {
		return nil, err
	}
	rows, err := s.store.VerdictCounts(ctx, filter)
	if err != nil {
		return nil, storeError(err)
	}
	counts := map[string]*gnomonv1.VerdictCount{}
	response := &gnomonv1.CountVerdictsResponse{}
	var words []reconcile.Word
	for _, row := range rows {
		count := counts[row.Verdict]
		if count == nil {
			count = &gnomonv1.VerdictCount{Verdict: row.Verdict}
			counts[row.Verdict] = count
			response.Counts = append(response.Counts, count)
			words = append(words, reconcile.Word(row.Verdict))
		}
		count.Usages += row.Usages
		if row.Verdict == string(reconcile.Sanctioned) && row.Reason != string(reconcile.ReasonOK) {
			count.ScopeUnverified += row.Usages
		}
	}
	response.Headline = string(reconcile.Headline(s.order, words))
	return response, nil
}
