package signatures

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// maxHostLabels bounds the labels of a host rule, and with it the wildcards
// that can match one name.
const maxHostLabels = 10

// hostIndex finds the host rules for a name. It is a label trie laid flat into
// one open-addressing hash table: a node for each rule and for each name of two
// or more labels above a rule. A name is looked up from its end, label by label,
// so a name whose last two labels lead nowhere (most names) costs one hash of
// those and one probe.
//
// A wildcard rule is stored under its own text, "*" included, and marks the
// name right of its "*"; where the walk meets that mark, it looks the name up
// once more with "*" in place of the next label.
//
// With many rules it is fetching memory that takes the time. So a filter of a few
// bits a node, small enough for a near cache, ends most walks; a slot holds
// half of the hash, which all but settles the question, and says whether there
// is any use in looking at the node or further down; names are compared only
// where a rule hangs on it. No two nodes that one probe can meet have the same
// half of the hash: the seed is chosen so. Nodes and rules point by offsets into
// one text, that of the selectors: a name is the end of one.
type hostIndex struct {
	seed   maphash.Seed
	filter []uint64   // one bit set for each node, at a place by its hash; power of two
	slots  []hostSlot // power of two, at most three quarters of them taken
	nodes  []hostNode
	refs   []hostRef
	sorts  []hostSort // those that hostRef.sort stands for
	text   string
}

type hostSlot struct {
	tag  uint32 // of the hash, the half that does not choose the slot; 0 with node 0 is free
	node uint32 // index into nodes plus one, above the flags; 0 is free
}

// Flags of a node, as a slot has them too.
const (
	flagSuffix = 1 << iota // it has suffix rules
	flagStar               // a wildcard rule continues left of it
	flagMore               // there are nodes of longer names below it
	flagBits   = iota
	flagMask   = 1<<flagBits - 1
)

// hostNode is a name. Its rules stand together in hostIndex.refs, exact ones
// first, then suffixes, then wildcards.
type hostNode struct {
	name                    uint32 // offset in the text
	first                   int32  // index into refs
	up                      int32  // the nearest shorter name with suffix rules, -1 where there is none
	exact, suffix, wildcard uint16 // how many
	size                    uint8  // bytes of the name
	flags                   uint8
}

// span is a run of hostIndex.refs.
type span struct{ start, count int32 }

func (n *hostNode) exactRules() span  { return span{n.first, int32(n.exact)} }
func (n *hostNode) suffixRules() span { return span{n.first + int32(n.exact), int32(n.suffix)} }
func (n *hostNode) wildcardRules() span {
	return span{n.first + int32(n.exact) + int32(n.suffix), int32(n.wildcard)}
}

// of returns how many rules of a kind n has, to be counted up.
func (n *hostNode) of(match HostMatch) *uint16 {
	switch match {
	case HostExact:
		return &n.exact
	case HostSuffix:
		return &n.suffix
	default:
		return &n.wildcard
	}
}

// hostRef is one host rule of one signature: what matching needs of it.
type hostRef struct {
	signature int32
	text      uint32 // offset of the selector
	size      uint16 // bytes of the selector
	sort      uint8  // index into hostIndex.sorts
	shared    bool
}

// hostSort is what many host rules have in common: their role, and what the "*"
// of a wildcard names.
type hostSort struct {
	role  HostRole
	label string
}

// hostFound is what the walk met on its way, enough to list the rules of a name
// from the most specific to the least.
type hostFound struct {
	full      int32 // node of the whole name, -1
	suffix    int32 // node of the longest shorter name with suffix rules, -1
	wildcards [maxHostLabels]int32
	count     int
}

// Limits of the index: what its narrow fields hold.
const (
	filterBits      = 12        // of a node, at least
	maxHostRules    = 1<<16 - 1 // of one kind for one name
	maxHostNodes    = 1<<(32-flagBits) - 2
	maxHostSorts    = 1 << 8
	maxSelectorText = 1<<32 - 1
)

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

// starOf returns what stands for the "*" of a wildcard in a name that it
// matches.
func starOf(wildcard, name string) string {
	star := strings.IndexByte(wildcard, '*')
	if star < 0 || len(name) < len(wildcard) {
		return ""
	}
	return name[star : len(name)-(len(wildcard)-star-1)]
}
