package receive

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
	"github.com/gnomon-ai/gnomon/proto/genai"
)

// AcceptUses implements Line.
func (s *scriptedLine) AcceptUses(_ context.Context, source ingest.Source, batch genai.Batch) (ingest.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer != nil {
		return ingest.Result{}, s.answer
	}
	s.source, s.batches = source, append(s.batches, batch)
	return ingest.Result{Accepted: int(batch.Stats.Records)}, nil
}

// traces is a request of n spans of one use and one span that is about nothing.
func traces(n int) ptraceotlp.ExportRequest {
	data := ptrace.NewTraces()
	group := data.ResourceSpans().AppendEmpty()
	group.Resource().Attributes().PutStr("service.name", "shop")
	list := group.ScopeSpans().AppendEmpty().Spans()
	list.AppendEmpty().SetName("GET /")
	for range n {
		span := list.AppendEmpty()
		span.SetStartTimestamp(1_795_000_000_000_000_000)
		span.Attributes().PutStr("gen_ai.provider.name", "openai")
		span.Attributes().PutStr("gen_ai.input.messages", "s3cr3t")
	}
	return ptraceotlp.NewExportRequestFromTraces(data)
}

func tracesProto(t *testing.T, n int) []byte {
	t.Helper()
	data, err := traces(n).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// last returns what the line was given last, and forgets it.
func (s *scriptedLine) last(t *testing.T) (genai.Batch, ingest.Source) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.batches) != 1 {
		t.Fatalf("%d batches, want 1", len(s.batches))
	}
	b := s.batches[0]
	s.batches = nil
	return b, s.source
}

func TestTracesOverHTTP(t *testing.T) {
	h := start(t, nil)
	asJSON, err := traces(3).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for what, send := range map[string]func() answer{
		"protobuf": func() answer { return h.postTo(t, "/v1/traces", tracesProto(t, 3), nil) },
		"gzip": func() answer {
			return h.postTo(t, "/v1/traces", zipped(t, tracesProto(t, 3)), map[string]string{"Content-Encoding": "gzip"})
		},
		"json": func() answer {
			return h.postTo(t, "/v1/traces", asJSON, map[string]string{"Content-Type": typeJSON})
		},
	} {
		if a := send(); a.status != 200 || a.body != "" && a.body != "{}" {
			t.Errorf("%s: %+v", what, a)
		}
		b, source := h.line.last(t)
		if source != (ingest.Source{ID: "tok1", Address: "127.0.0.1"}) {
			t.Errorf("%s: source %+v", what, source)
		}
		if len(b.Uses) != 1 || b.Uses[0].Count != 3 || b.Uses[0].Provider != "openai" || b.Uses[0].Service != "shop" || b.Stats.Foreign != 1 || b.Uses[0].First.Unix() != 1_795_000_000 {
			t.Errorf("%s: %+v", what, b)
		}
	}
	h.expectOutcome(t, "http/ok", 3)
}

func TestTracesOverHTTPAreRefused(t *testing.T) {
	h := start(t, func(c *Config) { c.MaxRequestBytes, c.MaxRecords = 64<<10, 100 })
	f := func(name string, body []byte, header map[string]string, status int, words, outcome string) {
		t.Helper()
		before := h.outcomes(t)[outcome]
		got := h.postTo(t, "/v1/traces", body, header)
		if got.status != status || !strings.Contains(got.body, words) || strings.Contains(got.body, "s3cr3t") {
			t.Errorf("%s: status %d body %q, want %d with %q", name, got.status, got.body, status, words)
		}
		h.expectOutcome(t, outcome, before+1)
	}
	good := tracesProto(t, 1)
	f("no token", good, map[string]string{"Authorization": ""}, 401, "no bearer token", "http/no_token")
	f("bad token", good, map[string]string{"Authorization": "Bearer nope"}, 401, "unknown", "http/bad_token")
	f("content type", good, map[string]string{"Content-Type": "text/plain"}, 415, "content type", "http/bad_type")
	f("cut off", good[:len(good)-2], nil, 400, "no OTLP traces request: reading", "http/bad_body")
	f("json garbage", []byte("{"), map[string]string{"Content-Type": typeJSON}, 400, "no OTLP traces request", "http/bad_body")
	f("large", make([]byte, 65<<10), nil, 413, "larger than 65536", "http/too_large")
	f("many spans", tracesProto(t, 101), nil, 413, "more than 100 spans", "http/too_many_records")
	h.line.set(ingest.ErrOverloaded, 0)
	f("overload", good, nil, 429, "", "http/retry")
	h.line.set(ingest.ErrUnavailable, 0)
	f("no store", good, nil, 503, "", "http/retry")
	if len(h.line.batches) != 0 {
		t.Errorf("%d batches passed", len(h.line.batches))
	}
	if a := h.postTo(t, "/v1/metrics", good, nil); a.status != 404 || !strings.Contains(a.body, "logs and traces") {
		t.Errorf("metrics: %+v", a)
	}
}

func (h *harness) exportTracesTo(t *testing.T, r ptraceotlp.ExportRequest, token string, options ...grpc.CallOption) error {
	t.Helper()
	connection, err := grpc.NewClient(h.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	response, err := ptraceotlp.NewGRPCClient(connection).Export(ctx, r, options...)
	if err == nil && response.PartialSuccess().RejectedSpans() != 0 {
		t.Error("spans were refused")
	}
	return err
}

func TestTracesOverGRPC(t *testing.T) {
	h := start(t, func(c *Config) { c.MaxRequestBytes, c.MaxRecords = 64<<10, 100 })
	for _, option := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
		if err := h.exportTracesTo(t, traces(4), goodToken, option...); err != nil {
			t.Fatal(err)
		}
		b, source := h.line.last(t)
		if len(b.Uses) != 1 || b.Uses[0].Count != 4 || source != (ingest.Source{ID: "tok1", Address: "127.0.0.1"}) {
			t.Errorf("%+v from %+v", b, source)
		}
	}
	h.expectOutcome(t, "grpc/ok", 2)
	f := func(err error, want codes.Code, outcome string) {
		t.Helper()
		if status.Code(err) != want || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v, want %v", err, want)
		}
		h.expectOutcome(t, outcome, 1)
	}
	f(h.exportTracesTo(t, traces(1), ""), codes.Unauthenticated, "grpc/no_token")
	f(h.exportTracesTo(t, traces(1), "nope"), codes.Unauthenticated, "grpc/bad_token")
	f(h.exportTracesTo(t, traces(101), goodToken), codes.InvalidArgument, "grpc/too_many_records")
	h.line.set(ingest.ErrOverloaded, 0)
	f(h.exportTracesTo(t, traces(1), goodToken), codes.ResourceExhausted, "grpc/retry")
}

// Logs that come over gRPC still name their source.
func TestSourceOfLogs(t *testing.T) {
	h := start(t, nil)
	want := ingest.Source{ID: "tok1", Address: "127.0.0.1"}
	if err := h.export(t, nil, goodToken, insecure.NewCredentials()); err != nil || h.line.source != want {
		t.Errorf("gRPC: %+v, %v", h.line.source, err)
	}
	h.line.source = ingest.Source{}
	if a := h.post(t, protobuf(t, 1), nil); a.status != 200 || h.line.source != want {
		t.Errorf("HTTP: %+v, %+v", h.line.source, a)
	}
}

func TestFaultOfTheReaderIsRefused(t *testing.T) {
	h := start(t, nil)
	h.Receiver.reader = nil // whatever is asked of it fails
	err := h.acceptTraces(t.Context(), "http", ingest.Source{}, tracesProto(t, 1), genai.Protobuf)
	if code, retry := classify(err); !errors.Is(err, errFault) || code != codes.Internal || retry || httpStatus(err, code, retry) != 500 {
		t.Errorf("%v", err)
	}
	h.expectOutcome(t, "http/fault", 1)
}
