package signatures

import (
	"fmt"
	"strings"
)

// maxHostLabels bounds the labels of a host rule, and with it the wildcards
// that can match one name.
const maxHostLabels = 10

// hostIndex finds the host rules for a name. It is a label trie laid flat into
// one open-addressing hash table: a node for each rule and for each name of two
// or more labels above a rule. The hash runs over the name from its end, so one
// pass over the bytes yields the hash at every label boundary, and a name whose
// last two labels lead nowhere (most names) costs one probe.
//
// A wildcard rule is stored under its own text, "*" included, and marks the
// name right of its "*"; where the walk meets that mark, it hashes the name once
// more with "*" in place of the next label.
type hostIndex struct {
	slots []hostSlot // power of two
	shift uint8      // 64 minus log2(len(slots))
	nodes []hostNode
	refs  []hostRef
}

type hostSlot struct {
	hash uint64
	node int32 // index into nodes plus one; 0 is free
}

type hostNode struct {
	name                    string
	exact, suffix, wildcard span
	star                    bool  // a wildcard rule continues left of this name
	up                      int32 // the nearest shorter name with suffix rules, -1 where there is none
}

// span is a run of hostIndex.refs.
type span struct{ start, count int32 }

// hostRef is one host rule of one signature.
type hostRef struct {
	signature int32
	rule      *HostRule
	selector  string
}

// hostFound is what the walk met on its way, enough to list the rules of a name
// from the most specific to the least.
type hostFound struct {
	full      int32 // node of the whole name, -1
	suffix    int32 // node of the longest shorter name with suffix rules, -1
	wildcards [maxHostLabels]int32
	count     int
}

const (
	hashStart = 0xcbf29ce484222325 // FNV-1a, 64 bits
	hashPrime = 0x00000100000001b3
	hashSlot  = 0x9e3779b97f4a7c15 // spreads the hash over the slots
)

func hashBack(h uint64, s string) uint64 {
	for i := len(s) - 1; i >= 0; i-- {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

// checkHostValue says what keeps value from being a rule of kind match.
func checkHostValue(value string, match HostMatch) error {
	if normal, ok := NormalizeHost(value); match != HostWildcard && (!ok || normal != value) {
		return fmt.Errorf("%q is no host name in normal form (lower case, A-labels, no final dot)", value)
	}
	labels := strings.Split(value, ".")
	if len(labels) > maxHostLabels {
		return fmt.Errorf("%q has more than %d labels", value, maxHostLabels)
	}
	stars := 0
	for i, l := range labels {
		if l == "*" {
			stars++
			if len(labels)-i-1 < 2 {
				return fmt.Errorf("%q matches too much: at least two labels must follow the \"*\"", value)
			}
		} else if strings.Contains(l, "*") {
			return fmt.Errorf("%q: \"*\" stands for a whole label", value)
		}
	}
	if match == HostWildcard {
		if stars != 1 {
			return fmt.Errorf("%q: a wildcard rule has exactly one label \"*\"", value)
		}
		if normal, ok := NormalizeHost(strings.Replace(value, "*", "x", 1)); !ok || strings.Contains(value, "..") || normal != strings.Replace(value, "*", "x", 1) {
			return fmt.Errorf("%q is no host name in normal form (lower case, A-labels, no final dot)", value)
		}
		return nil
	}
	if stars > 0 {
		return fmt.Errorf("%q: \"*\" needs match: wildcard", value)
	}
	if match == HostSuffix && len(labels) < 2 {
		return fmt.Errorf("%q matches too much: a suffix has at least two labels", value)
	}
	return nil
}

// hostKey is a rule's place: its name and how it compares.
type hostKey struct {
	name  string
	match HostMatch
}

// newHostIndex builds the index over the rules in groups; every rule has passed
// checkHostValue.
func newHostIndex(order []hostKey, groups map[hostKey][]hostRef) *hostIndex {
	x := &hostIndex{}
	at := map[string]int32{}
	node := func(name string) *hostNode {
		i, ok := at[name]
		if !ok {
			i = int32(len(x.nodes))
			at[name] = i
			x.nodes = append(x.nodes, hostNode{name: name, up: -1})
		}
		return &x.nodes[i]
	}
	for _, key := range order {
		refs := groups[key]
		run := span{int32(len(x.refs)), int32(len(refs))}
		x.refs = append(x.refs, refs...)
		above := key.name
		switch key.match {
		case HostExact:
			node(key.name).exact = run
		case HostSuffix:
			node(key.name).suffix = run
		case HostWildcard:
			node(key.name).wildcard = run
			_, tail, _ := strings.Cut(key.name, "*.")
			node(tail).star = true
			above = tail
		}
		for {
			_, rest, _ := strings.Cut(above, ".")
			if !strings.Contains(rest, ".") {
				break
			}
			node(rest)
			above = rest
		}
	}
	for i := range x.nodes {
		x.nodes[i].up = x.parent(x.nodes[i].name, at)
	}
	x.fill()
	return x
}

// parent returns the nearest name above name that has suffix rules.
func (x *hostIndex) parent(name string, at map[string]int32) int32 {
	for {
		_, rest, found := strings.Cut(name, ".")
		if !found {
			return -1
		}
		if i, ok := at[rest]; ok && x.nodes[i].suffix.count > 0 {
			return i
		}
		name = rest
	}
}

// fill lays the nodes into the table, at most half full.
func (x *hostIndex) fill() {
	bits := uint8(3)
	for 1<<bits < 2*len(x.nodes) {
		bits++
	}
	x.shift = 64 - bits
	x.slots = make([]hostSlot, 1<<bits)
	for i := range x.nodes {
		h := hashBack(hashStart, x.nodes[i].name)
		at := h * hashSlot >> x.shift
		for x.slots[at].node != 0 {
			at = (at + 1) & uint64(len(x.slots)-1)
		}
		x.slots[at] = hostSlot{h, int32(i + 1)}
	}
}

// find returns the node called left + middle + right, -1 where there is none.
// middle is "" or the text that stands in for a label.
func (x *hostIndex) find(h uint64, left, middle, right string) int32 {
	at := h * hashSlot >> x.shift
	for {
		slot := &x.slots[at]
		if slot.node == 0 {
			return -1
		}
		if slot.hash == h {
			name := x.nodes[slot.node-1].name
			if len(name) == len(left)+len(middle)+len(right) &&
				name[:len(left)] == left && name[len(left):len(left)+len(middle)] == middle && name[len(left)+len(middle):] == right {
				return slot.node - 1
			}
		}
		at = (at + 1) & uint64(len(x.slots)-1)
	}
}

// lookup walks name from its end. found is filled anew; it says false where no
// rule matches.
func (x *hostIndex) lookup(name string, found *hostFound) bool {
	found.full, found.suffix, found.count = -1, -1, 0
	h, labels := uint64(hashStart), 0
	for i := len(name) - 1; i >= 0; i-- {
		h = (h ^ uint64(name[i])) * hashPrime
		if i > 0 && name[i-1] != '.' {
			continue
		}
		labels++
		if labels == 1 && i > 0 {
			continue // no rule covers a top-level domain
		}
		n := x.find(h, "", "", name[i:])
		if n < 0 {
			break
		}
		node := &x.nodes[n]
		if i == 0 {
			found.full = n
			break
		}
		if node.suffix.count > 0 {
			found.suffix = n
		}
		if node.star {
			x.wildcard(h, name, i, found)
		}
	}
	return found.full >= 0 || found.suffix >= 0 || found.count > 0
}

// wildcard looks for a rule that has "*" in place of the label left of
// name[tail:], and notes it. h is the hash of name[tail:].
func (x *hostIndex) wildcard(h uint64, name string, tail int, found *hostFound) {
	start := strings.LastIndexByte(name[:tail-1], '.') + 1
	if start == tail-1 || found.count == len(found.wildcards) {
		return // an empty label; the second cannot happen, see maxHostLabels
	}
	h = hashBack(hashBack(h, "*."), name[:start])
	if n := x.find(h, name[:start], "*.", name[tail:]); n >= 0 && x.nodes[n].wildcard.count > 0 {
		found.wildcards[found.count] = n
		found.count++
	}
}

// starOf returns what stands for the "*" of a wildcard in a name that it
// matches.
func starOf(wildcard, name string) string {
	star := strings.IndexByte(wildcard, '*')
	if star < 0 || len(name) < len(wildcard) {
		return ""
	}
	return name[star : len(name)-(len(wildcard)-star-1)]
}
