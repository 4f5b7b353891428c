package signatures

import (
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// covered says by the text of rules alone which of them is the most specific for
// name: exact, then the wildcard or suffix with the most labels.
func covered(rules map[string]HostMatch, name string) (best string) {
	if rules[name] == HostExact {
		return "host exact " + name
	}
	if rules[name] == HostSuffix {
		return "host suffix " + name
	}
	labels := strings.Split(name, ".")
	for n := range labels {
		star := slices.Clone(labels)
		star[n] = "*"
		if w := strings.Join(star, "."); rules[w] == HostWildcard {
			return "host wildcard " + w
		}
	}
	for n := range labels {
		if tail := strings.Join(labels[n:], "."); n > 0 && rules[tail] == HostSuffix {
			return "host suffix " + tail
		}
	}
	return ""
}

// TestHostIndex_manyRules asks an index of 30,000 rules about names that match
// and about their neighbours, and compares with the text of the rules.
func TestHostIndex_manyRules(t *testing.T) {
	list := synthetic(30_000)
	set := mustCompile(t, list...)
	rules := map[string]HostMatch{}
	for i := range list {
		rules[list[i].Hosts[0].Value] = list[i].Hosts[0].Match
	}
	random := rand.New(rand.NewPCG(5, 6))
	matched := 0
	check := func(name string) {
		o := Observation{Kind: KindTLS, Name: name}
		got := ""
		if found := set.Match(&o, nil); len(found) > 0 {
			got = found[0].Hits[0].Selector
			matched++
		}
		if want := covered(rules, name); got != want {
			t.Errorf("%s matches %q, want %q", name, got, want)
		}
	}
	for range 20_000 {
		name := strings.Replace(list[random.IntN(len(list))].Hosts[0].Value, "*", "eu-west-1", 1)
		_, parent, _ := strings.Cut(name, ".")
		for _, n := range []string{name, "www." + name, "a.b." + name, parent, name[1:], name + "x", "x" + name, strings.Replace(name, ".", ".x.", 1)} {
			check(n)
		}
	}
	for _, name := range []string{"com", ".", "", ".com", "a..com", "..", strings.Repeat("a.", 126) + "com", strings.Repeat("a.", 200) + "com"} {
		check(name)
	}
	if matched < 40_000 {
		t.Errorf("only %d names matched", matched)
	}
}

// TestHostIndex_tags makes two nodes share what a slot keeps of a hash: a probe
// could not tell them apart, so the table refuses the second, unless no probe
// meets both.
func TestHostIndex_tags(t *testing.T) {
	x := &hostIndex{seed: maphash.MakeSeed(), slots: make([]hostSlot, 8), nodes: make([]hostNode, 4)}
	const tag = 7 << 32
	if !x.insert(tag|1, 0) || !x.insert(tag|5, 1) {
		t.Fatal("two places apart")
	}
	if x.insert(tag|1, 2) {
		t.Error("the same place and tag were taken twice")
	}
	if !x.insert(8<<32|1, 2) || x.slots[2].node == 0 {
		t.Error("the next slot was not taken")
	}
	if x.insert(tag|1, 3) || x.probe(8<<32|1)>>flagBits != 3 || x.probe(tag|1)>>flagBits != 1 || x.probe(9<<32|1) != 0 {
		t.Error("a probe found another node")
	}
}

// TestHostIndex_size holds the index to its budget: what it adds to the rules.
func TestHostIndex_size(t *testing.T) {
	x := mustCompile(t, synthetic(100_000)...).hosts
	size := 8*len(x.slots) + 20*cap(x.nodes) + 12*cap(x.refs) + 8*len(x.filter) + len(x.text)
	if size > 120*100_000 {
		t.Errorf("%d bytes a rule", size/100_000)
	}
}
