package genai

import (
	"fmt"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// benchRequest is what an SDK sends of an instrumented application: 512 spans,
// of which one in four calls a model with its messages (2 KiB) beside it.
func benchRequest() *tracepb.TracesData {
	var list []*tracepb.Span
	for i := range 512 {
		if i%4 != 0 {
			list = append(list, span(start+uint64(i), "http.request.method", "GET", "url.full", "https://shop.example/cart?id=1", "http.response.status_code", 200,
				"server.address", "shop.example", "server.port", 443, "network.protocol.version", "1.1", "user_agent.original", "Mozilla/5.0", "thread.id", 12))
			continue
		}
		list = append(list, span(start+uint64(i), "gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai", "gen_ai.request.model", fmt.Sprint("gpt-", i%3),
			"gen_ai.response.model", "gpt-4o-2024-08-06", "gen_ai.response.id", "chatcmpl-123", "gen_ai.usage.input_tokens", 100, "gen_ai.usage.output_tokens", 200,
			"gen_ai.request.max_tokens", 1000, "server.address", "api.openai.com", "server.port", 443,
			"gen_ai.input.messages", strings.Repeat("content ", 128), "gen_ai.output.messages", strings.Repeat("content ", 128)))
	}
	return traces(resource("service.name", "shop", "host.name", "web-1", "telemetry.sdk.language", "python", "telemetry.sdk.name", "opentelemetry"), list...)
}

func benchmark(b *testing.B, e Encoding, read func([]byte) error) {
	data := encode(b, benchRequest(), e)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := read(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}

func BenchmarkProtobuf(b *testing.B) {
	r := NewReader(DefaultLimits())
	benchmark(b, Protobuf, func(data []byte) error { _, err := r.Traces(data, Protobuf); return err })
}

func BenchmarkJSON(b *testing.B) {
	r := NewReader(DefaultLimits())
	benchmark(b, JSON, func(data []byte) error { _, err := r.Traces(data, JSON); return err })
}

// BenchmarkLibrary is what the protobuf library takes to decode the same
// request, before anything is looked at: the price of not reading the wire.
func BenchmarkLibrary(b *testing.B) {
	benchmark(b, Protobuf, func(data []byte) error { return proto.Unmarshal(data, new(tracepb.TracesData)) })
}

// What is read allocates for what is new in a request, not for each span.
func TestAllocations(t *testing.T) {
	r := NewReader(DefaultLimits())
	data := encode(t, benchRequest(), Protobuf)
	if n := testing.AllocsPerRun(20, func() { _, _ = r.Traces(data, Protobuf) }); n > 60 {
		t.Errorf("%v allocations for 512 spans of 3 uses", n)
	}
}
