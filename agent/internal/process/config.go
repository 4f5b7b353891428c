// Package process is the sensor that looks at running programs: which there
// are, who runs them, with which command line, and on which TCP ports they
// listen.
//
// It may import signatures, proto/finding, agent/internal/sensor and its own
// inspect package. It polls, because that needs no right and works the same
// everywhere: a program that lives shorter than the interval may be missed,
// and is then seen by what it does on the network, if at all.
//
// What it deliberately does not do: it tells no program apart from another
// (that is the matcher's work), reads no environment variable, no memory, no
// open file and no working directory, and starts no program. The command line
// is bounded, is there for matching only and never leaves the host.
package process

import (
	"errors"
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
)

// Config of the process sensor.
type Config struct {
	Enabled        bool           `yaml:"enabled"`
	Interval       time.Duration  `yaml:"interval"`        // between two passes
	RepeatEvery    time.Duration  `yaml:"repeat_every"`    // after which a program that still runs is reported again
	ListeningPorts bool           `yaml:"listening_ports"` // whether to find out who listens where
	MaxProcesses   int            `yaml:"max_processes"`   // programs followed at once; what is beyond is counted as blind
	MaxListening   int            `yaml:"max_listening"`   // listening sockets looked at in one pass
	Facts          inspect.Config `yaml:"facts"`
}

// DefaultConfig looks every 15 seconds.
func DefaultConfig() Config {
	return Config{
		Enabled:        true,
		Interval:       15 * time.Second,
		RepeatEvery:    10 * time.Minute,
		ListeningPorts: true,
		MaxProcesses:   32768,
		MaxListening:   16384,
		Facts:          inspect.Default(),
	}
}

// Validate says which key is wrong and what it should be.
func (c Config) Validate() error {
	switch {
	case c.Interval < 100*time.Millisecond || c.Interval > time.Hour:
		return fmt.Errorf("interval: %s is outside 100ms to 1h", c.Interval)
	case c.RepeatEvery < c.Interval:
		return fmt.Errorf("repeat_every: %s is below the interval of %s", c.RepeatEvery, c.Interval)
	case c.MaxProcesses < 1:
		return fmt.Errorf("max_processes: %d is below 1", c.MaxProcesses)
	case c.MaxListening < 1:
		return errors.New("max_listening: must be above 0; set listening_ports to false to look at none")
	}
	if err := c.Facts.Validate(); err != nil {
		return fmt.Errorf("facts.%w", err)
	}
	return nil
}
