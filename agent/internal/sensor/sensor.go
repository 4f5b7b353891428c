// Package sensor is the contract between the agent and its sensors: a part
// that looks at one kind of thing and tells what it saw.
//
// It imports signatures (for Observation) and proto/finding (for Coverage)
// and nothing else of ours. It holds no sensor and no list of sensors: the
// list is literal, in main.
package sensor

import (
	"context"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Emit takes one observation. It may block to hold a sensor back; it returns
// when the observation is taken over. A sensor may call it from several
// goroutines.
type Emit func(signatures.Observation)

// Sensor looks at one kind of thing.
type Sensor interface {
	// Name is the word of the configuration: network, process, file, log.
	Name() string
	// Run looks until ctx ends and has waited for all it started when it
	// returns. It returns nil when ctx ended, and an error only where it
	// cannot go on at all; what it can survive it counts and goes on. It is
	// called once. A missing right is an *Unavailable error.
	Run(ctx context.Context, emit Emit) error
	// Coverage reports state, blind spots and counters since the sensor
	// started; totals, not differences. It may be called at any time, also
	// before Run and after it, from any goroutine.
	Coverage() Report
}

// Report is a sensor's own part of finding.Coverage.
type Report struct {
	State    string // On, Degraded or Off
	Reason   string // what is missing and what to do about it
	Since    time.Time
	Blind    []finding.Blind
	Counters map[string]uint64
}

// The states of a sensor.
const (
	On       = "on"
	Degraded = "degraded"
	Off      = "off"
)

// Unavailable says that a sensor cannot run here, and what to do about it.
type Unavailable struct {
	Sensor string
	Cause  error
	Remedy string
}

// Error implements error.
func (u *Unavailable) Error() string {
	return u.Sensor + " sensor is off: " + u.Cause.Error() + " (" + u.Remedy + ")"
}

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Cause }
