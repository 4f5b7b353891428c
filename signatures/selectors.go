package signatures

import (
	"fmt"
	"slices"
	"strings"
)

// selector is one rule of a signature, for the checks of Load.
type selector struct {
	key   string // within the signature, e.g. hosts[1]
	text  string // what it says; the same text means the same rule
	alone bool   // it is evidence by itself
	hit   func(*Observation) bool
}

// selectors lists the rules of sig.
func selectors(sig *Signature) []selector {
	var out []selector
	add := func(kind string, i int, text string, alone bool, hit func(*Observation) bool) {
		out = append(out, selector{fmt.Sprintf("%s[%d]", kind, i), text, alone, hit})
	}
	paths := make([]pathRule, len(sig.Paths))
	for i := range sig.Paths {
		paths[i] = compilePath(&sig.Paths[i])
	}
	for i := range sig.Hosts {
		r := &sig.Hosts[i]
		add("hosts", i, "host "+string(r.Match)+" "+r.Value, !r.Shared, func(o *Observation) bool {
			return o.Name != "" && hostMatches(r, o.Name) && (!r.Shared || best(paths, o.Method, o.Path, false) != nil)
		})
	}
	for i := range paths {
		p := &paths[i]
		add("paths", i, p.selector, p.rule.AnyHost && !p.rule.Weak, func(o *Observation) bool {
			shared := slices.ContainsFunc(sig.Hosts, func(h HostRule) bool { return h.Shared && o.Name != "" && hostMatches(&h, o.Name) })
			return o.Path != "" && p.match(o.Method, o.Path) && (p.rule.AnyHost || shared)
		})
	}
	for i := range sig.Fields {
		r := &sig.Fields[i]
		add("fields", i, describeField(r), !r.Weak, func(o *Observation) bool {
			return o.Kind == KindHTTP && matchSegment(r.Value, o.Attributes[string(r.Field)], false)
		})
	}
	for i := range sig.Processes {
		r := compileProcess(0, &sig.Processes[i])
		add("processes", i, r.selector+" "+strings.Join(r.rule.OS, ","), !r.rule.Weak, func(o *Observation) bool {
			if o.Kind != KindProcess {
				return false
			}
			p := programOf(o)
			return r.match(p.name, &p) || p.script != "" && r.match(p.script, &p)
		})
	}
	for i := range sig.Arguments {
		r := compileArgument(0, &sig.Arguments[i])
		add("arguments", i, r.selector, !r.rule.Weak, func(o *Observation) bool { return o.Kind == KindProcess && r.hits(o) })
	}
	for i := range sig.Files {
		r := compileFile(0, &sig.Files[i])
		x := newFileIndex()
		x.add(r)
		add("files", i, r.selector+" "+strings.Join(r.rule.OS, ","), !r.rule.Weak, func(o *Observation) (hit bool) {
			if o.Kind == KindProcess {
				x.each(o.Process.Executable, programOf(o).os, true, func(*fileRule) { hit = true })
			} else {
				x.each(o.File.Path, o.OS, false, func(*fileRule) { hit = true })
			}
			return hit
		})
	}
	for i := range sig.Ports {
		r := &sig.Ports[i]
		add("ports", i, fmt.Sprintf("port %d %s", r.Port, r.Protocol), false, func(o *Observation) bool {
			return slices.Contains(o.Ports, r.Port) || o.Flow.Server.Port() == r.Port
		})
	}
	for i := range sig.Formats {
		r := &sig.Formats[i]
		add("formats", i, "format "+r.Format, true, func(o *Observation) bool { return o.File.Format == r.Format })
	}
	for i, name := range sig.GenAIProviders {
		add("gen_ai_providers", i, providerSelector(name), true, func(o *Observation) bool {
			return strings.EqualFold(o.Application.Provider, name)
		})
	}
	return append(out, installedSelectors(sig)...)
}

// installedSelectors lists the rules of sig for packages, extensions and models.
func installedSelectors(sig *Signature) []selector {
	var out []selector
	add := func(kind string, i int, text string, hit func(*Observation) bool) {
		out = append(out, selector{fmt.Sprintf("%s[%d]", kind, i), text, true, hit})
	}
	lies := func(rules []fileRule, o *Observation) (hit bool) {
		x := newFileIndex()
		for _, r := range rules {
			x.add(r)
		}
		x.each(o.File.Path, o.OS, false, func(*fileRule) { hit = true })
		return hit
	}
	for i := range sig.Packages {
		r := &sig.Packages[i]
		files, argument, err := compilePackage(0, r, sig.Kind)
		if err != nil {
			continue // reported by the checks of the rule
		}
		add("packages", i, "package "+r.text(), func(o *Observation) bool {
			return argument != nil && o.Kind == KindProcess && argument.hits(o) || lies(files, o)
		})
	}
	for i := range sig.Extensions {
		r := &sig.Extensions[i]
		files, err := compileExtension(0, r)
		if err != nil || len(files) == 0 {
			continue // a JetBrains plugin whose folder is not known hits nothing
		}
		add("extensions", i, "extension "+r.text(), func(o *Observation) bool { return lies(files, o) })
	}
	for i := range sig.Models {
		pattern := sig.Models[i].Name
		add("models", i, "model "+pattern, func(o *Observation) bool {
			return o.Application.Model != "" && matchRuns(pattern, NormalizeModel(o.Application.Model), false)
		})
	}
	return out
}

// hits tries an argument rule on a whole process.
func (a *argumentRule) hits(o *Observation) bool {
	arguments := clipArguments(o.Process.Arguments)
	if a.rule.Module != "" {
		for i := 2; i < len(arguments); i++ {
			if arguments[i-1] == "-m" && matchModule(a.rule.Module, arguments[i]) {
				return true
			}
		}
		return false
	}
	return a.matchElement(o.Process.Executable) || slices.ContainsFunc(arguments, a.matchElement)
}

// hostMatches compares one rule with one name, without an index.
func hostMatches(r *HostRule, name string) bool {
	switch r.Match {
	case HostExact:
		return name == r.Value
	case HostSuffix:
		return name == r.Value || strings.HasSuffix(name, "."+r.Value)
	default:
		left, right, _ := strings.Cut(r.Value, "*")
		label, fits := strings.CutPrefix(name, left)
		if !fits || len(label) <= len(right) || !strings.HasSuffix(label, right) {
			return false
		}
		return !strings.Contains(label[:len(label)-len(right)], ".")
	}
}

// tests checks that the examples can be made into observations, that positive
// ones hit every rule and that negative ones are there. Whether a positive one
// matches the whole catalogue as it should is for sigtest to say.
func (c *checker) tests(key string, sig *Signature, rulesAreGood bool) {
	if len(sig.Tests.Positive) == 0 {
		c.errorf(key+".positive", "want at least one example that matches")
	}
	if len(sig.Tests.Negative) == 0 {
		c.errorf(key+".negative", "want at least one example that comes near and does not match")
	}
	positive := c.examples(key+".positive", sig.Tests.Positive)
	c.examples(key+".negative", sig.Tests.Negative)
	for i, id := range sig.Tests.Shares {
		if id == sig.ID {
			c.errorf(index1(key+".shares", i), "the signature shares with itself")
		}
	}
	if !rulesAreGood || len(positive) < len(sig.Tests.Positive) {
		return
	}
	signatureKey := strings.TrimSuffix(key, ".tests")
	for _, s := range selectors(sig) {
		if !slices.ContainsFunc(positive, func(o Observation) bool { return s.hit(&o) }) {
			c.errorf(signatureKey+"."+s.key, "no positive example hits this rule")
		}
	}
}

func (c *checker) examples(key string, list []Example) []Observation {
	out := make([]Observation, 0, len(list))
	for i, e := range list {
		o, err := ObservationFor(e)
		if err != nil {
			c.errorf(index1(key, i), "%v", err)
			continue
		}
		if e.OS != "" && !oneOf(e.OS, systems()) {
			c.errorf(index1(key, i)+".os", "%q is none of linux, darwin, windows", e.OS)
		}
		out = append(out, o)
	}
	return out
}
