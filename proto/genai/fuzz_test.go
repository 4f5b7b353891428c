package genai

import (
	"testing"
	"time"

	"go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sound holds what is true of every batch, whatever was read.
func sound(t *testing.T, b Batch, err error, limits Limits) {
	t.Helper()
	if err != nil {
		if len(b.Uses) > 0 || b.Stats != (Stats{}) {
			t.Fatalf("something is taken beside the error %v", err)
		}
		return
	}
	s := b.Stats
	if s.Records != s.Named+s.Unnamed+s.Foreign || s.Records > uint64(limits.Records) {
		t.Fatalf("counts do not add up: %+v", s)
	}
	var count uint64
	for _, u := range b.Uses {
		count += u.Count
		a := u.Application
		if u.Count == 0 || u.Last.Before(u.First) || a.Provider+a.Model+a.AskedModel+a.Agent+a.MCPMethod == "" {
			t.Fatalf("a use that is none: %+v", u)
		}
		for _, text := range []string{a.Provider, a.Model, a.AskedModel, a.Operation, a.Agent, a.ToolType, a.MCPMethod, a.Server, a.Service, a.ServiceNamespace, a.Instance, a.Host, a.Container, a.Namespace, a.Pod, a.Node} {
			if len(text) > limits.Text || !isText([]byte(text)) {
				t.Fatalf("%q is no name", text)
			}
		}
		u.Settle(time.Now(), time.Hour, time.Minute)
		if time.Since(u.First) > 2*time.Hour || u.Last.IsZero() {
			t.Fatalf("times that cannot be: %+v", u)
		}
	}
	if count != s.Named {
		t.Fatalf("%d counted, %d named", count, s.Named)
	}
}

func seeds(f *testing.F, e Encoding) {
	request := traces(resource("service.name", "shop", "host.name", "web-1"),
		span(start, "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o", "server.address", "api.openai.com", "server.port", 443),
		span(start, "llm.system", "anthropic", "input.value", "secret"), span(start, "mcp.method.name", "tools/call"), span(start, "x", true))
	f.Add(encode(f, request, e))
	f.Add(encode(f, traces(resource("service.name", "shop"), secretSpan()), e))
	f.Add(encode(f, traces(nil), e))
	f.Add([]byte{})
}

// FuzzProtobuf also holds the reader against the protobuf library: what the
// library takes, the reader takes, and finds the same number of spans.
func FuzzProtobuf(f *testing.F) {
	seeds(f, Protobuf)
	r := NewReader(Limits{Records: 1000, Attributes: 64, Text: 128})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := r.Traces(data, Protobuf)
		sound(t, b, err, r.limits)
		var request tracepb.TracesData
		if proto.Unmarshal(data, &request) == nil && hasNoGroups(data) {
			var spans uint64
			for _, group := range request.GetResourceSpans() {
				for _, scope := range group.GetScopeSpans() {
					spans += uint64(len(scope.GetSpans()))
				}
			}
			if spans <= 1000 && (err != nil || b.Stats.Records != spans) {
				t.Fatalf("the library finds %d spans, the reader %d, %v", spans, b.Stats.Records, err)
			}
		}
		b, err = r.Logs(data, Protobuf)
		sound(t, b, err, r.limits)
	})
}

// hasNoGroups says whether the library can have skipped no group (wire types 3
// and 4), which the reader refuses: unknown fields keep their bytes.
func hasNoGroups(data []byte) bool {
	for _, c := range data {
		if c&7 == 3 || c&7 == 4 {
			return false
		}
	}
	return true
}

func FuzzJSON(f *testing.F) {
	seeds(f, JSON)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1e3,"attributes":[{"key":"gen_ai.\u0073ystem","value":{"stringValue":"\ud800"}}]}]}]}]}`))
	r := NewReader(Limits{Records: 1000, Attributes: 64, Text: 128})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := r.Traces(data, JSON)
		sound(t, b, err, r.limits)
		b, err = r.Logs(data, JSON)
		sound(t, b, err, r.limits)
	})
}

// FuzzAttribute holds the reading of one attribute against the library.
func FuzzAttribute(f *testing.F) {
	for _, pair := range append(attrs("gen_ai.system", "openai", "gen_ai.system", 3), attrs("gen_ai.system", listOf("a", "b"))...) {
		data, err := proto.Marshal(pair)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	r := NewReader(DefaultLimits())
	f.Fuzz(func(t *testing.T, data []byte) {
		var want v1.KeyValue
		if proto.Unmarshal(data, &want) != nil || want.GetKey() != "gen_ai.system" || !hasNoGroups(data) {
			return
		}
		b := r.Builder()
		if err := b.readAttribute(data, &b.record, false); err != nil {
			return // stricter below the value than the library, which is lazy nowhere
		}
		if got := string(b.record.text[fieldProvider]); got != "" && want.GetValue().GetStringValue() == "" {
			t.Fatalf("read %q where the library reads %v", got, &want)
		}
	})
}
