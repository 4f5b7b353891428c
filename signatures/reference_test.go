package signatures

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The reference matcher: every rule is tried on the labels of the name, one
// after another, and the best level is picked at the end. It shares no code with
// the index.

type refHit struct {
	id     string
	rule   HostRule
	labels int
	star   int // labels left of "*"; more than any where there is none
	exact  bool
}

func refCompare(r HostRule, name string) (refHit, bool) {
	want, got := strings.Split(r.Value, "."), strings.Split(name, ".")
	h := refHit{rule: r, labels: len(want), star: 1 << 20, exact: r.Match == HostExact}
	if len(got) < len(want) || r.Match != HostSuffix && len(got) != len(want) {
		return h, false
	}
	got = got[len(got)-len(want):]
	for i := range want {
		switch {
		case r.Match == HostWildcard && want[i] == "*":
			h.star = i
			if got[i] == "" {
				return h, false
			}
		case want[i] != got[i]:
			return h, false
		}
	}
	return h, true
}

// refBetter says whether a is on a more specific level than b (positive), on the
// same (0) or on a less specific one.
func refBetter(a, b refHit) int {
	switch {
	case a.exact != b.exact:
		return boolOrder(a.exact, b.exact)
	case a.labels != b.labels:
		return a.labels - b.labels
	case (a.star == 1<<20) != (b.star == 1<<20):
		return boolOrder(a.star == 1<<20, b.star == 1<<20)
	default:
		return b.star - a.star
	}
}

func refMatch(list []Signature, name string) []string {
	var hits []refHit
	for _, s := range list {
		if s.Enabled != nil && !*s.Enabled {
			continue
		}
		for _, r := range s.Hosts {
			if h, ok := refCompare(r, name); ok && !r.Shared { // no path is seen here
				h.id = s.ID
				hits = append(hits, h)
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b refHit) int { return refBetter(b, a) })
	var out []string
	for _, h := range hits {
		if refBetter(hits[0], h) == 0 {
			out = append(out, h.id+" "+string(h.rule.Match)+" "+h.rule.Value)
		}
	}
	slices.Sort(out)
	return out
}

func indexMatch(set *Set, name string) []string {
	o := Observation{Kind: KindTLS, Name: name, NameEvidence: EvidenceTLS}
	var out []string
	for _, m := range set.Match(&o, nil) {
		out = append(out, m.Signature.ID+" "+strings.TrimPrefix(m.Hits[0].Selector, "host "))
	}
	slices.Sort(out)
	return out
}

// drawName draws a name of few different labels, so that rules and names meet.
func drawName(t *rapid.T, label string, atLeast, atMost int) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "ab", "api", "x-y"}), atLeast, atMost).Draw(t, label), ".")
}

func drawRules(t *rapid.T) []Signature {
	var list []Signature
	seen := map[string]bool{}
	for i := range rapid.IntRange(0, 25).Draw(t, "rules") {
		r := HostRule{Role: RoleAPI, Shared: rapid.IntRange(0, 9).Draw(t, "shared") == 0}
		r.Match = rapid.SampledFrom([]HostMatch{HostExact, HostSuffix, HostWildcard}).Draw(t, "match")
		switch r.Match {
		case HostExact:
			r.Value = drawName(t, "value", 1, 5)
		case HostSuffix:
			r.Value = drawName(t, "value", 2, 5)
		default:
			labels := strings.Split(drawName(t, "value", 3, 6), ".")
			labels[rapid.IntRange(0, len(labels)-3).Draw(t, "star")] = "*"
			r.Value = strings.Join(labels, ".")
		}
		if key := string(r.Match) + r.Value; seen[key] && rapid.IntRange(0, 3).Draw(t, "twice") > 0 {
			continue // few rules twice, so that MaxMatches is not reached
		} else {
			seen[key] = true
		}
		s := sign(fmt.Sprintf("p.s%02d", i), func(s *Signature) { s.Hosts = []HostRule{r} })
		if rapid.IntRange(0, 9).Draw(t, "off") == 0 {
			off := false
			s.Enabled = &off
		}
		list = append(list, s)
	}
	return list
}

func TestMatchAgreesWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawRules(t)
		set, err := Compile(list)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			name := drawName(t, "name", 1, 7)
			want, got := refMatch(list, name), indexMatch(set, name)
			if len(want) > MaxMatches {
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-reference +index):\n%s", name, diff)
			}
		}
	})
}

// FuzzMatchHost holds the index against the reference for any name and any rule
// that passes the checks, beside a fixed set of rules.
func FuzzMatchHost(f *testing.F) {
	for _, name := range []string{"api.openai.com", "openai.com.evil.test", "notopenai.com", "bedrock-runtime.eu.amazonaws.com", "a.*.c.d", "..", ".com", "*.openai.azure.com"} {
		f.Add(name, "openai.com", uint8(1))
		f.Add(name, "*.*.com", uint8(2))
		f.Add(name, "a.*.c.d", uint8(2))
		f.Add(name, name, uint8(0))
	}
	fixed := []Signature{
		sign("f.a", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostExact, "api.openai.com")} }),
		sign("f.b", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostSuffix, "openai.com")} }),
		sign("f.c", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostWildcard, "bedrock-runtime.*.amazonaws.com")} }),
		sign("f.d", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostWildcard, "*.openai.azure.com")} }),
		sign("f.e", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostWildcard, "a.*.c.d")} }),
		sign("f.f", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostWildcard, "*.b.c.d")} }),
	}
	f.Fuzz(func(t *testing.T, name, value string, kind uint8) {
		list := slices.Clone(fixed)
		rule := hostRule([]HostMatch{HostExact, HostSuffix, HostWildcard}[kind%3], value)
		if checkHostValue(rule.Value, rule.Match) == nil {
			list = append(list, sign("f.z", func(s *Signature) { s.Hosts = []HostRule{rule} }))
		}
		set, err := Compile(list)
		if err != nil {
			t.Fatal(err)
		}
		host, ok := NormalizeHost(name)
		if !ok {
			// Not to be given to Match; it must not break on it all the same.
			o := Observation{Kind: KindTLS, Name: name}
			set.Match(&o, nil)
			return
		}
		if diff := cmp.Diff(refMatch(list, host), indexMatch(set, host)); diff != "" {
			t.Fatalf("%q with rule %s %q (-reference +index):\n%s", host, rule.Match, rule.Value, diff)
		}
	})
}

// FuzzPaths holds the path index against trying every rule, and the file index
// against trying every pattern.
func FuzzPaths(f *testing.F) {
	f.Add("/v1/chat/completions", "/chat/completions", "/home/a/.ollama/models")
	f.Add("/model/x/invoke/", "/model/*/invoke", `C:\Users\a\.ollama`)
	f.Add("//", "/*b*/c*", "/x/.claude/settings.json/")
	f.Fuzz(func(t *testing.T, path, suffix, file string) {
		rule := PathRule{Suffix: suffix, AnyHost: true}
		if strings.Trim(suffix, "/") == "" {
			return
		}
		set := mustCompile(t,
			sign("p.a", func(s *Signature) { s.Paths = []PathRule{rule} }),
			sign("p.b", func(s *Signature) {
				s.Files = []FileRule{{Path: "~/.ollama", Kind: "store"}, {Path: ".claude/settings.json", Kind: "config"}, {Path: "/opt/*/x*", Kind: "binary"}}
			}))
		compiled := compilePath(&rule)
		o := Observation{Kind: KindHTTP, Path: path}
		if got, want := len(set.Match(&o, nil)) == 1, compiled.match("", path); got != want {
			t.Fatalf("%q on %q: the index says %v, the rule %v", suffix, path, got, want)
		}
		o = Observation{Kind: KindFile, File: File{Path: file}}
		want := false
		windows := isWindowsPath(file)
		for i := range set.signatures[1].Files {
			r := compileFile(1, &set.signatures[1].Files[i])
			for level := trimFolder(file, windows); level != ""; level, _ = lastSegment(level, windows) {
				want = want || r.pattern.match(level, windows, windows)
				if !r.coversBelow() {
					break
				}
			}
		}
		if got := len(set.Match(&o, nil)) == 1; got != want {
			t.Fatalf("%q: the index says %v, the rules %v", file, got, want)
		}
	})
}

func TestMatchSegment(t *testing.T) {
	f := func(pattern, segment string, fold, want bool) {
		t.Helper()
		if got := matchSegment(pattern, segment, fold); got != want {
			t.Errorf("%q on %q: %v", pattern, segment, got)
		}
	}
	f("a", "a", false, true)
	f("a", "A", false, false)
	f("a", "A", true, true)
	f("*", "", false, true)
	f("*", "abc", false, true)
	f("a*c", "abc", false, true)
	f("a*c", "ac", false, true)
	f("a*a", "a", false, false)
	f("*:generate", "gemini-pro:generate", false, true)
	f("models--*--*", "models--org--name", false, true)
	f("models--*--*", "models--org", false, false)
	f("a*b*c", "aXbYbZc", false, true)
	f("a*b*c", "acb", false, false)
	f("A*B", "axxb", true, true)
}
