package genai

import (
	"fmt"
	"strings"
	"testing"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// contentKeys are attributes that hold content, persons or sessions in the
// conventions of Keys.
func contentKeys() []string {
	return []string{
		"gen_ai.prompt", "gen_ai.completion", "gen_ai.prompt.0.content", "gen_ai.completion.0.content",
		"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
		"gen_ai.tool.definitions", "gen_ai.tool.description", "gen_ai.tool.call.id", "gen_ai.agent.description", "gen_ai.agent.id", "gen_ai.conversation.id",
		"gen_ai.data_source.id", "gen_ai.retrieval.documents", "gen_ai.retrieval.query.text", "gen_ai.evaluation.explanation", "gen_ai.response.id",
		"gen_ai.request.stop_sequences", "gen_ai.openai.api_base",
		"input.value", "output.value", "llm.input_messages.0.message.content", "llm.output_messages.0.message.content", "llm.prompts", "llm.invocation_parameters",
		"llm.prompt_template.variables", "retrieval.documents.0.document.content", "tool.parameters", "metadata", "session.id", "user.id", "enduser.id",
		"llm.prompts.0.content", "llm.completions.0.content", "traceloop.entity.input", "traceloop.entity.output", "traceloop.association.properties.user_id",
		"ai.prompt", "ai.prompt.messages", "ai.response.text", "ai.response.object", "ai.toolCall.args", "ai.toolCall.result", "ai.telemetry.metadata.userId", "ai.request.headers.authorization",
		"langsmith.metadata.user_id", "langsmith.trace.name", "mcp.session.id", "mcp.resource.uri", "url.full", "url.query", "http.request.header.authorization",
	}
}

const secret = "s3cr3t-c0nt3nt"

// secretSpan has the secret everywhere but in the attributes that are read.
func secretSpan() *tracepb.Span {
	s := span(start, "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o", "server.address", "https://"+secret+"@api.openai.com/"+secret)
	for i, key := range contentKeys() {
		value := any(secret)
		if i%3 == 1 {
			value = listOf(secret, "x")
		} else if i%3 == 2 {
			value = &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte(secret)}}
		}
		s.Attributes = append(s.Attributes, attrs(key, value)...)
	}
	s.Name, s.TraceState = "chat "+secret, "k="+secret
	s.Status = &tracepb.Status{Code: 2, Message: secret}
	s.Events = []*tracepb.Span_Event{{Name: "gen_ai.user.message", Attributes: attrs("content", secret, "gen_ai.prompt", secret, "gen_ai.system", secret)}}
	s.Links = []*tracepb.Span_Link{{TraceState: secret, Attributes: attrs("gen_ai.system", secret)}}
	return s
}

// Content never gets out: not into uses, nor findings, nor errors.
func TestContentIsNeverRead(t *testing.T) {
	request := traces(resource("service.name", "shop", "secret", secret, "process.command_line", secret), secretSpan())
	request.ResourceSpans[0].ScopeSpans[0].Scope = &commonpb.InstrumentationScope{Name: secret, Version: secret, Attributes: attrs("gen_ai.system", secret)}
	record := &logspb.LogRecord{
		TimeUnixNano: start, EventName: secret, SeverityText: secret, Attributes: secretSpan().GetAttributes(),
		Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: attrs("gen_ai.system", secret, "content", secret)}}},
	}
	set, err := signatures.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, b Batch) {
		if len(b.Uses) != 1 || b.Uses[0].Provider != "openai" || b.Uses[0].Server != "api.openai.com" {
			t.Fatalf("the test proves nothing: %+v", b)
		}
		o := b.Uses[0].Observation()
		var f finding.Finding
		Fill(&f, &o, &Match(set, &o, nil)[0])
		for _, text := range []string{fmt.Sprintf("%+v", b), fmt.Sprintf("%+v", f)} {
			if strings.Contains(text, secret) {
				t.Errorf("content was read: %s", text)
			}
		}
	}
	readBoth(t, request, check)
	readBoth(t, logs(request.GetResourceSpans()[0].GetResource(), record), check)
	r := NewReader(DefaultLimits())
	for _, e := range []Encoding{Protobuf, JSON} {
		data := encode(t, request, e)
		for cut := len(data) - 1; cut > 0; cut -= 7 {
			if _, err := r.Traces(data[:cut], e); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("an error holds content: %v", err)
			}
		}
	}
}

// No key that is looked at is one of those that hold content.
func TestKeysHoldNoContent(t *testing.T) {
	for _, content := range contentKeys() {
		for _, key := range Keys() {
			if key.Name == content {
				t.Errorf("%s is looked at", content)
			}
		}
	}
}
