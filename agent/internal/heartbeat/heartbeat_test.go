package heartbeat

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bench struct {
	*Heartbeat
	beats   [][]finding.Coverage
	pending uint64
	refuse  error
	now     time.Time
}

func newBench(t *testing.T, sources ...Source) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	var err error
	b.Heartbeat, err = New(Config{Interval: time.Minute, MaxPending: 10}, Deps{
		Agent: finding.Coverage{AgentID: "a", HostName: "h", Version: "1"}, Sources: sources,
		Store: func(list []finding.Coverage) (int, error) {
			if b.refuse != nil {
				return 0, b.refuse
			}
			b.beats = append(b.beats, list)
			b.pending += uint64(len(list))
			return len(list), nil
		},
		Pending: func() uint64 { return b.pending },
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Heartbeat.now = func() time.Time { return b.now }
	return b
}

func source(name string, r sensor.Report) Source {
	return Source{name, func() sensor.Report { return r }}
}

func TestBeat_reportsEverySourceAlsoThoseThatAreOff(t *testing.T) {
	since := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	b := newBench(t,
		source("network", sensor.Report{
			State: sensor.Degraded, Reason: "no right", Since: since,
			Blind: []finding.Blind{{Reason: "kernel_drop", Count: 3}}, Counters: map[string]uint64{"frames": 7},
		}),
		source("process", sensor.Report{State: sensor.Off, Reason: "switched off"}),
		Source{"file", func() sensor.Report { panic("fault") }},
	)
	b.Beat()
	want := []finding.Coverage{
		{
			AgentID: "a", HostName: "h", Version: "1", Sensor: "network", State: "degraded", Reason: "no right", Since: since, Until: b.now,
			Blind: []finding.Blind{{Reason: "kernel_drop", Count: 3}}, Counters: map[string]uint64{"frames": 7},
		},
		{AgentID: "a", HostName: "h", Version: "1", Sensor: "process", State: "off", Reason: "switched off", Since: b.now, Until: b.now},
		{
			AgentID: "a", HostName: "h", Version: "1", Sensor: "file", State: "degraded", Since: b.now, Until: b.now,
			Reason: "its report failed (fault); restart the agent and report this",
		},
		{
			AgentID: "a", HostName: "h", Version: "1", Sensor: "heartbeat", State: "on", Since: b.now, Until: b.now,
			Counters: map[string]uint64{"beats_stored": 0, "beats_thinned": 0, "beats_failed": 0, "panics": 1},
		},
	}
	if diff := cmp.Diff([][]finding.Coverage{want}, b.beats); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBeat_thinsOutWhatPilesUp(t *testing.T) {
	b := newBench(t, source("network", sensor.Report{State: sensor.On}))
	for range 30 * 24 * 60 { // a month offline
		b.Beat()
		b.now = b.now.Add(time.Minute)
	}
	// 5 beats of 2 reports reach the bound, then one an hour, up to the end.
	if n := len(b.beats); n != 5+sparseBeats {
		t.Errorf("%d beats stored, want %d", n, 5+sparseBeats)
	}
	c := b.Counters()
	if c["beats_stored"] != uint64(len(b.beats)) || c["beats_stored"]+c["beats_thinned"] != 30*24*60 {
		t.Errorf("counters %v", c)
	}
	b.pending = 0
	b.Beat()
	if n := len(b.beats); n != 6+sparseBeats {
		t.Error("no beat after what was stored is delivered")
	}
}

func TestBeat_countsFailures(t *testing.T) {
	b := newBench(t, source("network", sensor.Report{State: sensor.On}))
	b.refuse = errors.New("disk full")
	b.Beat()
	b.Beat()
	b.refuse = nil
	b.Beat()
	if c := b.Counters(); c["beats_failed"] != 2 || c["beats_stored"] != 1 {
		t.Errorf("counters %v", c)
	}
}

// TestRun_beatsSoonAndEnds holds that the first beat gives the sensors a moment
// to start, and that Run ends without one where nothing ran.
func TestRun_beatsSoonAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, source("network", sensor.Report{State: sensor.On}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(firstBeat - time.Millisecond)
		synctest.Wait()
		if len(b.beats) != 0 {
			t.Errorf("%d beats before the sensors could start", len(b.beats))
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if len(b.beats) != 1 {
			t.Errorf("%d beats, want 1", len(b.beats))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestConfig_Validate(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(DefaultConfig(), "")
	f(Config{Interval: time.Millisecond, MaxPending: 1}, "interval")
	f(Config{Interval: time.Minute}, "max_pending")
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("a heartbeat without an interval was made")
	}
}
