// Package logs is the sensor of other programs' logs: where traffic is already
// seen by a proxy, a resolver or a network sensor, what that wrote down is
// evidence too.
//
// It may import agent/internal/logs/format (what a line says), logs/tail (files)
// and logs/listen (syslog, dnstap), agent/internal/sensor, signatures and
// proto/finding. It makes observations of lines and does nothing else: it
// matches nothing, asks for no owner (the connection is another host's) and
// carries no content.
//
// # What is lost and what is repeated
//
// Lines of files come exactly once over rotation, truncation and orderly
// restarts (see package tail for the tactics). Mark ties the positions to the
// findings: the pipeline stores what was folded of the lines up to a position,
// and then keeps the position. After a kill, or a power cut, everything behind
// the last kept position is read again, and none of it was stored. Nothing is
// lost, unless the files are gone or compressed by then: that is counted as
// vanished. There is one gap: a kill while the spool makes a checkpoint durable,
// after the findings are written and before the positions are in place, counts
// the lines of that one checkpoint twice. It lasts as long as the disk takes for
// one sync, once in every Config.Checkpoint.
//
// Messages that come over the network cannot be asked for again: what a killed
// process had taken since the last checkpoint is lost, and UDP also loses what
// the kernel drops.
package logs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/tail"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// Sensor reads the configured logs.
type Sensor struct {
	config Config
	folder string // where the positions are kept
	log    *slog.Logger

	// hold is read-held while lines are handed over, and held by Mark.
	hold    sync.RWMutex
	sources []*source
	running bool                       // guarded by hold: the sources have their positions
	kept    map[string][]tail.Position // last written; of Mark's goroutine

	mu      sync.Mutex
	state   string
	since   time.Time
	trouble string // why positions cannot be read or kept
}

// New returns a sensor that keeps its positions in the folder "logs" of
// stateDir. It starts nothing.
func New(config Config, stateDir string, log *slog.Logger) *Sensor {
	s := &Sensor{config: config, folder: filepath.Join(stateDir, "logs"), log: log, state: sensor.Off}
	for i := range config.Sources {
		s.sources = append(s.sources, newSource(&config.Sources[i], log))
	}
	return s
}

// Name implements sensor.Sensor.
func (s *Sensor) Name() string { return sensorName }

// Run implements sensor.Sensor.
func (s *Sensor) Run(ctx context.Context, emit sensor.Emit) error {
	saved, err := tail.Load(s.path())
	if err != nil {
		s.setTrouble(err.Error())
		s.log.Error("the positions of logs are not known", "error", err)
	}
	s.hold.Lock()
	for _, src := range s.sources {
		src.prepare(emit, saved[src.config.Name], s.hold.RLocker())
	}
	s.running = true
	s.hold.Unlock()
	s.mu.Lock()
	s.state, s.since = sensor.On, time.Now()
	s.mu.Unlock()

	var reading sync.WaitGroup
	for _, src := range s.sources {
		reading.Go(func() { src.run(ctx) })
	}
	<-ctx.Done()
	reading.Wait()
	s.mu.Lock()
	s.state = sensor.Off
	s.mu.Unlock()
	return nil
}

func (s *Sensor) path() string { return filepath.Join(s.folder, "positions.json") }

// Mark calls still while no line is handed over, and returns what keeps the
// positions of that moment durably; nil where none has moved. It is the
// pipeline's: one goroutine at a time calls it, also after Run has ended.
func (s *Sensor) Mark(still func()) (keep func()) {
	s.hold.Lock()
	still()
	positions := map[string][]tail.Position{}
	for _, src := range s.sources {
		if list := src.positions(); list != nil {
			positions[src.config.Name] = list
		}
	}
	running := s.running
	s.hold.Unlock()
	if !running || s.same(positions) {
		return nil
	}
	commit, err := s.prepare(positions)
	if err != nil {
		s.cannotKeep(err)
		return nil
	}
	return func() {
		if err := commit(); err != nil {
			s.cannotKeep(err)
			return
		}
		s.kept = positions
		s.setTrouble("")
	}
}

// same reports whether positions are those that were written last.
func (s *Sensor) same(positions map[string][]tail.Position) bool {
	if s.kept == nil || len(s.kept) != len(positions) {
		return false
	}
	for name, list := range positions {
		before, ok := s.kept[name]
		if !ok || !slices.Equal(list, before) {
			return false
		}
	}
	return true
}

func (s *Sensor) prepare(positions map[string][]tail.Position) (commit func() error, err error) {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, err
	}
	return tail.Prepare(s.path(), positions)
}

// cannotKeep takes down why the old positions hold on: their lines would be
// read again.
func (s *Sensor) cannotKeep(err error) {
	s.setTrouble(fmt.Sprintf("positions cannot be kept, a restart would read lines again: %v; free space in %s or make it writable", err, s.folder))
}

func (s *Sensor) setTrouble(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = text
}
