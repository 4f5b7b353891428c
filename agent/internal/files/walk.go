package files

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// walker holds what all folders of a walk share. Everything in it is either
// fixed or safe for concurrent use.
type walker struct {
	cfg     Config
	log     *slog.Logger
	counts  *counters
	owners  *owners
	memory  *memory // nil in a one-shot scan
	emit    sensor.Emit
	now     func() time.Time
	known   *known
	exclude exclusions
	roots   []*root
	pace    int // files per second, 0 for no limit

	onFolder  func(path string, depth int) // before a folder is listed; may be nil
	onSkip    func(path string, why counter)
	onFile    func(folder, name string) // may be nil
	unsettled func(folder string)       // a file in it is still being written; nil in a one-shot scan

	// parse is modelformat's Identify but in tests of the guard.
	parse func(id *modelformat.Identifier, r io.ReaderAt, size int64, path string) (modelformat.Result, error)
}

// root is one place to look at.
type root struct {
	path string // as resolved
	dir  *folder
	only string // name of the one file to look at, "" for the whole folder
}

// job is one folder to look at.
type job struct {
	root   *root
	rel    string // below the root, with slashes
	depth  int
	device uint64 // of the folder above
	alone  bool   // without the folders below
}

func newWalker(cfg Config, log *slog.Logger, counts *counters, emit sensor.Emit) *walker {
	w := &walker{
		cfg: cfg, log: log, counts: counts, owners: &owners{}, emit: emit, now: time.Now,
		known:   newKnown(cfg),
		exclude: newExclusions(cfg.Exclude),
		parse: func(id *modelformat.Identifier, r io.ReaderAt, size int64, path string) (modelformat.Result, error) {
			return id.Identify(r, size, path)
		},
	}
	return w
}

// openRoots opens the roots that exist and returns those that do not, or may
// not be opened.
func (w *walker) openRoots() (missing []string) {
	seen := make(map[string]bool)
	for _, p := range w.cfg.Roots {
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			missing = append(missing, p)
			if skipReason(err) == cDenied {
				w.skip(p, cDenied)
			}
			continue
		}
		if seen[real] {
			continue
		}
		seen[real] = true
		r, err := openOneRoot(real)
		if err != nil {
			missing = append(missing, p)
			w.skip(p, skipReason(err))
			continue
		}
		w.roots = append(w.roots, r)
	}
	return missing
}

func openOneRoot(real string) (*root, error) {
	d, err := openRoot(real)
	if err == nil {
		return &root{path: real, dir: d}, nil
	}
	if skipReason(err) == cDenied {
		return nil, err
	}
	parent, name := filepath.Split(real)
	d, err2 := openRoot(parent)
	if err2 != nil {
		return nil, errors.Join(err, err2)
	}
	if st, err2 := d.lstat(name); err2 != nil || st.kind != kindFile {
		d.close()
		return nil, errors.Join(err, err2)
	}
	return &root{path: filepath.Clean(parent), dir: d, only: name}, nil
}

func (w *walker) closeRoots() {
	for _, r := range w.roots {
		r.dir.close()
	}
	w.roots = nil
}

// skip counts what was passed over and why.
func (w *walker) skip(path string, why counter) {
	w.counts.add(why)
	if w.onSkip != nil {
		w.onSkip(path, why)
	}
}

// walkAll looks at all roots.
func (w *walker) walkAll(ctx context.Context) {
	w.counts.add(cWalks)
	jobs := make([]job, 0, len(w.roots))
	for _, r := range w.roots {
		if r.only != "" {
			k := w.worker(nil)
			k.single(r)
			continue
		}
		if w.known.has(filepath.Dir(r.path), filepath.Base(r.path)) {
			w.knownPath(r.path, r.dir.stat)
		}
		jobs = append(jobs, job{root: r, device: r.dir.stat.device})
	}
	w.walk(ctx, jobs)
}

// find returns the job for a path below one of the roots.
func (w *walker) find(path string) (job, bool) {
	for _, r := range w.roots {
		if rel, ok := below(r.path, path); ok && r.only == "" {
			return job{root: r, rel: rel, depth: strings.Count(rel, "/") + 1, device: r.dir.stat.device}, true
		}
	}
	return job{}, false
}

// below returns the path relative to base with slashes, and whether it lies
// there.
func below(base, path string) (string, bool) {
	if path == base {
		return "", true
	}
	sep := string(filepath.Separator)
	if !strings.HasSuffix(base, sep) {
		base += sep
	}
	rel, ok := strings.CutPrefix(path, base)
	return filepath.ToSlash(rel), ok
}

// queue is the folders still to be looked at: last in, first out, so that it
// stays small.
type queue struct {
	mu    sync.Mutex
	ready sync.Cond
	jobs  []job
	busy  int
	limit int
}

// put adds a job; false where there are too many.
func (q *queue) put(j job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) >= q.limit {
		return false
	}
	q.jobs = append(q.jobs, j)
	q.ready.Signal()
	return true
}

// take waits for a job; false when all are done.
func (q *queue) take() (job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 {
		if q.busy == 0 {
			q.ready.Broadcast()
			return job{}, false
		}
		q.ready.Wait()
	}
	j := q.jobs[len(q.jobs)-1]
	q.jobs = q.jobs[:len(q.jobs)-1]
	q.busy++
	return j, true
}

func (q *queue) done() {
	q.mu.Lock()
	q.busy--
	if q.busy == 0 {
		q.ready.Broadcast()
	}
	q.mu.Unlock()
}

// walk looks at the jobs' folders and what lies below, and returns when all is
// done or ctx has ended.
func (w *walker) walk(ctx context.Context, jobs []job) {
	q := &queue{jobs: jobs, limit: max(w.cfg.MaxPending, len(jobs))}
	q.ready.L = &q.mu
	var wait sync.WaitGroup
	workers := w.cfg.Workers
	if len(jobs) == 1 && jobs[0].alone {
		workers = 1
	}
	for range workers {
		wait.Go(func() {
			k := w.worker(q)
			for {
				j, ok := q.take()
				if !ok {
					return
				}
				if ctx.Err() == nil {
					k.visit(ctx, j)
				}
				q.done()
			}
		})
	}
	wait.Wait()
}

// worker looks at one folder at a time.
type worker struct {
	*walker
	queue *queue
	id    *modelformat.Identifier
	began time.Time
	files int // since began
}

func (w *walker) worker(q *queue) *worker {
	return &worker{walker: w, queue: q, began: w.now(), id: modelformat.NewIdentifier(modelformat.Options{Budget: w.cfg.MaxFileRead})}
}

// single looks at a root that is one file.
func (k *worker) single(r *root) {
	b := batch{dir: r.dir}
	if it, ok := k.inspect(r.dir, r.only, filepath.Join(r.path, r.only)); ok {
		b.items = append(b.items, it)
	}
	k.report(&b)
}

// rest sleeps where the worker was faster than the pace allows.
func (k *worker) rest(ctx context.Context) {
	if k.pace <= 0 || k.files < 256 {
		return
	}
	due := time.Duration(k.files) * time.Second / time.Duration(k.pace)
	if wait := due - k.now().Sub(k.began); wait > time.Millisecond {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	k.files, k.began = 0, k.now()
}

// exclusions are the paths and names that are left out.
type exclusions struct {
	paths []string
	names map[string]struct{}
}

func newExclusions(list []string) exclusions {
	e := exclusions{names: make(map[string]struct{})}
	for _, s := range list {
		if filepath.IsAbs(s) {
			e.paths = append(e.paths, filepath.Clean(s))
		} else {
			e.names[s] = struct{}{}
		}
	}
	return e
}

// has says whether name in the folder at path is left out. Folders above were
// asked for before, so that only whole paths need comparing.
func (e *exclusions) has(folder, name string) bool {
	if _, ok := e.names[name]; ok {
		return true
	}
	for _, p := range e.paths {
		if strings.HasPrefix(p, folder) && strings.HasSuffix(p, name) && p == joinPath(folder, name) {
			return true
		}
	}
	return false
}

// joinPath joins a clean folder and a name at the cost of one string.
func joinPath(folder, name string) string {
	if strings.HasSuffix(folder, string(filepath.Separator)) {
		return folder + name
	}
	return folder + string(filepath.Separator) + name
}

// knownPath reports a file or folder whose base name the catalogue knows.
func (w *walker) knownPath(path string, st stat) {
	w.counts.add(cKnown)
	f := signatures.File{Path: path, ModTime: st.mtime, Owner: w.owners.name(st.owner)}
	if st.kind == kindFile {
		f.Size = st.size
	}
	w.deliver(signatures.KindFile, f)
}
