package packs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// lookEvery is how often the file is looked at: by its time and size alone, for a
// notification is lost where a file comes over a network.
const lookEvery = 5 * time.Second

// Watcher looks after the file of a pack while the agent runs.
type Watcher struct {
	config Config
	use    func(*Choice) error
	log    *slog.Logger
	every  time.Duration
	now    func() time.Time
	since  time.Time

	mu      sync.Mutex
	choice  *Choice
	seen    stamp
	reloads uint64
	refused uint64
}

// stamp tells one content of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
	there    bool
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size(), true}
}

// NewWatcher returns a watcher that begins with choice; it starts nothing. use
// puts another choice into effect, or says why it cannot; the one before then
// stays.
func NewWatcher(c Config, choice *Choice, use func(*Choice) error, log *slog.Logger) *Watcher {
	return &Watcher{config: c, choice: choice, use: use, log: log, every: lookEvery, now: time.Now, since: time.Now(), seen: choice.seen}
}

// Run looks at the file until ctx ends; at once nil where there is none.
func (w *Watcher) Run(ctx context.Context) error {
	if w.config.File == "" {
		return nil
	}
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.look()
		}
	}
}

// look takes up the file where it is another than before.
func (w *Watcher) look() {
	seen := stampOf(w.config.File)
	if seen == w.seen {
		return
	}
	w.seen = seen
	next, err := Choose(w.config, w.now())
	if err != nil {
		next = &Choice{Trouble: err.Error()}
	}
	if next.Origin != FromPack {
		w.refuse(next.Trouble)
		return
	}
	w.mu.Lock()
	same := next.Digest == w.choice.Digest && w.choice.Origin == FromPack
	w.mu.Unlock()
	if !same {
		if err := w.use(next); err != nil {
			w.refuse(fmt.Sprintf("%s cannot be used: %v", w.config.File, err))
			return
		}
	}
	if err := next.Keep(); err != nil {
		w.log.Warn("the pack is used, but an older one could take its place at the next start", "error", err)
	}
	next.Forget()
	w.mu.Lock()
	w.choice = next
	if !same {
		w.reloads++
	}
	w.mu.Unlock()
	text, _ := next.Describe(w.now())
	w.log.Info("signatures are taken from a new pack", "pack", text, "catalogue", next.Version, "signatures", next.Count)
}

// refuse stays with what is used, and says why.
func (w *Watcher) refuse(trouble string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused++
	kept := *w.choice
	kept.Trouble = trouble
	w.choice = &kept
	w.log.Warn("the signatures stay what they were", "reason", trouble)
}

// Coverage reports which signatures are used, how old they are, and why they are
// not those that were asked for.
func (w *Watcher) Coverage() sensor.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, attention := w.choice.Describe(w.now())
	r := sensor.Report{State: sensor.On, Reason: text, Since: w.since, Counters: map[string]uint64{
		"signatures": uint64(w.choice.Count), "pack_version": w.choice.Manifest.Version, "reloads": w.reloads, "refused": w.refused,
	}}
	if attention {
		r.State = sensor.Degraded
	}
	return r
}
