package tail

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// identity is what a file system calls a file by, whatever its name.
type identity struct {
	Device uint64
	Inode  uint64
}

// match lists the names that a pattern stands for, sorted.
func match(pattern string) []string {
	if !strings.ContainsAny(pattern, `*?[`) {
		if _, err := os.Lstat(pattern); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return []string{pattern}
	}
	// The only error is a pattern that Validate refuses.
	names, _ := filepath.Glob(pattern)
	return names
}

// compressed holds for files that a rotator has packed.
func compressed(name string) bool {
	switch filepath.Ext(name) {
	case ".gz", ".xz", ".bz2", ".zst", ".lz4", ".zip", ".Z":
		return true
	}
	return false
}

// open opens a regular file for reading. A link may lead to another file of the
// same folder, elsewhere only where follow says so.
func open(name string, follow bool) (*os.File, os.FileInfo, error) {
	var handle *os.File
	var err error
	if follow {
		handle, err = os.OpenFile(name, os.O_RDONLY|noBlock, 0)
	} else {
		var root *os.Root
		if root, err = os.OpenRoot(filepath.Dir(name)); err == nil {
			handle, err = root.OpenFile(filepath.Base(name), os.O_RDONLY|noBlock, 0)
			err = errors.Join(err, root.Close())
		}
	}
	if err != nil {
		if handle != nil {
			err = errors.Join(err, handle.Close())
		}
		return nil, nil, explain(name, err)
	}
	info, err := handle.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotFile
	}
	if err != nil {
		return nil, nil, errors.Join(err, handle.Close())
	}
	return handle, info, nil
}

// explain says what to do about a file that cannot be opened.
func explain(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be read: give the agent's user read access, e.g. by the group that owns it: %w", name, err)
	case errors.Is(err, fs.ErrNotExist):
		return err
	case strings.Contains(err.Error(), "escapes"):
		return fmt.Errorf("%s is a link out of its folder: name the file itself, or set follow_links: %w", name, err)
	}
	return fmt.Errorf("opening %s: %w", name, err)
}

// folders lists where the patterns' files lie.
func (t *Tail) folders() []string {
	var all []string
	for _, pattern := range t.options.Patterns {
		names := []string{filepath.Dir(pattern)}
		if strings.ContainsAny(names[0], `*?[`) {
			names, _ = filepath.Glob(names[0]) // see match
		}
		for _, name := range names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// begin decides where reading of a file starts that is seen for the first time:
// where it was left, at its end, or at its start. Hold is held.
func (t *Tail) begin(f *file) {
	f.seen = -1
	for i := range t.saved {
		p := &t.saved[i]
		moved := p.Path == f.name && p.Offset >= minCopy && !p.used && t.resume(f, p) // same content, another inode
		if p.identity() != f.id && !moved {
			continue
		}
		p.used = true
		if !moved && !t.resume(f, p) { // the same inode with other content: truncated, or used again
			t.replacedMeanwhile(f, p)
		}
		return
	}
	if t.first && !t.known && !t.options.FromStart {
		t.atEnd(f)
		return
	}
	f.young = t.mayBeCopy(f)
}

// resume takes up saved position p; false where f is not the file that it
// belongs to.
func (t *Tail) resume(f *file, p *Position) bool {
	head, foot, ok := p.check(f.handle, f.size)
	if !ok {
		return false
	}
	f.offset, f.head, f.foot, f.skipping, f.broken = p.Offset, head, foot, p.Skipping, p.Broken
	f.verified, f.young = time.Unix(0, p.Modified), p.Young
	if f.offset > 0 {
		t.headers(f)
	}
	return true
}

// replacedMeanwhile is replaced for a file that was truncated while nobody
// looked: only hashes of its bytes are known.
func (t *Tail) replacedMeanwhile(f *file, p *Position) {
	t.counters.truncated.Add(1)
	if c := t.findCopy(f, p); c != nil && t.resume(c, p) {
		t.readRest(c)
	} else if p.Offset > 0 {
		t.counters.uncopied.Add(1)
	}
	t.between(p)
}

// atEnd starts behind what is there. A line that is not ended there is passed
// over.
func (t *Tail) atEnd(f *file) {
	f.offset = f.size
	if f.size == 0 {
		return
	}
	foot := make([]byte, min(sampleSize, f.size))
	if _, err := f.handle.ReadAt(foot, f.size-int64(len(foot))); err != nil {
		f.offset = 0 // it shrank just now: what is in it is new
		return
	}
	f.foot, f.verified = foot, f.modified
	f.sampleHead()
	f.skipping = t.options.Split == nil && foot[len(foot)-1] != '\n'
	t.headers(f)
}

// maxHeader bounds what of a file's start is offered as headers, in bytes.
const maxHeader = 64 << 10

// headers offers the first records of f to its consumer.
func (t *Tail) headers(f *file) {
	if t.options.Split != nil {
		return
	}
	b := make([]byte, min(maxHeader, f.offset))
	n, _ := f.handle.ReadAt(b, 0) // what was read is what counts
	b = b[:n]
	for {
		end := slices.Index(b, '\n')
		if end < 0 {
			return
		}
		line := b[:end]
		if end > 0 && line[end-1] == '\r' {
			line = line[:end-1]
		}
		if !f.consumer.Header(line) {
			return
		}
		b = b[end+1:]
	}
}

// minCopy is how much of a file must have been read before another one can be
// told to be its copy and not only to start alike.
const minCopy = 1 << 10

// settleTime is how long a file must not have been written to before it is told
// whether it is a copy.
const settleTime = 100 * time.Millisecond

// mayBeCopy reports whether f, seen for the first time, has a name under which
// a rotator would keep a copy of a file that is followed, or was.
func (t *Tail) mayBeCopy(f *file) bool {
	folder, base := filepath.Split(f.name)
	beside := func(name string) bool {
		otherFolder, other := filepath.Split(name)
		return folder == otherFolder && rotated(other, base)
	}
	return slices.ContainsFunc(t.saved, func(p Position) bool { return beside(p.Path) }) ||
		slices.ContainsFunc(slices.Collect(maps.Values(t.files)), func(other *file) bool { return other != f && beside(other.name) })
}

// decide tells whether a young file is a copy of one that is followed; done is
// false where it may still be written.
func (t *Tail) decide(f *file) (done bool) {
	if age := time.Since(f.modified); age >= 0 && age < settleTime {
		return false
	}
	f.young = false
	for _, other := range t.files {
		if other == f || other.copy || other.young || other.offset == 0 || filepath.Dir(other.name) != filepath.Dir(f.name) {
			continue
		}
		p := other.position()
		_, _, same := p.check(f.handle, f.size)
		f.copy = f.copy || same && p.Offset >= minCopy || p.begins(f.handle, f.size)
	}
	return true
}

// passOver leaves out the copies that end before p, because what was read of
// their file went further.
func (t *Tail) passOver(p *Position) {
	for _, f := range t.files {
		if f.young && p.begins(f.handle, f.size) {
			f.young, f.copy = false, true
		}
	}
}

// findCopy looks beside f for a file that holds what was read of f, up to p,
// and more; it is followed from then on.
func (t *Tail) findCopy(f *file, p *Position) *file {
	if p.Offset == 0 {
		return nil
	}
	folder, base := filepath.Split(f.name)
	for _, s := range siblings(folder, base) {
		name := s.name
		if name == f.name || compressed(name) {
			continue
		}
		handle, info, err := open(name, false)
		if err != nil {
			continue
		}
		id, err := identify(handle, info)
		other := t.files[id]
		_, _, same := p.check(handle, info.Size())
		if err == nil && id != f.id && same && other == nil {
			c := &file{name: name, handle: handle, id: id, consumer: t.options.Open(), grown: time.Now(), lost: time.Now()}
			c.stat(info)
			t.files[id] = c
			return c
		}
		_ = handle.Close() // it was only read
		if err == nil && same && other != nil && (other.copy || other.young) {
			other.stat(info)
			return other
		}
	}
	return nil
}

// between follows the files that took the name of p's file after it was last
// looked at and have lost it again: two rotations with nobody looking. They are
// its rotated siblings that were written to since. Hold is held.
func (t *Tail) between(p *Position) {
	if p.Modified <= 0 {
		return // never looked at
	}
	folder, base := filepath.Split(p.Path)
	for _, s := range siblings(folder, base) {
		if !rotated(base, filepath.Base(s.name)) || compressed(s.name) || s.modified.UnixNano() <= p.Modified || len(t.files) >= maxFiles {
			continue
		}
		handle, info, err := open(s.name, false)
		if err != nil {
			continue
		}
		id, err := identify(handle, info)
		if err != nil || t.files[id] != nil || id == p.identity() || p.begins(handle, info.Size()) || t.wasSaved(id) {
			_ = handle.Close() // it was only read
			continue
		}
		now := time.Now()
		f := &file{name: s.name, handle: handle, id: id, consumer: t.options.Open(), grown: now, lost: now, seen: -1, young: true}
		f.stat(info)
		f.verified = f.modified
		t.files[id] = f
		t.counters.between.Add(1)
	}
}

// wasSaved reports whether a file has a position that is still to be taken up.
func (t *Tail) wasSaved(id identity) bool {
	return slices.ContainsFunc(t.saved, func(p Position) bool { return p.identity() == id })
}

// rotated reports whether name is what a rotator makes of base: a number or a
// date behind it or before its extension.
func rotated(base, name string) bool {
	middle, ok := strings.CutPrefix(name, base)
	if !ok {
		extension := filepath.Ext(base)
		if middle, ok = strings.CutPrefix(name, strings.TrimSuffix(base, extension)); !ok {
			return false
		}
		if middle, ok = strings.CutSuffix(middle, extension); !ok {
			return false
		}
	}
	return len(middle) > 1 && strings.IndexByte(".-_", middle[0]) >= 0 && strings.Trim(middle, "0123456789-._T") == "" && strings.ContainsAny(middle, "0123456789")
}

// maxSiblings bounds the names that are looked through in one folder.
const maxSiblings = 4096

type sibling struct {
	name     string
	modified time.Time
}

// siblings lists the files of folder that may have been called base, newest
// first.
func siblings(folder, base string) []sibling {
	handle, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer handle.Close()
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	entries, _ := handle.ReadDir(maxSiblings) // a part is as good
	var list []sibling
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), stem) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			list = append(list, sibling{filepath.Join(folder, e.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b sibling) int { return b.modified.Compare(a.modified) })
	return list
}

// recover looks for a file that had a position and has no name of the patterns
// any more: renamed in its folder, or moved so that it got another inode. Hold
// is held.
func (t *Tail) recover(p *Position, now time.Time) {
	if p.used {
		return
	}
	f := &file{name: p.Path, lost: now}
	folder, base := filepath.Split(p.Path)
	defer func() { t.between(p); t.leave(p) }()
	for _, s := range siblings(folder, base) {
		if !compressed(s.name) && t.recoverAs(s.name, p, now) {
			return
		}
	}
	if c := t.findCopy(f, p); c != nil && t.resume(c, p) {
		c.copy, c.young, c.seen = false, false, -1
		return
	}
	t.counters.vanished.Add(1)
}

// recoverAs takes up p in the file called name, if it is the one.
func (t *Tail) recoverAs(name string, p *Position, now time.Time) bool {
	handle, info, err := open(name, false)
	if err != nil {
		return false
	}
	id, err := identify(handle, info)
	f := &file{name: name, handle: handle, id: id, consumer: t.options.Open(), grown: now, lost: now, seen: -1}
	f.stat(info)
	if err != nil || id != p.identity() || t.files[id] != nil || !t.resume(f, p) {
		_ = handle.Close() // it was only read
		return false
	}
	t.files[id] = f
	return true
}
