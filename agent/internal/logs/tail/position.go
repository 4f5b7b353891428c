package tail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Position is how far one file was handed over. It holds hashes, no content.
type Position struct {
	Path     string `json:"path"`
	Device   uint64 `json:"device"`
	Inode    uint64 `json:"inode"`
	Offset   int64  `json:"offset"`
	HeadSize int    `json:"head_size"` // bytes at the start that Head is the hash of
	Head     string `json:"head"`
	FootSize int    `json:"foot_size"` // bytes before Offset that Foot is the hash of
	Foot     string `json:"foot"`
	Modified int64  `json:"modified"`           // modification time of the file when it was last looked at, nanoseconds since 1970
	Skipping bool   `json:"skipping,omitempty"` // Offset lies in a record whose rest is passed over
	Broken   bool   `json:"broken,omitempty"`
	Young    bool   `json:"young,omitempty"` // not yet known to be a copy or not

	// Former is the name that the file had last, while no file has that name:
	// whoever takes it and loses it again before the next look is found by it.
	Former string `json:"former,omitempty"`
	Done   bool   `json:"done,omitempty"` // read to its end and let go; kept for Former alone

	used bool
}

func (p *Position) identity() identity { return identity{p.Device, p.Inode} }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// check reads the bytes that p has hashes of; ok is false where they differ or
// are not there.
func (p *Position) check(handle *os.File, size int64) (head, foot []byte, ok bool) {
	if p.Offset < 0 || size < p.Offset || p.HeadSize < 0 || p.HeadSize > sampleSize || p.FootSize < 0 || p.FootSize > sampleSize ||
		int64(p.FootSize) > p.Offset || int64(p.HeadSize) > p.Offset {
		return nil, nil, false
	}
	head, foot = make([]byte, p.HeadSize), make([]byte, p.FootSize)
	if _, err := handle.ReadAt(head, 0); err != nil {
		return nil, nil, false
	}
	if _, err := handle.ReadAt(foot, p.Offset-int64(p.FootSize)); err != nil {
		return nil, nil, false
	}
	return head, foot, hash(head) == p.Head && hash(foot) == p.Foot
}

// begins reports whether a file is the beginning of what was read: a copy that
// was made before the last of it was written.
func (p *Position) begins(handle *os.File, size int64) bool {
	if size >= p.Offset || p.HeadSize == 0 || p.HeadSize > sampleSize || size < int64(p.HeadSize) {
		return false
	}
	head := make([]byte, p.HeadSize)
	_, err := handle.ReadAt(head, 0)
	return err == nil && hash(head) == p.Head
}

func (f *file) position() Position {
	return Position{
		Path: f.name, Device: f.id.Device, Inode: f.id.Inode, Offset: f.offset, Skipping: f.skipping, Broken: f.broken,
		Modified: f.verified.UnixNano(), Young: f.young,
		HeadSize: len(f.head), Head: hash(f.head), FootSize: len(f.foot), Foot: hash(f.foot),
	}
}

// Positions returns how far each file was handed over; never nil once the
// patterns were looked at. The caller holds Options.Hold, or Run has ended.
func (t *Tail) Positions() []Position {
	if t.first {
		return t.saved
	}
	list := make([]Position, 0, len(t.files))
	for _, f := range t.files {
		if !f.copy {
			list = append(list, f.position())
		}
	}
	for name, p := range t.left {
		i := slices.IndexFunc(list, func(other Position) bool { return other.identity() == p.identity() && other.Former == "" })
		if i < 0 {
			p.Done = true
			list = append(list, p)
			i = len(list) - 1
		}
		list[i].Former = name
	}
	return list
}

// maxState bounds the file of positions, in bytes.
const maxState = 8 << 20

// state is the file of positions.
type state struct {
	Version int                   `json:"version"`
	Sources map[string][]Position `json:"sources"`
}

// Load reads the positions that Prepare and its commit wrote to path, by source; none where there
// is no such file.
func Load(path string) (map[string][]Position, error) {
	handle, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading log positions: %w", err)
	}
	defer handle.Close()
	data, err := io.ReadAll(io.LimitReader(handle, maxState+1))
	if err != nil {
		return nil, fmt.Errorf("reading log positions: %w", err)
	}
	var s state
	if len(data) > maxState {
		err = fmt.Errorf("over %d bytes", maxState)
	} else if err = json.Unmarshal(data, &s); err == nil && s.Version != 1 {
		err = fmt.Errorf("version %d is not known", s.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("reading log positions: %s is damaged; remove it to begin as if the logs were new: %w", path, err)
	}
	return s.Sources, nil
}

// Prepare writes the positions of all sources beside path, durably. commit puts
// them in place: after a crash either the old ones are there or the new ones. It
// is one step, so that what has to happen together with it can come right before.
func Prepare(path string, sources map[string][]Position) (commit func() error, err error) {
	temporary := path + ".new"
	data, err := json.Marshal(state{1, sources})
	if err == nil {
		err = writeSynced(temporary, data)
	}
	if err != nil {
		return nil, fmt.Errorf("saving log positions: %w", err)
	}
	return func() error {
		err := os.Rename(temporary, path)
		if err == nil {
			err = syncFolder(filepath.Dir(path))
		}
		if err != nil {
			return fmt.Errorf("saving log positions: %w", err)
		}
		return nil
	}, nil
}

func writeSynced(path string, data []byte) error {
	handle, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = handle.Write(data)
	return errors.Join(err, handle.Sync(), handle.Close())
}
