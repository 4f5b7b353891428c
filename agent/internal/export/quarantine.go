package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of the quarantine; the oldest files go beyond them and are counted.
const (
	quarantineFiles = 256
	quarantineBytes = 16 << 20
)

// quarantine keeps requests that the collector refuses for good, one record a
// file, for a person to look at. It may grow up to its bounds and no further.
type quarantine struct{ dir string }

// put stores one request, durably, and returns how many older ones had to go.
func (q quarantine) put(data []byte, status int, now time.Time) (removed uint64, err error) {
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return 0, fmt.Errorf("quarantining a request: %w", err)
	}
	removed, err = q.makeRoom(int64(len(data)))
	if err != nil {
		return removed, fmt.Errorf("quarantining a request: %w", err)
	}
	pattern := fmt.Sprintf("%s-%d-*.otlp", now.UTC().Format("20060102T150405.000000000"), status)
	file, err := os.CreateTemp(q.dir, pattern) // mode 0600
	if err != nil {
		return removed, fmt.Errorf("quarantining a request: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return removed, errors.Join(fmt.Errorf("quarantining a request: %w", err), os.Remove(file.Name()))
	}
	return removed, nil
}

// makeRoom removes the oldest files until one more of need bytes fits.
func (q quarantine) makeRoom(need int64) (removed uint64, err error) {
	entries, err := os.ReadDir(q.dir)
	if err != nil {
		return 0, err
	}
	type old struct {
		name string
		size int64
	}
	var files []old
	bytes := need
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !strings.HasSuffix(entry.Name(), ".otlp") {
			continue
		}
		if err != nil {
			return 0, err
		}
		files = append(files, old{entry.Name(), info.Size()})
		bytes += info.Size()
	}
	slices.SortFunc(files, func(a, b old) int { return strings.Compare(a.name, b.name) })
	for len(files) > 0 && (len(files) >= quarantineFiles || bytes > quarantineBytes) {
		if err := os.Remove(filepath.Join(q.dir, files[0].name)); err != nil {
			return removed, err
		}
		bytes -= files[0].size
		files = files[1:]
		removed++
	}
	return removed, nil
}
