package genai

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

func shippedSet(t *testing.T) *signatures.Set {
	t.Helper()
	list, err := signatures.Load(catalogue.Files)
	if err != nil {
		t.Fatal(err)
	}
	set, err := signatures.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func fill(t *testing.T, set *signatures.Set, u Use) finding.Finding {
	t.Helper()
	o := u.Observation()
	matches := Match(set, &o, nil)
	if len(matches) != 1 {
		t.Fatalf("%d matches", len(matches))
	}
	var f finding.Finding
	Fill(&f, &o, &matches[0])
	return f
}

func TestFindingOfAKnownService(t *testing.T) {
	got := fill(t, shippedSet(t), Use{Count: 3, Application: signatures.Application{
		Provider: "OpenAI", Model: "gpt-4o-2024-08-06", AskedModel: "gpt-4o", Operation: "chat", Server: "api.openai.com", Port: 443,
		Agent: "Planner", ToolType: "function", Service: "shop", ServiceNamespace: "web", Instance: "i-1", Host: "web-1", Container: "c0ffee", Namespace: "prod", Pod: "shop-7d", Node: "n3",
	}})
	want := finding.Finding{
		Sensor: "application", Confidence: 95, PeerName: "api.openai.com", PeerPort: 443, ProcessName: "shop", Container: "c0ffee",
		Model: finding.Model{Name: "gpt-4o-2024-08-06"},
		Asset: finding.Asset{
			Key: "openai.api", SignatureID: "openai.api", Kind: "service", Name: "OpenAI API", Provider: "openai", Country: "US",
			Categories: []string{"api_llm", "embedding", "image", "audio"}, Role: "api", Status: "active",
		},
		Evidence: []finding.Evidence{
			{Kind: "gen_ai.server", Value: "api.openai.com", Selector: "host exact api.openai.com"},
			{Kind: "gen_ai.provider", Value: "OpenAI", Selector: "gen_ai provider openai"},
			{Kind: "gen_ai.model", Value: "gpt-4o-2024-08-06", Weak: true},
			{Kind: "gen_ai.agent", Value: "Planner", Weak: true},
		},
		Attributes: map[string]string{
			"service.name": "shop", "service.namespace": "web", "host.name": "web-1", "k8s.namespace.name": "prod", "k8s.pod.name": "shop-7d", "k8s.node.name": "n3",
			"gen_ai.operation.name": "chat", "gen_ai.agent.name": "Planner", "gen_ai.tool.type": "function", "gen_ai.request.model": "gpt-4o",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFindingOfTheUnknown(t *testing.T) {
	set := shippedSet(t)
	f := func(a signatures.Application, key, kind, name string, evidence ...string) finding.Finding {
		t.Helper()
		got := fill(t, set, Use{Count: 1, Application: a})
		var kinds []string
		for _, e := range got.Evidence {
			kinds = append(kinds, e.Kind+"="+e.Value)
		}
		if !strings.HasPrefix(got.Asset.Key, key) || got.Asset.Kind != kind || got.Asset.Name != name || got.Asset.SignatureID != "" || got.Asset.Provider != "" || got.Confidence != 60 {
			t.Errorf("%+v, confidence %d", got.Asset, got.Confidence)
		}
		if diff := cmp.Diff(evidence, kinds); diff != "" {
			t.Errorf("%s: evidence (-want +got):\n%s", name, diff)
		}
		return got
	}
	// The server goes before the name: here the interface of a known service is imitated.
	f(signatures.Application{Provider: "openai", AskedModel: "llama-3", Server: "llm.corp.example"},
		"llm.corp.example", "service", "openai at llm.corp.example", "gen_ai.provider=openai", "gen_ai.server=llm.corp.example", "gen_ai.model=llama-3")
	one := f(signatures.Application{Provider: "in-house", Service: "a", Host: "h1"}, "unknown:", "service", "in-house", "gen_ai.provider=in-house")
	two := f(signatures.Application{Provider: "in-house", AskedModel: "m", Service: "b", Host: "h2"}, "unknown:", "service", "in-house", "gen_ai.provider=in-house", "gen_ai.model=m")
	if one.Asset.Key != two.Asset.Key {
		t.Errorf("two services use one provider, and it has two keys: %s, %s", one.Asset.Key, two.Asset.Key)
	}
	other := f(signatures.Application{Provider: "in-house", Server: "127.0.0.1", Port: 8080}, "unknown:", "service", "in-house at 127.0.0.1", "gen_ai.provider=in-house", "gen_ai.server=127.0.0.1")
	if other.Asset.Key == one.Asset.Key {
		t.Error("another server is the same unknown asset")
	}
	f(signatures.Application{AskedModel: "gpt-4o"}, "unknown:", "service", "unknown service with model gpt-4o", "gen_ai.model=gpt-4o")
	f(signatures.Application{MCPMethod: "tools/call", Server: "mcp.corp.example"}, "mcp.corp.example", "mcp_server", "MCP server at mcp.corp.example", "mcp.method=tools/call", "gen_ai.server=mcp.corp.example")
	f(signatures.Application{Agent: "Planner"}, "unknown:", "agent", "Planner", "gen_ai.agent=Planner")
}

func TestFillKeepsTheProcess(t *testing.T) {
	u := Use{Count: 1, Application: signatures.Application{Provider: "openai", Service: "shop", Container: "said"}}
	o := u.Observation()
	f := finding.Finding{ProcessName: "python3", Container: "seen"}
	Fill(&f, &o, &Match(shippedSet(t), &o, nil)[0])
	if f.ProcessName != "python3" || f.Container != "seen" || f.Attributes["service.name"] != "shop" {
		t.Errorf("%+v", f)
	}
}

func TestIsDomain(t *testing.T) {
	for name, want := range map[string]bool{"llm.corp.example": true, "": false, "localhost": false, "gpu": false, "10.0.0.1": false, "::1": false, "x.localhost": false, "printer.local": false} {
		if isDomain(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestSettle(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := func(first, last, wantFirst, wantLast time.Time, want bool) {
		t.Helper()
		u := Use{First: first, Last: last}
		if got := u.Settle(now, time.Hour, time.Minute); got != want || !u.First.Equal(wantFirst) || !u.Last.Equal(wantLast) {
			t.Errorf("%v to %v: %v to %v, %v", first, last, u.First, u.Last, got)
		}
	}
	good := now.Add(-time.Minute)
	f(good, now, good, now, false)
	f(time.Time{}, time.Time{}, now, now, false)
	f(now.Add(-2*time.Hour), good, now, good, true)
	f(good, now.Add(time.Hour), good, now, true)
}
