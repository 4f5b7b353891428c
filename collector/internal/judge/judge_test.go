//go:build linux

package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// shared is the engine of the package's tests; each test has a database of its
// own in it.
var shared *engine.Engine

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.ChildCommand {
		os.Exit(engine.RunChild(os.Args[2:]))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gnomon-judge-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cfg := engine.Default()
	cfg.Library, cfg.DataDir = engine.DefaultLibrary(), filepath.Join(dir, "engine")
	if library := os.Getenv("GNOMON_ENGINE_LIBRARY"); library != "" {
		cfg.Library = library
	}
	shared = engine.New(cfg, slog.New(slog.DiscardHandler))
	if err := shared.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "starting the engine (is its library there? run \"make engine\"):", err)
		return 1
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := shared.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// harness is a judge over a real store and a real state database.
type harness struct {
	t      *testing.T
	store  *store.Store
	state  *state.State
	judge  *Judge
	reader *sdkmetric.ManualReader
}

func start(t *testing.T) *harness {
	t.Helper()
	options := store.Default()
	options.Dial, options.User, options.Password = shared.Dial, shared.Endpoint().User, shared.Endpoint().Password
	options.Database, options.Fsync = strings.Map(func(r rune) rune {
		if r == '/' {
			return '_'
		}
		return r
	}, t.Name()), false
	s, err := store.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	declared, err := state.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = declared.Close() })
	if err := declared.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, store: s, state: declared, reader: sdkmetric.NewManualReader()}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(h.reader)).Meter("test")
	h.judge, err = New(Default(), s, declared, meter, noop.NewTracerProvider().Tracer("test"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// day is the day of the usages; hours count from its midnight in UTC.
func day() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3) }

func at(hour int) time.Time { return day().Add(time.Duration(hour) * time.Hour) }

// inventory applies an inventory as of an hour.
func (h *harness) inventory(hour int, entries string) {
	h.t.Helper()
	text := "schema: inventory/v1\ndefaults: {review_every: 0d, scope_on_unknown: flag}\nentries:\n" + entries
	document, _, err := inventory.Parse([]inventory.File{{Name: "inventory.yaml", Data: []byte(text)}})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.state.ApplyInventory(h.t.Context(), document, state.Change{Author: "test", Source: state.SourceAPI, At: at(hour), Base: state.AnyBase}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) directory(hour int, body string) {
	h.t.Helper()
	directory, err := inventory.ParseDirectory([]inventory.File{{Name: "directory.yaml", Data: []byte("schema: directory/v1\n" + body)}})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.state.ApplyDirectory(h.t.Context(), directory, state.Change{Author: "test", Source: state.SourceAPI, At: at(hour), Base: state.AnyBase}); err != nil {
		h.t.Fatal(err)
	}
}

// use stores one finding of an hour.
func (h *harness) use(hour int, change func(*finding.Finding)) {
	h.t.Helper()
	f := finding.Finding{
		AgentID: "agent-1", HostName: "laptop-1", Channel: "endpoint", Sensor: "network", Revision: 1, Count: 2, Confidence: 90,
		WindowStart: at(hour), WindowEnd: at(hour).Add(5 * time.Minute), FirstSeen: at(hour).Add(time.Second), LastSeen: at(hour).Add(2 * time.Minute),
		Asset:    finding.Asset{Key: "openai.api", Kind: "service", Name: "OpenAI API", SignatureID: "openai.api", Provider: "openai"},
		Evidence: []finding.Evidence{{Kind: "tls.sni", Value: "api.openai.com"}},
		User:     "ana", ProcessName: "node", PeerName: "api.openai.com", Catalogue: "abc",
	}
	if change != nil {
		change(&f)
	}
	f.Fingerprint = finding.ComputeFingerprint(&f)
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	if err := h.store.InsertFindings(h.t.Context(), []finding.Finding{f}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) pass() {
	h.t.Helper()
	if err := h.judge.Pass(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) rows() []store.VerdictRow {
	h.t.Helper()
	var rows []store.VerdictRow
	if err := h.store.Verdicts(h.t.Context(), store.VerdictFilter{}, func(r store.VerdictRow) error { rows = append(rows, r); return nil }); err != nil {
		h.t.Fatal(err)
	}
	return rows
}

// expect compares the verdicts of the only usage: event and current, as
// "verdict reason entry".
func (h *harness) expect(event, current string) store.VerdictRow {
	h.t.Helper()
	rows := h.rows()
	if len(rows) != 1 {
		h.t.Fatalf("%d verdicts, want 1: %+v", len(rows), rows)
	}
	r := rows[0]
	if got := strings.TrimSpace(r.VerdictAtEvent + " " + r.ReasonAtEvent + " " + r.EntryID); got != event {
		h.t.Errorf("at the event: %s, want %s", got, event)
	}
	if got := strings.TrimSpace(r.VerdictCurrent + " " + r.ReasonCurrent + " " + r.EntryCurrent); got != current {
		h.t.Errorf("now: %s, want %s", got, current)
	}
	return r
}

func (h *harness) changes() []string {
	h.t.Helper()
	var list []string
	if err := h.store.VerdictChanges(h.t.Context(), store.ChangeFilter{}, func(c store.VerdictChange) error {
		list = append(list, fmt.Sprintf("%s -> %s by %s", c.FromVerdict, c.ToVerdict, c.Cause))
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func (h *harness) counter(name string) int64 {
	h.t.Helper()
	var data metricdata.ResourceMetrics
	if err := h.reader.Collect(context.Background(), &data); err != nil {
		h.t.Fatal(err)
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, isSum := m.Data.(metricdata.Sum[int64]); isSum && m.Name == "gnomon.collector."+name {
				return sum.DataPoints[0].Value
			}
		}
	}
	return 0
}

const (
	approved   = "  - {id: openai-api, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}]}\n"
	prohibited = "  - {id: openai-api, name: OpenAI, kind: api_service, status: prohibited, match: [{signature: [openai.api]}]}\n"
)

func TestApprovingTodayNeverRewritesThePast(t *testing.T) {
	h := start(t)
	h.use(9, nil)
	h.pass()
	r := h.expect("unsanctioned not_in_inventory", "unsanctioned not_in_inventory")
	if r.InventoryRevision != 0 {
		t.Errorf("judged by revision %d, want 0: there was none", r.InventoryRevision)
	}
	h.inventory(10, approved)
	h.pass()
	r = h.expect("unsanctioned not_in_inventory", "sanctioned ok openai-api")
	if r.InventoryRevision != 0 || r.RevisionCurrent != 1 {
		t.Errorf("revisions %d and %d, want 0 and 1", r.InventoryRevision, r.RevisionCurrent)
	}
	h.inventory(11, prohibited)
	h.pass()
	h.expect("unsanctioned not_in_inventory", "prohibited entry_prohibited openai-api")
	want := []string{"unsanctioned -> sanctioned by inventory", "sanctioned -> prohibited by inventory"}
	if got := h.changes(); !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
	if n := h.counter("verdict_changes"); n != 2 {
		t.Errorf("changes counted %d, want 2", n)
	}
	var walk []WalkStep
	if err := json.Unmarshal([]byte(h.rows()[0].WalkCurrent), &walk); err != nil || len(walk) != 1 || walk[0].Entry != "openai-api" {
		t.Errorf("walk %q %v", h.rows()[0].WalkCurrent, err)
	}
}

func TestUseBeforeAnApprovalOfTheSameDayIsSeen(t *testing.T) {
	h := start(t)
	h.inventory(12, approved)
	h.use(15, nil)
	h.pass()
	h.expect("sanctioned ok openai-api", "sanctioned ok openai-api")
	// A finding of the morning arrives late: the day was not clean.
	h.use(9, nil)
	h.pass()
	r := h.expect("unsanctioned not_in_inventory", "sanctioned ok openai-api")
	if r.Count != 4 || !r.FirstSeen.Equal(at(9).Add(time.Second)) {
		t.Errorf("count %d from %s, want 4 from %s", r.Count, r.FirstSeen, at(9))
	}
}

func TestDirectoryOfTheTimeCounts(t *testing.T) {
	h := start(t)
	h.inventory(1, "  - {id: openai-api, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}], scope: {groups: [research]}}\n")
	h.use(2, nil)
	h.pass()
	h.expect("sanctioned scope_unverified:[group] openai-api", "sanctioned scope_unverified:[group] openai-api")
	h.directory(3, "users: [{name: ana, groups: [engineering]}]\n")
	h.pass()
	h.expect("sanctioned scope_unverified:[group] openai-api", "out_of_scope scope_mismatch:[group] openai-api")
	h.directory(4, "users: [{name: ana, groups: [research]}]\n")
	h.pass()
	h.expect("sanctioned scope_unverified:[group] openai-api", "sanctioned ok openai-api")
	if got := h.changes(); len(got) != 2 || !strings.HasSuffix(got[0], "by directory") {
		t.Errorf("changes %q", got)
	}
}

func TestAnEntryForOneHostNameDoesNotCoverAnother(t *testing.T) {
	h := start(t)
	h.inventory(1, "  - {id: eu-only, name: EU, kind: api_service, status: approved, match: [{domain: [eu.api.openai.com]}]}\n")
	h.use(2, func(f *finding.Finding) { f.PeerName = "eu.api.openai.com" })
	h.pass()
	h.expect("sanctioned ok eu-only", "sanctioned ok eu-only")
	h.use(3, nil)
	h.pass()
	h.expect("unsanctioned not_in_inventory", "unsanctioned not_in_inventory")
	if got := h.changes(); !slices.Equal(got, []string{"sanctioned -> unsanctioned by findings"}) {
		t.Errorf("changes %q", got)
	}
}

func TestUsagesAreApart(t *testing.T) {
	h := start(t)
	h.inventory(1, approved)
	for i := range 30 {
		h.use(2, func(f *finding.Finding) { f.User = fmt.Sprint("user-", i) })
	}
	h.use(3, func(f *finding.Finding) { f.Confidence, f.User = 20, "low" })
	h.use(3, func(f *finding.Finding) { f.HostName = "laptop-2" })
	h.pass()
	if rows := h.rows(); len(rows) != 32 {
		t.Errorf("%d verdicts, want 32", len(rows))
	}
	words := map[string]int{}
	for _, r := range h.rows() {
		words[r.VerdictCurrent+" "+r.ReasonCurrent]++
	}
	if words["unknown low_confidence"] != 1 || words["sanctioned ok"] != 31 {
		t.Errorf("verdicts %v", words)
	}
	written := h.counter("verdicts_written")
	h.pass()
	if n := h.counter("verdicts_written"); n != written {
		t.Errorf("%d verdicts written by a pass over nothing new", n-written)
	}
	if n := h.counter("judge_passes"); n != 2 {
		t.Errorf("passes counted %d, want 2", n)
	}
	if n := h.counter("usages_judged"); n < 32 {
		t.Errorf("usages counted %d, want 32 or more", n)
	}
}

func TestFailedPassIsCountedAndRepeated(t *testing.T) {
	h := start(t)
	h.judge.config.Interval = 100 * time.Millisecond
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.judge.Run(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); h.counter("judge_failures") < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("failures are not counted")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		config := Default()
		change(&config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	f(func(c *Config) { c.Interval = 0 }, "interval")
	f(func(c *Config) { c.Lookback = time.Hour }, "lookback")
	f(func(c *Config) { c.Verdicts.MinConfidence = 0 }, "verdicts.min_confidence")
}
