package process

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// counters are totals since the start.
type counters struct {
	passes, passesFailed, passMicroseconds          uint64
	listed, started, replaced, gone, repeated       uint64
	kernelThreads, zombies, vanished                uint64
	unread, overLimit                               uint64
	executableBlind, argumentsBlind, argumentsCut   uint64
	observations, panics                            uint64
	listening, portsChanged, portsFailed, walks     uint64
	listeningOverLimit, unclaimedDenied, visibility uint64
}

// status is what Coverage tells.
type status struct {
	state      string
	reason     string
	since      time.Time
	hidden     string // why processes of others are hidden
	portsCause string // why listening ports are not seen
	counters   counters
}

func newStatus(config Config) status {
	s := status{state: sensor.Off, reason: "not started", since: time.Now()}
	if !config.Enabled {
		s.reason = "switched off: set enabled to true"
	}
	return s
}

// Incomplete is the error of a scan that could not see everything.
type Incomplete struct {
	Blind []finding.Blind
}

// Error implements error.
func (e *Incomplete) Error() string {
	parts := make([]string, 0, len(e.Blind))
	for _, blind := range e.Blind {
		parts = append(parts, fmt.Sprintf("%s (%d): %s", blind.Reason, blind.Count, blind.Detail))
	}
	return "not everything could be seen: " + strings.Join(parts, "; ")
}

// count changes the counters.
func (s *Sensor) count(change func(*counters)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status.counters)
}

func (s *Sensor) countUnread(err error) {
	s.count(func(c *counters) {
		switch {
		case errors.Is(err, inspect.ErrGone):
			c.vanished++
		case errors.Is(err, fs.ErrPermission):
			c.executableBlind++
			c.argumentsBlind++
		default:
			c.unread++
		}
	})
}

// countFacts counts a program that is looked at for the first time.
func (s *Sensor) countFacts(facts *inspect.Facts, replaced bool) {
	s.count(func(c *counters) {
		switch {
		case facts.KernelThread:
			c.kernelThreads++
		case replaced:
			c.replaced++
		default:
			c.started++
		}
		if facts.ExecutableBlind {
			c.executableBlind++
		}
		if facts.ArgumentsBlind {
			c.argumentsBlind++
		}
		if facts.ArgumentsCut {
			c.argumentsCut++
		}
	})
}

// finish closes a pass that could list processes.
func (s *Sensor) finish(listed int, took time.Duration) {
	hidden := s.reader.Visibility()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.status.counters
	c.passes++
	c.listed += uint64(listed)
	c.passMicroseconds += uint64(took.Microseconds())
	s.status.hidden = hidden
	if hidden != "" {
		c.visibility++
	}
	if s.status.state == sensor.Off {
		s.status.since = time.Now()
	}
	s.status.state, s.status.reason = sensor.On, ""
	var reasons []string
	for _, blind := range s.status.blind() {
		if blind.Reason != blindArgumentsCut {
			reasons = append(reasons, blind.Detail)
		}
	}
	if len(reasons) > 0 {
		s.status.state, s.status.reason = sensor.Degraded, strings.Join(reasons, "; ")
	}
}

// portsUnseen notes why listening ports are not seen.
func (s *Sensor) portsUnseen(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.portsCause = err.Error()
}

// Reasons of blind spots.
const (
	blindHidden       = "processes_hidden"
	blindPermission   = "permission_denied"
	blindArgumentsCut = "arguments_cut"
	blindLimit        = "process_limit"
	blindPorts        = "listening_ports"
	blindUnreadable   = "process_unreadable"
)

// blind lists what could not be seen; counts are totals.
func (s *status) blind() []finding.Blind {
	c := &s.counters
	list := []finding.Blind{
		{Reason: blindHidden, Detail: s.hidden, Count: c.visibility},
		{Reason: blindPermission, Detail: "the path of some programs may not be read: grant CAP_SYS_PTRACE on Linux, or run as administrator", Count: c.executableBlind},
		{Reason: blindPermission, Detail: "the command line of some programs may not be read: grant CAP_SYS_PTRACE on Linux, or run as administrator", Count: c.argumentsBlind},
		{Reason: blindPermission, Detail: "the process of some listening sockets may not be looked into: grant CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", Count: c.unclaimedDenied},
		{Reason: blindArgumentsCut, Detail: "some command lines are longer than facts.max_arguments and facts.max_argument_bytes", Count: c.argumentsCut},
		{Reason: blindLimit, Detail: "more processes run than max_processes", Count: c.overLimit},
		{Reason: blindPorts, Detail: "more sockets listen than max_listening", Count: c.listeningOverLimit},
		{Reason: blindPorts, Detail: "listening ports could not be listed: " + s.portsCause, Count: c.portsFailed},
		{Reason: blindUnreadable, Detail: "some processes could not be read", Count: c.unread + c.panics},
	}
	kept := list[:0]
	for _, blind := range list {
		if blind.Count > 0 {
			kept = append(kept, blind)
		}
	}
	return kept
}

func (s *status) report() sensor.Report {
	c := &s.counters
	return sensor.Report{
		State:  s.state,
		Reason: s.reason,
		Since:  s.since,
		Blind:  s.blind(),
		Counters: map[string]uint64{
			"process_passes":               c.passes,
			"process_passes_failed":        c.passesFailed,
			"process_pass_microseconds":    c.passMicroseconds,
			"process_listed":               c.listed,
			"process_started":              c.started,
			"process_replaced":             c.replaced, // execve in a known process
			"process_gone":                 c.gone,
			"process_repeated":             c.repeated,
			"process_kernel_threads":       c.kernelThreads,
			"process_zombies":              c.zombies,
			"process_vanished":             c.vanished, // ended while it was read
			"process_unread":               c.unread,
			"process_over_limit":           c.overLimit,
			"process_executable_blind":     c.executableBlind,
			"process_arguments_blind":      c.argumentsBlind,
			"process_arguments_cut":        c.argumentsCut,
			"process_observations":         c.observations,
			"process_panics":               c.panics,
			"process_listening":            c.listening,
			"process_ports_changed":        c.portsChanged,
			"process_ports_failed":         c.portsFailed,
			"process_port_walks":           c.walks,
			"process_listening_over_limit": c.listeningOverLimit,
			"process_listening_denied":     c.unclaimedDenied,
		},
	}
}
