package network

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

var _ sensor.Sensor = (*Sensor)(nil)

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	f := func(key string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	f("snap_length", func(c *Config) { c.SnapLength = 10 })
	f("receive_buffer", func(c *Config) { c.ReceiveBuffer = -1 })
	f("first_bytes_up", func(c *Config) { c.FirstBytesUp = 100 })
	f("first_bytes_down", func(c *Config) { c.FirstBytesDown = -1 })
	f("readers", func(c *Config) { c.Readers = 1000 })
	f("filter", func(c *Config) { c.Filter = "xdp" })
	f("ring", func(c *Config) { c.Ring = "yes" })
	f("limits.flows", func(c *Config) { c.Limits.Flows = 0 })
	f("limits.buffer_bytes", func(c *Config) { c.Limits.BufferBytes = 0 })
	f("limits.answers", func(c *Config) { c.Limits.Answers = 0 })
	f("limits.fragment_bytes", func(c *Config) { c.Limits.FragmentBytes = 0 })
	f("limits.idle_timeout", func(c *Config) { c.Limits.IdleTimeout = 0 })
	f("limits.opening_timeout", func(c *Config) { c.Limits.OpeningTimeout = time.Hour * 48 })
	f("interfaces", func(c *Config) { c.Interfaces = []string{"eth0", "eth0"} })
	f("interfaces", func(c *Config) { c.Interfaces = []string{""} })
}

func TestDisabledSensorSaysSo(t *testing.T) {
	config := DefaultConfig()
	config.Enabled = false
	s := New(config, slog.New(slog.DiscardHandler))
	if s.Name() != "network" || s.Coverage().State != sensor.Off {
		t.Errorf("%+v", s.Coverage())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx, func(signatures.Observation) { t.Error("something is observed") }); err != nil {
		t.Error(err)
	}
	if r := s.Coverage(); r.State != sensor.Off || !strings.Contains(r.Reason, "network.enabled") {
		t.Errorf("%+v", r)
	}
}

func TestUnavailableSaysWhatToDo(t *testing.T) {
	for part, cause := range map[string]error{
		"setcap cap_net_raw+ep": os.ErrPermission,
		"gnomon-agent replay":   capture.ErrUnsupported,
		"CONFIG_PACKET":         errors.New("address family not supported"),
	} {
		if u := unavailable(cause); !errors.Is(u, cause) || !strings.Contains(u.Remedy, part) || u.Sensor != "network" {
			t.Errorf("%v: %v", cause, u)
		}
	}
}
