package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

func testSource() Source { return Source{ID: "tok1", Address: "192.0.2.7"} }

// testCatalogue is small and its own, so that these tests do not move with the
// real one.
func testCatalogue(t testing.TB) *signatures.Set {
	t.Helper()
	set, err := signatures.Compile([]signatures.Signature{{
		ID: "openai.api", Name: "OpenAI API", Kind: signatures.AssetService, Status: "active", Confidence: 95, Categories: []string{"api_llm"},
		Provider: signatures.Provider{ID: "openai", Name: "OpenAI", Country: "US"}, GenAIProviders: []string{"openai"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func use(count uint64, change func(*genai.Use)) genai.Batch {
	u := genai.Use{Count: count, Application: signatures.Application{Provider: "openai", AskedModel: "gpt-4o", Service: "shop", Host: "web-1"}}
	u.First, u.Last = time.Now().UTC().Add(-time.Minute), time.Now().UTC()
	if change != nil {
		change(&u)
	}
	return genai.Batch{Uses: []genai.Use{u}, Stats: genai.Stats{Records: count + 1, Named: count, Foreign: 1}}
}

func (h *harness) tellIt(t *testing.T, b genai.Batch) {
	t.Helper()
	if result, err := h.AcceptUses(t.Context(), testSource(), b); err != nil || result.Accepted != int(b.Stats.Records) || result.Rejected != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
}

// kept are the rows as the store's engine keeps them.
func (s *faultyStore) all() []finding.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []finding.Finding
	for _, f := range s.kept {
		list = append(list, f)
	}
	return list
}

func (s *faultyStore) sum() (total uint64) {
	for _, f := range s.all() {
		total += f.Count
	}
	return total
}

func TestUsesAreFoldedIntoOneRow(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	h.tellIt(t, use(400, nil))
	h.tellIt(t, use(100, func(u *genai.Use) { u.First, u.Last = u.First.Add(-time.Minute), u.First }))
	h.tellIt(t, use(1, nil))
	rows := h.store.all()
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	f := rows[0]
	if f.Count != 501 || f.Revision != 3 || f.LastSeen.Sub(f.FirstSeen) < 2*time.Minute || validateFinding(&f, time.Now().Add(time.Hour)) != "" {
		t.Errorf("%+v, %s", f, validateFinding(&f, time.Now().Add(time.Hour)))
	}
	want := finding.Finding{
		AgentID: "token:tok1@" + h.run, HostName: "web-1", Channel: "application", Sensor: "application", OwnerUnknown: "not_local", ProcessName: "shop",
		Confidence: 95, Catalogue: h.catalogue.Version(), Model: finding.Model{Name: "gpt-4o"},
		Asset:      finding.Asset{Key: "openai.api", SignatureID: "openai.api", Kind: "service", Name: "OpenAI API", Provider: "openai", Country: "US", Categories: []string{"api_llm"}, Status: "active"},
		Evidence:   []finding.Evidence{{Kind: "gen_ai.provider", Value: "openai", Selector: "gen_ai provider openai"}, {Kind: "gen_ai.model", Value: "gpt-4o", Weak: true}},
		Attributes: map[string]string{"service.name": "shop", "host.name": "web-1", "host.source": "host.name"},
	}
	f.ID, f.Fingerprint, f.Revision, f.Count = "", "", 0, 0
	f.WindowStart, f.WindowEnd, f.FirstSeen, f.LastSeen = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for label, want := range map[string]int64{"gen_ai": 501, "foreign": 3} {
		if n := h.counter(t, "application_records", label); n != want {
			t.Errorf("%s: %d, want %d", label, n, want)
		}
	}
}

func TestUsesAreToldApart(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	for _, change := range []func(*genai.Use){
		nil,
		func(u *genai.Use) { u.Service = "bot" },
		func(u *genai.Use) { u.Host = "web-2" },
		func(u *genai.Use) { u.AskedModel = "gpt-5" },
		func(u *genai.Use) { u.Provider = "in-house" },
		func(u *genai.Use) { u.Server = "llm.corp.example" },
	} {
		h.tellIt(t, use(1, change))
	}
	if rows := h.store.all(); len(rows) != 6 {
		t.Errorf("%d rows, want 6", len(rows))
	}
	if _, err := h.AcceptUses(t.Context(), Source{ID: "tok2"}, use(1, nil)); err != nil {
		t.Fatal(err)
	}
	if rows := h.store.all(); len(rows) != 7 {
		t.Errorf("%d rows, want 7: another sender is another source", len(rows))
	}
}

func TestNothingNamedIsNothingStored(t *testing.T) {
	h := start(t, nil, &faultyStore{down: true})
	h.tellIt(t, genai.Batch{Stats: genai.Stats{Records: 3, Unnamed: 1, Foreign: 2, DroppedValues: 4, AttributesUnread: 5}})
	for _, c := range []struct {
		name, label string
		want        int64
	}{{"application_records", "unnamed", 1}, {"application_records", "foreign", 2}, {"application_dropped", "value", 4}, {"application_dropped", "attribute", 5}} {
		if n := h.counter(t, c.name, c.label); n != c.want {
			t.Errorf("%s %s: %d, want %d", c.name, c.label, n, c.want)
		}
	}
}

// What was not acknowledged is told again, and counts once: where the insert
// failed, and where it was stored and the answer was lost.
func TestRepetitionCountsOnce(t *testing.T) {
	for _, lies := range []bool{false, true} {
		store := &faultyStore{}
		h := start(t, nil, store)
		h.tellIt(t, use(10, nil))
		store.mu.Lock()
		store.down, store.lies = !lies, lies
		store.mu.Unlock()
		for range 3 {
			if _, err := h.AcceptUses(t.Context(), testSource(), use(7, nil)); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("%v", err)
			}
		}
		store.mu.Lock()
		store.down, store.lies = false, false
		store.mu.Unlock()
		h.tellIt(t, use(7, nil))
		if sum := store.sum(); sum != 17 || len(store.all()) != 1 {
			t.Errorf("stored %v: %d counted in %d rows, want 17 in 1", lies, sum, len(store.all()))
		}
	}
}

// A sender that left before the insert began is going to repeat its request.
func TestSenderThatLeftDoesNotCount(t *testing.T) {
	store := &faultyStore{gate: make(chan struct{})}
	h := start(t, func(c *Config) { c.Linger = 0 }, store)
	first := make(chan error, 1)
	go func() { _, err := h.AcceptUses(context.Background(), testSource(), use(1, nil)); first <- err }()
	waitFor(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.queued == 1 && len(h.waiting) == 0 })
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := h.AcceptUses(ctx, testSource(), use(100, nil)); left <- err }()
	waitFor(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.waiting) == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(store.gate)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	h.tellIt(t, use(100, nil))
	if sum := store.sum(); sum != 101 {
		t.Errorf("%d counted, want 101", sum)
	}
}

// Many senders, faults at random, each request repeated until it is
// acknowledged: what is stored is exactly what was acknowledged.
func TestAcknowledgedIsExactlyWhatIsStored(t *testing.T) {
	store := &faultyStore{}
	h := start(t, func(c *Config) { c.Linger = time.Millisecond; c.Applications.MaxFolds = 5 }, store)
	stop := make(chan struct{})
	var faults, sending sync.WaitGroup
	faults.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			store.mu.Lock()
			store.down, store.lies = rand.N(3) == 0, rand.N(3) == 0
			store.mu.Unlock()
		}
	})
	var mu sync.Mutex
	want := map[string]uint64{}
	for sender := range 8 {
		sending.Go(func() {
			for range 40 {
				service, count := fmt.Sprint("service-", rand.N(4)), rand.N(uint64(5))+1
				b := use(count, func(u *genai.Use) { u.Service = service })
				for {
					_, err := h.AcceptUses(t.Context(), Source{ID: fmt.Sprint("tok", sender%2)}, b)
					if err == nil {
						break
					}
					if !errors.Is(err, ErrUnavailable) {
						t.Error(err)
						return
					}
				}
				mu.Lock()
				want[service] += count
				mu.Unlock()
			}
		})
	}
	sending.Wait()
	close(stop)
	faults.Wait()
	got := map[string]uint64{}
	for _, f := range store.all() {
		got[f.ProcessName] += f.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-acknowledged +stored):\n%s", diff)
	}
}

// A collector that starts again in the same second, and two that share a store,
// write rows of their own.
func TestRunsDoNotShareRows(t *testing.T) {
	store := &faultyStore{}
	one := start(t, nil, store)
	one.tellIt(t, use(5, nil))
	kept := store.kept
	store = &faultyStore{kept: kept}
	two := start(t, nil, store)
	two.tellIt(t, use(3, nil))
	if sum := store.sum(); sum != 8 || len(store.all()) != 2 {
		t.Errorf("%d counted in %d rows, want 8 in 2", sum, len(store.all()))
	}
}

func TestWindows(t *testing.T) {
	store := &faultyStore{}
	h := start(t, nil, store)
	now := time.Date(2026, 11, 23, 12, 1, 30, 500e6, time.UTC)
	var mu sync.Mutex
	h.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	tell := func() {
		t.Helper()
		h.tellIt(t, use(1, func(u *genai.Use) { u.First, u.Last = time.Time{}, time.Time{} }))
	}
	tell() // 12:01:30 to 12:05
	pass(3 * time.Minute)
	tell()
	pass(30 * time.Second) // 12:05:00.5
	tell()
	pass(-24 * time.Hour) // the clock is set back
	tell()
	pass(24*time.Hour - 30*time.Second) // and mended: 12:04:30 again, whose window was used
	tell()
	got := map[string]uint64{}
	for _, f := range store.all() {
		got[f.WindowStart.Format("02 15:04:05")+" to "+f.WindowEnd.Format("15:04:05")] += f.Count
	}
	want := map[string]uint64{"23 12:01:30 to 12:05:00": 2, "23 12:05:00 to 12:10:00": 1, "22 12:05:00 to 12:10:00": 1, "23 12:04:30 to 12:05:00": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTooManyUsesEndTheWindowEarly(t *testing.T) {
	store := &faultyStore{}
	h := start(t, func(c *Config) { c.Applications.MaxFolds = 2 }, store)
	for i := range 10 {
		h.tellIt(t, use(2, func(u *genai.Use) { u.Service = fmt.Sprint("service-", i%4) }))
	}
	if sum := store.sum(); sum != 20 {
		t.Errorf("%d counted, want 20", sum)
	}
	if n := h.counter(t, "application_windows_early", ""); n < 3 {
		t.Errorf("%d windows ended early", n)
	}
	if n := len(h.folds.byKey); n > 2 {
		t.Errorf("%d folds are kept", n)
	}
}

// A use whose insert failed stays in its window for one more, so that the
// repetition meets its row; then it is let go, and counted.
func TestDoubtStaysInItsWindow(t *testing.T) {
	store := &faultyStore{}
	h := start(t, nil, store)
	now := time.Date(2026, 11, 23, 12, 4, 0, 0, time.UTC)
	var mu sync.Mutex
	h.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	lie := func(service string) {
		t.Helper()
		store.lies = true
		if _, err := h.AcceptUses(t.Context(), testSource(), use(7, func(u *genai.Use) { u.Service = service })); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		store.lies = false
	}
	other := func() { t.Helper(); h.tellIt(t, use(1, func(u *genai.Use) { u.Service = "other" })) }
	lie("shop")
	pass(3 * time.Minute)
	other()
	h.tellIt(t, use(7, nil)) // the repetition, in the next window
	if sum := store.sum(); sum != 8 || len(store.all()) != 2 {
		t.Errorf("%d counted in %d rows, want 8 in 2", sum, len(store.all()))
	}
	h.tellIt(t, use(1, nil)) // and from then on in the new window
	if len(store.all()) != 3 {
		t.Errorf("%d rows, want 3", len(store.all()))
	}
	lie("gone")
	pass(12 * time.Minute)
	other()
	if n := h.counter(t, "application_doubtful", ""); n != 1 || len(h.folds.byKey) != 1 {
		t.Errorf("%d doubtful, %d folds", n, len(h.folds.byKey))
	}
}

func TestUsesThatTheStoreRefuses(t *testing.T) {
	h := start(t, nil, &faultyStore{poison: "bad"})
	b := use(1, nil)
	for _, host := range []string{"bad", "web-2", "web-3"} {
		b.Uses = append(b.Uses, use(1, func(u *genai.Use) { u.Host = host }).Uses...)
	}
	b.Stats = genai.Stats{Records: 4, Named: 4}
	h.tellIt(t, b)
	if rows := h.store.all(); len(rows) != 3 {
		t.Errorf("%d rows, want 3", len(rows))
	}
	if n := h.counter(t, "rejected", string(ReasonStore)); n != 1 {
		t.Errorf("%d counted as refused, want 1", n)
	}
}

func TestHostOf(t *testing.T) {
	f := func(a signatures.Application, source Source, name, how string) {
		t.Helper()
		if gotName, gotHow := hostOf(&a, source); gotName != name || gotHow != how {
			t.Errorf("%q by %q, want %q by %q", gotName, gotHow, name, how)
		}
	}
	all := signatures.Application{Host: "h", Node: "n", Pod: "p", Container: "c", Instance: "i"}
	f(all, testSource(), "h", "host.name")
	all.Host = ""
	f(all, testSource(), "n", "k8s.node.name")
	all.Node = ""
	f(all, testSource(), "p", "k8s.pod.name")
	all.Pod = ""
	f(all, testSource(), "c", "container.id")
	all.Container = ""
	f(all, testSource(), "192.0.2.7", "sender")
	f(all, Source{}, "i", "service.instance.id")
	f(signatures.Application{}, Source{}, "unknown", "none")
}

func TestOddTimes(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	h.tellIt(t, use(1, func(u *genai.Use) { u.First = time.Now().Add(-30 * 24 * time.Hour) }))
	if f := h.store.all()[0]; time.Since(f.FirstSeen) > time.Minute {
		t.Errorf("%v", f.FirstSeen)
	}
	if n := h.counter(t, "application_odd_times", ""); n != 1 {
		t.Errorf("%d", n)
	}
}

// Log records of applications come among findings and others' records.
func TestLogsOfApplications(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	logs := logsOf(t, good(1))
	group := logs.ResourceLogs().AppendEmpty()
	group.Resource().Attributes().PutStr("service.name", "bot")
	group.Resource().Attributes().PutStr("host.name", "web-9")
	list := group.ScopeLogs().AppendEmpty().LogRecords()
	record := func(pairs ...string) plog.LogRecord {
		r := list.AppendEmpty()
		r.SetEventName("gen_ai.client.inference.operation.details")
		for i := 0; i < len(pairs); i += 2 {
			r.Attributes().PutStr(pairs[i], pairs[i+1])
		}
		r.Body().SetStr("s3cr3t")
		return r
	}
	r := record("gen_ai.system", "openai", "gen_ai.request.model", "gpt-4o", "gen_ai.input.messages", "s3cr3t", "server.address", "api.openai.com")
	r.Attributes().PutInt("server.port", 443)
	r.SetObservedTimestamp(1)
	record("gen_ai.system", "openai", "gen_ai.request.model", "gpt-4o", "server.address", "api.openai.com").Attributes().PutInt("server.port", 443)
	record("x", "y")
	result, err := h.Accept(t.Context(), testSource(), logs)
	if err != nil || result.Accepted != 3 || result.Rejected != 1 || !strings.Contains(result.Problem, "gen_ai.client") {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, f := range h.store.all() {
		if strings.Contains(fmt.Sprintf("%+v", f), "s3cr3t") {
			t.Errorf("content is stored: %+v", f)
		}
		if f.Sensor == "application" && (f.Count != 2 || f.HostName != "web-9" || f.PeerPort != 443 || f.ProcessName != "bot") {
			t.Errorf("%+v", f)
		}
	}
	if rows := h.store.all(); len(rows) != 2 {
		t.Errorf("%d rows, want 2", len(rows))
	}
}

func BenchmarkStage(b *testing.B) {
	f := newFolds(Default().Applications)
	told := make([]finding.Finding, 100)
	for i := range told {
		told[i] = finding.Finding{AgentID: "a", Fingerprint: fmt.Sprint(i), Count: 5, Attributes: map[string]string{}}
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		rows, _ := f.stage(told, now)
		f.commit(rows)
	}
}
