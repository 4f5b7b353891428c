// Package spool keeps ready-to-send requests on disk between the pipeline and
// the exporter: a bounded segment log that survives a kill at any moment.
//
// What Append returned nil for is on disk, synced, and comes out of Next in
// order, again after every restart, until it is acknowledged with Ack. A batch
// that Append refused is not there at all; the caller keeps it and tries again.
// When the log is full the oldest segment goes, and what it held is counted.
//
// It imports agent/internal/sensor and proto/finding, for its coverage report,
// and nothing else of ours. It does not look into the data, does not send, and
// starts no goroutine.
package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Kind says what a record holds.
type Kind uint8

// The kinds of record.
const (
	Findings  Kind = 1 // a request with findings
	Heartbeat Kind = 2 // a request with coverage
)

func (k Kind) valid() bool { return k == Findings || k == Heartbeat }

// Record is one ready-to-send request.
type Record struct {
	Kind  Kind
	Items uint32 // findings or coverage reports in it, for counting what is lost
	Data  []byte // 1 to MaxRecordBytes bytes
}

// Position numbers the records of a spool from 1; it never goes back, also not
// over restarts.
type Position uint64

// Config bounds a spool.
type Config struct {
	Dir          string
	MaxBytes     int64 // of all segments; the oldest go beyond it
	SegmentBytes int64 // size at which the next segment is begun
}

// DefaultConfig returns the limits without a directory.
func DefaultConfig() Config { return Config{MaxBytes: 256 << 20, SegmentBytes: 4 << 20} }

// MinMaxBytes is the smallest useful bound of a spool.
const MinMaxBytes = 1 << 20

// Validate checks c; errors name the key of the configuration.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: a directory is needed")
	case c.MaxBytes < MinMaxBytes:
		return fmt.Errorf("max_bytes: %d is too small, at least %d bytes are needed", c.MaxBytes, MinMaxBytes)
	case c.SegmentBytes < 1<<10 || c.SegmentBytes > c.MaxBytes/2:
		return fmt.Errorf("segment_bytes: %d is not between 1024 and half of max_bytes", c.SegmentBytes)
	}
	return nil
}

// ErrInUse is returned by Open when another process holds the spool.
var ErrInUse = errors.New("another process uses this spool; stop that agent, or give this one its own directory")

// ErrTooLarge is returned by Append for a batch that can never fit.
var ErrTooLarge = errors.New("batch is larger than the spool allows")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("spool is closed")

// errLocked is returned by lockFile.
var errLocked = errors.New("locked by another process")

// segment is one file of the log.
type segment struct {
	path    string
	first   uint64 // position of its first record
	records uint64 // positions it takes, also of damaged records
	size    int64  // bytes that are durable
	pending counts // records not yet acknowledged
}

func (s *segment) last() uint64 { return s.first + s.records - 1 }

// counts are records and items by kind.
type counts struct {
	records, findings, heartbeats uint64
}

func (c *counts) add(kind Kind, items uint32) {
	c.records++
	if kind == Findings {
		c.findings += uint64(items)
	} else {
		c.heartbeats += uint64(items)
	}
}

func (c *counts) subtract(kind Kind, items uint32) {
	c.records--
	if kind == Findings {
		c.findings -= uint64(items)
	} else {
		c.heartbeats -= uint64(items)
	}
}

// Spool is an open segment log. It is safe for concurrent use.
type Spool struct {
	config    Config
	lock      *os.File
	stateFile *os.File
	opened    time.Time

	mu       sync.Mutex
	closed   bool
	segments []*segment // oldest first
	active   *os.File   // of the last segment, nil where the next Append begins one
	next     uint64     // position of the next record appended
	state    state
	reader   reader
	totals   totals
	wake     chan struct{} // closed and replaced when records were appended
	buffer   []byte
}

// Open opens the spool of config.Dir, makes the directory where it is missing,
// and repairs what a kill left behind: a torn tail is cut off and counted.
func Open(config Config) (*Spool, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the spool directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(config.Dir, "lock"))
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("opening spool %s: %w", config.Dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the spool: %w", err)
	}
	s := &Spool{config: config, lock: lock, opened: time.Now(), wake: make(chan struct{})}
	if err := s.load(); err != nil {
		_ = s.Close() // the error of loading says more
		return nil, err
	}
	return s, nil
}

// Close releases the spool. It does not wait for anything: what was appended
// is on disk already.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.wake)
	err := errors.Join(s.closeActive(), s.reader.close())
	if s.stateFile != nil {
		err = errors.Join(err, s.stateFile.Close())
	}
	err = errors.Join(err, s.lock.Close())
	if err != nil {
		return fmt.Errorf("closing spool: %w", err)
	}
	return nil
}

func (s *Spool) closeActive() error {
	if s.active == nil {
		return nil
	}
	err := s.active.Close()
	s.active = nil
	return err
}
