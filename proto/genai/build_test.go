package genai

import (
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// attrs makes attributes of alternating keys and values: strings, ints, bools,
// or ready values.
func attrs(pairs ...any) []*commonpb.KeyValue {
	var list []*commonpb.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		var v *commonpb.AnyValue
		switch x := pairs[i+1].(type) {
		case string:
			v = &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: x}}
		case int:
			v = &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(x)}}
		case bool:
			v = &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: x}}
		case *commonpb.AnyValue:
			v = x
		}
		list = append(list, &commonpb.KeyValue{Key: pairs[i].(string), Value: v})
	}
	return list
}

func listOf(values ...string) *commonpb.AnyValue {
	a := &commonpb.ArrayValue{}
	for _, v := range values {
		a.Values = append(a.Values, &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}})
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: a}}
}

func span(start uint64, pairs ...any) *tracepb.Span {
	return &tracepb.Span{TraceId: make([]byte, 16), SpanId: make([]byte, 8), Name: "chat", StartTimeUnixNano: start, EndTimeUnixNano: start + 1, Attributes: attrs(pairs...)}
}

func resource(pairs ...any) *resourcepb.Resource {
	return &resourcepb.Resource{Attributes: attrs(pairs...)}
}

func traces(r *resourcepb.Resource, spans ...*tracepb.Span) *tracepb.TracesData {
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{Resource: r, ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}}
}

func logs(r *resourcepb.Resource, records ...*logspb.LogRecord) *logspb.LogsData {
	return &logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{Resource: r, ScopeLogs: []*logspb.ScopeLogs{{LogRecords: records}}}}}
}

// encode returns the request in an encoding.
func encode(t testing.TB, m proto.Message, e Encoding) []byte {
	t.Helper()
	marshal := proto.Marshal
	if e == JSON {
		marshal = protojson.Marshal
	}
	data, err := marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readBoth reads the request in both encodings, which must tell the same.
func readBoth(t *testing.T, m proto.Message, check func(t *testing.T, b Batch)) {
	t.Helper()
	r := NewReader(DefaultLimits())
	for name, e := range map[string]Encoding{"protobuf": Protobuf, "json": JSON} {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			read := r.Traces
			if _, isLogs := m.(*logspb.LogsData); isLogs {
				read = r.Logs
			}
			b, err := read(encode(t, m, e), e)
			if err != nil {
				t.Fatal(err)
			}
			check(t, b)
		})
	}
}
