package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// catalogue is a small set of its own, so that these tests do not move with
// the real one.
func catalogue(t testing.TB) *signatures.Set {
	t.Helper()
	provider := signatures.Provider{ID: "acme", Name: "Acme", Country: "DE"}
	host := func(value string, role signatures.HostRole) []signatures.HostRule {
		return []signatures.HostRule{{Value: value, Match: signatures.HostSuffix, Role: role}}
	}
	set, err := signatures.Compile([]signatures.Signature{
		{
			ID: "acme.api", Name: "Acme API", Kind: signatures.AssetService, Categories: []string{"llm_api"}, Status: "active",
			Confidence: 90, Provider: provider, Hosts: host("api.acme.example", signatures.RoleAPI),
		},
		{
			ID: "acme.login", Name: "Acme login", Kind: signatures.AssetService, Status: "active",
			Confidence: 90, Provider: provider, Hosts: host("login.acme.example", signatures.RoleAuth),
		},
		{
			ID: "acme.runner", Name: "Acme runner", Kind: signatures.AssetRuntime, Status: "active",
			Confidence: 80, Provider: provider, Processes: []signatures.ProcessRule{{Name: "acme-runner"}},
		},
		{
			ID: "acme.store", Name: "Acme store", Kind: signatures.AssetModelStore, Status: "active",
			Confidence: 80, Provider: provider, Files: []signatures.FileRule{{Path: "~/.acme/models", Kind: "store"}},
		},
		{
			ID: "formats.gguf", Name: "GGUF", Kind: signatures.AssetModelFormat, Status: "active",
			Confidence: 85, Provider: provider, Formats: []signatures.FormatRule{{Format: "gguf", Executable: "none"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// recorder is a sink that keeps what it takes, and can refuse.
type recorder struct {
	mu      sync.Mutex
	got     []finding.Finding
	refuse  error
	partial int // with refuse: how many it takes all the same
}

func (r *recorder) take(list []finding.Finding) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		n := min(r.partial, len(list))
		r.got = append(r.got, list[:n]...)
		return n, r.refuse
	}
	r.got = append(r.got, list...)
	return len(list), nil
}

func (r *recorder) all() []finding.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *recorder) setRefusal(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = err
}

// testClock is a clock that a test moves, its two hands apart.
type testClock struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

func newTestClock() *testClock {
	return &testClock{wall: time.Date(2026, 11, 23, 12, 1, 30, 500e6, time.UTC)}
}

func (c *testClock) clock() clock {
	return clock{
		wall:  func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.wall },
		since: func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.mono },
	}
}

// pass lets time go by.
func (c *testClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
	c.mono += d
}

// set sets the wall clock by d.
func (c *testClock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

type bench struct {
	*Pipeline
	sink  *recorder
	clock *testClock
}

func newBench(t testing.TB, change func(*Config, *Deps)) *bench {
	t.Helper()
	b := &bench{sink: &recorder{}, clock: newTestClock()}
	config := DefaultConfig()
	deps := Deps{
		Set: catalogue(t), Sink: b.sink.take, Log: slog.New(slog.DiscardHandler), OwnerUnknown: "unsupported",
		Agent: Agent{ID: "agent", HostName: "host", HostID: "id", OS: "linux", Channel: "endpoint"},
	}
	if change != nil {
		change(&config, &deps)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	b.Pipeline = newWithClock(config, deps, b.clock.clock())
	return b
}

// tls is a TLS observation of name, now.
func (b *bench) tls(name string) signatures.Observation {
	return signatures.Observation{
		Sensor: "network", Kind: signatures.KindTLS, Time: b.clock.clock().wall(), Name: name,
		NameEvidence: signatures.EvidenceTLS, Flow: signatures.Flow{
			Protocol: "tcp",
			Client:   netip.MustParseAddrPort("10.0.0.5:50000"), Server: netip.MustParseAddrPort("203.0.113.7:443"), BytesUp: 10, BytesDown: 20,
		},
	}
}

func (b *bench) mustFlush(t *testing.T) {
	t.Helper()
	if _, err := b.flush(false); err != nil {
		t.Fatal(err)
	}
}

// counter checks counters by name.
func (b *bench) counter(t *testing.T, want map[string]uint64) {
	t.Helper()
	got := b.Counters()
	for name, n := range want {
		if value, ok := got[name]; !ok || value != n {
			t.Errorf("counter %s is %d, want %d", name, value, n)
		}
	}
}

func TestEmit_buildsAFindingOfANetworkObservation(t *testing.T) {
	var asked signatures.Flow
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(f signatures.Flow) (signatures.Process, string) {
			asked = f
			return signatures.Process{
				PID: 7, Name: "node", Executable: "/usr/bin/node", User: "ana", Container: "c1",
				Arguments: []string{"node", "--token=secret"},
			}, ""
		}
	})
	at := b.clock.wall
	b.Emit(b.tls("api.acme.example"))
	b.mustFlush(t)
	want := []finding.Finding{{
		Revision: 1, AgentID: "agent", HostName: "host", HostID: "id", OS: "linux", Channel: "endpoint", Sensor: "network",
		WindowStart: at.Truncate(time.Second), WindowEnd: time.Date(2026, 11, 23, 12, 5, 0, 0, time.UTC),
		FirstSeen: at, LastSeen: at, Count: 1,
		Asset: finding.Asset{
			Key: "acme.api", Kind: "service", Name: "Acme API", SignatureID: "acme.api", Provider: "acme",
			Country: "DE", Categories: []string{"llm_api"}, Role: "api", Status: "active",
		},
		Confidence: 90, Catalogue: b.deps.Set.Version(),
		User: "ana", ProcessName: "node", ProcessPath: "/usr/bin/node", Container: "c1",
		Protocol: "tls", PeerName: "api.acme.example", PeerAddress: "203.0.113.7", PeerPort: 443, BytesUp: 10, BytesDown: 20,
	}}
	got := b.sink.all()
	if len(got) != 1 {
		t.Fatalf("%d findings, want 1", len(got))
	}
	if len(got[0].Evidence) != 1 || got[0].Evidence[0].Kind != "tls.sni" || got[0].Evidence[0].Value != "api.acme.example" || got[0].Evidence[0].Selector == "" {
		t.Errorf("evidence %+v", got[0].Evidence)
	}
	if got[0].Fingerprint != finding.ComputeFingerprint(&got[0]) || got[0].ID != finding.ComputeID("agent", got[0].Fingerprint, got[0].WindowStart) {
		t.Error("fingerprint and id are not those of the finding")
	}
	got[0].Evidence, got[0].Fingerprint, got[0].ID = nil, "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if asked.Server.Port() != 443 {
		t.Errorf("owner was asked about %+v", asked)
	}
	if text := fmt.Sprintf("%+v", b.sink.all()); strings.Contains(text, "secret") {
		t.Error("an argument left the host")
	}
	b.counter(t, map[string]uint64{"observations_tls": 1, "matches": 1, "unmatched": 0, "owner_known": 1, "findings": 1, "folds_open": 1})
}

func TestEmit_unmatchedNamesStayOnTheHost(t *testing.T) {
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(signatures.Flow) (signatures.Process, string) {
			t.Error("the owner of an unmatched flow was looked up")
			return signatures.Process{}, ""
		}
	})
	b.Emit(b.tls("private.example.net"))
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := b.sink.all(); len(got) != 0 {
		t.Errorf("findings %+v", got)
	}
	b.counter(t, map[string]uint64{"observations_tls": 1, "unmatched": 1, "matches": 0, "folds_open": 0})
}

func TestEmit_rolesThatAreNoUse(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(b.tls("login.acme.example"))
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 1 || got[0].Asset.Role != "auth" || got[0].Confidence != supportingConfidence {
		t.Errorf("findings %+v, want one with the role auth and confidence %d", got, supportingConfidence)
	}
}

func TestEmit_countsEveryKindAndOwnerReason(t *testing.T) {
	reasons := []string{"", "no_socket", "no_permission", "exited", "not_local", "unsupported", "replay", "lost_event", "odd"}
	var next int
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(signatures.Flow) (signatures.Process, string) {
			next++
			return signatures.Process{}, reasons[next-1]
		}
	})
	for range reasons {
		b.Emit(b.tls("api.acme.example"))
	}
	for _, kind := range []signatures.Kind{
		signatures.KindQUIC, signatures.KindDNS, signatures.KindHTTP, signatures.KindFlow,
		signatures.KindProcess, signatures.KindFile, signatures.KindModelFile, "new",
	} {
		b.Emit(signatures.Observation{Kind: kind})
	}
	b.counter(t, map[string]uint64{
		"observations_tls": 9, "observations_quic": 1, "observations_dns": 1, "observations_http": 1, "observations_flow": 1,
		"observations_process": 1, "observations_file": 1, "observations_model_file": 1, "observations_other": 1,
		"owner_known": 1, "owner_no_socket": 1, "owner_no_permission": 1, "owner_exited": 1, "owner_not_local": 1,
		"owner_unsupported": 1, "owner_replay": 1, "owner_lost_event": 1, "owner_other": 1, "unmatched": 8, "matches": 9,
	})
	b.mustFlush(t)
	unknown := map[string]bool{}
	for _, f := range b.sink.all() {
		unknown[f.OwnerUnknown] = true
	}
	if !unknown[""] && !unknown["no_socket"] {
		t.Errorf("reasons in findings: %v", unknown)
	}
}

func TestEmit_dnsServerIsNoPeer(t *testing.T) {
	b := newBench(t, nil)
	o := b.tls("api.acme.example")
	o.Kind, o.NameEvidence, o.Flow.Server = signatures.KindDNS, signatures.EvidenceDNS, netip.MustParseAddrPort("10.0.0.1:53")
	b.Emit(o)
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 1 || got[0].PeerAddress != "" || got[0].PeerPort != 0 || got[0].Protocol != "dns" || got[0].PeerName != "api.acme.example" {
		t.Errorf("findings %+v", got)
	}
}

func TestEmit_gatewayNamesTheClient(t *testing.T) {
	b := newBench(t, func(_ *Config, d *Deps) { d.Agent.Channel = "gateway" })
	b.Emit(b.tls("api.acme.example"))
	other := b.tls("api.acme.example")
	other.Flow.Client = netip.MustParseAddrPort("10.0.0.6:50000")
	b.Emit(other)
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 2 || got[0].ClientAddress != "10.0.0.5" || got[1].ClientAddress != "10.0.0.6" {
		t.Errorf("findings %+v, want one for each client", got)
	}
}

func TestFold_addsUpAndSendsTheFinalCountsOnce(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(b.tls("api.acme.example"))
	b.mustFlush(t)
	for range 3 {
		b.clock.pass(10 * time.Second)
		b.Emit(b.tls("api.acme.example"))
	}
	b.mustFlush(t) // not yet due
	if got := b.sink.all(); len(got) != 1 {
		t.Fatalf("%d findings before the window's end, want 1", len(got))
	}
	b.clock.pass(5 * time.Minute)
	b.mustFlush(t)
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 2 {
		t.Fatalf("%d findings, want first sighting and final counts", len(got))
	}
	first, final := got[0], got[1]
	if final.ID != first.ID || final.Revision != 2 || final.Count != 4 || final.BytesUp != 40 || final.BytesDown != 80 ||
		final.LastSeen.Sub(final.FirstSeen) != 30*time.Second {
		t.Errorf("final counts %+v", final)
	}
	b.counter(t, map[string]uint64{"findings": 2, "folds_open": 0, "folds_closing": 0, "finals_unneeded": 0})

	b.Emit(b.tls("api.acme.example"))
	b.mustFlush(t)
	next := b.sink.all()[2]
	if next.ID == first.ID || next.Fingerprint != first.Fingerprint || next.Revision != 1 || !next.WindowStart.Equal(time.Date(2026, 11, 23, 12, 5, 0, 0, time.UTC)) {
		t.Errorf("the next window's finding %+v", next)
	}
	b.clock.pass(5 * time.Minute)
	b.mustFlush(t)
	if got := b.sink.all(); len(got) != 3 {
		t.Errorf("%d findings: a single sighting was sent again", len(got))
	}
	b.counter(t, map[string]uint64{"finals_unneeded": 1})
}

// total adds the counts of the highest revision of every finding id.
func total(list []finding.Finding) (sum uint64, ids int) {
	best := map[string]finding.Finding{}
	for _, f := range list {
		if f.Revision > best[f.ID].Revision {
			best[f.ID] = f
		}
	}
	for _, f := range best {
		sum += f.Count
	}
	return sum, len(best)
}

func TestFold_clockJumpsNeverShareAnID(t *testing.T) {
	b := newBench(t, nil)
	emitted := uint64(0)
	emit := func() {
		b.Emit(b.tls("api.acme.example"))
		emitted++
		b.mustFlush(t)
	}
	for _, jump := range []time.Duration{-time.Hour, -time.Minute, 2 * time.Hour, -2 * time.Hour, -10 * time.Second, -3 * time.Second, 365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		emit()
		emit()
		b.clock.set(jump)
		emit()
		b.clock.pass(90 * time.Second)
		emit()
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	sum, _ := total(b.sink.all())
	if sum != emitted {
		t.Errorf("findings add up to %d sightings, want %d", sum, emitted)
	}
	if n := b.Counters()["clock_jumps"]; n != 6 {
		t.Errorf("%d clock jumps, want the 6 backward ones", n)
	}
}

func TestFold_restartsInOneWindowNeverShareAnID(t *testing.T) {
	var all []finding.Finding
	clock := newTestClock()
	for range 5 {
		b := newBench(t, nil)
		b.clock = clock
		b.Pipeline = newWithClock(b.config, b.deps, clock.clock())
		b.Emit(b.tls("api.acme.example"))
		b.mustFlush(t)
		b.Emit(b.tls("api.acme.example"))
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.sink.all()...)
		clock.pass(time.Second)
	}
	if sum, ids := total(all); sum != 10 || ids != 5 {
		t.Errorf("%d sightings in %d findings, want 10 in 5", sum, ids)
	}
}

func TestFold_overflowEndsTheOldestEarlyAndLosesNothing(t *testing.T) {
	b := newBench(t, func(c *Config, d *Deps) { c.MaxFolds = 16; d.Agent.Channel = "gateway" })
	var emitted uint64
	for round := range 3 {
		for i := range 40 {
			o := b.tls("api.acme.example")
			o.Flow.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1000)
			b.Emit(o)
			emitted++
			if i%4 == round {
				b.mustFlush(t)
			}
			if n := b.Counters()["folds_open"]; n > 16 {
				t.Fatalf("%d open folds, at most 16 allowed", n)
			}
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if sum, _ := total(b.sink.all()); sum != emitted {
		t.Errorf("findings add up to %d sightings, want %d", sum, emitted)
	}
	if b.Counters()["early_flushes"] == 0 {
		t.Error("no early flush counted")
	}
	b.counter(t, map[string]uint64{"findings_lost": 0})
}

func TestFlush_refusingSinkIsTriedAgain(t *testing.T) {
	b := newBench(t, nil)
	b.sink.setRefusal(errors.New("disk full"))
	b.Emit(b.tls("api.acme.example"))
	b.Emit(b.tls("login.acme.example"))
	b.sink.partial = 1
	if _, err := b.flush(false); err == nil {
		t.Fatal("the refusal was not reported")
	}
	b.sink.partial = 0
	b.clock.pass(10 * time.Minute)
	b.Emit(b.tls("api.acme.example"))
	if _, err := b.flush(false); err == nil {
		t.Fatal("the refusal was not reported")
	}
	report := b.Coverage()
	if report.State != sensor.Degraded || !strings.Contains(report.Reason, "disk full") {
		t.Errorf("report %+v", report)
	}
	b.sink.setRefusal(nil)
	b.mustFlush(t)
	if report := b.Coverage(); report.State != sensor.On || report.Reason != "" {
		t.Errorf("report after the recovery %+v", report)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if sum, ids := total(b.sink.all()); sum != 3 || ids != 3 {
		t.Errorf("%d sightings in %d findings, want 3 in 3: %+v", sum, ids, b.sink.all())
	}
	b.counter(t, map[string]uint64{"sink_errors": 2, "findings_lost": 0, "findings": 3})
}

func TestFlush_lossesAreCounted(t *testing.T) {
	b := newBench(t, func(c *Config, d *Deps) {
		c.MaxFolds = 16
		c.FirstFlush = time.Millisecond
		d.Agent.Channel = "gateway"
	})
	b.sink.setRefusal(errors.New("disk full"))
	for i := range 100 {
		o := b.tls("api.acme.example")
		o.Flow.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1000)
		b.Emit(o)
	}
	if err := b.Flush(); err == nil {
		t.Fatal("Flush into a refusing sink succeeded")
	}
	b.counter(t, map[string]uint64{"findings_lost": 100, "folds_open": 0, "folds_closing": 0})
	report := b.Coverage()
	if len(report.Blind) != 1 || report.Blind[0].Reason != "findings_lost" || report.Blind[0].Count != 100 {
		t.Errorf("blind %+v", report.Blind)
	}
}

func TestRun_flushesSoonAndAtTheEnd(t *testing.T) {
	b := newBench(t, nil)
	real, err := New(DefaultConfig(), b.deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- real.Run(ctx) }()
	start := time.Now()
	real.Emit(b.tls("api.acme.example"))
	for len(b.sink.all()) == 0 {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the first sighting was not flushed")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the first sighting took %v, want at most 2 s", took)
	}
	real.Emit(b.tls("api.acme.example"))
	real.Emit(b.tls("login.acme.example"))
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if sum, ids := total(b.sink.all()); sum != 3 || ids != 2 {
		t.Errorf("%d sightings in %d findings after the end, want 3 in 2", sum, ids)
	}
}

func TestRun_endsWindowsByItself(t *testing.T) {
	b := newBench(t, nil)
	config := DefaultConfig()
	config.Window, config.FirstFlush = time.Second, 10*time.Millisecond
	real, err := New(config, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- real.Run(ctx) }()
	real.Emit(b.tls("api.acme.example"))
	real.Emit(b.tls("api.acme.example"))
	deadline := time.Now().Add(20 * time.Second)
	for real.Counters()["folds_open"] != 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if n := real.Counters()["folds_open"]; n != 0 {
		t.Errorf("%d folds still open", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if sum, _ := total(b.sink.all()); sum != 2 {
		t.Errorf("%d sightings, want 2", sum)
	}
}

func TestEmit_isSafeForConcurrentUse(t *testing.T) {
	b := newBench(t, func(c *Config, d *Deps) { c.MaxFolds = 16; d.Agent.Channel = "gateway" })
	real, err := New(b.config, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- real.Run(ctx) }()
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 500 {
				o := b.tls("api.acme.example")
				o.Flow.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(w), byte(i % 7)}), 1000)
				real.Emit(o)
			}
		})
	}
	wait.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	sum, _ := total(b.sink.all())
	if lost := real.Counters()["findings_lost"]; lost == 0 && sum != 2000 {
		t.Errorf("%d sightings, want 2000", sum)
	}
}

func TestEmit_survivesAFault(t *testing.T) {
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(signatures.Flow) (signatures.Process, string) { panic("fault") }
	})
	b.Emit(b.tls("api.acme.example"))
	b.Emit(b.tls("api.acme.example"))
	b.counter(t, map[string]uint64{"panics": 2, "folds_open": 0})
	if report := b.Coverage(); len(report.Blind) != 1 || report.Blind[0].Reason != "pipeline_fault" || report.Blind[0].Count != 2 {
		t.Errorf("blind %+v", report.Blind)
	}
}

func TestOffline_windowsFollowTheCapture(t *testing.T) {
	b := newBench(t, func(c *Config, d *Deps) { c.Offline = true; d.OwnerUnknown = "replay" })
	at := time.Date(2019, 5, 1, 8, 3, 0, 0, time.UTC)
	for _, minutes := range []int{0, 1, 10, -60, 11} {
		o := b.tls("api.acme.example")
		o.Time = at.Add(time.Duration(minutes) * time.Minute)
		b.Emit(o)
	}
	if got := b.sink.all(); len(got) != 0 {
		t.Errorf("%d findings before the end", len(got))
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range b.sink.all() {
		got = append(got, fmt.Sprintf("%s %d %s %s", f.WindowStart.Format("15:04"), f.Count, f.OwnerUnknown, f.ClientAddress))
	}
	want := []string{"07:00 1 replay 10.0.0.5", "08:00 2 replay 10.0.0.5", "08:10 2 replay 10.0.0.5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOffline_overflowGoesToTheSink(t *testing.T) {
	b := newBench(t, func(c *Config, d *Deps) { c.Offline = true; c.MaxFolds = 16 })
	for i := range 200 {
		o := b.tls("api.acme.example")
		o.Flow.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1000)
		b.Emit(o)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if sum, _ := total(b.sink.all()); sum != 200 {
		t.Errorf("%d sightings, want 200", sum)
	}
	b.counter(t, map[string]uint64{"findings_lost": 0})
}

func TestConfig_Validate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Window = time.Millisecond }, "window")
	f(func(c *Config) { c.Window = 48 * time.Hour }, "window")
	f(func(c *Config) { c.MaxFolds = 1 }, "max_folds")
	f(func(c *Config) { c.FirstFlush = 3 * time.Second }, "first_flush")
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("a pipeline without dependencies was made")
	}
}

func TestEmit_allocations(t *testing.T) {
	b := newBench(t, nil)
	o := b.tls("www.unmatched.example")
	b.Emit(o)
	if n := testing.AllocsPerRun(1000, func() { b.Emit(o) }); n > 0 {
		t.Errorf("%v allocations for an unmatched observation, want 0", n)
	}
}

func BenchmarkEmit_unmatched(b *testing.B) {
	p := newBench(b, nil)
	o := p.tls("www.unmatched.example")
	b.ReportAllocs()
	for b.Loop() {
		p.Emit(o)
	}
}

func BenchmarkEmit_folded(b *testing.B) {
	p := newBench(b, nil)
	o := p.tls("api.acme.example")
	b.ReportAllocs()
	for b.Loop() {
		p.Emit(o)
	}
}

func TestUse_matchesByAnotherSetFromThenOn(t *testing.T) {
	b := newBench(t, nil)
	before := b.deps.Set.Version()
	b.Emit(b.tls("api.acme.example"))
	b.Emit(b.tls("api.other.example"))
	set, err := signatures.Compile([]signatures.Signature{{
		ID: "other.api", Name: "Other", Kind: signatures.AssetService, Status: "active", Confidence: 80,
		Hosts: []signatures.HostRule{{Value: "api.other.example", Match: signatures.HostExact, Role: signatures.RoleAPI}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.Use(set)
	b.Emit(b.tls("api.acme.example"))
	b.Emit(b.tls("api.other.example"))
	b.mustFlush(t)
	got := map[string]string{}
	for _, f := range b.sink.all() {
		got[f.Asset.SignatureID] = fmt.Sprintf("%s x%d", f.Catalogue, f.Count)
	}
	want := map[string]string{"acme.api": before + " x1", "other.api": set.Version() + " x1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.counter(t, map[string]uint64{"matches": 2, "unmatched": 2})
}
