package network

import (
	"errors"
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
)

// Config is the configuration of the sensor.
type Config struct {
	Enabled       bool     `yaml:"enabled"`
	Interfaces    []string `yaml:"interfaces"`     // names; none means all that are up, loopback included, also later ones
	CaptureFiles  []string `yaml:"capture_files"`  // read these once, instead of interfaces; no rights are needed
	Promiscuous   bool     `yaml:"promiscuous"`    // also look at traffic of others: for mirror ports
	SnapLength    int      `yaml:"snap_length"`    // bytes of a packet that are looked at
	ReceiveBuffer int      `yaml:"receive_buffer"` // bytes that the kernel may hold for each interface

	// Filter decides in the kernel which packets reach the agent: ebpf (the
	// first bytes of each connection; counts the rest), classic (keeps no
	// state), none, or auto for the best that can be had.
	Filter         capture.FilterMode `yaml:"filter"`
	FirstBytesUp   int                `yaml:"first_bytes_up"`   // payload bytes of a connection that ebpf passes from the client: its hello, and what comes before that
	FirstBytesDown int                `yaml:"first_bytes_down"` // the same from the server
	Ring           string             `yaml:"ring"`             // read from a ring shared with the kernel: on, off, or auto: on gateways and in promiscuous mode
	Readers        int                `yaml:"readers"`          // threads that share each interface's traffic; 0 is one for each core on a gateway, else one
	Gateway        bool               `yaml:"-"`                // the channel is gateway

	Limits Limits `yaml:"limits"`
}

// DefaultConfig returns the configuration of an endpoint.
func DefaultConfig() Config {
	return Config{
		Enabled: true, SnapLength: 64 << 10, ReceiveBuffer: 4 << 20, Limits: DefaultLimits(),
		Filter: capture.FilterAuto, FirstBytesUp: 24 << 10, FirstBytesDown: 4 << 10, Ring: "auto",
	}
}

// Validate names all that is wrong.
func (c Config) Validate() error {
	var all []error
	check := func(key string, value, least, most int) {
		if value < least || value > most {
			all = append(all, fmt.Errorf("%s is %d: set it to %d to %d", key, value, least, most))
		}
	}
	check("snap_length", c.SnapLength, 256, capture.MaxFrame)
	check("receive_buffer", c.ReceiveBuffer, 0, 1<<30)
	check("first_bytes_up", c.FirstBytesUp, 2<<10, 1<<30)
	check("first_bytes_down", c.FirstBytesDown, 0, 1<<30)
	check("readers", c.Readers, 0, 64)
	switch c.Filter {
	case capture.FilterAuto, capture.FilterEBPF, capture.FilterClassic, capture.FilterNone:
	default:
		all = append(all, fmt.Errorf("filter is %q: set it to auto, ebpf, classic or none", c.Filter))
	}
	if c.Ring != "auto" && c.Ring != "on" && c.Ring != "off" {
		all = append(all, fmt.Errorf("ring is %q: set it to auto, on or off", c.Ring))
	}
	check("limits.flows", c.Limits.Flows, 64, 1<<24)
	check("limits.buffer_bytes", c.Limits.BufferBytes, 128<<10, 1<<32)
	check("limits.answers", c.Limits.Answers, 64, 1<<24)
	check("limits.fragment_bytes", c.Limits.FragmentBytes, 128<<10, 1<<30)
	for key, value := range map[string]time.Duration{"limits.idle_timeout": c.Limits.IdleTimeout, "limits.opening_timeout": c.Limits.OpeningTimeout} {
		if value < time.Second || value > 24*time.Hour {
			all = append(all, fmt.Errorf("%s is %s: set it to 1s to 24h", key, value))
		}
	}
	if len(c.CaptureFiles) > 0 && len(c.Interfaces) > 0 {
		all = append(all, errors.New("capture_files and interfaces are both set: keep one"))
	}
	seen := map[string]bool{}
	for _, name := range c.Interfaces {
		if name == "" || seen[name] {
			all = append(all, fmt.Errorf("interfaces holds %q twice or empty: name each once", name))
		}
		seen[name] = true
	}
	return errors.Join(all...)
}
