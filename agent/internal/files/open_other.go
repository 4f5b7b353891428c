//go:build !linux

package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// folder is an open folder. os.Root keeps everything below it.
type folder struct {
	root *os.Root
	path string
	stat stat
}

// file is an open regular file.
type file struct {
	f *os.File
}

// openRoot opens a root, which may itself be reached through links.
func openRoot(path string) (*folder, error) {
	r, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening root: %w", err)
	}
	return newFolder(r, path)
}

func newFolder(r *os.Root, path string) (*folder, error) {
	info, err := r.Stat(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), r.Close())
	}
	return &folder{root: r, path: path, stat: statOf(info)}, nil
}

// openBelow opens a folder below this one. rel uses slashes; "" is the folder
// itself. A link in its place is refused.
func (d *folder) openBelow(rel string) (*folder, error) {
	if rel == "" {
		rel = "."
	}
	local := filepath.FromSlash(rel)
	info, err := d.root.Lstat(local)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", filepath.Join(d.path, local), err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("opening %s: %w", filepath.Join(d.path, local), errLink)
	}
	r, err := d.root.OpenRoot(local)
	if err != nil {
		return nil, fmt.Errorf("opening folder: %w", err)
	}
	return newFolder(r, filepath.Join(d.path, local))
}

// close closes the folder.
func (d *folder) close() { _ = d.root.Close() } // opened for reading: nothing can be lost

// each calls visit for every name, until it returns false.
func (d *folder) each(visit func(entry) bool) error {
	f, err := d.root.Open(".")
	if err != nil {
		return fmt.Errorf("listing %s: %w", d.path, err)
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(512)
		for _, e := range list {
			if !visit(entry{e.Name(), modeKind(e.Type())}) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", d.path, err)
		}
	}
}

func modeKind(m os.FileMode) entryKind {
	switch {
	case m.IsRegular():
		return kindFile
	case m.IsDir():
		return kindFolder
	case m&(os.ModeSymlink|os.ModeIrregular) != 0:
		return kindLink
	}
	return kindOther
}

// lstat looks at a name in the folder without following a link.
func (d *folder) lstat(name string) (stat, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return stat{}, fmt.Errorf("looking at %s: %w", filepath.Join(d.path, name), err)
	}
	return statOf(info), nil
}

func statOf(info os.FileInfo) stat {
	s := stat{kind: modeKind(info.Mode()), size: info.Size(), mtime: info.ModTime()}
	s.inode, s.device, s.owner = systemIDs(info)
	return s
}

// readlink returns where a link in the folder points.
func (d *folder) readlink(name string) (string, error) {
	to, err := d.root.Readlink(name)
	if err != nil {
		return "", fmt.Errorf("reading link %s: %w", filepath.Join(d.path, name), err)
	}
	return to, nil
}

// open opens a regular file in the folder for reading. It looks before, so
// that a pipe is not waited for, and after, so that nothing was swapped.
func (d *folder) open(name string) (file, stat, error) {
	before, err := d.root.Lstat(name)
	if err == nil && before.Mode()&os.ModeSymlink != 0 {
		err = errLink
	}
	if err == nil && !before.Mode().IsRegular() {
		err = errNotRegular
	}
	var f *os.File
	if err == nil {
		f, err = d.root.Open(name)
	}
	if err != nil {
		return file{}, stat{}, fmt.Errorf("opening %s: %w", filepath.Join(d.path, name), err)
	}
	after, err := f.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = errLink
	}
	if err != nil {
		return file{}, stat{}, errors.Join(fmt.Errorf("opening %s: %w", filepath.Join(d.path, name), err), f.Close())
	}
	return file{f}, statOf(after), nil
}

// stat looks at the open file.
func (f file) stat() (stat, error) {
	info, err := f.f.Stat()
	if err != nil {
		return stat{}, err
	}
	return statOf(info), nil
}

// close closes the file.
func (f file) close() { _ = f.f.Close() } // opened for reading: nothing can be lost

// ReadAt implements io.ReaderAt.
func (f file) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// foreign is unknown here: what is mounted below a root is walked.
func (d *folder) foreign() (string, bool) { return "", false }
