package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// name is the word of the configuration, and the Sensor of observations.
const name = "process"

// Sensor looks at running programs in passes.
type Sensor struct {
	config   Config
	log      *slog.Logger
	reader   *inspect.Reader
	holders  *inspect.Holders
	snapshot *inspect.Snapshot

	// Of the goroutine that runs the passes.
	known     map[int32]*tracked
	pass      uint64
	kernel    *inspect.Sockets // nil where the connection table is read instead
	sockets   []inspect.Socket // scratch
	inodes    []uint32         // scratch
	unclaimed map[uint32]struct{}

	mu     sync.Mutex
	status status
}

// tracked is a program that was seen in the last pass.
type tracked struct {
	facts     inspect.Facts
	listening []uint32 // inodes of its listening sockets
	ports     []uint16
	due       time.Time // when to report it again
	pass      uint64    // in which it was seen last
	fresh     bool      // another program than in the last pass
	report    bool      // in this pass
}

// New returns the sensor; config must be valid. It starts nothing.
func New(config Config, log *slog.Logger) *Sensor {
	holders := inspect.DefaultHolders()
	holders.ProcRoot = config.Facts.ProcRoot
	return &Sensor{
		config:    config,
		log:       log,
		reader:    inspect.NewReader(config.Facts),
		holders:   inspect.NewHolders(holders),
		snapshot:  inspect.NewSnapshot(config.Interval / 2),
		known:     make(map[int32]*tracked),
		unclaimed: make(map[uint32]struct{}),
		status:    newStatus(config),
	}
}

// Name implements sensor.Sensor.
func (s *Sensor) Name() string { return name }

// Coverage implements sensor.Sensor.
func (s *Sensor) Coverage() sensor.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.report()
}

// Run implements sensor.Sensor: one pass at once, then one each interval.
func (s *Sensor) Run(ctx context.Context, emit sensor.Emit) error {
	if !s.config.Enabled {
		return &sensor.Unavailable{Sensor: name, Cause: errors.New("switched off"), Remedy: "set enabled to true"}
	}
	defer s.close()
	if err := s.Pass(ctx, emit); err != nil && ctx.Err() == nil {
		return s.unavailable(err)
	}
	ticker := time.NewTicker(s.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := s.Pass(ctx, emit); err != nil && ctx.Err() == nil {
				s.log.Warn("looking at processes failed, trying again", "cause", err, "interval", s.config.Interval)
			}
		}
	}
}

func (s *Sensor) unavailable(err error) error {
	remedy := "mount procfs at proc_root, or name the place where it is"
	switch {
	case errors.Is(err, inspect.ErrUnsupported):
		remedy = "use the agent on Linux, macOS or Windows"
	case errors.Is(err, fs.ErrPermission):
		remedy = "let the agent's user list processes"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.state, s.status.reason = sensor.Off, err.Error()+"; "+remedy
	return &sensor.Unavailable{Sensor: name, Cause: err, Remedy: remedy}
}

// close frees what a run opened.
func (s *Sensor) close() {
	if s.kernel == nil {
		return
	}
	if err := s.kernel.Close(); err != nil {
		s.log.Debug("closing sock_diag", "cause", err)
	}
	s.kernel = nil
}

// Pass looks once: it reports every program that is new, that runs another
// image, that listens elsewhere, or that is due again. It must not be called
// while Run runs.
func (s *Sensor) Pass(ctx context.Context, emit sensor.Emit) error {
	started := time.Now()
	pids, err := s.reader.PIDs(ctx)
	if err != nil {
		s.count(func(c *counters) { c.passesFailed++ })
		return err
	}
	s.pass++
	for _, pid := range pids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.look(pid, started)
	}
	s.forget()
	if s.config.ListeningPorts {
		s.lookAtPorts()
	}
	took := time.Since(started)
	s.finish(len(pids), took)
	return s.report(ctx, emit, started)
}

// Scan is one pass that reports every program, for a look without a daemon.
// Its error is an *Incomplete where something could not be seen.
func (s *Sensor) Scan(ctx context.Context, emit sensor.Emit) error {
	defer s.close()
	if err := s.Pass(ctx, emit); err != nil {
		return fmt.Errorf("scanning processes: %w", err)
	}
	if blind := s.Coverage().Blind; len(blind) > 0 {
		return &Incomplete{Blind: blind}
	}
	return nil
}

// Scan is Sensor.Scan with the default configuration.
func Scan(ctx context.Context, emit sensor.Emit) error {
	return New(DefaultConfig(), slog.New(slog.DiscardHandler)).Scan(ctx, emit)
}

// look decides whether pid is new, changed or due. A panic costs one process
// in one pass.
func (s *Sensor) look(pid int32, now time.Time) {
	defer func() {
		if cause := recover(); cause != nil {
			s.count(func(c *counters) { c.panics++ })
			s.log.Error("looking at a process panicked", "pid", pid, "cause", cause, "stack", string(debug.Stack()))
		}
	}()
	before := s.known[pid]
	if before != nil {
		stamp, err := s.reader.Stamp(pid)
		if err == nil && stamp.SameImage(before.facts.Stamp) {
			before.pass, before.fresh = s.pass, false
			if !before.facts.KernelThread && !now.Before(before.due) {
				before.report = true
				s.count(func(c *counters) { c.repeated++ })
			}
			return
		}
	} else if len(s.known) >= s.config.MaxProcesses {
		s.count(func(c *counters) { c.overLimit++ })
		return
	}
	facts, err := s.reader.Facts(pid)
	if err != nil {
		s.countUnread(err)
		return
	}
	if facts.Ended && facts.Executable == "" {
		s.countUnread(inspect.ErrGone)
		return
	}
	if facts.Zombie {
		s.count(func(c *counters) { c.zombies++ })
		return
	}
	replaced := before != nil && before.facts.Stamp.SameProcess(facts.Stamp)
	s.countFacts(&facts, replaced)
	if before != nil && !replaced {
		s.count(func(c *counters) { c.gone++ }) // its id went to another process between two passes
	}
	s.known[pid] = &tracked{facts: facts, pass: s.pass, fresh: true, report: !facts.KernelThread}
}

// forget drops the programs that this pass did not see.
func (s *Sensor) forget() {
	gone := uint64(0)
	for pid, t := range s.known {
		if t.pass != s.pass {
			delete(s.known, pid)
			gone++
		}
	}
	s.count(func(c *counters) { c.gone += gone })
}

// report hands over what this pass found, oldest process first.
func (s *Sensor) report(ctx context.Context, emit sensor.Emit, now time.Time) error {
	var pids []int32
	for pid, t := range s.known {
		if t.report {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		if ctx.Err() != nil {
			return ctx.Err() // what was not handed over stays marked for the next pass
		}
		t := s.known[pid]
		t.report, t.due = false, now.Add(s.config.RepeatEvery)
		process := t.facts.Process
		process.Arguments = slices.Clone(process.Arguments)
		emit(signatures.Observation{
			Sensor:  name,
			Kind:    signatures.KindProcess,
			Time:    now,
			Process: process,
			Ports:   slices.Clone(t.ports),
		})
		s.count(func(c *counters) { c.observations++ })
	}
	return nil
}
