package files

import (
	"errors"
	"io/fs"
	"time"
)

// entryKind is what a name in a folder stands for.
type entryKind uint8

const (
	kindUnknown entryKind = iota
	kindFile
	kindFolder
	kindLink
	kindOther // device, pipe, socket
)

// entry is one name in a folder.
type entry struct {
	name string
	kind entryKind
}

// stat is what is used of a file's attributes.
type stat struct {
	kind   entryKind
	size   int64
	mtime  time.Time
	inode  uint64
	device uint64
	owner  uint32
}

// same says whether two looks at a file saw the same content.
func (a stat) same(b stat) bool {
	return a.size == b.size && a.mtime.Equal(b.mtime) && a.inode == b.inode && a.device == b.device
}

// errLink says that a link stood where a file or folder was expected: it was
// put there after the folder was listed.
var errLink = errors.New("a link took its place")

// errNotRegular says that the name is a device, pipe or socket.
var errNotRegular = errors.New("not a regular file")

// skipReason tells under which counter an error of the system falls.
func skipReason(err error) counter {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return cDenied
	case errors.Is(err, fs.ErrNotExist):
		return cVanished
	case errors.Is(err, errLink):
		return cLinkOutside
	case errors.Is(err, errNotRegular):
		return cNotRegular
	}
	return cReadError
}
