package signatures

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func applicationSet(t testing.TB) *Set {
	t.Helper()
	set, err := Compile([]Signature{
		sign("acme.api", func(s *Signature) {
			s.Kind, s.Confidence = AssetService, 90
			s.Hosts = []HostRule{hostRule(HostExact, "api.acme.test"), {Value: "shared.test", Match: HostExact, Role: RoleAPI, Shared: true}}
			s.Paths = []PathRule{{Suffix: "/acme/chat"}}
			s.Ports = []PortRule{{Port: 4000}}
			s.GenAIProviders = []string{"acme", "acme.ai"}
		}),
		sign("rival.api", func(s *Signature) {
			s.Kind, s.Confidence = AssetService, 80
			s.Hosts = []HostRule{hostRule(HostSuffix, "rival.test")}
		}),
		sign("local.runtime", func(s *Signature) {
			s.Kind, s.Confidence = AssetRuntime, 95
			s.Ports = []PortRule{{Port: 11434}}
			s.GenAIProviders = []string{"local"}
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestMatchApplication(t *testing.T) {
	set := applicationSet(t)
	type match struct {
		ID         string
		Confidence uint8
		Evidence   []string
	}
	f := func(what, provider, server string, port uint16, want ...match) {
		t.Helper()
		o := Observation{Kind: KindApplication, Name: server, NameEvidence: EvidenceGenAIServer, Application: Application{Provider: provider, Server: server, Port: port}}
		var got []match
		for _, m := range set.Match(&o, nil) {
			g := match{ID: m.Signature.ID, Confidence: m.Confidence}
			for _, h := range m.Evidence() {
				text := string(h.Evidence) + "=" + h.Value + " by " + h.Selector
				if h.Weak {
					text += " (weak)"
				}
				g.Evidence = append(g.Evidence, text)
			}
			got = append(got, g)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	f("the name alone", "Acme", "", 0, match{"acme.api", 90, []string{"gen_ai.provider=Acme by gen_ai provider acme"}})
	f("the server alone", "", "api.acme.test", 0, match{"acme.api", 90, []string{"gen_ai.server=api.acme.test by host exact api.acme.test"}})
	f("both", "acme.ai", "api.acme.test", 443, match{"acme.api", 90, []string{
		"gen_ai.server=api.acme.test by host exact api.acme.test", "gen_ai.provider=acme.ai by gen_ai provider acme.ai",
	}})
	f("the server decides where another's interface is spoken", "acme", "llm.rival.test", 0,
		match{"rival.api", 80, []string{"gen_ai.server=llm.rival.test by host suffix rival.test"}})
	f("a shared host with the name", "acme", "shared.test", 0, match{"acme.api", 90, []string{"gen_ai.provider=acme by gen_ai provider acme"}})
	f("a shared host without it", "other", "shared.test", 0)
	f("the name beside a server that nobody knows", "acme", "llm.corp.test", 0)
	f("and its port", "acme", "llm.corp.test", 4000, match{"acme.api", 60, []string{"gen_ai.provider=acme by gen_ai provider acme (weak)", "net.port=4000 by port 4000 (weak)"}})
	f("a runtime runs anywhere", "local", "gpu-3.corp.test", 11434, match{"local.runtime", 95, []string{
		"gen_ai.provider=local by gen_ai provider local", "net.port=11434 by port 11434 (weak)",
	}})
	f("a name that is not known", "nobody", "", 0)
	f("the beginning of a name", "acm", "", 0)
	f("a name too long", "acme-acme-acme-acme-acme-acme-acme-acme-acme-acme-acme-acme-acme-acme", "", 0)
	f("nothing", "", "", 0)
}

func TestMatchApplicationAllocatesNothing(t *testing.T) {
	set := applicationSet(t)
	o := Observation{Kind: KindApplication, Name: "llm.corp.test", Application: Application{Provider: "Acme", Port: 4000}}
	into := make([]Match, 0, MaxMatches)
	if n := testing.AllocsPerRun(100, func() { into = set.Match(&o, into[:0]) }); n != 0 || len(into) != 1 {
		t.Errorf("%v allocations, %d matches", n, len(into))
	}
}

func TestCompileRefusesProviderNames(t *testing.T) {
	for _, name := range []string{"", "Acme", string(make([]byte, 64))} {
		if _, err := Compile([]Signature{sign("acme.api", func(s *Signature) { s.GenAIProviders = []string{name} })}); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

func TestApplicationExamples(t *testing.T) {
	for _, e := range []Example{
		{GenAIProvider: "acme", Path: "/x"},
		{GenAIProvider: "acme", Method: "GET"},
		{GenAIProvider: "acme", Process: "python3"},
		{GenAIProvider: "acme", Format: "gguf"},
		{GenAIProvider: "acme", Host: "no host"},
		{GenAIProvider: "acme", Ports: []uint16{1, 2}},
	} {
		if _, err := ObservationFor(e); err == nil {
			t.Errorf("%+v was taken", e)
		}
	}
	o, err := ObservationFor(Example{GenAIProvider: "acme", Host: "API.acme.test", Ports: []uint16{8443}})
	if err != nil || o.Kind != KindApplication || o.Name != "api.acme.test" || o.Application.Port != 8443 || o.Application.Provider != "acme" {
		t.Errorf("%+v, %v", o, err)
	}
}
