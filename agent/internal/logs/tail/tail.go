// Package tail reads files that others write: it follows them over rotation
// and truncation, hands over one record after the other, and knows to the byte
// up to where it has done so.
//
// It may import github.com/fsnotify/fsnotify. It opens files read-only, follows
// no symbolic link out of a file's folder unless told to, and changes nothing.
// It does not know what a record means, and does not decide when positions are
// kept: Positions tells them, Prepare writes them, the caller says when.
//
// What it guarantees, between the first and the last record handed over: each
// complete record once, over
//
//   - rename and create (logrotate's default): the renamed file is read to its
//     end and for Options.Linger longer, its successor from its start;
//   - copy and truncate (logrotate's copytruncate): what the truncation took
//     away is read from the copy, where the copy lies beside the file. What the
//     rotator itself loses between copying and truncating is lost;
//   - two rotations between two looks, where the files keep the usual names;
//   - a symbolic link that is pointed at another file, a file that is deleted and
//     comes back;
//   - a restart with the positions that were saved, also where the file was
//     renamed in the same folder meanwhile.
//
// Files are told apart by device and inode, by the bytes at their start, and by
// the bytes before the position. Compressed files are never read: one that was
// compressed or deleted before it was read to its end is counted as vanished.
package tail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Consumer takes the records of one file. It is used by one goroutine.
type Consumer interface {
	// Header offers a record from the start of a file that is read on from
	// further down; the first one for which it returns false is the last.
	Header(record []byte) (more bool)
	// Record takes the next record, without its line end. cut says that it was
	// longer than Options.MaxRecord and its rest is left out. The bytes are the
	// reader's own: they change after the call.
	Record(record []byte, cut bool)
}

// Split finds the next record at the start of b. A size of 0 asks for more
// bytes; a record of nil passes over size bytes. An error says that what
// follows cannot be told apart any more: the rest of the file is passed over.
type Split func(b []byte) (record []byte, size int, err error)

// Options say what is read.
type Options struct {
	Patterns    []string      // absolute paths, as filepath.Match takes them
	FromStart   bool          // read what is there already when the patterns are first looked at
	FollowLinks bool          // also out of the file's folder
	MaxRecord   int           // bytes of a record; longer ones are cut
	Poll        time.Duration // how often files are looked for, whatever the system tells
	Linger      time.Duration // how long a file without a name is still read after its last growth
	Split       Split         // nil: records are lines
	Open        func() Consumer
	Hold        sync.Locker // held while records are handed over and positions move
}

// Defaults of Options.
const (
	DefaultPoll   = time.Second
	DefaultLinger = 10 * time.Second
)

const (
	chunk      = 256 << 10 // read at once
	maxFiles   = 512       // followed at the same time
	perTurn    = 4 << 20   // bytes of one file before the next has its turn
	minGap     = 50 * time.Millisecond
	sampleSize = 256 // bytes at the start and before the position that tell files apart
)

// Tail follows the files of one set of patterns.
type Tail struct {
	options Options
	saved   []Position
	known   bool // the patterns were looked at before, by this or an earlier process

	// Guarded by Options.Hold.
	files  map[identity]*file
	left   map[string]Position // name that has no file: the one that had it last
	buffer []byte

	first    bool // the first look is still to come
	status   atomic.Pointer[Status]
	counters counters
}

// counters are totals since New.
type counters struct {
	bytes, records, cut, truncated, copies, uncopied, between, rotated, vanished, broken, crowded atomic.Uint64
}

// Status is what the last look found.
type Status struct {
	Files   int      // that are followed
	Lag     uint64   // bytes that are there and not handed over
	Missing []string // patterns that match no file
	Trouble []string // why files are not read, each once
}

// New returns a tail that goes on from saved, which is nil where the patterns
// are looked at for the first time. It starts nothing.
func New(o Options, saved []Position) *Tail {
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Linger <= 0 {
		o.Linger = DefaultLinger
	}
	if o.Hold == nil {
		o.Hold = new(sync.Mutex)
	}
	t := &Tail{options: o, saved: saved, known: saved != nil, first: true, files: map[identity]*file{}, left: map[string]Position{}}
	t.status.Store(&Status{})
	return t
}

// Status returns what the last look found.
func (t *Tail) Status() Status { return *t.status.Load() }

// Counters returns totals by name.
func (t *Tail) Counters() map[string]uint64 {
	c := &t.counters
	return map[string]uint64{
		"bytes": c.bytes.Load(), "records": c.records.Load(), "cut": c.cut.Load(), "truncated": c.truncated.Load(), "copies": c.copies.Load(), "truncated_without_copy": c.uncopied.Load(), "between": c.between.Load(),
		"rotated": c.rotated.Load(), "vanished": c.vanished.Load(), "broken": c.broken.Load(), "files_left_out": c.crowded.Load(),
	}
}

// Run follows the files until ctx ends.
func (t *Tail) Run(ctx context.Context) error {
	defer t.close()
	// Without notifications, looking every Poll is enough.
	watcher, err := fsnotify.NewWatcher()
	var events chan fsnotify.Event
	var failures chan error
	watched := map[string]bool{}
	if err == nil {
		defer watcher.Close()
		events, failures = watcher.Events, watcher.Errors
	}
	timer := time.NewTimer(t.options.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		began := time.Now()
		more := t.turn(ctx)
		if watcher != nil {
			t.watch(watcher, watched)
		}
		if more {
			continue
		}
		timer.Reset(t.options.Poll)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-events:
			if !wait(ctx, minGap-time.Since(began)) {
				return nil
			}
		case <-failures: // events were lost: look at once
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// watch asks for notifications about the folders of the files. A folder that
// cannot be watched is looked at every Poll all the same.
func (t *Tail) watch(w *fsnotify.Watcher, watched map[string]bool) {
	for _, folder := range t.folders() {
		if !watched[folder] && len(watched) < maxFiles {
			watched[folder] = w.Add(folder) == nil
		}
	}
}

// Drain reads what is there, once, and returns; for tests and for one-shot use.
func (t *Tail) Drain(ctx context.Context) {
	for t.turn(ctx) && ctx.Err() == nil {
	}
}

// turn looks for files and reads from each; more says that a file has more to
// read at once.
func (t *Tail) turn(ctx context.Context) (more bool) {
	status := t.look()
	for _, f := range t.order() {
		if ctx.Err() != nil {
			return false
		}
		more = t.readTurn(ctx, f) || more
	}
	t.options.Hold.Lock()
	status.Files = len(t.files)
	for _, f := range t.files {
		if !f.copy && f.size > f.offset {
			status.Lag += uint64(f.size - f.offset)
		}
	}
	t.options.Hold.Unlock()
	t.status.Store(&status)
	return more
}

// order lists the files, those that have lost their name first, then by age.
func (t *Tail) order() []*file {
	t.options.Hold.Lock()
	defer t.options.Hold.Unlock()
	list := slices.Collect(maps.Values(t.files))
	slices.SortFunc(list, func(a, b *file) int {
		if a.unnamed() != b.unnamed() {
			if a.unnamed() {
				return -1
			}
			return 1
		}
		return a.modified.Compare(b.modified)
	})
	return list
}

// look compares the names with the files that are followed.
func (t *Tail) look() Status {
	var status Status
	now := time.Now()
	named := map[identity]bool{}
	for _, pattern := range t.options.Patterns {
		names := match(pattern)
		if len(names) == 0 {
			status.Missing = append(status.Missing, pattern)
		}
		for _, name := range names {
			id, err := t.consider(name, now)
			switch {
			case errors.Is(err, errNotFile):
			case errors.Is(err, fs.ErrNotExist): // gone since, or a link to nowhere
			case err != nil:
				status.Trouble = appendOnce(status.Trouble, err.Error())
			default:
				named[id] = true
			}
		}
	}
	t.settle(named, now)
	t.first = false
	return status
}

// settle notes which files have lost their name, and on the first look finds
// those that lost it while nobody looked.
func (t *Tail) settle(named map[identity]bool, now time.Time) {
	t.options.Hold.Lock()
	defer t.options.Hold.Unlock()
	for id, f := range t.files {
		switch {
		case named[id]:
			f.lost = time.Time{}
		case !f.unnamed():
			f.lost = now
			t.counters.rotated.Add(1)
			if !f.copy {
				p := f.position()
				t.between(&p)
				t.leave(&p)
			}
		}
	}
	if t.first {
		for i := range t.saved {
			t.inherit(&t.saved[i])
			t.recover(&t.saved[i], now)
		}
		t.saved, t.known = nil, true
	}
}

func appendOnce(list []string, text string) []string {
	if len(list) >= 8 || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// errNotFile is the error of names that stand for no regular file, or for one
// that is compressed.
var errNotFile = errors.New("not a readable log")

// consider starts to follow the file called name, unless it is followed already.
func (t *Tail) consider(name string, now time.Time) (identity, error) {
	if compressed(name) {
		return identity{}, errNotFile
	}
	if id, ok := t.followed(name); ok {
		return id, nil
	}
	handle, info, err := open(name, t.options.FollowLinks)
	if err != nil {
		return identity{}, err
	}
	id, err := identify(handle, info)
	if err != nil {
		return identity{}, errors.Join(fmt.Errorf("identifying %s: %w", name, err), handle.Close())
	}
	t.options.Hold.Lock()
	defer t.options.Hold.Unlock()
	if f, ok := t.files[id]; ok {
		f.name = name
		return id, handle.Close()
	}
	if len(t.files) >= maxFiles {
		t.counters.crowded.Add(1)
		return id, errors.Join(fmt.Errorf("%d files are followed already: name fewer, %s is left out", maxFiles, name), handle.Close())
	}
	f := &file{name: name, handle: handle, id: id, consumer: t.options.Open(), grown: now}
	f.stat(info)
	f.verified = f.modified
	t.files[id] = f
	if p, ok := t.left[name]; ok {
		t.between(&p)
		delete(t.left, name)
	}
	t.begin(f)
	return id, nil
}

// inherit takes up what is known of a name that nobody had at the last look
// before this process.
func (t *Tail) inherit(p *Position) {
	if p.Former != "" {
		last := *p
		last.Path, last.Former, last.Done = p.Former, "", false
		t.between(&last)
		t.leave(&last)
	}
	p.used = p.used || p.Done
}

// leave remembers who had a name last that nobody has now.
func (t *Tail) leave(p *Position) {
	for _, f := range t.files {
		if f.name == p.Path && !f.unnamed() {
			return
		}
	}
	if len(t.left) < maxFiles {
		t.left[p.Path] = *p
	}
}

// followed tells whether name still stands for the file that it stood for,
// without opening it.
func (t *Tail) followed(name string) (identity, bool) {
	info, err := os.Stat(name)
	if err != nil {
		return identity{}, false
	}
	id, ok := identifyInfo(info)
	if !ok {
		return identity{}, false
	}
	t.options.Hold.Lock()
	defer t.options.Hold.Unlock()
	f, ok := t.files[id]
	if ok {
		f.name = name
	}
	return id, ok
}

// close gives the files back. Positions stay.
func (t *Tail) close() {
	t.options.Hold.Lock()
	defer t.options.Hold.Unlock()
	for _, f := range t.files {
		// It was only read.
		_ = f.handle.Close()
	}
}
