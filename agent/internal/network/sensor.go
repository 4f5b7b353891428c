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
	"strings"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// How often interfaces are looked for where the kernel sends no news of them,
// how long the dust may settle after news, and how often flows are aged.
const (
	rescanEvery = 10 * time.Second
	settleTime  = 50 * time.Millisecond
	tickEvery   = time.Second
)

// Sensor is the network sensor. It implements sensor.Sensor.
type Sensor struct {
	config  Config
	log     *slog.Logger
	workers []*worker

	mu       sync.Mutex
	since    time.Time
	state    string
	reason   string
	opened   map[int]*opened   // interfaces that are read now, by index
	failed   map[string]string // interfaces that cannot be read, and why
	kernel   capture.Stats     // of interfaces, those that are gone included
	flows    *capture.FlowFilter
	flowsWhy error // why there is no such filter
	list     func() ([]net.Interface, error)
}

// opened is an interface that is read.
type opened struct {
	name string
	mode capture.FilterMode
	ring bool
	why  error // why not by better means
	left int   // readers
}

// New returns a sensor that has not started.
func New(config Config, log *slog.Logger) *Sensor {
	return &Sensor{
		config: config, log: log, workers: newWorkers(config),
		state: sensor.Off, reason: "not started", opened: map[int]*opened{}, failed: map[string]string{},
		list: net.Interfaces,
	}
}

// OnOpen has opened called at the first packet of each connection that this
// sensor sees begin, so that its owner can be asked for while it lives. opened
// must not block. Call it before Run.
func (s *Sensor) OnOpen(opened func(signatures.Flow)) {
	for _, w := range s.workers {
		w.engine.opened = opened
	}
}

// Follow has the sensor tell, as observations that are Continued, how many
// bytes connections carried after they were observed: at their end, and once a
// minute while follow says that they are of interest. follow must not block,
// and must not call the sensor. Call it before Run.
func (s *Sensor) Follow(follow func(signatures.Flow) bool) {
	for _, w := range s.workers {
		w.engine.follow = follow
	}
}

// Name returns "network".
func (s *Sensor) Name() string { return sensorName }

// Run reads the interfaces until ctx ends: those of the network namespace of
// the thread it is called on.
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
	err := capture.CheckLive()
	if err == nil {
		err = s.openFilter()
	}
	if err != nil {
		u := unavailable(err)
		s.set(sensor.Off, u.Error())
		return u
	}
	s.mu.Lock()
	s.since = time.Now()
	s.mu.Unlock()
	s.set(sensor.On, "")
	s.watch(ctx, emit)
	s.finish(emit)
	return s.closeFilter()
}

// openFilter makes the filter that keeps state, where it is wanted. Without
// it, another one is used unless this very one is asked for.
func (s *Sensor) openFilter() error {
	if s.config.Filter != capture.FilterAuto && s.config.Filter != capture.FilterEBPF {
		return nil
	}
	options := capture.FlowOptions{
		Flows: s.config.Limits.Flows, Up: uint32(s.config.FirstBytesUp), Down: uint32(s.config.FirstBytesDown), SnapLength: s.config.SnapLength,
	}
	flows, err := capture.NewFlowFilter(options)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.flowsWhy = err
		if s.config.Filter == capture.FilterEBPF {
			return fmt.Errorf("network.filter is ebpf: %w", err)
		}
		s.log.Info("connections are filtered without state", "reason", err)
		return nil
	}
	s.flows = flows
	for _, w := range s.workers {
		w.engine.kernel, w.engine.counts = flows, w.keepsState
		w.engine.up, w.engine.down = options.Up, options.Down
	}
	return nil
}

func (s *Sensor) closeFilter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flows == nil {
		return nil
	}
	return s.flows.Close()
}

func unavailable(err error) *sensor.Unavailable {
	u := &sensor.Unavailable{Sensor: sensorName, Cause: err}
	switch {
	case errors.Is(err, os.ErrPermission):
		u.Remedy = "grant CAP_NET_RAW: setcap cap_net_raw+ep on the gnomon-agent binary, or AmbientCapabilities=CAP_NET_RAW in its systemd unit; the eBPF filter needs CAP_BPF besides"
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

// finish reports the connections that are still open.
func (s *Sensor) finish(emit sensor.Emit) {
	for _, w := range s.workers {
		w.do(emit, func(e *engine) { e.flush() })
	}
	s.set(sensor.Off, "stopped")
}

// Coverage implements sensor.Sensor.
func (s *Sensor) Coverage() sensor.Report {
	r := sensor.Report{Counters: map[string]uint64{}}
	for _, w := range s.workers {
		w.mu.Lock()
		addCounters(r.Counters, w.engine.export())
		r.Blind = addBlind(r.Blind, w.engine.blindSpots())
		w.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.State, r.Reason, r.Since = s.state, s.reason, s.since
	s.reportCapture(&r)
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

// reportCapture says how interfaces are read, and why not better.
func (s *Sensor) reportCapture(r *sensor.Report) {
	modes := map[capture.FilterMode]uint64{}
	rings := uint64(0)
	var lesser []string
	var why error
	for _, o := range s.opened {
		modes[o.mode]++
		if o.ring {
			rings++
		}
		if o.why != nil {
			lesser = append(lesser, o.name)
			why = o.why
		}
	}
	r.Counters["interfaces_open"] = uint64(len(s.opened))
	r.Counters["interfaces_failed"] = uint64(len(s.failed))
	r.Counters["interfaces_ring"] = rings
	for _, mode := range []capture.FilterMode{capture.FilterEBPF, capture.FilterClassic, capture.FilterNone} {
		r.Counters["capture_mode_"+string(mode)] = modes[mode]
	}
	r.Counters["kernel_received"] = s.kernel.Received
	r.Counters["kernel_drops"] = s.kernel.Dropped
	r.Counters["kernel_freezes"] = s.kernel.Frozen
	if s.flowsWhy != nil {
		why = s.flowsWhy
	}
	if r.State == sensor.On && len(lesser) > 0 {
		slices.Sort(lesser)
		r.Reason = fmt.Sprintf("no eBPF filter on %s: more packets cost processor time, and bytes are counted only as far as packets pass: %v",
			strings.Join(lesser, ", "), why)
	}
}
