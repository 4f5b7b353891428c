// Package files is the file sensor: it finds model files and the folders of AI
// programs under its roots, and tells what their headers say.
//
// It walks the roots, decides for each file whether it must be read at all
// (see worthReading), reads the head of the rest, and hands it to modelformat.
// Shards, the parts of a folder model and the entries of known stores (Ollama,
// the Hugging Face cache) become one observation. Afterwards it watches the
// folders with fsnotify and walks them again at intervals, which also covers
// what watches cannot.
//
// It opens files read-only, without following links and without touching
// access times where the system allows that, and only below its roots. It does
// not load a model, hashes no file unless Config.HashLimitBytes says so,
// contacts nobody and knows no signature: names of interest come from
// Config.KnownNames and Config.KnownPatterns.
//
// It may import signatures, proto/finding, agent/internal/sensor,
// agent/internal/modelformat, fsnotify and golang.org/x/sys.
package files

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// Name is the sensor's word in the configuration and in observations.
const Name = "file"

// Sensor implements sensor.Sensor.
type Sensor struct {
	cfg    Config
	log    *slog.Logger
	counts *counters
	memory *memory
	known  *known
	now    func() time.Time

	running atomic.Bool
	mu      sync.Mutex
	since   time.Time
	watch   watchState
	roots   int // roots that exist; notWalked before the first walk has begun
}

// watchState is what Coverage tells about watches.
type watchState struct {
	none      string // why there is no watcher at all, "" where there is one
	unwatched uint64 // folders without a watch
	limit     string // which limit was met
}

// notWalked stands for a number of roots that is not known yet.
const notWalked = -1

// New returns a sensor; nothing runs before Run. The configuration must have
// passed Validate.
func New(cfg Config, log *slog.Logger) *Sensor {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sensor{
		cfg:    cfg,
		log:    log.With("sensor", Name),
		counts: &counters{},
		memory: newMemory(cfg.MaxRemembered, cfg.RepeatInterval),
		known:  newKnown(cfg),
		now:    time.Now,
		since:  time.Now(),
		roots:  notWalked,
	}
}

// Name implements sensor.Sensor.
func (s *Sensor) Name() string { return Name }

// Coverage implements sensor.Sensor. The sensor is degraded where something
// under its roots could not be seen or is seen late.
func (s *Sensor) Coverage() sensor.Report {
	s.mu.Lock()
	w, since, roots := s.watch, s.since, s.roots
	s.mu.Unlock()
	r := sensor.Report{State: sensor.On, Since: since, Counters: s.counts.all()}
	switch {
	case !s.cfg.Enabled:
		r.State, r.Reason = sensor.Off, "switched off by the configuration; set file.enabled"
	case !s.running.Load():
		r.State, r.Reason = sensor.Off, "not running"
	case roots == notWalked:
		r.Reason = "the first walk is under way"
	case roots == 0:
		r.State, r.Reason = sensor.Degraded, "none of the roots exists; check file.roots"
	}
	for _, k := range blindCounters {
		if n := s.counts.get(k); n > 0 {
			r.Blind = append(r.Blind, finding.Blind{Reason: k.reason(), Detail: k.detail(), Count: n})
		}
	}
	if w.unwatched > 0 {
		r.Blind = append(r.Blind, finding.Blind{Reason: "watch_limit", Detail: "folders seen only every " + s.cfg.UnwatchedInterval.String() + ": " + w.limit, Count: w.unwatched})
	}
	if r.State != sensor.On {
		return r
	}
	switch {
	case w.none != "":
		r.State, r.Reason = sensor.Degraded, "no file watches: "+w.none+"; changes are found by walking every "+s.cfg.UnwatchedInterval.String()
	case w.unwatched > 0:
		r.State, r.Reason = sensor.Degraded, "not every folder can be watched: "+w.limit
	case s.counts.get(cDenied) > 0:
		r.State, r.Reason = sensor.Degraded, "some folders may not be read; run the agent with CAP_DAC_READ_SEARCH or as administrator"
	}
	return r
}

// Run implements sensor.Sensor.
func (s *Sensor) Run(ctx context.Context, emit sensor.Emit) error {
	if !s.cfg.Enabled {
		<-ctx.Done()
		return nil
	}
	s.running.Store(true)
	defer s.running.Store(false)
	return newWatchLoop(s, emit).run(ctx)
}
