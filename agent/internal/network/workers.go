package network

import (
	"runtime"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// batch is how many frames are read before what was found is handed on.
const batch = 256

// worker is an engine and its lock. An endpoint has one for all interfaces; a
// gateway has one for each reader of an interface, and a connection always
// comes to the same one.
type worker struct {
	mu      sync.Mutex
	engine  *engine
	keeping map[int]bool // interfaces whose filter keeps state
}

// newWorkers divides the limits among as many engines as there are readers;
// what DNS said they share.
func newWorkers(config Config) []*worker {
	n := config.readers()
	limits := config.Limits.share(n)
	answers := newAnswers(config.Limits.Answers)
	list := make([]*worker, n)
	for i := range list {
		e := newEngine(limits)
		e.answers = answers
		list[i] = &worker{engine: e, keeping: map[int]bool{}}
	}
	return list
}

// readers is how many sockets read an interface.
func (c *Config) readers() int {
	switch {
	case len(c.CaptureFiles) > 0:
		return 1
	case c.Readers > 0:
		return c.Readers
	case c.Gateway:
		return runtime.GOMAXPROCS(0)
	}
	return 1
}

// ring reports whether frames are to come through a ring.
func (c *Config) ring() bool {
	return c.Ring == "on" || c.Ring == "auto" && (c.Gateway || c.Promiscuous)
}

// share is one of n equal parts. Times are not divided.
func (l Limits) share(n int) Limits {
	l.Flows = max(l.Flows/n, 64)
	l.BufferBytes = max(l.BufferBytes/n, 128<<10)
	l.FragmentBytes = max(l.FragmentBytes/n, 128<<10)
	return l
}

// keepsState is asked by the engine, under the lock.
func (w *worker) keepsState(index int) bool { return w.keeping[index] }

// keep says whether the filter of an interface keeps state.
func (w *worker) keep(index int, state bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state {
		w.keeping[index] = true
	} else {
		delete(w.keeping, index)
	}
}

// do has the engine work and hands on what it found. It is called by several
// readers, each with the frames of its interface.
func (w *worker) do(emit sensor.Emit, work func(*engine)) {
	w.mu.Lock()
	work(w.engine)
	found := append([]signatures.Observation(nil), w.engine.take()...)
	w.mu.Unlock()
	for i := range found {
		emit(found[i])
	}
}

// frames has the engine take the frame that was read, and those behind it that
// are there already. err is that of the last read.
func (w *worker) frames(live *capture.Live, frame *capture.Frame, found []signatures.Observation) (_ []signatures.Observation, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := 1; ; n++ {
		w.engine.frame(frame)
		if n == batch {
			break
		}
		if err = live.Next(frame, 0); err != nil {
			break
		}
	}
	return append(found, w.engine.take()...), err
}

// tick ages what the workers hold.
func (s *Sensor) tick(emit sensor.Emit) {
	now := time.Now().UnixNano()
	for _, w := range s.workers {
		w.do(emit, func(e *engine) { e.tick(now) })
	}
}

func addCounters(sum, more map[string]uint64) {
	for name, n := range more {
		sum[name] += n
	}
}

func addBlind(sum, more []finding.Blind) []finding.Blind {
next:
	for _, b := range more {
		for i := range sum {
			if sum[i].Reason == b.Reason {
				sum[i].Count += b.Count
				continue next
			}
		}
		sum = append(sum, b)
	}
	return sum
}
