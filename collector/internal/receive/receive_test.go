package receive

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
	"github.com/gnomon-ai/gnomon/collector/internal/listen"
	"github.com/gnomon-ai/gnomon/proto/genai"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scriptedLine answers as told and remembers what it was given.
type scriptedLine struct {
	mu      sync.Mutex
	answer  error
	reject  int
	records int
	source  ingest.Source
	batches []genai.Batch
}

func (s *scriptedLine) Accept(_ context.Context, source ingest.Source, logs plog.Logs) (ingest.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source = source
	if s.answer != nil {
		return ingest.Result{}, s.answer
	}
	s.records += logs.LogRecordCount()
	problem := ""
	if s.reject > 0 {
		problem = "because of a test"
	}
	return ingest.Result{Accepted: logs.LogRecordCount() - s.reject, Rejected: s.reject, Problem: problem}, nil
}

func (s *scriptedLine) set(answer error, reject int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.reject = answer, reject
}

func (s *scriptedLine) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}

const goodToken = "gnt_good"

var errDatabase = errors.New("database is locked")

func authenticate(_ context.Context, token string) (string, error) {
	switch token {
	case goodToken:
		return "tok1", nil
	case "gnt_unsure":
		return "", errDatabase
	}
	return "", ErrToken
}

type harness struct {
	*Receiver
	line   *scriptedLine
	reader *sdkmetric.ManualReader
	grpc   string
	http   string
}

func start(t *testing.T, change func(*Config)) *harness {
	t.Helper()
	config := Default()
	config.GRPC, config.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	if change != nil {
		change(&config)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	h := &harness{line: &scriptedLine{}, reader: sdkmetric.NewManualReader()}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(h.reader))
	receiver, err := New(config, h.line, authenticate, provider.Meter("test"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.Receiver = receiver
	if err := receiver.Start(func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		receiver.Stop(ctx)
	})
	a, b := receiver.Addresses()
	h.grpc, h.http = a.String(), b.String()
	return h
}

// outcomes returns the request counter by "transport/outcome".
func (h *harness) outcomes(t *testing.T) map[string]int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := h.reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				transport, _ := point.Attributes.Value("transport")
				outcome, _ := point.Attributes.Value("outcome")
				counts[transport.AsString()+"/"+outcome.AsString()] = point.Value
			}
		}
	}
	return counts
}

func (h *harness) expectOutcome(t *testing.T, key string, want int64) {
	t.Helper()
	if got := h.outcomes(t)[key]; got != want {
		t.Errorf("counter %s is %d, want %d (all: %v)", key, got, want, h.outcomes(t))
	}
}

func request(records int) plogotlp.ExportRequest {
	logs := plog.NewLogs()
	list := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range records {
		list.AppendEmpty().Body().SetStr(fmt.Sprint("record ", i))
	}
	return plogotlp.NewExportRequestFromLogs(logs)
}

func protobuf(t *testing.T, records int) []byte {
	t.Helper()
	data, err := request(records).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (h *harness) post(t *testing.T, body []byte, header map[string]string) answer {
	t.Helper()
	return h.postTo(t, "/v1/logs", body, header)
}

func (h *harness) postTo(t *testing.T, path string, body []byte, header map[string]string) answer {
	t.Helper()
	q, err := http.NewRequest(http.MethodPost, "http://"+h.http+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", typeProtobuf)
	q.Header.Set("Authorization", "Bearer "+goodToken)
	for key, value := range header {
		if value == "" {
			q.Header.Del(key)
			continue
		}
		q.Header.Set(key, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHTTPTakesProtobufJSONAndGzip(t *testing.T) {
	h := start(t, nil)
	if got := h.post(t, protobuf(t, 3), nil); got.status != 200 || got.header.Get("Content-Type") != typeProtobuf {
		t.Errorf("protobuf: %v", got)
	}
	if got := h.post(t, zipped(t, protobuf(t, 2)), map[string]string{"Content-Encoding": "gzip"}); got.status != 200 {
		t.Errorf("gzip: %v", got)
	}
	text, err := request(1).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if got := h.post(t, text, map[string]string{"Content-Type": typeJSON}); got.status != 200 || !strings.HasPrefix(got.body, "{") {
		t.Errorf("json: %v", got)
	}
	if h.line.seen() != 6 {
		t.Errorf("the line saw %d records, want 6", h.line.seen())
	}
	h.expectOutcome(t, "http/ok", 3)
}

func TestHTTPRefusesBadRequests(t *testing.T) {
	h := start(t, func(c *Config) { c.MaxRequestBytes, c.MaxRecords = 64<<10, 100 })
	f := func(name string, body []byte, header map[string]string, status int, words, outcome string) {
		t.Helper()
		before := h.outcomes(t)[outcome]
		got := h.post(t, body, header)
		if got.status != status || !strings.Contains(got.body, words) {
			t.Errorf("%s: status %d body %q, want %d with %q", name, got.status, got.body, status, words)
		}
		h.expectOutcome(t, outcome, before+1)
	}
	good := protobuf(t, 1)
	f("no token", good, map[string]string{"Authorization": ""}, 401, "no bearer token", "http/no_token")
	f("other scheme", good, map[string]string{"Authorization": "Basic Zm9v"}, 401, "no bearer token", "http/no_token")
	f("bad token", good, map[string]string{"Authorization": "Bearer nope"}, 401, "unknown, expired or revoked", "http/bad_token")
	f("unsure", good, map[string]string{"Authorization": "Bearer gnt_unsure"}, 503, "cannot be checked", "http/retry")
	f("content type", good, map[string]string{"Content-Type": "text/plain"}, 415, "content type must be", "http/bad_type")
	f("garbage", []byte("\xff\xff\xff"), nil, 400, "no OTLP logs request", "http/bad_body")
	f("json garbage", []byte("{"), map[string]string{"Content-Type": typeJSON}, 400, "no OTLP logs request", "http/bad_body")
	f("not gzip", good, map[string]string{"Content-Encoding": "gzip"}, 400, "not gzip", "http/bad_body")
	f("encoding", good, map[string]string{"Content-Encoding": "br"}, 400, "use gzip or none", "http/bad_body")
	f("large", bytes.Repeat([]byte{0}, 65<<10), nil, 413, "larger than 65536", "http/too_large")
	f("gzip bomb", zipped(t, bytes.Repeat([]byte{0}, 32<<20)), map[string]string{"Content-Encoding": "gzip"}, 413, "larger than 65536", "http/too_large")
	f("many records", protobuf(t, 101), nil, 413, "at most 100", "http/too_many_records")
	if h.line.seen() != 0 {
		t.Errorf("%d records passed", h.line.seen())
	}
}

func TestErrorsOfTheLineBecomeAnswers(t *testing.T) {
	h := start(t, nil)
	f := func(err error, httpStatus int, code codes.Code) {
		t.Helper()
		h.line.set(err, 0)
		got := h.post(t, protobuf(t, 1), nil)
		if got.status != httpStatus || got.header.Get("Retry-After") != "5" {
			t.Errorf("%v over HTTP: status %d retry %q", err, got.status, got.header.Get("Retry-After"))
		}
		s := status.Convert(h.export(t, nil, goodToken, insecure.NewCredentials()))
		if s.Code() != code || len(s.Details()) != 1 {
			t.Fatalf("%v over gRPC: %v, details %v", err, s, s.Details())
		}
		if info, ok := s.Details()[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() != 5*time.Second {
			t.Errorf("%v over gRPC: details %v", err, s.Details())
		}
	}
	f(ingest.ErrOverloaded, 429, codes.ResourceExhausted)
	f(fmt.Errorf("%w: connection refused", ingest.ErrUnavailable), 503, codes.Unavailable)
	f(ingest.ErrStopping, 503, codes.Unavailable)
	f(context.DeadlineExceeded, 503, codes.Unavailable)
	h.expectOutcome(t, "http/retry", 4)
	h.expectOutcome(t, "grpc/retry", 4)
}

// export sends one request with one record over gRPC.
func (h *harness) export(t *testing.T, partial *int64, token string, creds credentials.TransportCredentials, options ...grpc.CallOption) error {
	t.Helper()
	return h.exportRequest(t, request(1), partial, token, creds, options...)
}

func (h *harness) exportRequest(t *testing.T, r plogotlp.ExportRequest, partial *int64, token string, creds credentials.TransportCredentials, options ...grpc.CallOption) error {
	t.Helper()
	connection, err := grpc.NewClient(h.grpc, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	response, err := plogotlp.NewGRPCClient(connection).Export(ctx, r, options...)
	if err == nil && partial != nil {
		*partial = response.PartialSuccess().RejectedLogRecords()
	}
	return err
}

func TestGRPC(t *testing.T) {
	h := start(t, func(c *Config) { c.MaxRequestBytes, c.MaxRecords = 64<<10, 100 })
	plain := insecure.NewCredentials()
	code := func(err error, want codes.Code, outcome string, n int64) {
		t.Helper()
		if status.Code(err) != want {
			t.Errorf("got %v, want code %v", err, want)
		}
		h.expectOutcome(t, outcome, n)
	}
	code(h.export(t, nil, goodToken, plain), codes.OK, "grpc/ok", 1)
	code(h.export(t, nil, goodToken, plain, grpc.UseCompressor("gzip")), codes.OK, "grpc/ok", 2)
	code(h.export(t, nil, "", plain), codes.Unauthenticated, "grpc/no_token", 1)
	code(h.export(t, nil, "nope", plain), codes.Unauthenticated, "grpc/bad_token", 1)
	code(h.export(t, nil, "gnt_unsure", plain), codes.Unavailable, "grpc/retry", 1)
	code(h.exportRequest(t, request(101), nil, goodToken, plain), codes.InvalidArgument, "grpc/too_many_records", 1)
	code(h.exportRequest(t, request(20_000), nil, goodToken, plain), codes.ResourceExhausted, "grpc/ok", 2)
	h.line.set(nil, 1)
	var rejected int64
	code(h.export(t, &rejected, goodToken, plain), codes.OK, "grpc/partial", 1)
	if rejected != 1 {
		t.Errorf("%d rejected records reported, want 1", rejected)
	}
}

func TestPartialSuccessOverHTTPSaysWhy(t *testing.T) {
	h := start(t, nil)
	h.line.set(nil, 2)
	got := h.post(t, protobuf(t, 5), nil)
	response := plogotlp.NewExportResponse()
	if err := response.UnmarshalProto([]byte(got.body)); err != nil {
		t.Fatal(err)
	}
	if p := response.PartialSuccess(); p.RejectedLogRecords() != 2 || p.ErrorMessage() != "because of a test" {
		t.Errorf("partial success %d %q", p.RejectedLogRecords(), p.ErrorMessage())
	}
	h.expectOutcome(t, "http/partial", 1)
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := writeCertificate(t, certificate, key)
	h := start(t, func(c *Config) { c.TLS = listen.TLS{CertificateFile: certificate, KeyFile: key} })
	if err := h.export(t, nil, goodToken, credentials.NewTLS(&tls.Config{RootCAs: pool})); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	if err := h.export(t, nil, goodToken, credentials.NewTLS(&tls.Config{RootCAs: x509.NewCertPool()})); err == nil {
		t.Error("a foreign certificate was trusted: the test proves nothing")
	}
	if err := h.export(t, nil, goodToken, insecure.NewCredentials()); err == nil {
		t.Error("plain gRPC was answered on a TLS port")
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}
	q, _ := http.NewRequest(http.MethodPost, "https://"+h.http+"/v1/logs", bytes.NewReader(protobuf(t, 1)))
	q.Header.Set("Content-Type", typeProtobuf)
	q.Header.Set("Authorization", "Bearer "+goodToken)
	response, err := (&http.Client{Transport: transport}).Do(q)
	if err != nil || response.StatusCode != 200 {
		t.Errorf("https: %v %v", response, err)
	}
	if response != nil {
		response.Body.Close()
	}
}

func TestConfigAsksForTLSOffLoopback(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		config := Default()
		change(&config)
		err := config.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.HTTP = "[::1]:4318" }, "")
	f(func(c *Config) { c.GRPC = "localhost:4317" }, "")
	f(func(c *Config) { c.GRPC = "0.0.0.0:4317" }, "grpc: \"0.0.0.0:4317\" is reachable from other machines and has no TLS")
	f(func(c *Config) { c.HTTP = ":4318" }, "reachable from other machines")
	f(func(c *Config) { c.HTTP = "collector.example:4318" }, "reachable from other machines")
	f(func(c *Config) { c.HTTP, c.TLS = ":4318", listen.TLS{CertificateFile: "c", KeyFile: "k"} }, "")
	f(func(c *Config) { c.TLS.KeyFile = "k" }, "both certificate_file and key_file")
	f(func(c *Config) { c.HTTP = "4318" }, "is no host:port")
	f(func(c *Config) { c.GRPC, c.HTTP = "", "" }, "nothing would be received")
	f(func(c *Config) { c.MaxRecords = 0 }, "max_records")
	f(func(c *Config) { c.MaxRequestBytes = 1 }, "max_request_bytes")
	f(func(c *Config) { c.MaxConnections = 0 }, "max_connections")
	f(func(c *Config) { c.RequestTimeout = 0 }, "request_timeout")
	f(func(c *Config) { c.RetryAfter = 0 }, "retry_after")
}
