package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errDown = errors.New("connection refused")
	errRow  = errors.New("value out of range")
)

// faultyStore keeps rows in memory and fails as told: it stands for the faults
// that a real store shows too rarely to wait for. The same line over a real
// store is tested in integration.
type faultyStore struct {
	mu      sync.Mutex
	rows    map[string]int
	kept    map[string]finding.Finding // as the store's engine keeps them: the highest revision
	lies    bool                       // rows are stored, and the insert fails all the same
	inserts int
	down    bool
	gate    chan struct{} // where set, an insert waits for a token
	poison  string        // host name whose rows are refused
}

func (s *faultyStore) InsertFindings(ctx context.Context, list []finding.Finding) error {
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inserts++
	if s.down {
		return errDown
	}
	for _, f := range list {
		if s.poison != "" && f.HostName == s.poison {
			return fmt.Errorf("row %s: %w", f.ID, errRow)
		}
	}
	for _, f := range list {
		s.rows[f.ID]++
		if f.Revision >= s.kept[f.ID].Revision {
			s.kept[f.ID] = f
		}
	}
	if s.lies {
		return errDown
	}
	return nil
}

func (s *faultyStore) InsertCoverage(_ context.Context, list []finding.Coverage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errDown
	}
	for _, c := range list {
		s.rows["coverage of "+c.Sensor]++
	}
	return nil
}

func (s *faultyStore) count() (rows, inserts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows), s.inserts
}

type harness struct {
	*Line
	store  *faultyStore
	reader *sdkmetric.ManualReader
	stop   func()
}

func start(t *testing.T, change func(*Config), store *faultyStore) *harness {
	t.Helper()
	config := Default()
	if change != nil {
		change(&config)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	store.rows = map[string]int{}
	if store.kept == nil {
		store.kept = map[string]finding.Finding{}
	}
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	permanent := func(err error) bool { return errors.Is(err, errRow) }
	line, err := New(config, store, testCatalogue(t), permanent, meter, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- line.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &harness{line, store, reader, stop}
}

func (h *harness) counter(t *testing.T, name, label string) int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := h.reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, isSum := m.Data.(metricdata.Sum[int64])
			if !isSum || m.Name != "gnomon.collector."+name {
				continue
			}
			for _, p := range sum.DataPoints {
				for _, a := range p.Attributes.ToSlice() {
					if a.Value.AsString() == label {
						return p.Value
					}
				}
				if label == "" {
					return p.Value
				}
			}
		}
	}
	return 0
}

func good(n int) finding.Finding {
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	f := finding.Finding{
		AgentID: "agent-1", HostName: "host-1", Sensor: "network", Revision: 1, Count: 1, Confidence: 90,
		WindowStart: at, WindowEnd: at.Add(5 * time.Minute), FirstSeen: at, LastSeen: at.Add(time.Second),
		Asset: finding.Asset{Key: "openai.api", Kind: "service", SignatureID: "openai.api"},
		User:  fmt.Sprint("user-", n),
	}
	f.Fingerprint = finding.ComputeFingerprint(&f)
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	return f
}

func logsOf(t *testing.T, list ...finding.Finding) plog.Logs {
	t.Helper()
	data, err := otlpwire.EncodeFindings(list, "test")
	if err != nil {
		t.Fatal(err)
	}
	return logsFrom(t, data)
}

func logsFrom(t *testing.T, data []byte) plog.Logs {
	t.Helper()
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(data); err != nil {
		t.Fatal(err)
	}
	return request.Logs()
}

func TestAcceptReturnsWhenStored(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	result, err := h.Accept(t.Context(), testSource(), logsOf(t, good(1), good(2)))
	if err != nil || result != (Result{Accepted: 2}) {
		t.Fatal(result, err)
	}
	if rows, _ := h.store.count(); rows != 2 {
		t.Errorf("%d rows, want 2", rows)
	}
	data, err := otlpwire.EncodeCoverage([]finding.Coverage{{
		AgentID: "agent-1", HostName: "host-1", Sensor: "files", State: "degraded",
		Since: good(1).FirstSeen, Until: good(1).LastSeen,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if result, err := h.Accept(t.Context(), testSource(), logsFrom(t, data)); err != nil || result.Accepted != 1 {
		t.Fatal(result, err)
	}
	if n := h.counter(t, "accepted", "finding"); n != 2 {
		t.Errorf("accepted findings %d, want 2", n)
	}
	if n := h.counter(t, "accepted", "coverage"); n != 1 {
		t.Errorf("accepted coverage %d, want 1", n)
	}
	if n := h.counter(t, "inserts", "ok"); n != 2 {
		t.Errorf("inserts %d, want 2", n)
	}
}

func TestWaitingRequestsShareAnInsert(t *testing.T) {
	store := &faultyStore{gate: make(chan struct{})}
	h := start(t, func(c *Config) { c.Linger = 0 }, store)
	const senders = 50
	var sending sync.WaitGroup
	for i := range senders {
		logs := logsOf(t, good(i))
		sending.Go(func() {
			if _, err := h.Accept(t.Context(), testSource(), logs); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.queued == senders })
	close(store.gate)
	sending.Wait()
	rows, inserts := store.count()
	if rows != senders || inserts > 3 {
		t.Errorf("%d rows in %d inserts, want %d rows in at most 3", rows, inserts, senders)
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestOverloadIsRefusedAndPasses(t *testing.T) {
	store := &faultyStore{gate: make(chan struct{})}
	h := start(t, func(c *Config) { c.BatchFindings, c.QueueFindings = 2, 2 }, store)
	first := make(chan error, 1)
	logs := logsOf(t, good(1), good(2))
	go func() { _, err := h.Accept(context.Background(), testSource(), logs); first <- err }()
	waitFor(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.queued == 2 })
	if _, err := h.Accept(t.Context(), testSource(), logsOf(t, good(3))); !errors.Is(err, ErrOverloaded) {
		t.Errorf("got %v, want ErrOverloaded", err)
	}
	if n := h.counter(t, "refused", "overloaded"); n != 1 {
		t.Errorf("refused %d, want 1", n)
	}
	close(store.gate)
	if err := <-first; err != nil {
		t.Error(err)
	}
	// One request above the whole bound still passes when nothing waits.
	if result, err := h.Accept(t.Context(), testSource(), logsOf(t, good(4), good(5), good(6))); err != nil || result.Accepted != 3 {
		t.Error(result, err)
	}
}

func TestStoreThatIsDownAsksForRepetition(t *testing.T) {
	store := &faultyStore{down: true}
	h := start(t, nil, store)
	if _, err := h.Accept(t.Context(), testSource(), logsOf(t, good(1))); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errDown) {
		t.Errorf("got %v, want ErrUnavailable with its cause", err)
	}
	if n := h.counter(t, "refused", "store_unavailable"); n != 1 {
		t.Errorf("refused %d, want 1", n)
	}
	if n := h.counter(t, "inserts", "failed"); n != 1 {
		t.Errorf("failed inserts %d, want 1", n)
	}
	store.mu.Lock()
	store.down = false
	store.mu.Unlock()
	if _, err := h.Accept(t.Context(), testSource(), logsOf(t, good(1))); err != nil {
		t.Error(err)
	}
}

func TestRowThatTheStoreRefusesCostsNoOther(t *testing.T) {
	store := &faultyStore{poison: "bad-host", gate: make(chan struct{})}
	h := start(t, nil, store)
	var list []finding.Finding
	for i := range 20 {
		list = append(list, good(i))
	}
	list[7].HostName, list[13].HostName = "bad-host", "bad-host"
	results := make(chan Result, 2)
	for _, logs := range []plog.Logs{logsOf2(t, list), logsOf(t, good(100))} {
		go func() {
			result, err := h.Accept(context.Background(), testSource(), logs)
			if err != nil {
				t.Error(err)
			}
			results <- result
		}()
	}
	waitFor(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.queued == 21 })
	close(store.gate)
	rejected, accepted := 0, 0
	for range 2 {
		result := <-results
		rejected += result.Rejected
		accepted += result.Accepted
	}
	if rejected != 2 || accepted != 19 {
		t.Errorf("accepted %d rejected %d, want 19 and 2", accepted, rejected)
	}
	if rows, _ := store.count(); rows != 19 {
		t.Errorf("%d rows, want 19", rows)
	}
	if n := h.counter(t, "rejected", string(ReasonStore)); n != 2 {
		t.Errorf("rejected by store %d, want 2", n)
	}
}

// logsOf2 puts each finding under a resource of its own, so that hosts differ.
func logsOf2(t *testing.T, list []finding.Finding) plog.Logs {
	t.Helper()
	all := plog.NewLogs()
	for i := range list {
		logsOf(t, list[i]).ResourceLogs().MoveAndAppendTo(all.ResourceLogs())
	}
	return all
}

func TestEveryReasonForRefusal(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	f := func(want Reason, change func(*finding.Finding)) {
		t.Helper()
		bad := good(1)
		change(&bad)
		before := h.counter(t, "rejected", string(want))
		result, err := h.Accept(t.Context(), testSource(), logsOf2(t, []finding.Finding{good(2), bad, good(3)}))
		if err != nil || result.Rejected != 1 || result.Accepted != 2 || !strings.Contains(result.Problem, string(want)) {
			t.Errorf("%s: %+v %v", want, result, err)
		}
		if after := h.counter(t, "rejected", string(want)); after != before+1 {
			t.Errorf("%s: counter went from %d to %d", want, before, after)
		}
	}
	f(ReasonNoAgent, func(f *finding.Finding) { f.AgentID = "" })
	f(ReasonNoAgent, func(f *finding.Finding) { f.HostName = "" })
	f(ReasonNoAsset, func(f *finding.Finding) { f.Asset.Key = "" })
	f(ReasonBadCount, func(f *finding.Finding) { f.Count = 0 })
	f(ReasonBadConfidence, func(f *finding.Finding) { f.Confidence = 101 })
	f(ReasonBadConfidence, func(f *finding.Finding) { f.Confidence = 0 })
	f(ReasonBadTime, func(f *finding.Finding) { f.WindowEnd = f.WindowStart.Add(-time.Second) })
	f(ReasonBadTime, func(f *finding.Finding) { f.LastSeen = f.FirstSeen.Add(-time.Second) })
	f(ReasonBadTime, func(f *finding.Finding) { f.WindowStart = time.Time{} })
	f(ReasonFuture, func(f *finding.Finding) { f.LastSeen = time.Now().Add(25 * time.Hour) })
	f(ReasonBadIdentity, func(f *finding.Finding) { f.ID = "x" })
	f(ReasonBadIdentity, func(f *finding.Finding) { f.ID = strings.ToUpper(f.ID) })
	f(ReasonBadIdentity, func(f *finding.Finding) { f.AgentID = "agent-2" })
	f(ReasonBadIdentity, func(f *finding.Finding) { f.WindowStart = f.WindowStart.Add(time.Second) })
}

func TestFieldsEventsAndCoverageAreChecked(t *testing.T) {
	h := start(t, nil, &faultyStore{})
	f := func(want Reason, change func(plog.LogRecord)) {
		t.Helper()
		logs := logsOf(t, good(1))
		change(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0))
		result, err := h.Accept(t.Context(), testSource(), logs)
		if err != nil || result.Rejected != 1 || result.Accepted != 0 {
			t.Errorf("%s: %+v %v", want, result, err)
		}
		if h.counter(t, "rejected", string(want)) == 0 {
			t.Errorf("%s is not counted", want)
		}
	}
	f(ReasonForeignEvent, func(r plog.LogRecord) { r.SetEventName("browser.click") })
	f(ReasonBadField, func(r plog.LogRecord) { r.Attributes().PutStr("gnomon.count", "many") })
	f(ReasonBadField, func(r plog.LogRecord) { r.Attributes().PutEmptySlice("gnomon.evidence.kind").AppendEmpty().SetInt(1) })
	f(ReasonBadState, func(r plog.LogRecord) { r.SetEventName(otlpwire.EventCoverage) })
}

func TestStoppingRefusesNewAndStoresWaiting(t *testing.T) {
	store := &faultyStore{gate: make(chan struct{})}
	h := start(t, nil, store)
	first := make(chan error, 1)
	logs := logsOf(t, good(1))
	go func() { _, err := h.Accept(context.Background(), testSource(), logs); first <- err }()
	waitFor(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.queued == 1 })
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	close(store.gate)
	if err := <-first; err != nil {
		t.Errorf("a waiting request got %v", err)
	}
	<-stopped
	if _, err := h.Accept(t.Context(), testSource(), logsOf(t, good(2))); !errors.Is(err, ErrStopping) {
		t.Errorf("got %v, want ErrStopping", err)
	}
	if n := h.counter(t, "refused", "stopping"); n != 1 {
		t.Errorf("refused %d, want 1", n)
	}
}

func TestSenderThatLeavesIsCounted(t *testing.T) {
	store := &faultyStore{gate: make(chan struct{})}
	h := start(t, nil, store)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := h.Accept(ctx, testSource(), logsOf(t, good(1))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(store.gate)
	h.stop()
	if n := h.counter(t, "refused", "sender_gone"); n != 1 {
		t.Errorf("refused %d, want 1", n)
	}
	if rows, _ := store.count(); rows != 1 {
		t.Errorf("%d rows, want 1: the insert goes on without its sender", rows)
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
	f(func(c *Config) { c.BatchFindings = 0 }, "batch_findings")
	f(func(c *Config) { c.Linger = -1 }, "linger")
	f(func(c *Config) { c.QueueFindings = 1 }, "queue_findings")
	f(func(c *Config) { c.InsertTimeout = 0 }, "insert_timeout")
	f(func(c *Config) { c.ClockSkew = -1 }, "clock_skew")
	f(func(c *Config) { c.Applications.Window = 0 }, "applications.window")
	f(func(c *Config) { c.Applications.MaxFolds = 0 }, "applications.max_folds")
	f(func(c *Config) { c.Applications.MaxAge = 0 }, "applications.max_age")
}

// FuzzDecode holds that nothing panics, that every record is either taken or
// counted, and that what is taken is valid.
func FuzzDecode(f *testing.F) {
	one, two := good(1), good(2)
	two.Evidence = []finding.Evidence{{Kind: "tls.sni", Value: "api.openai.com", Selector: "api.openai.com"}}
	data, err := otlpwire.EncodeFindings([]finding.Finding{one, two}, "1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	if data, err = otlpwire.EncodeCoverage([]finding.Coverage{{AgentID: "a", HostName: "h", Sensor: "files", State: "on", Since: one.FirstSeen, Until: one.LastSeen}}); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	latest := time.Now()
	f.Fuzz(func(t *testing.T, data []byte) {
		request := plogotlp.NewExportRequest()
		if request.UnmarshalProto(data) != nil {
			return
		}
		d := decode(request.Logs(), latest, genai.NewReader(genai.DefaultLimits()).Builder())
		if d.recovers > 0 {
			t.Fatalf("panicked: %s", d.firstProblem)
		}
		total := len(d.findings) + len(d.coverage) + int(d.said.Batch().Stats.Named)
		for _, n := range d.rejected {
			total += n
		}
		if want := request.Logs().LogRecordCount(); total != want {
			t.Fatalf("%d records accounted for, want %d", total, want)
		}
		for i := range d.findings {
			if reason := validateFinding(&d.findings[i], latest); reason != "" {
				t.Fatalf("an invalid finding passed: %s", reason)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	list := make([]finding.Finding, 1000)
	for i := range list {
		list[i] = good(i)
		list[i].Evidence = []finding.Evidence{{Kind: "tls.sni", Value: "api.openai.com", Selector: "api.openai.com"}}
	}
	data, err := otlpwire.EncodeFindings(list, "1")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(data); err != nil {
			b.Fatal(err)
		}
		if d := decode(request.Logs(), time.Now(), genai.NewReader(genai.DefaultLimits()).Builder()); len(d.findings) != len(list) {
			b.Fatal(d.rejected)
		}
	}
}
