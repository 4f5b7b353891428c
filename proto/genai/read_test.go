package genai

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gnomon-ai/gnomon/signatures"
)

const start = 1_795_000_000_000_000_000 // 2026-11-18

func TestReadTraces(t *testing.T) {
	shop := resource("service.name", "shop", "service.namespace", "web", "service.instance.id", "i-1", "host.name", "web-1",
		"container.id", "c0ffee", "k8s.namespace.name", "prod", "k8s.pod.name", "shop-7d", "k8s.node.name", "node-3", "user.id", "ana")
	request := traces(shop,
		span(start+5, "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o", "gen_ai.response.model", "gpt-4o-2024-08-06",
			"gen_ai.operation.name", "chat", "server.address", "api.openai.com", "server.port", 443, "gen_ai.usage.input_tokens", 12),
		span(start, "http.request.method", "GET", "server.address", "db.corp.example"),
		span(start+1, "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o", "gen_ai.response.model", "gpt-4o-2024-08-06",
			"gen_ai.operation.name", "embeddings", "server.address", "api.openai.com", "server.port", 443),
		span(start+2, "gen_ai.operation.name", "execute_tool", "gen_ai.tool.type", "function"),
		span(start+3, "mcp.method.name", "tools/call", "mcp.session.id", "s3ss10n", "server.address", "mcp.corp.example"),
		span(start+4, "gen_ai.agent.name", "Planner", "gen_ai.conversation.id", "conv"),
	)
	application := signatures.Application{
		Service: "shop", ServiceNamespace: "web", Instance: "i-1", Host: "web-1", Container: "c0ffee", Namespace: "prod", Pod: "shop-7d", Node: "node-3",
	}
	with := func(change func(*signatures.Application)) signatures.Application {
		a := application
		change(&a)
		return a
	}
	at := func(n int64) time.Time { return time.Unix(0, start+n).UTC() }
	want := Batch{
		Stats: Stats{Records: 6, Named: 4, Unnamed: 1, Foreign: 1},
		Uses: []Use{
			{Count: 2, First: at(1), Last: at(5), Application: with(func(a *signatures.Application) {
				a.Provider, a.Model, a.AskedModel, a.Operation, a.Server, a.Port = "openai", "gpt-4o-2024-08-06", "gpt-4o", "chat", "api.openai.com", 443
			})},
			{Count: 1, First: at(3), Last: at(3), Application: with(func(a *signatures.Application) { a.MCPMethod, a.Server = "tools/call", "mcp.corp.example" })},
			{Count: 1, First: at(4), Last: at(4), Application: with(func(a *signatures.Application) { a.Agent = "Planner" })},
		},
	}
	readBoth(t, request, func(t *testing.T, b Batch) {
		if diff := cmp.Diff(want, b); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestReadLogs(t *testing.T) {
	record := func(time, observed uint64, pairs ...any) *logspb.LogRecord {
		return &logspb.LogRecord{TimeUnixNano: time, ObservedTimeUnixNano: observed, EventName: "gen_ai.client.inference.operation.details", Attributes: attrs(pairs...)}
	}
	request := logs(resource("service.name", "bot"),
		record(0, start+7, "gen_ai.system", "anthropic", "gen_ai.request.model", "claude"),
		record(start+9, start+10, "gen_ai.system", "anthropic", "gen_ai.request.model", "claude"),
		record(start, start, "exception.type", "IOError"))
	readBoth(t, request, func(t *testing.T, b Batch) {
		want := Batch{
			Stats: Stats{Records: 3, Named: 2, Foreign: 1},
			Uses: []Use{{
				Count: 2, First: time.Unix(0, start+7).UTC(), Last: time.Unix(0, start+9).UTC(),
				Application: signatures.Application{Provider: "anthropic", AskedModel: "claude", Service: "bot"},
			}},
		}
		if diff := cmp.Diff(want, b); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Every key of the table is read into its field, from where it belongs alone.
func TestEveryKey(t *testing.T) {
	for _, key := range Keys() {
		if key.Convention == "" || !strings.HasPrefix(key.Convention, "https://") {
			t.Errorf("%s has no source", key.Name)
		}
		value := "some-value"
		if key.field == fieldPort {
			value = "4711"
		}
		right := []any{key.Name, value}
		request := traces(resource("service.name", "x"), span(start, "gen_ai.agent.name", "marker"))
		place := &request.ResourceSpans[0].ScopeSpans[0].Spans[0].Attributes
		other := &request.ResourceSpans[0].Resource.Attributes
		if key.field >= recordFields {
			place, other = other, place
		}
		if key.field == fieldPort {
			right = append(right, "server.address", "localhost")
		}
		r := NewReader(DefaultLimits())
		count := func() int {
			b, err := r.Traces(encode(t, request, Protobuf), Protobuf)
			if err != nil || len(b.Uses) != 1 {
				t.Fatalf("%s: %d uses, %v", key.Name, len(b.Uses), err)
			}
			return strings.Count(fmt.Sprintf("%+v", b.Uses[0].Application), map[bool]string{true: "4711", false: "some"}[key.field == fieldPort])
		}
		before := *other
		*other = slices.Concat(before, attrs(right...))
		if n := count(); n != 0 {
			t.Errorf("%s counts where it does not belong", key.Name)
		}
		*other = before
		if key.Name == "gen_ai.agent.name" {
			*place = nil
		}
		*place = append(*place, attrs(right...)...)
		if n := count(); n != 1 {
			t.Errorf("%s is read into %d fields, want 1", key.Name, n)
		}
	}
}

// Of several keys of a field the current convention counts, in any order.
func TestRanks(t *testing.T) {
	f := func(want string, pairs ...any) {
		t.Helper()
		b, err := NewReader(DefaultLimits()).Traces(encode(t, traces(nil, span(start, pairs...)), Protobuf), Protobuf)
		if err != nil || len(b.Uses) != 1 || b.Uses[0].Provider != want {
			t.Errorf("%v: %+v, %v", pairs, b.Uses, err)
		}
	}
	f("azure.ai.openai", "gen_ai.provider.name", "azure.ai.openai", "gen_ai.system", "openai", "llm.system", "openai")
	f("azure.ai.openai", "llm.system", "openai", "gen_ai.system", "openai", "gen_ai.provider.name", "azure.ai.openai")
	f("amazon-bedrock", "ai.model.provider", "amazon-bedrock")
	f("openai", "ai.model.provider", "openai.responses")
	f("openai", "ai.model.provider", "openai.chat", "llm.vendor", "OpenAI")
	f("b", "gen_ai.system", "a", "gen_ai.system", "b") // given twice: the last
	f("x", "gen_ai.provider.name", " x ")
	f("x", "gen_ai.provider.name", listOf("a"), "llm.vendor", "x") // no text: the next best
}

func TestServer(t *testing.T) {
	f := func(address, port, wantName string, wantPort uint16) {
		t.Helper()
		if name, number := server(address, port); name != wantName || number != wantPort {
			t.Errorf("%q %q: %q %d, want %q %d", address, port, name, number, wantName, wantPort)
		}
	}
	f("API.OpenAI.com", "443", "api.openai.com", 443)
	f("https://user:s3cr3t@llm.corp.example:8443/v1?key=s3cr3t", "", "llm.corp.example", 8443)
	f("llm.corp.example:8443", "", "llm.corp.example", 8443)
	f("llm.corp.example:8443", "9", "llm.corp.example", 9)
	f("127.0.0.1", "11434", "127.0.0.1", 11434)
	f("::1", "11434", "::1", 11434)
	f("[::1]", "70000", "::1", 0)
	f("s3cr3t text", "443", "", 0)
	f("", "443", "", 0)
}

func TestValuesThatAreNoNames(t *testing.T) {
	for _, bad := range []string{strings.Repeat("x", 257), "a\x00b", "line\nline", "\x7f"} {
		request := traces(nil, span(start, "gen_ai.provider.name", bad, "gen_ai.request.model", "m"))
		readBoth(t, request, func(t *testing.T, b Batch) {
			if len(b.Uses) != 1 || b.Uses[0].Provider != "" || b.Uses[0].AskedModel != "m" || b.Stats.DroppedValues != 1 {
				t.Errorf("%.20q: %+v", bad, b)
			}
		})
	}
	request := traces(nil, span(start, "gen_ai.provider.name", "openai"))
	data := encode(t, request, Protobuf)
	data = []byte(strings.Replace(string(data), "openai", "open\xffi", 1))
	b, err := NewReader(DefaultLimits()).Traces(data, Protobuf)
	if err != nil || b.Stats.DroppedValues != 1 {
		t.Errorf("bytes that are no UTF-8: %+v, %v", b, err)
	}
}

func TestLimits(t *testing.T) {
	r := NewReader(Limits{Records: 2, Attributes: 3, Text: 64})
	one := span(start, "gen_ai.system", "a")
	for _, e := range []Encoding{Protobuf, JSON} {
		if b, err := r.Traces(encode(t, traces(nil, one, one), e), e); err != nil || b.Stats.Records != 2 {
			t.Errorf("as many as allowed: %+v, %v", b, err)
		}
		if b, err := r.Traces(encode(t, traces(nil, one, one, one), e), e); !errors.Is(err, ErrTooMany) || len(b.Uses) != 0 {
			t.Errorf("one more: %+v, %v", b, err)
		}
		wide := span(start, "gen_ai.system", "a", "b", "b", "c", "c", "gen_ai.request.model", "late", "d", "d")
		b, err := r.Traces(encode(t, traces(nil, wide), e), e)
		if err != nil || b.Stats.AttributesUnread != 2 || b.Uses[0].AskedModel != "" {
			t.Errorf("too many attributes: %+v, %v", b, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	r := NewReader(DefaultLimits())
	good := encode(t, traces(resource("service.name", "s"), span(start, "gen_ai.system", "a", "gen_ai.request.model", "b")), Protobuf)
	for cut := 1; cut < len(good); cut++ {
		if b, err := r.Traces(good[:cut], Protobuf); err == nil {
			t.Errorf("cut to %d of %d bytes: %+v", cut, len(good), b)
		}
	}
	f := func(what string, data []byte, e Encoding) {
		t.Helper()
		b, err := r.Traces(data, e)
		if err == nil || len(b.Uses) != 0 {
			t.Errorf("%s: %+v, %v", what, b, err)
			return
		}
		if text := err.Error(); strings.ToLower(text[:1]) != text[:1] || len(text) > 200 {
			t.Errorf("%s: the error is %q", what, text)
		}
	}
	f("a group, which OTLP has none of", []byte{0x0b, 0x0c}, Protobuf)
	f("field number 0", []byte{0x02, 0x00}, Protobuf)
	f("a length beyond the end", append([]byte{0x0a}, binary.AppendUvarint(nil, 1<<62)...), Protobuf)
	f("a varint without end", []byte{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Protobuf)
	f("half a fixed64", []byte{0x09, 1, 2}, Protobuf)
	f("half a fixed32", []byte{0x0d, 1, 2}, Protobuf)
	f("JSON as protobuf", []byte(`{"resourceSpans":[]}`), Protobuf)
	for _, text := range []string{
		``, `{`, `[]`, `1`, `"x"`, `{"resourceSpans":1}`, `{"resourceSpans":{}}`, `{"resourceSpans":[1]}`, `{"resourceSpans":[{"resource":[]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":{}}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":1}]}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"gen_ai.system","value":"x"}]}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"gen_ai.system","value":{"stringValue":1}}]}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"x","value":` + strings.Repeat(`{"a":`, 80) + "1" + strings.Repeat("}", 80) + `}]}]}]}]}`,
		strings.Repeat("[", 100000), strings.Repeat(`{"a":`, 20000),
	} {
		f(fmt.Sprintf("%.60s", text), []byte(text), JSON)
	}
	if _, err := r.Traces(good, Encoding(7)); err == nil {
		t.Error("an encoding that there is not was taken")
	}
	for what, text := range map[string]string{
		"an empty object": `{}`, "null for a list": ` {"resourceSpans": null}`, "null for a value": `{"resourceSpans":[{"resource":null,"scopeSpans":[{"spans":[{"attributes":[{"key":"gen_ai.system","value":null}]}]}]}]}`,
	} {
		if b, err := r.Traces([]byte(text), JSON); err != nil || len(b.Uses) != 0 {
			t.Errorf("%s: %+v, %v", what, b, err)
		}
	}
}

// The resource may follow its scopes, in both encodings, and escapes in JSON
// are read.
func TestOrderAndEscapes(t *testing.T) {
	half := func(m proto.Message) []byte { return encode(t, m, Protobuf) }
	scopes := half(&tracepb.ResourceSpans{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span(start, "gen_ai.system", "openai")}}}})
	group := slices.Concat(scopes, half(&tracepb.ResourceSpans{Resource: resource("service.name", "late")}))
	data := append(binary.AppendUvarint([]byte{0x0a}, uint64(len(group))), group...)
	r := NewReader(DefaultLimits())
	b, err := r.Traces(data, Protobuf)
	if err != nil || len(b.Uses) != 1 || b.Uses[0].Service != "late" {
		t.Errorf("%+v, %v", b, err)
	}
	text := ` {"other": [1, -2.5e3, "\"}", {"x": [true, false, null]}], "resourceSpans": [ {"scopeSpans": [ {"spans": [ {"startTimeUnixNano": "17", "attributes":
		[ {"key": "gen_ai.s\u0079stem", "value": {"stringValue": "op\u0065nai"}}, {"key": "server.address", "value": {"stringValue": "a.example"}}, {"key": "server.port", "value": {"intValue": "443"}} ] } ] } ],
		"resource": {"attributes": [ {"value": {"stringValue": "l\u0061te"}, "key": "service.name"} ]}} ] } `
	b, err = r.Traces([]byte(text), JSON)
	if err != nil || len(b.Uses) != 1 || b.Uses[0].Service != "late" || b.Uses[0].Provider != "openai" || b.Uses[0].Port != 443 || b.Uses[0].First.UnixNano() != 17 {
		t.Errorf("%+v, %v", b, err)
	}
}

// A value that is given twice, or as two types, is what protobuf says it is.
func TestLastOfOneofCounts(t *testing.T) {
	text := func(s string) []byte {
		data, err := proto.Marshal(&commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	f := func(value []byte, want string) {
		t.Helper()
		b := NewReader(DefaultLimits()).Builder()
		pair := append([]byte{0x12}, binary.AppendUvarint(nil, uint64(len(value)))...)
		pair = append(append(pair, value...), append([]byte{0x0a, 13}, "gen_ai.system"...)...) // the key after the value
		if err := b.readAttribute(pair, &b.record, false); err != nil || string(b.record.text[fieldProvider]) != want {
			t.Errorf("%q, %v, want %q", b.record.text[fieldProvider], err, want)
		}
	}
	f(append(text("a"), text("b")...), "b")
	f(append(text("a"), 0x10, 1), "") // bool_value after it
	f(append([]byte{0x10, 1}, text("b")...), "b")
	f(nil, "")
}

func TestBuilder(t *testing.T) {
	pairs := func(list ...string) Attributes {
		return func(yield func(key, text string) bool) {
			for i := 0; i < len(list); i += 2 {
				if !yield(list[i], list[i+1]) {
					return
				}
			}
		}
	}
	b := NewReader(DefaultLimits()).Builder()
	b.Resource(pairs("service.name", "shop"))
	now := time.Unix(0, start).UTC()
	named := []bool{
		b.Record(pairs("gen_ai.system", "openai", "server.address", "localhost", "server.port", "8080"), now),
		b.Record(pairs("gen_ai.system", "openai", "server.address", "localhost", "server.port", "8080"), time.Time{}),
		b.Record(pairs("gen_ai.usage.input_tokens", "5"), now),
		b.Record(pairs("x", "y"), now),
	}
	if diff := cmp.Diff([]bool{true, true, false, false}, named); diff != "" {
		t.Error(diff)
	}
	want := Batch{
		Stats: Stats{Records: 4, Named: 2, Unnamed: 1, Foreign: 1},
		Uses:  []Use{{Count: 2, First: now, Last: now, Application: signatures.Application{Provider: "openai", Service: "shop", Server: "localhost", Port: 8080}}},
	}
	if diff := cmp.Diff(want, b.Batch()); diff != "" {
		t.Error(diff)
	}
}

func TestStatsAdd(t *testing.T) {
	var sum, one Stats
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		v.Field(i).SetUint(uint64(i + 1))
	}
	sum.Add(one)
	sum.Add(one)
	v = reflect.ValueOf(sum)
	for i := range v.NumField() {
		if v.Field(i).Uint() != uint64(2*(i+1)) {
			t.Errorf("%s is not added", v.Type().Field(i).Name)
		}
	}
}
