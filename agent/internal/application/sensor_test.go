package application

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/signatures"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cr3t-c0nt3nt"

func pairs(list ...string) []*commonpb.KeyValue {
	var all []*commonpb.KeyValue
	for i := 0; i < len(list); i += 2 {
		all = append(all, &commonpb.KeyValue{Key: list[i], Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: list[i+1]}}})
	}
	return all
}

// request is a request of n spans that call a model, and one that does not.
func request(n int, provider string) *tracepb.TracesData {
	scope := &tracepb.ScopeSpans{Spans: []*tracepb.Span{{Name: "GET /", Attributes: pairs("http.request.method", "GET")}, {Attributes: pairs("gen_ai.operation.name", "execute_tool")}}}
	for range n {
		scope.Spans = append(scope.Spans, &tracepb.Span{
			StartTimeUnixNano: uint64(time.Now().UnixNano()),
			Attributes:        pairs("gen_ai.provider.name", provider, "gen_ai.request.model", "gpt-4o", "gen_ai.input.messages", secret),
		})
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{Resource: &resourcepb.Resource{Attributes: pairs("service.name", "shop")}, ScopeSpans: []*tracepb.ScopeSpans{scope}}}}
}

func logRequest() *logspb.LogsData {
	return &logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: []*logspb.LogRecord{
		{Attributes: pairs("gen_ai.system", "anthropic")}, {Attributes: pairs("x", "y")},
	}}}}}}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// bench is a running sensor and what it emitted.
type bench struct {
	*Sensor
	t    *testing.T
	log  *bytes.Buffer
	stop func()

	mu   sync.Mutex
	seen []signatures.Observation
	gate chan struct{} // where set, emitting waits for a token
}

func (b *bench) emit(o signatures.Observation) {
	if b.gate != nil {
		<-b.gate
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, o)
}

func (b *bench) all() []signatures.Observation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]signatures.Observation(nil), b.seen...)
}

func run(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	config := DefaultConfig()
	config.Listen, config.Wait = "127.0.0.1:0", 50*time.Millisecond
	if change != nil {
		change(&config)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, log: &bytes.Buffer{}}
	b.Sensor = New(config, slog.New(slog.NewTextHandler(b.log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, b.emit) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("content is logged:\n%s", b.log)
		}
	})
	t.Cleanup(b.stop)
	for deadline := time.Now().Add(10 * time.Second); b.Address() == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the sensor does not listen")
		}
	}
	return b
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bench) post(path string, body []byte, header ...string) answer {
	b.t.Helper()
	q, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, "http://"+b.Address()+path, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	q.Header.Set("Content-Type", typeProtobuf)
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(q)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if strings.Contains(string(data), secret) {
		b.t.Errorf("content is in an answer: %s", data)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

func (b *bench) counters(want map[string]uint64) {
	b.t.Helper()
	all := b.Coverage().Counters
	got := map[string]uint64{}
	for name := range want {
		if _, known := all[name]; known {
			got[name] = all[name]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func zip(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

func TestTakesBothSignalsInBothEncodings(t *testing.T) {
	b := run(t, nil)
	asJSON, err := protojson.Marshal(request(2, "openai"))
	if err != nil {
		t.Fatal(err)
	}
	for what, a := range map[string]answer{
		"protobuf": b.post(tracesPath, marshal(t, request(3, "openai"))),
		"gzip":     b.post(tracesPath, zip(marshal(t, request(1, "openai"))), "Content-Encoding", "gzip"),
		"logs":     b.post(logsPath, marshal(t, logRequest())),
		"nothing":  b.post(tracesPath, nil),
	} {
		if a.status != 200 || a.body != "" || a.header.Get("Content-Type") != typeProtobuf {
			t.Errorf("%s: %+v", what, a)
		}
	}
	if a := b.post(tracesPath, asJSON, "Content-Type", "application/json; charset=utf-8"); a.status != 200 || a.body != "{}" || a.header.Get("Content-Type") != typeJSON {
		t.Errorf("JSON: %+v", a)
	}
	counts := map[string]uint64{}
	for _, o := range b.all() {
		if o.Sensor != "application" || o.Kind != signatures.KindApplication || !o.Flow.Client.IsValid() || o.Flow.Server.String() != b.Address() || time.Since(o.Time) > time.Minute {
			t.Errorf("observation %+v", o)
		}
		counts[o.Application.Provider+" of "+o.Application.Service] += o.Count
	}
	if diff := cmp.Diff(map[string]uint64{"openai of shop": 6, "anthropic of ": 1}, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.counters(map[string]uint64{
		"requests": 5, "requests_taken": 5, "spans": 12, "spans_gen_ai": 6, "spans_unnamed": 3, "spans_foreign": 3,
		"log_records": 2, "log_records_gen_ai": 1, "log_records_unnamed": 0, "log_records_foreign": 1, "odd_times": 0, "panics": 0,
	})
	if r := b.Coverage(); r.State != sensor.On || r.Reason != "listening on "+b.Address() || len(r.Blind) != 0 {
		t.Errorf("%+v", r)
	}
	b.stop()
	if r := b.Coverage(); r.State != sensor.Off {
		t.Errorf("after the end: %+v", r)
	}
}

// What cannot be read is refused as a whole, with its reason, and is blind.
func TestRefusals(t *testing.T) {
	b := run(t, func(c *Config) { c.MaxRequestBytes, c.MaxRecords = 64<<10, 20 })
	good := marshal(t, request(3, "openai"))
	f := func(what string, a answer, status int, says string) {
		t.Helper()
		if a.status != status || !strings.Contains(a.body, says) {
			t.Errorf("%s: %+v, want %d %q", what, a, status, says)
		}
	}
	f("cut off", b.post(tracesPath, good[:len(good)-3]), 400, "cut off")
	f("as JSON", b.post(tracesPath, good, "Content-Type", typeJSON), 400, `{"message":"reading spans: `)
	f("no gzip", b.post(tracesPath, good, "Content-Encoding", "gzip"), 400, "gzip")
	f("half a gzip", b.post(tracesPath, zip(good)[:40], "Content-Encoding", "gzip"), 400, "gzip")
	f("zstd", b.post(tracesPath, good, "Content-Encoding", "zstd"), 415, "gzip")
	f("text", b.post(tracesPath, good, "Content-Type", "text/plain"), 415, typeProtobuf)
	f("no type", b.post(tracesPath, good, "Content-Type", ""), 415, typeProtobuf)
	f("too many", b.post(tracesPath, marshal(t, request(40, "openai"))), 413, "smaller requests")
	f("too large", b.post(tracesPath, make([]byte, 70<<10)), 413, "smaller requests")
	f("a bomb", b.post(tracesPath, zip(make([]byte, 1<<20)), "Content-Encoding", "gzip"), 413, "unzipped")
	f("metrics", b.post(metricsPath, good), 404, "")
	if n := len(b.all()); n != 0 {
		t.Errorf("%d observations of requests that were refused", n)
	}
	b.counters(map[string]uint64{"requests": 10, "requests_taken": 0, "spans": 0, "refused_malformed": 4, "refused_type": 3, "refused_too_large": 3})
	blind := b.Coverage().Blind
	if len(blind) != 1 || blind[0].Reason != "telemetry_refused" || blind[0].Count != 10 {
		t.Errorf("%+v", blind)
	}
	f("and a good one", b.post(tracesPath, good), 200, "")
	b.counters(map[string]uint64{"requests_taken": 1, "spans_gen_ai": 3})
}

func TestTimesThatCannotBe(t *testing.T) {
	b := run(t, nil)
	old := request(1, "openai")
	old.ResourceSpans[0].ScopeSpans[0].Spans[2].StartTimeUnixNano = uint64(time.Now().Add(-48 * time.Hour).UnixNano())
	b.post(tracesPath, marshal(t, old))
	if o := b.all(); len(o) != 1 || time.Since(o[0].Time) > time.Minute {
		t.Errorf("%+v", o)
	}
	b.counters(map[string]uint64{"odd_times": 1})
}

func TestDroppedAndUnreadAreCounted(t *testing.T) {
	b := run(t, nil)
	wide := request(0, "")
	span := &tracepb.Span{Attributes: pairs("gen_ai.provider.name", strings.Repeat("x", 300))}
	for range 4100 {
		span.Attributes = append(span.Attributes, pairs("k", "v")...)
	}
	wide.ResourceSpans[0].ScopeSpans[0].Spans = append(wide.ResourceSpans[0].ScopeSpans[0].Spans, span)
	b.post(tracesPath, marshal(t, wide))
	b.counters(map[string]uint64{"values_dropped": 1, "attributes_unread": 5})
	if blind := b.Coverage().Blind; len(blind) != 1 || blind[0].Reason != "attributes_unread" || blind[0].Count != 5 {
		t.Errorf("%+v", blind)
	}
}

// While what was taken cannot be handed over, senders are told to come again.
func TestBusy(t *testing.T) {
	b := run(t, func(c *Config) { c.MaxRequests, c.RetryAfter = 1, 7*time.Second })
	b.gate = make(chan struct{})
	first := make(chan answer, 1)
	go func() { first <- b.post(tracesPath, marshal(t, request(1, "openai"))) }()
	for deadline := time.Now().Add(10 * time.Second); len(b.turns) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first request never came")
		}
	}
	a := b.post(tracesPath, marshal(t, request(1, "openai")))
	if a.status != 429 || a.header.Get("Retry-After") != "7" {
		t.Errorf("%+v", a)
	}
	close(b.gate)
	if a := <-first; a.status != 200 {
		t.Errorf("the first: %+v", a)
	}
	b.counters(map[string]uint64{"refused_busy": 1, "requests_taken": 1})
}

func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := run(t, func(c *Config) { c.TokenFile = file })
	data := marshal(t, request(1, "openai"))
	for _, value := range []string{"", "Bearer wrong", "Bearer ", "right", "Basic right"} {
		if a := b.post(tracesPath, data, "Authorization", value); a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: %+v", value, a)
		}
	}
	if a := b.post(tracesPath, data, "Authorization", "bearer right"); a.status != 200 {
		t.Errorf("%+v", a)
	}
	b.counters(map[string]uint64{"refused_token": 5, "requests_taken": 1})
	if blind := b.Coverage().Blind; len(blind) != 1 || blind[0].Reason != "telemetry_denied" || blind[0].Count != 5 {
		t.Errorf("%+v", blind)
	}
}

func TestFaultsAreCounted(t *testing.T) {
	b := run(t, nil)
	h := &handler{Sensor: b.Sensor}
	w := httptest.NewRecorder()
	h.guarded(func(http.ResponseWriter, *http.Request) { panic("broken") })(w, httptest.NewRequest(http.MethodPost, tracesPath, nil))
	if w.Code != 500 {
		t.Errorf("%d", w.Code)
	}
	b.counters(map[string]uint64{"panics": 1})
	if blind := b.Coverage().Blind; len(blind) != 1 || blind[0].Reason != "telemetry_refused" {
		t.Errorf("%+v", blind)
	}
}

// upstream is an endpoint that requests are passed on to.
type upstream struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string // path, content type, authorization, custom field and body
}

func startUpstream(t *testing.T) *upstream {
	u := &upstream{status: 200}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.got = append(u.got, strings.Join([]string{q.URL.Path, q.Header.Get("Content-Type"), q.Header.Get("Content-Encoding"), q.Header.Get("Authorization"), q.Header.Get("X-Project"), string(body)}, "|"))
		w.Header().Set("X-Upstream", "yes")
		w.WriteHeader(u.status)
		_, _ = w.Write([]byte("reply"))
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) answer(status int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status = status
}

func TestForward(t *testing.T) {
	u := startUpstream(t)
	b := run(t, func(c *Config) { c.Forward.Endpoint = u.URL + "/otlp/" })
	data := zip(marshal(t, request(2, "openai")))
	a := b.post(tracesPath, data, "Content-Encoding", "gzip", "Authorization", "Basic abc", "X-Project", "p", "Connection", "X-Hop", "X-Hop", "1")
	if a.status != 200 || a.body != "reply" || a.header.Get("X-Upstream") != "yes" {
		t.Errorf("%+v", a)
	}
	// Metrics and what the agent cannot read are passed on, too.
	b.post(metricsPath, []byte("metrics"))
	b.post(tracesPath, []byte("damaged"))
	want := []string{
		"/otlp/v1/traces|application/x-protobuf|gzip|Basic abc|p|" + string(data),
		"/otlp/v1/metrics|application/x-protobuf||||metrics",
		"/otlp/v1/traces|application/x-protobuf||||damaged",
	}
	if diff := cmp.Diff(want, u.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.counters(map[string]uint64{"forwarded": 3, "forward_failed": 0, "spans_gen_ai": 2, "refused_malformed": 1})
	u.answer(400) // for good: the sender gives up, and the use was seen
	if a := b.post(tracesPath, marshal(t, request(1, "cohere"))); a.status != 400 {
		t.Errorf("%+v", a)
	}
	if n := len(b.all()); n != 2 {
		t.Errorf("%d observations", n)
	}
}

// A sender that is told to come again counts once, whether the endpoint says so
// or does not answer at all.
func TestForwardCountsOnce(t *testing.T) {
	u := startUpstream(t)
	b := run(t, func(c *Config) { c.Forward.Endpoint = u.URL })
	data := marshal(t, request(1, "openai"))
	u.answer(503)
	for range 3 {
		if a := b.post(tracesPath, data); a.status != 503 {
			t.Errorf("%+v", a)
		}
	}
	u.answer(200)
	if a := b.post(tracesPath, data); a.status != 200 {
		t.Errorf("%+v", a)
	}
	b.counters(map[string]uint64{"requests_taken": 1, "requests_repeated": 3, "forwarded": 1, "forward_failed": 3, "spans_gen_ai": 1})
	b.post(tracesPath, data) // the same bytes again are another request now
	b.counters(map[string]uint64{"requests_taken": 2, "requests_repeated": 3})
	u.Close()
	if a := b.post(tracesPath, marshal(t, request(1, "groq"))); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%+v", a)
	}
	b.counters(map[string]uint64{"forward_failed": 4, "spans_gen_ai": 3})
}

func TestForwardTokens(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"own": "mine", "theirs": "theirs"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u := startUpstream(t)
	b := run(t, func(c *Config) { c.TokenFile, c.Forward.Endpoint = filepath.Join(dir, "own"), u.URL })
	b.post(metricsPath, nil, "Authorization", "Bearer mine")
	b.stop()
	b = run(t, func(c *Config) {
		c.TokenFile, c.Forward.Endpoint, c.Forward.TokenFile = filepath.Join(dir, "own"), u.URL, filepath.Join(dir, "theirs")
	})
	b.post(metricsPath, nil, "Authorization", "Bearer mine")
	want := []string{"/v1/metrics|application/x-protobuf||||", "/v1/metrics|application/x-protobuf||Bearer theirs||"}
	if diff := cmp.Diff(want, u.got); diff != "" {
		t.Errorf("the agent's own token goes no further (-want +got):\n%s", diff)
	}
}

func TestRepeatsAreBounded(t *testing.T) {
	r := newRepeats()
	request := func(i int) []byte { return []byte(strconv.Itoa(i)) }
	for i := range 3 * maxRepeats {
		r.remember(request(i))
	}
	if len(r.set) != maxRepeats {
		t.Errorf("%d remembered, want %d", len(r.set), maxRepeats)
	}
	if r.forget(request(0)) || !r.forget(request(3*maxRepeats-1)) {
		t.Error("the oldest are not the ones that were forgotten")
	}
}

func TestUnavailable(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	missing := filepath.Join(t.TempDir(), "missing")
	for what, change := range map[string]func(*Config){
		"the port is taken": func(c *Config) { c.Listen = taken.Addr().String() },
		"no token":          func(c *Config) { c.TokenFile = missing },
		"no certificate":    func(c *Config) { c.CertFile, c.KeyFile = missing, missing },
		"no authority":      func(c *Config) { c.Forward.Endpoint, c.Forward.CAFile = "https://otel.example", missing },
		"no other token":    func(c *Config) { c.Forward.Endpoint, c.Forward.TokenFile = "https://otel.example", missing },
	} {
		config := DefaultConfig()
		config.Listen = "127.0.0.1:0"
		change(&config)
		var unavailable *sensor.Unavailable
		err := New(config, slog.New(slog.DiscardHandler)).Run(t.Context(), func(signatures.Observation) {})
		if !errors.As(err, &unavailable) || unavailable.Remedy == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOnOpen(t *testing.T) {
	config := DefaultConfig()
	config.Listen = "127.0.0.1:0"
	s := New(config, slog.New(slog.DiscardHandler))
	opened := make(chan signatures.Flow, 1)
	s.OnOpen(func(f signatures.Flow) { opened <- f })
	server, _, err := s.prepare(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, other := net.Pipe()
	defer client.Close()
	defer other.Close()
	server.ConnState(client, http.StateNew) // no address: no flow
	if f := <-opened; f.Client.IsValid() {
		t.Errorf("%+v", f)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	real, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	server.ConnState(real, http.StateNew)
	if f := <-opened; f.Client.String() != listener.Addr().String() || f.Protocol != "tcp" {
		t.Errorf("%+v", f)
	}
}

func TestValidate(t *testing.T) {
	f := func(change func(*Config), says string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Listen = "[::1]:4318" }, "")
	f(func(c *Config) { c.Listen = "localhost:4318" }, "")
	f(func(c *Config) { c.Listen = "4318" }, "listen: ")
	f(func(c *Config) { c.Listen = ":4318" }, "open to other hosts")
	f(func(c *Config) { c.Listen = "0.0.0.0:4318" }, "open to other hosts")
	f(func(c *Config) { c.Listen, c.TokenFile = "0.0.0.0:4318", "t" }, "open to other hosts")
	f(func(c *Config) { c.Listen, c.TokenFile, c.CertFile, c.KeyFile = "0.0.0.0:4318", "t", "c", "k" }, "")
	f(func(c *Config) { c.CertFile = "c" }, "key_file")
	f(func(c *Config) { c.MaxRequestBytes = 1 }, "max_request_bytes: ")
	f(func(c *Config) { c.MaxRecords = 0 }, "max_records: ")
	f(func(c *Config) { c.MaxRequests = 65 }, "max_requests: ")
	f(func(c *Config) { c.MaxConnections = 0 }, "max_connections: ")
	f(func(c *Config) { c.RequestTimeout = 0 }, "request_timeout: ")
	f(func(c *Config) { c.Wait = -1 }, "wait: ")
	f(func(c *Config) { c.RetryAfter = 0 }, "retry_after: ")
	f(func(c *Config) { c.Forward.Timeout = 0 }, "forward.timeout: ")
	f(func(c *Config) { c.Forward.Endpoint = "https://otel.example/otlp" }, "")
	f(func(c *Config) { c.Forward.Endpoint = "otel.example:4318" }, "forward.endpoint: ")
	f(func(c *Config) { c.Forward.Endpoint = "https://u:" + secret + "@otel.example" }, "forward.endpoint: ")
	f(func(c *Config) { c.Forward.Endpoint = "https://otel.example/v1/traces" }, "leave out /v1/traces")
	f(func(c *Config) { c.Forward.Endpoint = "http://127.0.0.1:4318" }, "listens on")
	c := DefaultConfig()
	c.Forward.Endpoint = "https://u:" + secret + "@otel.example"
	if strings.Contains(c.Validate().Error(), secret) {
		t.Error("a password is in an error")
	}
}

func TestAnswersAreWhatOTLPAsksFor(t *testing.T) {
	b := run(t, nil)
	var status struct{ Message string }
	if err := json.Unmarshal([]byte(b.post(tracesPath, []byte("{"), "Content-Type", typeJSON).body), &status); err != nil || status.Message == "" {
		t.Errorf("%+v, %v", status, err)
	}
	a := b.post(tracesPath, []byte{1})
	if len(a.body) < 3 || a.body[0] != 0x12 || int(a.body[1]) != len(a.body)-2 {
		t.Errorf("no google.rpc.Status: %q", a.body)
	}
}

// Off loopback there is TLS and a token; here it is seen that TLS is spoken.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := writeCertificate(t, certificate, key)
	b := run(t, func(c *Config) { c.CertFile, c.KeyFile = certificate, key })
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}
	response, err := (&http.Client{Transport: transport}).Post("https://"+b.Address()+tracesPath, typeProtobuf, bytes.NewReader(marshal(t, request(1, "openai"))))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 || len(b.all()) != 1 {
		t.Errorf("%d, %d observations", response.StatusCode, len(b.all()))
	}
	if a := b.post(tracesPath, nil); a.status != 400 {
		t.Errorf("plain HTTP was answered with %d", a.status)
	}
}

// writeCertificate makes a certificate for loopback and returns what trusts it.
func writeCertificate(t *testing.T, certificate, key string) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secretKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secretKey}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pool
}
