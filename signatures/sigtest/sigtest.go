package sigtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Problem is one thing that a catalogue gets wrong.
type Problem struct {
	Signature string // id; "" where the catalogue as a whole is meant
	File      string // where the signature was loaded from, "" where it is not known
	Line      int
	Message   string // in plain words: what happened, and what to do about it
}

// String returns "file:line: id: message", without the parts that are not known.
func (p Problem) String() string {
	s := p.Message
	if p.Signature != "" {
		s = p.Signature + ": " + s
	}
	if p.File != "" {
		s = fmt.Sprintf("%s:%d: %s", p.File, p.Line, s)
	}
	return s
}

// Run checks a catalogue that Load has taken. The result is empty where all is
// well, else ordered by file, line and message.
func Run(list []signatures.Signature) []Problem {
	set, err := signatures.Compile(list)
	if err != nil {
		return []Problem{{Message: err.Error()}}
	}
	r := &runner{set: set}
	for i := range set.Signatures() {
		sig := &set.Signatures()[i]
		if !sig.IsEnabled() {
			r.disabled(sig)
			continue
		}
		r.examples(set, sig, true)
		r.fires(sig)
		r.lookalikes(sig)
	}
	r.benign()
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Signature, b.Signature), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(r.problems)
}

// Examples runs the signatures' own examples alone: a tenth of what Run does, for
// programs that are given a catalogue which Run has passed elsewhere.
func Examples(list []signatures.Signature) []Problem {
	set, err := signatures.Compile(list)
	if err != nil {
		return []Problem{{Message: err.Error()}}
	}
	r := &runner{set: set}
	for i := range set.Signatures() {
		if sig := &set.Signatures()[i]; sig.IsEnabled() {
			r.examples(set, sig, true)
		}
	}
	return r.problems
}

type runner struct {
	set      *signatures.Set
	problems []Problem
}

func (r *runner) errorf(sig *signatures.Signature, format string, args ...any) {
	p := Problem{Message: fmt.Sprintf(format, args...)}
	if sig != nil {
		p.Signature, p.File, p.Line = sig.ID, sig.File, sig.Line
	}
	r.problems = append(r.problems, p)
}

// match returns the matches of e, and false where e is no example at all.
func (r *runner) match(set *signatures.Set, sig *signatures.Signature, e signatures.Example) ([]signatures.Match, bool) {
	o, err := signatures.ObservationFor(e)
	if err != nil {
		r.errorf(sig, "the example %s is of no use: %v", describe(e), err)
		return nil, false
	}
	if e.Model != "" {
		return family(set, e.Model), true
	}
	return set.Match(&o, nil), true
}

// family returns the family of a model as a match.
func family(set *signatures.Set, name string) []signatures.Match {
	sig, selector := set.Family(name)
	if sig == nil {
		return nil
	}
	m := signatures.Match{Signature: sig, HitCount: 1, Confidence: sig.Confidence}
	m.Hits[0] = signatures.Hit{Evidence: signatures.EvidenceGenAIModel, Value: name, Selector: selector}
	return []signatures.Match{m}
}

// disabled holds a signature that is switched off against its own examples.
func (r *runner) disabled(sig *signatures.Signature) {
	on := *sig
	on.Enabled, on.Unverified = nil, false
	set, err := signatures.Compile([]signatures.Signature{on})
	if err != nil {
		r.errorf(sig, "%v", err)
		return
	}
	r.examples(set, sig, false)
}

// examples runs the examples of sig; others says whether other signatures are in
// set.
func (r *runner) examples(set *signatures.Set, sig *signatures.Signature, others bool) {
	for _, e := range sig.Tests.Positive {
		matches, ok := r.match(set, sig, e)
		if !ok {
			continue
		}
		own := false
		for i := range matches {
			other := matches[i].Signature
			switch {
			case other.ID == sig.ID:
				own = true
			case others && !shares(sig, other):
				r.errorf(sig, "the positive example %s also matches %s (%s); narrow one of the two, or list the other in tests.shares", describe(e), other.ID, evidence(&matches[i]))
			}
		}
		if !own {
			r.errorf(sig, "the positive example %s does not match; it gives %s", describe(e), summary(matches))
		}
	}
	for _, e := range sig.Tests.Negative {
		matches, _ := r.match(set, sig, e)
		for i := range matches {
			if matches[i].Signature.ID == sig.ID {
				r.errorf(sig, "the negative example %s matches (%s); narrow that rule", describe(e), evidence(&matches[i]))
			}
		}
	}
}

func shares(a, b *signatures.Signature) bool {
	return slices.Contains(a.Tests.Shares, b.ID) || slices.Contains(b.Tests.Shares, a.ID)
}

// fires checks that every rule that another can hide shows as evidence of some
// positive example.
func (r *runner) fires(sig *signatures.Signature) {
	shown := map[string]bool{}
	for _, e := range sig.Tests.Positive {
		o, err := signatures.ObservationFor(e)
		if err != nil {
			continue // reported by examples
		}
		matches := r.set.Match(&o, nil)
		if e.Model != "" {
			matches = family(r.set, e.Model)
		}
		for _, m := range matches {
			if m.Signature.ID == sig.ID {
				for _, h := range m.Evidence() {
					shown[h.Selector] = true
				}
			}
		}
	}
	for _, rule := range rules(sig) {
		if !shown[rule] {
			r.errorf(sig, "the rule %q never shows as evidence: give a positive example that hits it alone, or drop it, for other rules hide it", rule)
		}
	}
}

// rules returns the texts, as in Hit.Selector, of the rules that others can
// hide. Weak rules, argument rules and port rules are hidden by nothing but a
// better hit on the same evidence; that each is hit by an example is checked by
// Load.
func rules(sig *signatures.Signature) []string {
	var out []string
	for _, h := range sig.Hosts {
		out = append(out, "host "+string(h.Match)+" "+h.Value)
	}
	for _, p := range sig.Processes {
		if p.Weak {
			continue
		}
		text := "process " + p.Name
		if p.Match == "prefix" {
			text = "process prefix " + p.Name
		}
		if p.Argument != "" {
			text += " " + p.Argument
		}
		out = append(out, text)
	}
	for _, f := range sig.Files {
		if f.Weak {
			continue
		}
		out = append(out, "file "+f.Path)
	}
	for _, f := range sig.Formats {
		out = append(out, "format "+f.Format)
	}
	for _, name := range sig.GenAIProviders {
		out = append(out, "gen_ai provider "+name)
	}
	for _, p := range sig.Packages {
		out = append(out, "package "+p.Ecosystem+"/"+p.Name)
	}
	for _, x := range sig.Extensions {
		if x.Store != "jetbrains" || x.Folder != "" {
			out = append(out, "extension "+x.Store+"/"+x.ID)
		}
	}
	for _, m := range sig.Models {
		out = append(out, "model "+m.Name)
	}
	return out
}

// describe writes an example in short form.
func describe(e signatures.Example) string {
	var parts []string
	add := func(key string, value any, given bool) {
		if given {
			parts = append(parts, fmt.Sprintf("%s: %v", key, value))
		}
	}
	add("host", e.Host, e.Host != "")
	add("method", e.Method, e.Method != "")
	add("path", e.Path, e.Path != "")
	add("process", e.Process, e.Process != "")
	add("executable", e.Executable, e.Executable != "")
	add("arguments", e.Arguments, len(e.Arguments) > 0)
	add("ports", e.Ports, len(e.Ports) > 0)
	add("file", e.File, e.File != "")
	add("format", e.Format, e.Format != "")
	add("os", e.OS, e.OS != "")
	add("package", e.Package, e.Package != "")
	add("extension", e.Extension, e.Extension != "")
	add("model", e.Model, e.Model != "")
	add("gen_ai_provider", e.GenAIProvider, e.GenAIProvider != "")
	return "{" + strings.Join(parts, ", ") + "}"
}

// evidence names the rules behind a match.
func evidence(m *signatures.Match) string {
	var parts []string
	for _, h := range m.Evidence() {
		parts = append(parts, fmt.Sprintf("%s=%s by the rule %q", h.Evidence, h.Value, h.Selector))
	}
	return strings.Join(parts, ", ")
}

func summary(matches []signatures.Match) string {
	if len(matches) == 0 {
		return "no match"
	}
	var parts []string
	for i := range matches {
		parts = append(parts, matches[i].Signature.ID+" ("+evidence(&matches[i])+")")
	}
	return strings.Join(parts, "; ")
}
