package judge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
)

// inForce answers what was in force when. Revisions are read and compiled when
// first asked for; it lives for one pass.
type inForce struct {
	state       State
	settings    reconcile.Settings
	revisions   []state.Revision // oldest first
	snapshots   []state.Revision
	rules       map[int64]*reconcile.Rules
	directories map[int64]*inventory.DirectoryIndex
}

func (j *Judge) loadInForce(ctx context.Context) (*inForce, error) {
	revisions, err := j.state.InventoryRevisions(ctx)
	if err != nil {
		return nil, err
	}
	snapshots, err := j.state.DirectorySnapshots(ctx)
	if err != nil {
		return nil, err
	}
	return &inForce{
		state: j.state, settings: j.config.Verdicts, revisions: revisions, snapshots: snapshots,
		rules: map[int64]*reconcile.Rules{}, directories: map[int64]*inventory.DirectoryIndex{},
	}, nil
}

func newest(list []state.Revision) int64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1].Number
}

func (f *inForce) newestInventory() int64 { return newest(f.revisions) }
func (f *inForce) newestDirectory() int64 { return newest(f.snapshots) }

func (f *inForce) revisionTimes() []time.Time {
	times := make([]time.Time, len(f.revisions))
	for i, r := range f.revisions {
		times[i] = r.AppliedAt
	}
	return times
}

// rulesOf returns the compiled inventory of a revision; revision 0 is the empty
// inventory that was in force before the first.
func (f *inForce) rulesOf(ctx context.Context, number int64) (*reconcile.Rules, error) {
	if rules, known := f.rules[number]; known {
		return rules, nil
	}
	document := &inventory.Document{Schema: inventory.Schema, Defaults: inventory.Default()}
	if number > 0 {
		var err error
		if _, document, err = f.state.InventoryRevision(ctx, number); err != nil {
			return nil, fmt.Errorf("reading inventory revision %d: %w", number, err)
		}
	}
	rules, err := reconcile.Compile(document, f.settings)
	if err != nil {
		return nil, fmt.Errorf("inventory revision %d: %w", number, err)
	}
	f.rules[number] = rules
	return rules, nil
}

// directoryAt returns the number of the snapshot in force at an instant, which
// is the nearest earlier one, and its index; 0 and nil before the first.
func (f *inForce) directoryAt(ctx context.Context, at time.Time) (int64, *inventory.DirectoryIndex, error) {
	var number int64
	var applied time.Time
	for _, s := range f.snapshots {
		if s.AppliedAt.After(at) {
			break
		}
		number, applied = s.Number, s.AppliedAt
	}
	if number == 0 {
		return 0, nil, nil
	}
	if index, known := f.directories[number]; known {
		return number, index, nil
	}
	_, directory, err := f.state.DirectoryAt(ctx, applied)
	if err != nil && !errors.Is(err, state.ErrNone) {
		return 0, nil, fmt.Errorf("reading directory snapshot %d: %w", number, err)
	}
	index := directory.Index()
	f.directories[number] = index
	return number, index, nil
}
