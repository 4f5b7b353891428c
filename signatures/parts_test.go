package signatures

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPartsPutTogetherAreTheList(t *testing.T) {
	t.Parallel()
	off := false
	list := []Signature{
		sign("acme.api", func(s *Signature) {
			s.Notes, s.File, s.Line = "a note", "acme.yaml", 7
			s.Sources = []Source{{URL: "https://acme.test/", Checked: "2026-01-31", Note: "seen"}}
			s.Hosts = []HostRule{{Value: "api.acme.test", Match: HostExact, Role: RoleAPI}}
			s.Tests = Tests{Shares: []string{"acme.off"}, Positive: []Example{{Host: "api.acme.test"}}, Negative: []Example{{Host: "acme.test"}}}
		}),
		sign("acme.off", func(s *Signature) { s.Enabled = &off }),
	}
	var got []Signature
	for _, part := range Parts() {
		data, err := part.Encode(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := part.Decode(data, &got); err != nil {
			t.Fatal(err)
		}
		if part == PartRules && (len(got[0].Sources) > 0 || got[0].Notes != "" || len(got[0].Tests.Positive) > 0 || len(got[0].Tests.Shares) != 1 || got[0].File != "") {
			t.Errorf("the rules carry more than rules: %+v", got[0])
		}
	}
	if diff := cmp.Diff(list, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("put together (-list +parts):\n%s", diff)
	}
}

func TestVersionIsOfTheRulesAlone(t *testing.T) {
	t.Parallel()
	base := func(more ...func(*Signature)) []Signature {
		sig := sign("acme.api", func(s *Signature) { s.Hosts = []HostRule{{Value: "api.acme.test", Match: HostExact, Role: RoleAPI}} })
		for _, change := range more {
			change(&sig)
		}
		return []Signature{sig}
	}
	version := func(list []Signature) string {
		v, err := Version(list)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := version(base())
	off := false
	disabled := sign("acme.off", func(s *Signature) { s.Enabled = &off })
	for name, list := range map[string][]Signature{
		"a source":             base(func(s *Signature) { s.Sources = []Source{{URL: "https://other.test/"}} }),
		"a note":               base(func(s *Signature) { s.Notes = "new" }),
		"a share":              base(func(s *Signature) { s.Tests.Shares = []string{"b.c"} }),
		"an example":           base(func(s *Signature) { s.Tests.Positive = append(s.Tests.Positive, Example{Host: "x.test"}) }),
		"another file":         base(func(s *Signature) { s.File, s.Line = "other.yaml", 9 }),
		"one more that is off": append(base(), disabled),
		"another order":        append([]Signature{disabled}, base()...),
	} {
		if got := version(list); got != want {
			t.Errorf("%s changes the version to %s", name, got)
		}
	}
	for name, list := range map[string][]Signature{
		"a host":       base(func(s *Signature) { s.Hosts[0].Value = "llm.acme.test" }),
		"a role":       base(func(s *Signature) { s.Hosts[0].Role = RoleCDN }),
		"a name":       base(func(s *Signature) { s.Name = "Other" }),
		"a confidence": base(func(s *Signature) { s.Confidence = 3 }),
		"a provider":   base(func(s *Signature) { s.Provider.Country = "FR" }),
		"one more":     append(base(), sign("acme.two", func(*Signature) {})),
	} {
		if got := version(list); got == want {
			t.Errorf("%s does not change the version", name)
		}
	}
}
