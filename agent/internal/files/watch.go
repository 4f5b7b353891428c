package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

const (
	maxDirty     = 10_000          // folders with changes that wait
	settleFactor = 20              // a folder that never rests is looked at after so many settle delays
	restFactor   = 100             // a look of a second keeps its folder from the next for so many seconds
	maxBackoff   = 1 * time.Minute // between looks at a folder in which a file keeps growing
	maxChanged   = 64              // names with changes kept of a folder; with more it is looked at as a whole
	pauseFactor  = 50              // a look of a millisecond keeps every other from the next so many, up to maxPause
	maxPause     = 2 * time.Second
)

// watchLoop waits for changes and has folders looked at when they have come to
// rest. One look is under way at a time, in a goroutine of its own, so that
// events are always taken.
type watchLoop struct {
	s       *Sensor
	w       *walker
	watcher *fsnotify.Watcher // nil where there are no watches
	set     *watchSet

	dirty   map[string]*dirtyFolder
	backoff map[string]time.Duration
	rest    map[string]time.Time // folders that cost much: not to be looked at before
	full    bool                 // a walk of everything is due

	pause  time.Time // no look before
	looked string    // folder of the look under way, "" for a walk of everything
	names  []string  // what it is about, nil for the whole folder
	quick  *worker   // of the look under way

	mu        sync.Mutex
	unsettled map[string]struct{} // by the look under way
}

// dirtyFolder is a folder with a change that has not been looked at.
type dirtyFolder struct {
	due   time.Time
	first time.Time
	tree  bool     // with all below it
	names []string // what changed in it, nil for the folder as a whole
}

func newWatchLoop(s *Sensor, emit sensor.Emit) *watchLoop {
	l := &watchLoop{
		s: s, w: newWalker(s.cfg, s.log, s.counts, emit), full: true,
		dirty: make(map[string]*dirtyFolder), backoff: make(map[string]time.Duration), rest: make(map[string]time.Time), unsettled: make(map[string]struct{}),
	}
	l.w.memory, l.w.now, l.w.pace, l.w.known = s.memory, s.now, s.cfg.MaxFilesPerSecond, s.known
	l.w.onFolder = func(path string, depth int) { l.set.offer(path, rankOf(path, depth)) }
	l.w.unsettled = func(folder string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.unsettled) < maxDirty {
			l.unsettled[folder] = struct{}{}
		}
	}
	l.quick = l.w.worker(nil)
	return l
}

// run works until ctx ends.
func (l *watchLoop) run(ctx context.Context) error {
	var none string
	if l.s.cfg.MaxWatches > 0 {
		w, err := fsnotify.NewWatcher()
		if err != nil {
			none = err.Error()
		} else {
			l.watcher = w
			defer w.Close()
		}
	} else {
		none = "max_watches is 0"
	}
	l.set = newWatchSet(l.watcher, l.s.cfg.MaxWatches, l.s.counts)
	defer l.w.closeRoots()
	var events chan fsnotify.Event
	var failures chan error
	if l.watcher != nil {
		events, failures = l.watcher.Events, l.watcher.Errors
	}
	done := make(chan struct{})
	busy := false
	var began time.Time
	tick := time.NewTimer(0)
	defer tick.Stop()
	next := l.s.now() // when everything is walked again
	defer func() {
		if busy {
			<-done
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				return fmt.Errorf("file watcher ended by itself; restart the agent")
			}
			l.event(e)
		case err := <-failures:
			l.failure(err)
		case <-done:
			busy = false
			l.settle()
			l.charge(l.s.now().Sub(began))
			l.tell(none)
			if l.looked == "" { // only now is known what has no watch
				next = l.s.now().Add(l.interval(none))
			}
		case <-tick.C:
		}
		now := l.s.now()
		l.full = l.full || !busy && !now.Before(next)
		if !busy {
			if work := l.due(now); work != nil {
				l.full, busy, began = false, true, now
				go func() { work(ctx); done <- struct{}{} }()
			}
		}
		tick.Reset(l.wait(now, next, busy))
	}
}

// interval is the time to the next walk of everything.
func (l *watchLoop) interval(none string) time.Duration {
	d := l.s.cfg.RescanInterval
	if _, unwatched, _ := l.set.state(); unwatched > 0 || none != "" {
		d = min(d, l.s.cfg.UnwatchedInterval)
	}
	return min(d, l.s.cfg.RepeatInterval)
}

// due returns what there is to do now, nil for nothing.
func (l *watchLoop) due(now time.Time) func(context.Context) {
	if l.full {
		clear(l.dirty)
		l.looked, l.names = "", nil
		return l.walkEverything
	}
	if now.Before(l.pause) {
		return nil
	}
	for path, d := range l.dirty {
		if d.due.After(now) {
			continue
		}
		delete(l.dirty, path)
		l.looked, l.names = path, d.names
		return func(ctx context.Context) { l.look(ctx, path, d.tree, d.names) }
	}
	return nil
}

// wait is how long the loop may sleep.
func (l *watchLoop) wait(now, next time.Time, busy bool) time.Duration {
	if busy {
		return time.Hour // the end of the look wakes the loop
	}
	at := next
	for _, d := range l.dirty {
		due := d.due
		if due.Before(l.pause) {
			due = l.pause
		}
		if due.Before(at) {
			at = due
		}
	}
	return max(at.Sub(now), time.Millisecond)
}

// walkEverything walks all roots.
func (l *watchLoop) walkEverything(ctx context.Context) {
	l.w.closeRoots()
	l.w.openRoots() // those of the defaults that do not exist are no loss
	l.set.begin()
	l.s.memory.begin()
	l.w.walkAll(ctx)
	if ctx.Err() == nil {
		l.s.memory.end()
	}
	// A walk leaves garbage all over the heap, and nothing happens for long
	// after it.
	debug.FreeOSMemory()
}

// look looks at one folder, or a tree that has appeared. With names, it is only
// looked at where one of them matters.
func (l *watchLoop) look(ctx context.Context, path string, tree bool, names []string) {
	j, ok := l.w.find(l.modelRoot(path))
	if !ok {
		return
	}
	j.alone = !tree && j.rel == relOf(j.root, path)
	if j.alone && len(names) > 0 && !l.quick.matters(j, names) {
		l.s.counts.add(cChangesIdle)
		return
	}
	if up, err := j.root.dir.openBelow(parentRel(j.rel)); err == nil {
		j.device = up.stat.device
		up.close()
	}
	l.w.walk(ctx, []job{j})
}

func relOf(r *root, path string) string {
	rel, _ := below(r.path, path)
	return rel
}

func parentRel(rel string) string {
	d := filepath.ToSlash(filepath.Dir(filepath.FromSlash(rel)))
	if d == "." {
		return ""
	}
	return d
}

// modelRoot returns the folder that must be looked at as a whole for a change
// in path: of a store or bundle the topmost one.
func (l *watchLoop) modelRoot(path string) string {
	for p := path; ; {
		parent, base := filepath.Dir(p), filepath.Base(p)
		switch {
		case base == "blobs" || base == "manifests" || base == "snapshots":
			if isStore(parent) {
				return parent
			}
		case isBundle(base):
			return p
		}
		if parent == p {
			return path
		}
		p = parent
	}
}

// isStore says whether a folder has the two folders of a store.
func isStore(path string) bool {
	has := func(n string) bool {
		st, err := os.Lstat(filepath.Join(path, n))
		return err == nil && st.IsDir()
	}
	return has("blobs") && (has("manifests") || has("snapshots"))
}

// event takes one change.
func (l *watchLoop) event(e fsnotify.Event) {
	l.s.counts.add(cEvents)
	if e.Op.Has(fsnotify.Remove) || e.Op.Has(fsnotify.Rename) {
		l.set.gone(e.Name)
		l.changed(e.Name)
		return
	}
	name := filepath.Base(e.Name)
	if e.Op.Has(fsnotify.Create) {
		if st, err := os.Lstat(e.Name); err == nil && st.IsDir() {
			l.mark(e.Name, true, nil, l.s.cfg.SettleDelay)
			l.changed(e.Name) // known names
			return
		}
	}
	if partialDownload(name) || otherKind(name) && !e.Op.Has(fsnotify.Create) {
		return
	}
	l.changed(e.Name)
}

// changed marks the folder of a path for a look at its last name.
func (l *watchLoop) changed(path string) {
	folder, name := filepath.Dir(path), filepath.Base(path)
	l.mark(folder, false, []string{name}, l.s.cfg.SettleDelay)
}

// failure takes an error of the watcher.
func (l *watchLoop) failure(err error) {
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		l.s.counts.add(cOverflow)
		l.full = true
		return
	}
	l.s.counts.add(cWatches)
	l.s.log.Warn("file watcher reported an error", "error", err)
}

// mark notes that a folder must be looked at once it has been quiet: because of
// names in it, or as a whole.
func (l *watchLoop) mark(path string, tree bool, names []string, delay time.Duration) {
	now := l.s.now()
	d, ok := l.dirty[path]
	if !ok {
		if len(l.dirty) >= maxDirty {
			l.full = true // so many changes are best found by one walk
			return
		}
		d = &dirtyFolder{first: now, names: names}
		l.dirty[path] = d
	} else if d.names != nil {
		d.addNames(names)
	}
	d.tree = d.tree || tree
	delay = max(delay, l.backoff[path])
	d.due = now.Add(delay)
	if latest := d.first.Add(settleFactor * delay); d.due.After(latest) {
		d.due = latest
	}
	if until, ok := l.rest[path]; ok && d.due.Before(until) {
		d.due = until
	}
}

// addNames adds to names that are not nil.
func (d *dirtyFolder) addNames(names []string) {
	if names == nil {
		d.names = nil
		return
	}
	for _, n := range names {
		switch {
		case slices.Contains(d.names, n):
		case len(d.names) >= maxChanged:
			d.names = nil
			return
		default:
			d.names = append(d.names, n)
		}
	}
}

// charge keeps the folder just looked at from taking more than a hundredth of
// a core, and all together from more than a fiftieth, however often they change.
func (l *watchLoop) charge(took time.Duration) {
	now := l.s.now()
	if l.looked != "" {
		l.pause = now.Add(min(pauseFactor*took, maxPause))
	}
	for path, until := range l.rest {
		if until.Before(now) {
			delete(l.rest, path)
		}
	}
	if took > time.Millisecond && l.looked != "" && len(l.rest) < maxDirty {
		l.rest[l.looked] = now.Add(min(restFactor*took, maxBackoff))
	}
}

// settle marks again the folders in which a file was still being written, with
// a growing delay.
func (l *watchLoop) settle() {
	l.mu.Lock()
	again := l.unsettled
	l.unsettled = make(map[string]struct{})
	l.mu.Unlock()
	if _, ok := again[l.looked]; !ok {
		delete(l.backoff, l.looked)
	}
	for path := range again {
		d := l.s.cfg.SettleDelay
		if old, ok := l.backoff[path]; ok {
			d = min(2*old, max(maxBackoff, l.s.cfg.SettleDelay))
		}
		if len(l.backoff) < maxDirty {
			l.backoff[path] = d
		}
		names := l.names
		if path != l.looked {
			names = nil
		}
		l.mark(path, false, names, d)
	}
}

// tell brings Coverage up to date.
func (l *watchLoop) tell(none string) {
	_, unwatched, reason := l.set.state()
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.watch = watchState{none: none, unwatched: unwatched, limit: reason}
	l.s.roots = len(l.w.roots)
}
