package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace/noop"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/agent/internal/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is a real HTTPS receiver whose answers a test decides.
type collector struct {
	*httptest.Server
	t      *testing.T
	answer func(w http.ResponseWriter, names []string)

	mu       sync.Mutex
	requests []http.Header
	got      []string // names of the records of answered 2xx requests, in order
	active   int
}

// startCollector serves answer, which writes the response for the names in a request.
func startCollector(t *testing.T, answer func(w http.ResponseWriter, names []string)) *collector {
	c := &collector{t: t, answer: answer}
	c.Server = httptest.NewTLSServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests = append(c.requests, r.Header.Clone())
	c.active++
	if c.active > 1 {
		c.t.Error("two requests at the same time")
	}
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.active--; c.mu.Unlock() }()
	if r.Method != http.MethodPost || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("%s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	zip, err := gzip.NewReader(r.Body)
	if err != nil {
		c.t.Error(err)
		return
	}
	body, err := io.ReadAll(zip)
	if err != nil {
		c.t.Error(err)
	}
	names := namesIn(c.t, body)
	recorder := &statusWriter{ResponseWriter: w, status: 200}
	c.answer(recorder, names)
	if recorder.status < 300 {
		c.mu.Lock()
		c.got = append(c.got, names...)
		c.mu.Unlock()
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(code int) { w.status = code; w.ResponseWriter.WriteHeader(code) }

func (c *collector) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.requests)
}

// caFile writes the server's certificate for the client to trust.
func (c *collector) caFile() string {
	path := filepath.Join(c.t.TempDir(), "ca.pem")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// request encodes log records with the given names.
func request(t testing.TB, names ...string) []byte {
	var records []*logspb.LogRecord
	for _, name := range names {
		records = append(records, &logspb.LogRecord{EventName: name})
	}
	data, err := proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
		SchemaUrl: "r",
		ScopeLogs: []*logspb.ScopeLogs{{Scope: &commonpb.InstrumentationScope{Name: "s"}, LogRecords: records}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func namesIn(t testing.TB, data []byte) (names []string) {
	var logs logspb.LogsData
	if err := proto.Unmarshal(data, &logs); err != nil {
		t.Error(err)
	}
	for _, r := range logs.GetResourceLogs() {
		for _, s := range r.GetScopeLogs() {
			for _, l := range s.GetLogRecords() {
				names = append(names, l.GetEventName())
			}
		}
	}
	return names
}

// fixture is an exporter with its spool, and the waits it would have made.
type fixture struct {
	*Exporter
	spool *spool.Spool
	dir   string

	mu    sync.Mutex
	waits []time.Duration
}

func newFixture(t *testing.T, c *collector, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir()}
	config := spool.DefaultConfig()
	config.Dir = f.dir
	var err error
	if f.spool, err = spool.Open(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.spool.Close() })
	exportConfig := DefaultConfig()
	if c != nil {
		exportConfig.Endpoint, exportConfig.CAFile = c.URL, c.caFile()
	}
	if change != nil {
		change(&exportConfig)
	}
	f.Exporter, err = New(exportConfig, Deps{
		Spool: f.spool, SpoolDir: f.dir, UserAgent: "gnomon-agent/test",
		Tracer: noop.NewTracerProvider().Tracer(""), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Exporter.sleep = func(ctx context.Context, d time.Duration) error {
		f.mu.Lock()
		f.waits = append(f.waits, d)
		f.mu.Unlock()
		return sleep(ctx, min(d, time.Millisecond))
	}
	return f
}

func (f *fixture) append(t *testing.T, data ...[]byte) {
	t.Helper()
	for _, d := range data {
		if err := f.spool.Append(spool.Record{Kind: spool.Findings, Items: 1, Data: d}); err != nil {
			t.Fatal(err)
		}
	}
}

// runUntil runs the exporter until done holds.
func (f *fixture) runUntil(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error)
	go func() { finished <- f.Run(ctx) }()
	deadline := time.Now().Add(20 * time.Second)
	for !done() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	ok := done()
	cancel()
	if err := <-finished; err != nil {
		t.Errorf("Run: %v", err)
	}
	if !ok {
		t.Fatalf("timed out; counters %v, report %+v", f.Counters(), f.Coverage())
	}
}

func (f *fixture) empty() bool { return f.spool.Stats().PendingRecords == 0 }

func TestRun_sendsInOrderJoinsAndAcknowledges(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(" secret-word \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startCollector(t, func(http.ResponseWriter, []string) {})
	f := newFixture(t, c, func(c *Config) { c.TokenFile = token })
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("n%02d", i)
		want = append(want, name)
		f.append(t, request(t, name))
	}
	f.runUntil(t, f.empty)
	if diff := cmp.Diff(want, c.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := c.count(); n != 1 {
		t.Errorf("%d requests for 50 small records that waited together, want 1", n)
	}
	h := c.requests[0]
	if h.Get("Authorization") != "Bearer secret-word" || h.Get("User-Agent") != "gnomon-agent/test" || h.Get("Content-Encoding") != "gzip" {
		t.Errorf("header %v", h)
	}
	want2 := map[string]uint64{"requests": 1, "accepted": 1, "retries": 0, "refusals": 0}
	for name, n := range want2 {
		if got := f.Counters()[name]; got != n {
			t.Errorf("%s is %d, want %d", name, got, n)
		}
	}
	if f.Counters()["request_bytes"] == 0 {
		t.Error("no bytes counted")
	}
	f.append(t, request(t, "later"))
	f.runUntil(t, f.empty)
	if got := c.names(); got[len(got)-1] != "later" {
		t.Errorf("got %q last", got[len(got)-1])
	}
}

func TestRun_retriesWithJitterAndRetryAfter(t *testing.T) {
	answers := []int{429, 502, 503, 504, 500, 408, 200}
	var n int
	c := startCollector(t, func(w http.ResponseWriter, _ []string) {
		if answers[n] == 429 {
			w.Header().Set("Retry-After", "40")
		}
		w.WriteHeader(answers[n])
		n++
	})
	f := newFixture(t, c, nil)
	f.append(t, request(t, "a"))
	f.runUntil(t, f.empty)
	if n != len(answers) || f.Counters()["retries"] != 6 || f.Counters()["accepted"] != 1 {
		t.Errorf("%d requests, counters %v", n, f.Counters())
	}
	if w := f.waits[0]; w < 40*time.Second || w > 51*time.Second {
		t.Errorf("waited %v after Retry-After: 40", w)
	}
	for i, w := range f.waits[1:] {
		if bound := firstBackoff << (i + 1); w < 0 || w >= bound {
			t.Errorf("wait %d is %v, want under %v", i+1, w, bound)
		}
	}
	if f.failures != 0 {
		t.Errorf("%d failures remembered after a success", f.failures)
	}
}

func TestWait_isBounded(t *testing.T) {
	f := newFixture(t, startCollector(t, nil), func(c *Config) { c.MaxBackoff = 3 * time.Second })
	var longest time.Duration
	for range 200 {
		if err := f.wait(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, f.waits[len(f.waits)-1])
	}
	if longest >= 3*time.Second || longest < time.Second {
		t.Errorf("longest wait %v, want under 3s and well spread", longest)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.Exporter.sleep = sleep
	if err := f.wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait returned %v", err)
	}
}

func TestRun_keepsDataWhenRefused(t *testing.T) {
	f := func(status int, header, want string) {
		t.Helper()
		var allow bool
		var mu sync.Mutex
		c := startCollector(t, func(w http.ResponseWriter, _ []string) {
			mu.Lock()
			defer mu.Unlock()
			if allow {
				return
			}
			if header != "" {
				w.Header().Set("Location", header)
			}
			w.WriteHeader(status)
		})
		f := newFixture(t, c, nil)
		f.append(t, request(t, "kept"))
		f.runUntil(t, func() bool { return f.Counters()["refusals"] >= 3 })
		report := f.Coverage()
		if report.State != sensor.Degraded || !strings.Contains(report.Reason, want) {
			t.Errorf("%d: report %+v, want %q", status, report, want)
		}
		if f.spool.Stats().PendingRecords != 1 || f.Counters()["quarantined_records"] != 0 {
			t.Errorf("%d: data was not kept: %v", status, f.Counters())
		}
		mu.Lock()
		allow = true
		mu.Unlock()
		f.runUntil(t, f.empty)
		// A request that was cut off may have been answered: at least once.
		if diff := cmp.Diff([]string{"kept"}, slices.Compact(c.names())); diff != "" {
			t.Errorf("%d (-want +got):\n%s", status, diff)
		}
		if report := f.Coverage(); report.State != sensor.On {
			t.Errorf("%d: still %+v after a success", status, report)
		}
	}
	f(401, "", "token refused: 401")
	f(403, "", "token refused: 403")
	f(404, "", "no OTLP receiver")
	f(307, "https://elsewhere.example/v1/logs", "redirected to https://elsewhere.example/v1/logs, which is not followed")
	f(418, "", "unexpected answer")
}

func TestRun_splitsARefusedRequestDownToTheRecord(t *testing.T) {
	c := startCollector(t, func(w http.ResponseWriter, names []string) {
		if slices.Contains(names, "bad") {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.WriteHeader(400)
			w.Write(protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "field x is\nwrong"))
		}
	})
	f := newFixture(t, c, nil)
	f.append(t, request(t, "a", "b", "c"), request(t, "d", "bad", "e"), request(t, "f"))
	f.runUntil(t, f.empty)
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e", "f"}, c.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files, err := filepath.Glob(filepath.Join(f.dir, "quarantine", "*-400-*.otlp"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bad"}, namesIn(t, raw)); diff != "" {
		t.Errorf("quarantine (-want +got):\n%s", diff)
	}
	counters := f.Counters()
	if counters["quarantined_records"] != 1 || counters["splits"] == 0 {
		t.Errorf("counters %v", counters)
	}
	blind := f.Coverage().Blind
	if len(blind) != 1 || blind[0].Reason != "quarantined" || blind[0].Count != 1 {
		t.Errorf("blind %+v", blind)
	}
}

func TestRun_endlessServerErrorsEndInTheQuarantine(t *testing.T) {
	c := startCollector(t, func(w http.ResponseWriter, names []string) {
		if slices.Contains(names, "poison") {
			w.WriteHeader(500)
		}
	})
	f := newFixture(t, c, nil)
	f.append(t, request(t, "poison"), request(t, "good"))
	f.runUntil(t, f.empty)
	if diff := cmp.Diff([]string{"good"}, c.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := f.Counters()["quarantined_records"]; n != 1 {
		t.Errorf("%d quarantined, want 1", n)
	}
}

func TestRun_unwritableQuarantineKeepsTheRecord(t *testing.T) {
	c := startCollector(t, func(w http.ResponseWriter, _ []string) { w.WriteHeader(413) })
	f := newFixture(t, c, nil)
	if err := os.WriteFile(filepath.Join(f.dir, "quarantine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.append(t, request(t, "large"))
	f.runUntil(t, func() bool { return f.Counters()["quarantine_errors"] >= 2 })
	if f.spool.Stats().PendingRecords != 1 {
		t.Error("the record is gone")
	}
}

func TestRun_countsPartialSuccess(t *testing.T) {
	c := startCollector(t, func(w http.ResponseWriter, _ []string) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
		inner = protowire.AppendString(protowire.AppendTag(inner, 2, protowire.BytesType), "two were wrong")
		w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
	})
	f := newFixture(t, c, nil)
	f.append(t, request(t, "a", "b", "c"))
	f.runUntil(t, f.empty)
	blind := f.Coverage().Blind
	if f.Counters()["rejected_records"] != 2 || len(blind) != 1 || blind[0].Reason != "collector_rejected" {
		t.Errorf("counters %v, blind %+v", f.Counters(), blind)
	}
}

func TestRun_survivesAnAbsentCollector(t *testing.T) {
	c := startCollector(t, func(http.ResponseWriter, []string) {})
	url, ca := c.URL, c.caFile()
	c.Close()
	f := newFixture(t, nil, func(c *Config) { c.Endpoint, c.CAFile = url, ca })
	f.append(t, request(t, "a"))
	f.runUntil(t, func() bool { return f.Counters()["retries"] >= 3 })
	if f.spool.Stats().PendingRecords != 1 {
		t.Error("the record is gone")
	}
	if report := f.Coverage(); report.State != sensor.Degraded || !strings.Contains(report.Reason, "connection refused") {
		t.Errorf("report %+v", report)
	}
}

// TestDrain_sendsWhatRunHeld is about the record that Run had taken from the
// spool when it was stopped: it must be sent, not passed over.
func TestDrain_sendsWhatRunHeld(t *testing.T) {
	var mu sync.Mutex
	allow := false
	c := startCollector(t, func(w http.ResponseWriter, _ []string) {
		mu.Lock()
		defer mu.Unlock()
		if !allow {
			w.WriteHeader(503)
		}
	})
	f := newFixture(t, c, nil)
	f.append(t, request(t, "held"))
	f.runUntil(t, func() bool { return f.Counters()["retries"] >= 1 })
	f.append(t, request(t, "final"))
	if err := f.Drain(context.Background()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("Drain against a busy collector: %v", err)
	}
	mu.Lock()
	allow = true
	mu.Unlock()
	if err := f.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	// A request that was cut off may have been answered: at least once.
	if diff := cmp.Diff([]string{"held", "final"}, slices.Compact(c.names())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !f.empty() {
		t.Error("the spool is not empty")
	}
}

func TestPost_refusesBadTLSAndTokens(t *testing.T) {
	c := startCollector(t, func(http.ResponseWriter, []string) {})
	f := func(change func(*Config), want string, verdict verdict) {
		t.Helper()
		f := newFixture(t, c, change)
		defer f.client.close()
		a, err := f.client.post(context.Background(), request(t, "a"))
		if err != nil || a.verdict != verdict || !strings.Contains(a.reason, want) {
			t.Errorf("%+v, %v; want %q", a, err, want)
		}
	}
	f(func(c *Config) { c.CAFile = "" }, "certificate", retry)
	f(func(c *Config) { c.ServerName = "other.test" }, "other.test", retry)
	f(func(c *Config) { c.ServerName = "example.com" }, "", accepted)
	dir := t.TempDir()
	token := func(content string) func(*Config) {
		path := filepath.Join(dir, "token")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return func(c *Config) { c.TokenFile = path }
	}
	f(token(""), "is empty", refused)
	f(token("two words"), "more than one word", refused)
	f(token("a\r\nX-Evil: b"), "more than one word", refused)
	f(token(strings.Repeat("x", maxToken+1)), "over", refused)
	f(func(c *Config) { c.TokenFile = filepath.Join(dir, "absent") }, "no such file", refused)
	if len(c.names()) != 1 {
		t.Errorf("%d requests came through, want the good one", len(c.names()))
	}
}

func TestPost_boundsTheResponse(t *testing.T) {
	c := startCollector(t, func(w http.ResponseWriter, _ []string) {
		w.WriteHeader(503)
		for range 1000 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	f := newFixture(t, c, nil)
	defer f.client.close()
	a, err := f.client.post(context.Background(), request(t, "a"))
	if err != nil || a.verdict != retry {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestClassify_retryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := func(field string, want time.Duration) {
		t.Helper()
		if got := retryAfter(field, now); got != want {
			t.Errorf("%q: %v, want %v", field, got, want)
		}
	}
	f("", 0)
	f("7", 7*time.Second)
	f(" 7 ", 7*time.Second)
	f("-7", 0)
	f("1.5", 0)
	f("99999999999999999999999", time.Hour)
	f("Mon, 23 Nov 2026 12:00:30 GMT", 30*time.Second)
	f("Mon, 23 Nov 2026 11:00:30 GMT", 0)
	f("Mon, 23 Nov 2027 11:00:30 GMT", time.Hour)
	f("soon", 0)
}

func TestSplit(t *testing.T) {
	f := func(data []byte, wantFirst, wantSecond []string) {
		t.Helper()
		first, second, err := split(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantFirst, namesIn(t, first)); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantSecond, namesIn(t, second)); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
	}
	f(request(t, "a"), []string{"a"}, nil)
	f(request(t, "a", "b", "c"), []string{"a"}, []string{"b", "c"})
	f(slices.Concat(request(t, "a"), request(t, "b", "c"), request(t, "d")), []string{"a", "b"}, []string{"c", "d"})
	if _, _, err := split([]byte("no protobuf")); err == nil {
		t.Error("nonsense was split")
	}
}

func TestQuarantine_isBounded(t *testing.T) {
	q := quarantine{filepath.Join(t.TempDir(), "q")}
	now := time.Now()
	var removed uint64
	const n = quarantineFiles + 10
	for i := range n {
		r, err := q.put([]byte(fmt.Sprint(i)), 400, now.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		removed += r
	}
	files, _ := filepath.Glob(filepath.Join(q.dir, "*.otlp"))
	slices.Sort(files)
	if len(files) != quarantineFiles || removed != 10 {
		t.Errorf("%d files kept, %d removed; want %d, 10", len(files), removed, quarantineFiles)
	}
	if raw, _ := os.ReadFile(files[0]); string(raw) != "10" {
		t.Errorf("the oldest kept is %s, want 10", raw)
	}
	if _, err := q.put(bytes.Repeat([]byte("x"), quarantineBytes-1000), 400, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if r, err := q.put(make([]byte, 2000), 400, now.Add(2*time.Hour)); err != nil || r == 0 {
		t.Errorf("removed %d, %v; want room made by bytes", r, err)
	}
}

func TestConfig_Validate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		c.Endpoint = "https://collector.example:4318"
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Endpoint = "" }, "endpoint")
	f(func(c *Config) { c.Endpoint = "collector:4318" }, "endpoint")
	f(func(c *Config) { c.Endpoint = "ftp://collector" }, "endpoint")
	f(func(c *Config) { c.Endpoint = "https://user:word@collector" }, "endpoint")
	f(func(c *Config) { c.Endpoint = "http://collector.example:4318" }, "endpoint")
	f(func(c *Config) { c.Endpoint, c.AllowPlaintext = "http://collector.example:4318", true }, "")
	f(func(c *Config) { c.Endpoint = "http://127.0.0.1:4318" }, "")
	f(func(c *Config) { c.Endpoint = "http://[::1]:4318" }, "")
	f(func(c *Config) { c.CertFile = "x" }, "cert_file")
	f(func(c *Config) { c.Timeout = 0 }, "timeout")
	f(func(c *Config) { c.MaxBackoff = 2 * time.Hour }, "max_backoff")
	if got := (Config{Endpoint: "https://c/base/"}).url(LogsPath); got != "https://c/base/v1/logs" {
		t.Errorf("URL %s", got)
	}
}

func TestNew_refusesUnusableCertificates(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		c.Endpoint = "https://collector.example:4318"
		change(&c)
		if _, err := New(c, Deps{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.CAFile = bad }, "holds no PEM certificate")
	f(func(c *Config) { c.CAFile = bad + ".absent" }, "ca_file")
	f(func(c *Config) { c.CertFile, c.KeyFile = bad, bad }, "cert_file")
	f(func(c *Config) { c.Endpoint = "" }, "endpoint")
}

func TestPoster(t *testing.T) {
	status := 200
	c := startCollector(t, func(w http.ResponseWriter, _ []string) { w.WriteHeader(status) })
	config := DefaultConfig()
	config.Endpoint, config.CAFile = c.URL, c.caFile()
	p, err := NewPoster(config, LogsPath, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reply, err := p.Post(context.Background(), nil)
	if err != nil || reply.Status != 200 || time.Since(reply.ServerTime) > time.Minute {
		t.Errorf("%+v, %v", reply, err)
	}
	status = 401
	if reply, err = p.Post(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "token refused") || reply.Status != 401 {
		t.Errorf("%+v, %v", reply, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Post(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled post: %v", err)
	}
	if _, err := NewPoster(Config{}, LogsPath, ""); err == nil {
		t.Error("a poster without an endpoint was made")
	}
}

// FuzzResponse reads arbitrary response bodies: what is taken from them is
// bounded and printable.
func FuzzResponse(f *testing.F) {
	inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
	inner = protowire.AppendString(protowire.AppendTag(inner, 2, protowire.BytesType), "two were wrong\n")
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
	f.Add(protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), strings.Repeat("long", 200)))
	f.Add([]byte{0x0a, 0xff})
	f.Add([]byte("<html>no protobuf</html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		rejected, reason := partialSuccess(body)
		if rejected < 0 {
			t.Fatalf("%d rejected", rejected)
		}
		for _, text := range []string{reason, statusMessage(body)} {
			if len(text) > 2*maxReason || strings.ContainsAny(text, "\n\r\x00\x1b") {
				t.Fatalf("text %q", text)
			}
		}
	})
}

// FuzzSplit cuts arbitrary requests: no record is lost, doubled or reordered.
func FuzzSplit(f *testing.F) {
	f.Add(request(f, "a", "b", "c"))
	f.Add(slices.Concat(request(f, "a"), request(f, "b", "c")))
	f.Add([]byte("no protobuf"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		first, second, err := split(data)
		if err != nil {
			return
		}
		got := append(namesIn(t, first), namesIn(t, second)...)
		if diff := cmp.Diff(namesIn(t, data), got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if second != nil && (len(namesIn(t, first)) == 0 || len(namesIn(t, second)) == 0) {
			t.Fatal("an empty half would be split for ever")
		}
	})
}
