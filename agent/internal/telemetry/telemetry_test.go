package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver takes the place of the network: it keeps the last requests.
type receiver struct {
	metrics, traces []byte
	refuse          error
}

func (r *receiver) takeMetrics(_ context.Context, data []byte) error {
	r.metrics = data
	return r.refuse
}

func (r *receiver) takeTraces(_ context.Context, data []byte) error {
	r.traces = data
	return r.refuse
}

func newTelemetry(t *testing.T, r *receiver) *Telemetry {
	t.Helper()
	tm, err := New(DefaultConfig(), Deps{
		AgentID: "a", HostName: "h", Version: "1", Metrics: r.takeMetrics, Traces: r.takeTraces,
		Log: slog.New(slog.DiscardHandler), Sources: []Source{{
			Component: "spool", Levels: []string{"bytes"},
			Counters: func() map[string]uint64 { return map[string]uint64{"bytes": 4096, "dropped": 7} },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

func text(kvs []*commonpb.KeyValue, key string) string {
	for _, kv := range kvs {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

func TestSend_metricsAreOTLP(t *testing.T) {
	r := &receiver{}
	tm := newTelemetry(t, r)
	tm.Send(context.Background())
	var got metricspb.MetricsData
	if err := proto.Unmarshal(r.metrics, &got); err != nil {
		t.Fatal(err)
	}
	rm := got.GetResourceMetrics()[0]
	if text(rm.GetResource().GetAttributes(), "service.instance.id") != "a" || text(rm.GetResource().GetAttributes(), "service.name") != "gnomon-agent" {
		t.Errorf("resource %v", rm.GetResource())
	}
	values := map[string]int64{}
	for _, m := range rm.GetScopeMetrics()[0].GetMetrics() {
		points := m.GetGauge().GetDataPoints()
		if m.GetSum() != nil {
			points = m.GetSum().GetDataPoints()
			if !m.GetSum().GetIsMonotonic() || m.GetSum().GetAggregationTemporality() != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
				t.Errorf("%s is no growing total", m.GetName())
			}
		}
		for _, p := range points {
			if p.GetTimeUnixNano() == 0 {
				t.Errorf("%s has no time", m.GetName())
			}
			a := p.GetAttributes()
			values[strings.Join([]string{m.GetName(), text(a, "component"), text(a, "event") + text(a, "level")}, " ")] = p.GetAsInt()
		}
	}
	if values["gnomon.agent.memory  "] < 1<<20 {
		t.Errorf("memory %d", values["gnomon.agent.memory  "])
	}
	delete(values, "gnomon.agent.memory  ")
	want := map[string]int64{
		"gnomon.agent.events spool dropped": 7, "gnomon.agent.level spool bytes": 4096,
		"gnomon.agent.events telemetry requests": 0, "gnomon.agent.events telemetry failures": 0,
		"gnomon.agent.events telemetry spans_dropped": 0,
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSend_spansAreOTLP(t *testing.T) {
	r := &receiver{}
	tm := newTelemetry(t, r)
	ctx, outer := tm.Tracer().Start(context.Background(), "outer")
	_, inner := tm.Tracer().Start(ctx, "inner")
	inner.SetAttributes(attribute.Int("n", 3), attribute.Bool("b", true), attribute.String("s", "x"))
	inner.SetStatus(codes.Error, "failed")
	inner.End()
	outer.SetStatus(codes.Ok, "")
	outer.End()
	tm.Send(context.Background())
	var got tracepb.TracesData
	if err := proto.Unmarshal(r.traces, &got); err != nil {
		t.Fatal(err)
	}
	spans := got.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	in, out := spans[0], spans[1]
	if in.GetName() != "inner" || string(in.GetParentSpanId()) != string(out.GetSpanId()) || string(in.GetTraceId()) != string(out.GetTraceId()) || len(out.GetParentSpanId()) != 0 {
		t.Errorf("spans are not linked: %v %v", in, out)
	}
	if in.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || out.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_OK {
		t.Errorf("states %v %v", in.GetStatus(), out.GetStatus())
	}
	a := in.GetAttributes()
	if len(a) != 3 || a[0].GetValue().GetIntValue() != 3 || !a[1].GetValue().GetBoolValue() || a[2].GetValue().GetStringValue() != "x" {
		t.Errorf("attributes %v", a)
	}
	if in.GetEndTimeUnixNano() < in.GetStartTimeUnixNano() || in.GetStartTimeUnixNano() == 0 {
		t.Errorf("times %d to %d", in.GetStartTimeUnixNano(), in.GetEndTimeUnixNano())
	}
	r.traces = nil
	tm.Send(context.Background())
	if r.traces != nil {
		t.Error("spans were sent twice")
	}
	if c := tm.Counters(); c["requests"] != 3 || c["failures"] != 0 {
		t.Errorf("counters %v", c)
	}
}

func TestSend_failuresAndDropsAreCounted(t *testing.T) {
	r := &receiver{refuse: errors.New("refused")}
	tm := newTelemetry(t, r)
	for range maxSpans + 5 {
		_, s := tm.Tracer().Start(context.Background(), "s")
		s.End()
	}
	tm.Send(context.Background())
	if c := tm.Counters(); c["failures"] != 1 || c["spans_dropped"] != 5 {
		t.Errorf("counters %v, want 1 failure and 5 spans dropped", c)
	}
	r.refuse = nil
	tm.Send(context.Background())
	if r.traces == nil {
		t.Error("the spans that waited were not sent")
	}
}

func TestRun_endsWithContext(t *testing.T) {
	tm := newTelemetry(t, &receiver{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tm.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestConfig_Validate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Config{Interval: time.Millisecond}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "interval") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("telemetry without an interval was made")
	}
}
