package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// metricsMessage turns collected metrics into the message of an OTLP metrics
// request (the same bytes as an ExportMetricsServiceRequest). It knows the
// kinds that this package registers: sums and gauges of integers.
func metricsMessage(from *metricdata.ResourceMetrics) *metricspb.MetricsData {
	to := &metricspb.ResourceMetrics{Resource: resourceMessage(from.Resource)}
	for _, scope := range from.ScopeMetrics {
		group := &metricspb.ScopeMetrics{Scope: &commonpb.InstrumentationScope{Name: scope.Scope.Name, Version: scope.Scope.Version}}
		for _, m := range scope.Metrics {
			out := &metricspb.Metric{Name: m.Name, Description: m.Description, Unit: m.Unit}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				out.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{
					DataPoints: points(data.DataPoints), IsMonotonic: data.IsMonotonic,
					AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
				}}
			case metricdata.Gauge[int64]:
				out.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: points(data.DataPoints)}}
			default:
				continue
			}
			group.Metrics = append(group.Metrics, out)
		}
		to.ScopeMetrics = append(to.ScopeMetrics, group)
	}
	return &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{to}}
}

func points(from []metricdata.DataPoint[int64]) []*metricspb.NumberDataPoint {
	to := make([]*metricspb.NumberDataPoint, len(from))
	for i, p := range from {
		to[i] = &metricspb.NumberDataPoint{
			Attributes:        attributes(p.Attributes.ToSlice()),
			StartTimeUnixNano: nanos(p.StartTime), TimeUnixNano: nanos(p.Time),
			Value: &metricspb.NumberDataPoint_AsInt{AsInt: p.Value},
		}
	}
	return to
}

// tracesMessage turns ended spans into the message of an OTLP trace request.
func tracesMessage(spans []sdktrace.ReadOnlySpan) *tracepb.TracesData {
	group := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: scope}}
	for _, s := range spans {
		traceID, spanID := s.SpanContext().TraceID(), s.SpanContext().SpanID()
		out := &tracepb.Span{
			TraceId: traceID[:], SpanId: spanID[:], Name: s.Name(), Kind: tracepb.Span_SpanKind(s.SpanKind()),
			StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
			Attributes: attributes(s.Attributes()), Status: &tracepb.Status{Message: s.Status().Description},
		}
		if parent := s.Parent().SpanID(); parent.IsValid() {
			out.ParentSpanId = parent[:]
		}
		switch s.Status().Code {
		case codes.Ok:
			out.Status.Code = tracepb.Status_STATUS_CODE_OK
		case codes.Error:
			out.Status.Code = tracepb.Status_STATUS_CODE_ERROR
		}
		group.Spans = append(group.Spans, out)
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: resourceMessage(spans[0].Resource()), ScopeSpans: []*tracepb.ScopeSpans{group},
	}}}
}

func resourceMessage(r *resource.Resource) *resourcepb.Resource {
	return &resourcepb.Resource{Attributes: attributes(r.Attributes())}
}

// attributes turns integers and truth values into theirs, all else into text.
func attributes(from []attribute.KeyValue) []*commonpb.KeyValue {
	to := make([]*commonpb.KeyValue, len(from))
	for i, kv := range from {
		value := &commonpb.AnyValue{}
		switch kv.Value.Type() {
		case attribute.INT64:
			value.Value = &commonpb.AnyValue_IntValue{IntValue: kv.Value.AsInt64()}
		case attribute.BOOL:
			value.Value = &commonpb.AnyValue_BoolValue{BoolValue: kv.Value.AsBool()}
		default:
			value.Value = &commonpb.AnyValue_StringValue{StringValue: kv.Value.String()}
		}
		to[i] = &commonpb.KeyValue{Key: string(kv.Key), Value: value}
	}
	return to
}

// nanos is the wire form of a time: nanoseconds since 1970, 0 for none.
func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixNano(), 0))
}
