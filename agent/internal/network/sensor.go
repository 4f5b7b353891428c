// Package network is the sensor that looks at the wire: it turns frames, of
// network interfaces or capture files, into observations of the host names
// that clients ask for in TLS, DTLS, QUIC, HTTP/1, HTTP/2 in the clear and DNS,
// on any port.
//
// It may import the packages capture, decode/..., sensor, signatures and
// proto/finding. It keeps metadata only: names, a request's method and path
// without its query, which protocol of AI its fields give away, addresses and
// byte counts. It does not match, does not know who owns a connection, and never
// sends a packet. Of QUIC it reads the hello alone, whose key is public.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// How often interfaces are looked for, and a silent interface wakes its reader
// to age flows; the kernel's counters are read then, and every statsEvery
// frames.
const (
	rescanEvery = 10 * time.Second
	readTimeout = 500 * time.Millisecond
	statsEvery  = 4096 // frames
)

// Sensor is the network sensor. It implements sensor.Sensor.
type Sensor struct {
	config Config
	log    *slog.Logger

	mu     sync.Mutex
	engine *engine
	since  time.Time
	state  string
	reason string
	opened map[string]bool   // interfaces that are read now
	failed map[string]string // interfaces that cannot be read, and why
	kernel capture.Stats     // of interfaces, those that are gone included
	list   func() ([]net.Interface, error)
}

// New returns a sensor that has not started.
func New(config Config, log *slog.Logger) *Sensor {
	return &Sensor{
		config: config, log: log, engine: newEngine(config.Limits),
		state: sensor.Off, reason: "not started", opened: map[string]bool{}, failed: map[string]string{},
		list: net.Interfaces,
	}
}

// OnOpen has opened called at the first packet of each connection that this
// sensor sees begin, so that its owner can be asked for while it lives. opened
// must not block. Call it before Run.
func (s *Sensor) OnOpen(opened func(signatures.Flow)) { s.engine.opened = opened }

// Name returns "network".
func (s *Sensor) Name() string { return sensorName }

// Run reads the interfaces until ctx ends.
func (s *Sensor) Run(ctx context.Context, emit sensor.Emit) error {
	if !s.config.Enabled {
		s.set(sensor.Off, "switched off in the configuration: set network.enabled")
		<-ctx.Done()
		return nil
	}
	if len(s.config.CaptureFiles) > 0 {
		s.readFiles(ctx, emit)
		<-ctx.Done()
		return nil
	}
	if err := capture.CheckLive(); err != nil {
		u := unavailable(err)
		s.set(sensor.Off, u.Error())
		return u
	}
	s.mu.Lock()
	s.since = time.Now()
	s.mu.Unlock()
	s.set(sensor.On, "")
	var readers sync.WaitGroup
	rescan := time.NewTicker(rescanEvery)
	defer rescan.Stop()
	for {
		s.scan(ctx, emit, &readers)
		select {
		case <-ctx.Done():
			readers.Wait()
			s.finish(emit)
			return nil
		case <-rescan.C:
		}
	}
}

func unavailable(err error) *sensor.Unavailable {
	u := &sensor.Unavailable{Sensor: sensorName, Cause: err}
	switch {
	case errors.Is(err, os.ErrPermission):
		u.Remedy = "grant CAP_NET_RAW: setcap cap_net_raw+ep on the gnomon-agent binary, or AmbientCapabilities=CAP_NET_RAW in its systemd unit"
	case errors.Is(err, capture.ErrUnsupported):
		u.Remedy = "run gnomon-agent replay on a capture file, or an agent on a Linux gateway that sees this host's traffic"
	default:
		u.Remedy = "see that the kernel has packet sockets (CONFIG_PACKET) and that a seccomp profile allows them"
	}
	return u
}

func (s *Sensor) set(state, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.reason = state, reason
}

// scan starts a reader for each interface that has none.
func (s *Sensor) scan(ctx context.Context, emit sensor.Emit, readers *sync.WaitGroup) {
	names, err := s.wanted()
	if err != nil {
		s.set(sensor.Degraded, err.Error())
		return
	}
	for _, name := range names {
		s.mu.Lock()
		busy := s.opened[name]
		s.mu.Unlock()
		if busy {
			continue
		}
		live, err := capture.OpenLive(name, capture.LiveOptions{
			SnapLength: s.config.SnapLength, Promiscuous: s.config.Promiscuous, ReceiveBuffer: s.config.ReceiveBuffer,
		})
		s.note(name, err == nil, err)
		if err != nil {
			continue
		}
		readers.Go(func() {
			defer live.Close()
			s.note(name, false, s.read(ctx, live, emit))
		})
	}
	s.judge(names)
}

// wanted lists the interfaces that are to be read.
func (s *Sensor) wanted() ([]string, error) {
	if len(s.config.Interfaces) > 0 {
		return s.config.Interfaces, nil
	}
	all, err := s.list()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	var names []string
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 {
			names = append(names, i.Name)
		}
	}
	return names, nil
}

// note takes down whether an interface is open now, and why not. An error is
// logged when it is new.
func (s *Sensor) note(name string, open bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened[name] = open
	switch {
	case err == nil:
		delete(s.failed, name)
	case s.failed[name] != err.Error():
		s.failed[name] = err.Error()
		s.log.Warn("interface is not read", "interface", name, "error", err)
	}
}

// judge derives the state from the interfaces.
func (s *Sensor) judge(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.reason = sensor.On, ""
	for name, why := range s.failed {
		if !slices.Contains(names, name) {
			delete(s.failed, name) // it is gone, not broken
			continue
		}
		s.state, s.reason = sensor.Degraded, why
	}
}

// read takes frames until ctx or the interface ends.
func (s *Sensor) read(ctx context.Context, live *capture.Live, emit sensor.Emit) error {
	var frame capture.Frame
	var found []signatures.Observation
	var before capture.Stats
	defer func() { s.count(live, &before) }()
	for n := 1; ctx.Err() == nil; n++ {
		err := live.Next(&frame, readTimeout)
		if err != nil && !errors.Is(err, capture.ErrTimeout) {
			return err
		}
		s.mu.Lock()
		if err == nil {
			s.engine.frame(&frame)
		} else {
			s.engine.tick(time.Now().UnixNano())
		}
		found = append(found[:0], s.engine.take()...)
		s.mu.Unlock()
		for i := range found {
			emit(found[i])
		}
		if err != nil || n%statsEvery == 0 {
			s.count(live, &before)
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
	*before = now
}

// finish reports the connections that are still open.
func (s *Sensor) finish(emit sensor.Emit) {
	s.mu.Lock()
	s.engine.flush()
	found := slices.Clone(s.engine.take())
	s.state, s.reason = sensor.Off, "stopped"
	s.mu.Unlock()
	for i := range found {
		emit(found[i])
	}
}

// Coverage implements sensor.Sensor.
func (s *Sensor) Coverage() sensor.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := sensor.Report{State: s.state, Reason: s.reason, Since: s.since, Blind: s.engine.blindSpots(), Counters: s.engine.export()}
	open := uint64(0)
	for _, is := range s.opened {
		if is {
			open++
		}
	}
	r.Counters["interfaces_open"] = open
	r.Counters["interfaces_failed"] = uint64(len(s.failed))
	r.Counters["kernel_received"] = s.kernel.Received
	r.Counters["kernel_drops"] = s.kernel.Dropped
	if s.kernel.Dropped > 0 {
		r.Blind = append(r.Blind, finding.Blind{
			Reason: "kernel_drop", Count: s.kernel.Dropped,
			Detail: "packets that the kernel dropped because the agent was too slow; raise network.receive_buffer",
		})
	}
	if n := len(s.failed); n > 0 {
		r.Blind = append(r.Blind, finding.Blind{Reason: "interface", Detail: "interfaces that could not be read", Count: uint64(n)})
	}
	return r
}
