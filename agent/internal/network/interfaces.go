package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

// statsEvery is how often a reader asks for the kernel's counters.
const statsEvery = 10 * time.Second

// watch keeps a reader on each interface that is wanted, until ctx ends. It
// looks at the interfaces when the kernel says that something changed, and
// every now and then besides.
func (s *Sensor) watch(ctx context.Context, emit sensor.Emit) {
	var running sync.WaitGroup
	defer running.Wait()
	news := make(chan struct{}, 1)
	if links, err := capture.WatchLinks(); err != nil {
		s.log.Info("interfaces are looked for by the clock", "every", rescanEvery.String(), "reason", err)
	} else {
		running.Go(func() { hear(links, news) })
		defer links.Close() // ends hear
	}
	rescan, tick := time.NewTicker(rescanEvery), time.NewTicker(tickEvery)
	defer rescan.Stop()
	defer tick.Stop()
	s.scan(ctx, emit, &running)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tick(emit)
			continue
		case <-rescan.C:
		case <-news:
			settle(ctx)
		}
		s.scan(ctx, emit, &running)
	}
}

// hear passes on that there are news, not how many.
func hear(links *capture.LinkWatch, news chan<- struct{}) {
	for links.Wait() == nil {
		select {
		case news <- struct{}{}:
		default:
		}
	}
}

// settle waits a moment: changes come in bursts.
func settle(ctx context.Context) {
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// scan opens each interface that is wanted and not open.
func (s *Sensor) scan(ctx context.Context, emit sensor.Emit, running *sync.WaitGroup) {
	wanted, missing, err := s.wanted()
	if err != nil {
		s.set(sensor.Degraded, err.Error())
		return
	}
	for _, i := range wanted {
		if s.known(i) || ctx.Err() != nil {
			continue
		}
		if err := s.open(ctx, i, emit, running); err != nil {
			s.fail(i.Name, err)
		}
	}
	for name, err := range missing {
		s.fail(name, err)
	}
	s.judge(wanted, missing)
}

// wanted lists the interfaces that are to be read, and says of those that are
// named in the configuration why they cannot be.
func (s *Sensor) wanted() (list []net.Interface, missing map[string]error, err error) {
	all, err := s.list()
	if err != nil {
		return nil, nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	missing = map[string]error{}
	for _, name := range s.config.Interfaces {
		missing[name] = fmt.Errorf("interface %s is not there: correct network.interfaces, or wait until it comes", name)
	}
	for _, i := range all {
		_, named := missing[i.Name]
		if !named && len(s.config.Interfaces) > 0 {
			continue
		}
		if i.Flags&net.FlagUp != 0 {
			list = append(list, i)
			delete(missing, i.Name)
		} else if named {
			missing[i.Name] = fmt.Errorf("interface %s is down", i.Name)
		}
	}
	return list, missing, nil
}

// known reports whether an interface is read already, under whatever name.
func (s *Sensor) known(i net.Interface) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.opened[i.Index]
	if o == nil {
		return false
	}
	o.name = i.Name
	return true
}

// open starts the readers of an interface.
func (s *Sensor) open(ctx context.Context, i net.Interface, emit sensor.Emit, running *sync.WaitGroup) error {
	list, err := capture.OpenLive(i.Name, capture.LiveOptions{
		SnapLength: s.config.SnapLength, Promiscuous: s.config.Promiscuous, ReceiveBuffer: s.config.ReceiveBuffer,
		Filter: s.config.Filter, Flows: s.flows, Ring: s.config.ring(), Readers: len(s.workers),
	})
	if err != nil {
		return err
	}
	o := &opened{name: i.Name, ring: list[0].Ring(), left: len(list)}
	o.mode, o.why = list[0].Mode()
	s.mu.Lock()
	s.opened[i.Index] = o
	delete(s.failed, i.Name)
	s.mu.Unlock()
	for n, live := range list {
		w := s.workers[n]
		mode, _ := live.Mode()
		w.keep(live.Index(), mode == capture.FilterEBPF)
		stop := context.AfterFunc(ctx, live.Wake)
		running.Go(func() {
			defer stop()
			s.gone(o, live, s.read(ctx, live, w, emit))
		})
	}
	return nil
}

// read takes frames until ctx or the interface ends.
func (s *Sensor) read(ctx context.Context, live *capture.Live, w *worker, emit sensor.Emit) error {
	var frame capture.Frame
	var found []signatures.Observation
	var before capture.Stats
	counted := time.Now()
	defer func() { s.count(live, &before) }()
	for ctx.Err() == nil {
		err := live.Next(&frame, statsEvery)
		if err == nil {
			found, err = w.frames(live, &frame, found[:0])
			for i := range found {
				emit(found[i])
			}
		}
		if err != nil && !errors.Is(err, capture.ErrTimeout) {
			return err
		}
		if now := time.Now(); now.Sub(counted) >= statsEvery {
			s.count(live, &before)
			counted = now
		}
	}
	return nil
}

// count adds what the kernel counted since the last time.
func (s *Sensor) count(live *capture.Live, before *capture.Stats) {
	now, err := live.Stats()
	if err != nil {
		return // the interface is gone; what it counted until then is counted
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kernel.Received += now.Received - before.Received
	s.kernel.Dropped += now.Dropped - before.Dropped
	s.kernel.Frozen += now.Frozen - before.Frozen
	*before = now
}

// gone takes down that a reader ended. That an interface went down is no
// failure: it is read again when it comes back.
func (s *Sensor) gone(o *opened, live *capture.Live, err error) {
	live.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.left--; o.left == 0 && s.opened[live.Index()] == o {
		delete(s.opened, live.Index())
	}
	if err != nil && !errors.Is(err, capture.ErrDown) {
		s.failed[o.name] = err.Error()
		s.log.Warn("interface is not read any more", "interface", o.name, "error", err)
	}
}

// fail takes down why an interface is not read; what is new is logged.
func (s *Sensor) fail(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed[name] != err.Error() {
		s.failed[name] = err.Error()
		s.log.Warn("interface is not read", "interface", name, "error", err)
	}
}

// judge derives the state from the interfaces.
func (s *Sensor) judge(wanted []net.Interface, missing map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.reason = sensor.On, ""
	for name, why := range s.failed {
		there := slices.ContainsFunc(wanted, func(i net.Interface) bool { return i.Name == name })
		if _, named := missing[name]; !there && !named {
			delete(s.failed, name) // it is gone, not broken
			continue
		}
		s.state, s.reason = sensor.Degraded, why
	}
}
