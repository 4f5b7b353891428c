package sigtest

import (
	"os"
	"strings"
	"testing"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/publicsuffix"
)

// TestCatalogue fails the build where a shipped signature cannot fire or fires
// on a stranger.
func TestCatalogue(t *testing.T) {
	list, err := signatures.Load(os.DirFS("../catalogue"))
	if err != nil {
		t.Fatalf("the catalogue does not load:\n%v", err)
	}
	for _, p := range Run(list) {
		t.Error(p)
	}
	for _, p := range Examples(list) {
		t.Errorf("of the examples alone: %v", p)
	}
}

// TestCatalogueHasNoPublicSuffix holds the suffix rules against the whole Public
// Suffix List, of which package signatures knows the common part.
func TestCatalogueHasNoPublicSuffix(t *testing.T) {
	list, err := signatures.Load(os.DirFS("../catalogue"))
	if err != nil {
		t.Fatal("the catalogue does not load; TestCatalogue says why")
	}
	for i := range list {
		for _, h := range list[i].Hosts {
			suffix, icann := publicsuffix.PublicSuffix(h.Value)
			if h.Match == signatures.HostSuffix && suffix == h.Value && icann {
				t.Errorf("%s:%d: %s: registries hand out names below %s", list[i].File, list[i].Line, list[i].ID, h.Value)
			}
		}
	}
}

func TestBenignNames(t *testing.T) {
	names := BenignNames()
	if len(names) < 2000 {
		t.Errorf("only %d names", len(names))
	}
	seen := map[string]bool{}
	for _, name := range names {
		if got, ok := signatures.NormalizeHost(name); !ok || got != name {
			t.Errorf("%q is not in normal form", name)
		}
		if seen[name] {
			t.Errorf("%q is given twice", name)
		}
		seen[name] = true
	}
}

// good is a signature in which Run finds nothing wrong.
func good() signatures.Signature {
	return signatures.Signature{
		ID: "acme.api", Name: "Acme API", Kind: signatures.AssetService, Status: "active", Confidence: 90, File: "acme.yaml", Line: 4,
		Hosts: []signatures.HostRule{{Value: "api.acme.test", Match: signatures.HostExact, Role: signatures.RoleAPI}},
		Tests: signatures.Tests{
			Positive: []signatures.Example{{Host: "api.acme.test"}},
			Negative: []signatures.Example{{Host: "www.acme.test"}},
		},
	}
}

func TestRun(t *testing.T) {
	f := func(name string, want []string, edits ...func(*signatures.Signature)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			var list []signatures.Signature
			for _, edit := range edits {
				s := good()
				edit(&s)
				list = append(list, s)
			}
			var got []string
			for _, p := range Run(list) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	same := func(*signatures.Signature) {}
	host := func(match signatures.HostMatch, value string) signatures.HostRule {
		return signatures.HostRule{Value: value, Match: match, Role: signatures.RoleAPI}
	}
	off := false

	f("good", nil, same)
	f("id_twice", []string{"compiling signatures: the id acme.api is given twice (acme.yaml and acme.yaml)"}, same, same)
	f("positive_of_nobody", []string{
		`acme.yaml:4: acme.api: the positive example {host: chat.acme.test} does not match; it gives no match`,
	}, func(s *signatures.Signature) {
		s.Tests.Positive = append(s.Tests.Positive, signatures.Example{Host: "chat.acme.test"})
	})
	f("positive_of_another", []string{
		`acme.yaml:4: acme.all: the positive example {host: api.acme.test} also matches acme.api (tls.sni=api.acme.test by the rule "host exact api.acme.test"); narrow one of the two, or list the other in tests.shares`,
		`acme.yaml:4: acme.api: the positive example {host: api.acme.test} also matches acme.all (tls.sni=api.acme.test by the rule "host exact api.acme.test"); narrow one of the two, or list the other in tests.shares`,
	}, same, func(s *signatures.Signature) { s.ID = "acme.all" })
	f("shared", nil, same, func(s *signatures.Signature) { s.ID, s.Tests.Shares = "acme.all", []string{"acme.api"} })
	f("hidden", []string{
		`acme.yaml:4: acme.all: the positive example {host: api.acme.test} also matches acme.api (tls.sni=api.acme.test by the rule "host exact api.acme.test"); narrow one of the two, or list the other in tests.shares`,
		`acme.yaml:4: acme.all: the positive example {host: api.acme.test} does not match; it gives acme.api (tls.sni=api.acme.test by the rule "host exact api.acme.test")`,
		`acme.yaml:4: acme.all: the rule "host suffix acme.test" never shows as evidence: give a positive example that hits it alone, or drop it, for other rules hide it`,
	}, same, func(s *signatures.Signature) {
		s.ID, s.Hosts, s.Tests.Negative = "acme.all", []signatures.HostRule{host(signatures.HostSuffix, "acme.test")}, nil
	})
	f("hidden_by_itself", []string{
		`acme.yaml:4: acme.api: the rule "file ~/.acme/config.json" never shows as evidence: give a positive example that hits it alone, or drop it, for other rules hide it`,
	}, func(s *signatures.Signature) {
		s.Files = []signatures.FileRule{{Path: ".acme/config.json", Kind: "config"}, {Path: "~/.acme/config.json", Kind: "config"}}
		s.Tests.Positive = append(s.Tests.Positive, signatures.Example{File: "~/.acme/config.json"})
	})
	f("negative_matches", []string{
		`acme.yaml:4: acme.api: the negative example {host: api.acme.test} matches (tls.sni=api.acme.test by the rule "host exact api.acme.test"); narrow that rule`,
	}, func(s *signatures.Signature) { s.Tests.Negative = s.Tests.Positive })
	f("example_of_no_use", []string{
		`acme.yaml:4: acme.api: the example {host: a b} is of no use: "a b" is no host name`,
	}, func(s *signatures.Signature) {
		s.Tests.Positive = append(s.Tests.Positive, signatures.Example{Host: "a b"})
	})
	f("stranger", []string{
		`acme.yaml:4: acme.api: the name www.wikipedia.org, which is no AI, matches (tls.sni=www.wikipedia.org by the rule "host exact www.wikipedia.org"); narrow that rule`,
	}, func(s *signatures.Signature) {
		s.Hosts = append(s.Hosts, host(signatures.HostExact, "www.wikipedia.org"))
		s.Tests.Positive = append(s.Tests.Positive, signatures.Example{Host: "www.wikipedia.org"})
	})
	f("stranger_program", []string{
		`acme.yaml:4: acme.api: the example {process: vim, arguments: [vim notes-about-openai.txt]}, which is no AI, matches (process.name=vim by the rule "process vim"); narrow that rule`,
		`acme.yaml:4: acme.api: the example {process: vim, arguments: [vim], ports: [80 443 3000 5000 7860 8000 8080 8888 9090]}, which is no AI, matches (process.name=vim by the rule "process vim"); narrow that rule`,
		`acme.yaml:4: acme.api: the example {process: vim, arguments: [vim]}, which is no AI, matches (process.name=vim by the rule "process vim"); narrow that rule`,
	}, func(s *signatures.Signature) {
		s.Processes = []signatures.ProcessRule{{Name: "vim"}}
		s.Tests.Positive = append(s.Tests.Positive, signatures.Example{Process: "vim"})
	})
	f("disabled_fails_its_own", []string{
		`acme.yaml:4: acme.api: the positive example {host: x.acme.test} does not match; it gives no match`,
	}, func(s *signatures.Signature) {
		s.Enabled, s.Tests.Positive = &off, []signatures.Example{{Host: "x.acme.test"}}
	})
	f("disabled_harms_nobody", nil, same, func(s *signatures.Signature) { s.ID, s.Enabled = "acme.all", &off })
	f("wildcard", nil, func(s *signatures.Signature) {
		s.Hosts = []signatures.HostRule{host(signatures.HostWildcard, "*.api.acme.test"), host(signatures.HostWildcard, "run.*.acme.test")}
		s.Tests.Positive = []signatures.Example{{Host: "a.api.acme.test"}, {Host: "run.b.acme.test"}}
	})
	f("shared_host", nil, func(s *signatures.Signature) {
		s.Hosts[0].Shared, s.Paths = true, []signatures.PathRule{{Prefix: "/ai"}}
		s.Tests.Positive = []signatures.Example{{Host: "api.acme.test", Path: "/ai/x"}}
		s.Tests.Negative = []signatures.Example{{Host: "api.acme.test"}}
	})
}

// TestLookalikesAreNoMatches makes sure that the names near makes are really
// others' names: a matcher that compared text instead of labels takes them.
func TestLookalikesAreNoMatches(t *testing.T) {
	rule := signatures.HostRule{Value: "acme.test", Match: signatures.HostSuffix}
	var substring, suffix int
	for _, l := range near(&rule, rule.Value) {
		if strings.Contains(l.name, rule.Value) {
			substring++
		}
		if strings.HasSuffix(l.name, rule.Value) {
			suffix++
		}
		if l.name == rule.Value || strings.HasSuffix(l.name, "."+rule.Value) {
			t.Errorf("%s is meant by the rule", l.name)
		}
	}
	if substring < 4 || suffix < 2 {
		t.Errorf("%d look-alikes fool a substring match and %d a suffix match", substring, suffix)
	}
}
