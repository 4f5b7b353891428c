package judge

import (
	"context"
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/store"
)

// writer gathers what a day's judging changed and writes it in batches. Change
// records are written before the verdicts they speak of: after a crash in
// between the change is found and recorded a second time, which is seen, and
// never lost, which would not be.
type writer struct {
	judge   *Judge
	cause   string
	rows    []store.VerdictRow
	changes []store.VerdictChange
}

// add takes the new row of a usage, if it differs from the stored one.
func (w *writer) add(ctx context.Context, row, previous store.VerdictRow, known bool) error {
	w.judge.metrics.judged.Add(ctx, 1)
	if known && same(&row, &previous) {
		return nil
	}
	row.ChangedAt = previous.ChangedAt
	if !known || row.VerdictCurrent != previous.VerdictCurrent || row.ReasonCurrent != previous.ReasonCurrent || row.EntryCurrent != previous.EntryCurrent {
		row.ChangedAt = w.judge.now().UTC().Truncate(time.Millisecond)
		if known {
			w.changes = append(w.changes, w.change(&row, &previous))
		}
	}
	row.Version = max(uint64(w.judge.now().UnixMilli()), previous.Version+1)
	w.rows = append(w.rows, row)
	if len(w.rows) >= batch {
		return w.flush(ctx)
	}
	return nil
}

// same holds for rows that differ at most in when they were evaluated.
func same(a, b *store.VerdictRow) bool {
	return !grown(a, b) && slices.Equal(a.Processes, b.Processes) && a.AssetName == b.AssetName && a.Provider == b.Provider &&
		a.VerdictAtEvent == b.VerdictAtEvent && a.ReasonAtEvent == b.ReasonAtEvent && a.EntryID == b.EntryID &&
		a.VerdictCurrent == b.VerdictCurrent && a.ReasonCurrent == b.ReasonCurrent && a.EntryCurrent == b.EntryCurrent &&
		a.RevisionCurrent == b.RevisionCurrent && a.WalkCurrent == b.WalkCurrent
}

func (w *writer) change(row, previous *store.VerdictRow) store.VerdictChange {
	return store.VerdictChange{
		ChangedAt: row.ChangedAt, AssetKey: row.AssetKey, Host: row.Host, User: row.User, Day: row.Day,
		FromVerdict: previous.VerdictCurrent, FromReason: previous.ReasonCurrent, FromEntry: previous.EntryCurrent, FromRevision: previous.RevisionCurrent,
		ToVerdict: row.VerdictCurrent, ToReason: row.ReasonCurrent, ToEntry: row.EntryCurrent, ToRevision: row.RevisionCurrent,
		Cause: w.cause,
	}
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.changes) > 0 {
		if err := w.judge.store.InsertVerdictChanges(ctx, w.changes); err != nil {
			return err
		}
	}
	if len(w.rows) > 0 {
		if err := w.judge.store.UpsertVerdicts(ctx, w.rows); err != nil {
			return err
		}
	}
	w.judge.metrics.written.Add(ctx, int64(len(w.rows)))
	w.judge.metrics.changes.Add(ctx, int64(len(w.changes)))
	w.rows, w.changes = w.rows[:0], w.changes[:0]
	return nil
}
