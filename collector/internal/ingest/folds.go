package ingest

import (
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// folds counts the uses of the current window.
//
// A million spans become one row a use and window, and yet nothing that was
// acknowledged waits in memory: each insert writes the whole count of a use so
// far, as a higher revision of the same row, and its requests are answered when
// it is durable. What an insert adds counts from then on (commit); of an insert
// that failed nothing counts, whether it was stored or not, because the next
// revision replaces it. A use whose last insert failed therefore stays in its
// window until an insert of it succeeds, for one window's length more. So rows
// hold exactly what was acknowledged, and nothing is left to write when a window
// ends. What is still in doubt then, because its sender did not come back, is
// counted (doubtful): that row may count sightings that nobody was told are kept.
//
// It is used by the goroutine that inserts, alone.
type folds struct {
	config     Applications
	byKey      map[foldKey]*fold
	start, end time.Time
	used       map[int64]struct{} // starts of windows, of which there are never two alike
	ring       []int64
	next       int
	doubtful   uint64 // rows that were left in doubt
}

type foldKey struct{ agent, fingerprint string }

// fold is what is durable of one use in the window.
type fold struct {
	count       uint64
	first, last time.Time
	revision    uint64 // the highest that was handed to the store
	start, end  time.Time
	doubt       bool // whether that revision is durable is not known
}

// rememberedStarts bounds how many starts of windows are remembered: two weeks
// of five minutes, for a clock that is set back.
const rememberedStarts = 4096

func newFolds(config Applications) *folds {
	return &folds{config: config, byKey: map[foldKey]*fold{}, used: map[int64]struct{}{}, ring: make([]int64, rememberedStarts)}
}

// begin starts a window at an instant, or at the next second that none started
// at.
func (f *folds) begin(at time.Time) {
	for key, known := range f.byKey {
		late := at.After(known.end.Add(f.config.Window)) || len(f.byKey) > 2*f.config.MaxFolds
		if known.doubt && !late {
			continue
		}
		if known.doubt {
			f.doubtful++
		}
		delete(f.byKey, key)
	}
	start := at.UTC().Truncate(time.Second)
	for {
		if _, taken := f.used[start.Unix()]; !taken {
			break
		}
		start = start.Add(time.Second)
	}
	delete(f.used, f.ring[f.next])
	f.ring[f.next] = start.Unix()
	f.next = (f.next + 1) % len(f.ring)
	f.used[start.Unix()] = struct{}{}
	f.start, f.end = start, at.UTC().Truncate(f.config.Window).Add(f.config.Window)
	if !f.end.After(start) {
		f.end = start.Add(time.Second)
	}
}

// stage returns the rows to insert for what requests tell: each use once, with
// its whole count. early says that the window had to end before its time.
func (f *folds) stage(told []finding.Finding, now time.Time) (rows []finding.Finding, early bool) {
	if len(told) == 0 {
		return nil, false
	}
	if !now.Before(f.end) || now.Before(f.start.Add(-f.config.Window)) { // over, or the clock was set back
		f.begin(now)
	} else if len(f.byKey) > 0 && len(f.byKey)+f.fresh(told) > f.config.MaxFolds {
		early = true
		f.begin(now)
	}
	at := map[foldKey]int{}
	for i := range told {
		key := foldKey{told[i].AgentID, told[i].Fingerprint}
		n, known := at[key]
		if !known {
			n = len(rows)
			at[key] = n
			rows = append(rows, f.open(key, &told[i]))
		}
		row := &rows[n]
		row.Count += told[i].Count
		if told[i].FirstSeen.Before(row.FirstSeen) {
			row.FirstSeen = told[i].FirstSeen
		}
		if told[i].LastSeen.After(row.LastSeen) {
			row.LastSeen = told[i].LastSeen
		}
	}
	return rows, early
}

// fresh is how many uses are told that the window does not know.
func (f *folds) fresh(told []finding.Finding) int {
	fresh := map[foldKey]struct{}{}
	for i := range told {
		key := foldKey{told[i].AgentID, told[i].Fingerprint}
		if _, known := f.byKey[key]; !known {
			fresh[key] = struct{}{}
		}
	}
	return len(fresh)
}

// open is the next revision of a use's row, with what is durable of it.
func (f *folds) open(key foldKey, told *finding.Finding) finding.Finding {
	known := f.byKey[key]
	if known == nil {
		known = &fold{start: f.start, end: f.end}
		f.byKey[key] = known
	}
	known.revision++
	known.doubt = true
	row := *told
	row.Revision, row.Count = known.revision, known.count
	row.WindowStart, row.WindowEnd = known.start, known.end
	row.ID = finding.ComputeID(row.AgentID, row.Fingerprint, row.WindowStart)
	if known.count > 0 {
		row.FirstSeen, row.LastSeen = known.first, known.last
	}
	return row
}

// commit counts rows that are durable.
func (f *folds) commit(rows []finding.Finding) {
	for i := range rows {
		key := foldKey{rows[i].AgentID, rows[i].Fingerprint}
		known := f.byKey[key]
		known.count, known.first, known.last, known.doubt = rows[i].Count, rows[i].FirstSeen, rows[i].LastSeen, false
		if !known.start.Equal(f.start) { // of an earlier window, which this ended
			delete(f.byKey, key)
		}
	}
}
