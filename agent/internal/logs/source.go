package logs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
	"github.com/gnomon-ai/gnomon/agent/internal/logs/listen"
	"github.com/gnomon-ai/gnomon/agent/internal/logs/tail"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// source is one configured log at work.
type source struct {
	config *Source
	format format.Format
	log    *slog.Logger
	count  tally
	told   [format.Results]atomic.Bool // failures that the log was told of

	emit     sensor.Emit
	tail     *tail.Tail       // of files
	listener *listen.Listener // of the network or a socket

	mu      sync.Mutex
	trouble string    // why nothing comes in
	lines   uint64    // when last asked
	changed time.Time // when lines were last seen to grow
}

func newSource(c *Source, log *slog.Logger) *source {
	f, _ := format.Find(c.Format) // Validate has found it
	if c.MaxLine > 0 {
		f.MaxLine = c.MaxLine
	}
	return &source{config: c, format: f, log: log}
}

// prepare makes the part that brings the lines in.
func (s *source) prepare(emit sensor.Emit, saved []tail.Position, hold sync.Locker) {
	s.emit = emit
	s.mu.Lock()
	s.changed = time.Now()
	s.mu.Unlock()
	if len(s.config.Files) == 0 {
		s.listener = listen.New(listen.Options{
			MaxMessage: s.format.MaxLine, Open: func() listen.Consumer { return s.open() }, Hold: hold, Started: func() { s.setTrouble("") },
		})
		return
	}
	o := tail.Options{
		Patterns: s.config.Files, FromStart: s.config.From == "start", FollowLinks: s.config.FollowLinks,
		MaxRecord: s.format.MaxLine, Open: func() tail.Consumer { return s.open() }, Hold: hold,
	}
	if s.format.Framing == format.Frames {
		o.Split = func(b []byte) ([]byte, int, error) { return listen.SplitFrames(b, s.format.MaxLine) }
	}
	s.tail = tail.New(o, saved)
}

// open returns the consumer of one stream.
func (s *source) open() *consumer {
	o := s.config.options()
	parser := s.format.New(o)
	if s.config.Syslog || s.config.Listen != nil {
		parser = format.NewSyslog(parser, o)
	}
	return &consumer{parser: parser, emit: s.emit, count: &s.count, failed: s.tell}
}

// tell writes the first failure of each kind to the log, without the line.
func (s *source) tell(result format.Result) {
	if !s.told[result].Load() && s.told[result].CompareAndSwap(false, true) {
		s.log.Warn("a log line cannot be read; further ones are only counted", "source", s.config.Name, "format", s.config.Format,
			"reason", result.String(), "line", s.count.lines())
	}
}

// retryAfter is how long a listener that cannot listen waits before it tries
// again.
const retryAfter = 5 * time.Second

// run brings lines in until ctx ends. What fails is tried again.
func (s *source) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.survive(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("it ended by itself")
		}
		s.setTrouble(err.Error())
		s.log.Error("a log source does not work, trying again", "source", s.config.Name, "error", err)
		if s.tail != nil { // its files are closed
			<-ctx.Done()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// survive turns a panic outside of a line's handling into an error.
func (s *source) survive(ctx context.Context) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.count.panics.Add(1)
			s.log.Error("a log source failed", "source", s.config.Name, "fault", fault, "stack", string(debug.Stack()))
			err = fmt.Errorf("it failed (%v); please report this", fault)
		}
	}()
	if s.tail != nil {
		return s.tail.Run(ctx)
	}
	if s.config.Socket != "" {
		return s.listener.Frames(ctx, s.config.Socket, format.DnstapContentType)
	}
	return s.listener.Syslog(ctx, *s.config.Listen)
}

func (s *source) setTrouble(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = text
}

// positions is how far the files were read, in a fixed order; nil where there
// are none to keep.
func (s *source) positions() []tail.Position {
	if s.tail == nil {
		return nil
	}
	list := s.tail.Positions()
	slices.SortFunc(list, func(a, b tail.Position) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return int(min(max(int64(a.Inode)-int64(b.Inode), -1), 1))
	})
	return list
}

// silent is for how long no line came.
func (s *source) silent(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.count.lines(); n != s.lines {
		s.lines, s.changed = n, now
	}
	if s.changed.IsZero() {
		return 0
	}
	return now.Sub(s.changed)
}
