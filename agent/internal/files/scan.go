package files

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// maxSkips is how many paths of skips a Result lists; the rest are counted.
const maxSkips = 200

// progressEvery is the least time between two calls of progress.
const progressEvery = 200 * time.Millisecond

// Progress is how far a scan has come.
type Progress struct {
	Folders uint64
	Files   uint64
	Models  uint64
	Path    string // looked at now
}

// Skip is one path that should have been looked at and was not.
type Skip struct {
	Path   string
	Reason string // permission_denied, too_deep, too_many, changed_while_reading, read_error, parser_failed
}

// Result says what a scan looked at and what it could not.
type Result struct {
	Complete bool              // everything under the roots was looked at
	Missing  []string          // roots that do not exist or may not be opened
	Reasons  map[string]uint64 // why it is not complete, with counts
	Skips    []Skip            // the first of them
	More     uint64            // how many are not listed
	Counters map[string]uint64
	Duration time.Duration
}

// Scan looks at the roots of cfg once. emit and progress are called from
// several goroutines, progress never twice at a time; progress may be nil. The
// error is a wrong configuration, or that of ctx, with what was done so far.
func Scan(ctx context.Context, cfg Config, emit sensor.Emit, progress func(Progress)) (Result, error) {
	cfg.Enabled = true
	if err := cfg.Validate(); err != nil {
		return Result{}, fmt.Errorf("file scan: %w", err)
	}
	began := time.Now()
	counts := &counters{}
	var res Result
	var mu sync.Mutex
	w := newWalker(cfg, slog.New(slog.DiscardHandler), counts, emit)
	w.onSkip = func(path string, why counter) {
		if !incompleteReason(why) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if len(res.Skips) >= maxSkips {
			res.More++
			return
		}
		res.Skips = append(res.Skips, Skip{path, why.reason()})
	}
	if progress != nil {
		w.onFile = throttled(counts, progress)
	}
	res.Missing = w.openRoots()
	defer w.closeRoots()
	w.walkAll(ctx)
	res.Reasons = make(map[string]uint64)
	for _, k := range incompleteCounters {
		if n := counts.get(k); n > 0 {
			res.Reasons[k.reason()] = n
		}
	}
	res.Counters = counts.all()
	res.Duration = time.Since(began)
	res.Complete = len(res.Reasons) == 0 && len(res.Missing) == 0 && ctx.Err() == nil
	if err := ctx.Err(); err != nil {
		return res, fmt.Errorf("file scan: %w", err)
	}
	return res, nil
}

func incompleteReason(why counter) bool {
	return slices.Contains(incompleteCounters, why)
}

// throttled calls progress now and then.
func throttled(counts *counters, progress func(Progress)) func(folder, name string) {
	var mu sync.Mutex
	var last time.Time
	return func(folder, name string) {
		if !mu.TryLock() {
			return
		}
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(last) < progressEvery {
			return
		}
		last = now
		progress(Progress{Folders: counts.get(cDirectories), Files: counts.get(cFiles), Models: counts.get(cModels), Path: joinPath(folder, name)})
	}
}
