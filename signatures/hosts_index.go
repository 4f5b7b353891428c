package signatures

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// newHostIndex builds the index over the host rules of the enabled signatures.
// An error names the signature whose rule cannot be indexed.
func newHostIndex(list []Signature) (*hostIndex, error) {
	rules, size, err := measureHosts(list)
	if err != nil {
		return nil, err
	}
	b := hostBuilder{x: &hostIndex{seed: maphash.MakeSeed(), nodes: make([]hostNode, 0, rules)}}
	b.x.resize(rules)
	b.text.Grow(size)
	b.at = make([]int32, 0, rules)
	refs := make([]hostRef, 0, rules)
	for i := range list {
		if !list[i].IsEnabled() {
			continue
		}
		for h := range list[i].Hosts {
			ref, err := b.add(&list[i].Hosts[h])
			if err != nil {
				return nil, fmt.Errorf("compiling signature %s: %w", list[i].ID, err)
			}
			ref.signature = int32(i)
			refs = append(refs, ref)
		}
	}
	x := b.x
	x.text = b.text.String()
	x.nodes = slices.Clone(x.nodes) // without the room to grow
	x.place(b.at, refs)
	x.link()
	x.resize(len(x.nodes)) // with the flags, which are all known now
	x.sift()
	return x, nil
}

// measureHosts checks the rules and returns their number and the bytes of their
// selectors.
func measureHosts(list []Signature) (rules, size int, err error) {
	for i := range list {
		if !list[i].IsEnabled() {
			continue
		}
		for h := range list[i].Hosts {
			rule := &list[i].Hosts[h]
			if err := checkHostValue(rule.Value, rule.Match); err != nil {
				return 0, 0, fmt.Errorf("compiling signature %s: host rule: %w", list[i].ID, err)
			}
			rules++
			size += len(hostSelector(rule.Match)) + len(rule.Value)
		}
	}
	if size > maxSelectorText || rules > maxHostNodes/maxHostLabels {
		return 0, 0, fmt.Errorf("compiling signatures: %d host rules are more than the index holds", rules)
	}
	return rules, size, nil
}

// hostSelector is what stands before the value of a host rule in its selector.
func hostSelector(match HostMatch) string {
	switch match {
	case HostExact:
		return "host " + string(HostExact) + " "
	case HostSuffix:
		return "host " + string(HostSuffix) + " "
	default:
		return "host " + string(HostWildcard) + " "
	}
}

// hostBuilder is an index whose text still grows.
type hostBuilder struct {
	x    *hostIndex
	text strings.Builder
	at   []int32 // the nodes of the rules, in order
}

// add makes the nodes that a rule needs, counts the rule and writes its
// selector.
func (b *hostBuilder) add(rule *HostRule) (hostRef, error) {
	x, before := b.x, uint32(b.text.Len())
	selector := hostSelector(rule.Match)
	b.text.WriteString(selector)
	b.text.WriteString(rule.Value)
	x.text = b.text.String() // a view of the text so far, no copy
	end := uint32(b.text.Len())

	n := x.node(rule.Value, end)
	count := x.nodes[n].of(rule.Match)
	if *count == maxHostRules {
		return hostRef{}, fmt.Errorf("more than %d host rules for %s", maxHostRules, rule.Value)
	}
	*count++
	b.at = append(b.at, n)
	above := rule.Value
	switch rule.Match {
	case HostSuffix:
		x.nodes[n].flags |= flagSuffix
	case HostWildcard:
		_, above, _ = strings.Cut(above, "*.")
		tail := x.node(above, end)
		x.nodes[tail].flags |= flagStar
	}
	for {
		_, above, _ = strings.Cut(above, ".")
		if !strings.Contains(above, ".") {
			break
		}
		n := x.node(above, end)
		x.nodes[n].flags |= flagMore
	}
	sort := slices.Index(x.sorts, hostSort{rule.Role, rule.Label})
	if sort < 0 {
		if sort = len(x.sorts); sort == maxHostSorts {
			return hostRef{}, fmt.Errorf("there are over %d pairs of a role and a label; %q and %q is one too many", maxHostSorts, rule.Role, rule.Label)
		}
		x.sorts = append(x.sorts, hostSort{rule.Role, rule.Label})
	}
	return hostRef{text: before, size: uint16(end - before), sort: uint8(sort), shared: rule.Shared}, nil
}

// node returns the node called name, which it makes where there is none; name
// is the end of the text up to end.
func (x *hostIndex) node(name string, end uint32) int32 {
	h := maphash.String(x.seed, name)
	if n, _ := find(x, h, name); n >= 0 {
		return n
	}
	n := int32(len(x.nodes))
	x.nodes = append(x.nodes, hostNode{name: end - uint32(len(name)), size: uint8(len(name)), up: -1})
	if 4*len(x.nodes) > 3*len(x.slots) {
		x.resize(2 * len(x.nodes))
	} else if !x.insert(h, n) {
		x.resize(len(x.nodes))
	}
	return n
}

// resize makes the table large enough for so many nodes, and puts in those that
// there are. Where two that one probe meets have the same tag, it takes another
// seed.
func (x *hostIndex) resize(nodes int) {
	size := 8
	for 3*size < 4*nodes {
		size *= 2
	}
	for {
		x.slots = make([]hostSlot, size)
		n := int32(0)
		for int(n) < len(x.nodes) && x.insert(maphash.String(x.seed, x.nodeName(n)), n) {
			n++
		}
		if int(n) == len(x.nodes) {
			return
		}
		x.seed = maphash.MakeSeed()
	}
}

// sift fills the filter: filterBits bits a node or more.
func (x *hostIndex) sift() {
	bits := 64
	for bits < filterBits*len(x.nodes) {
		bits *= 2
	}
	x.filter = make([]uint64, bits/64)
	for n := range x.nodes {
		h := maphash.String(x.seed, x.nodeName(int32(n)))
		x.filter[h>>6&uint64(len(x.filter)-1)] |= 1 << (h & 63)
	}
}

// insert puts a node into the table. It says false where a probe for it meets
// another one with its tag.
func (x *hostIndex) insert(h uint64, node int32) bool {
	mask, tag := uint64(len(x.slots)-1), uint32(h>>32)
	at := h & mask
	for x.slots[at].node != 0 {
		if x.slots[at].tag == tag {
			return false
		}
		at = (at + 1) & mask
	}
	x.slots[at] = hostSlot{tag, uint32(node+1)<<flagBits | uint32(x.nodes[node].flags)}
	return true
}

// place gives every node its run of x.refs and fills the runs in the order of
// the rules; at says which node is whose.
func (x *hostIndex) place(at []int32, refs []hostRef) {
	first := int32(0)
	for n := range x.nodes {
		node := &x.nodes[n]
		node.first = first
		first += int32(node.exact) + int32(node.suffix) + int32(node.wildcard)
		node.exact, node.suffix, node.wildcard = 0, 0, 0
	}
	x.refs = make([]hostRef, first)
	for _, match := range []HostMatch{HostExact, HostSuffix, HostWildcard} {
		selector := hostSelector(match)
		for i := range refs {
			if !strings.HasPrefix(x.text[refs[i].text:], selector) {
				continue
			}
			node := &x.nodes[at[i]]
			x.refs[node.first+int32(node.exact)+int32(node.suffix)+int32(node.wildcard)] = refs[i]
			*node.of(match)++
		}
	}
}

// link finds for every node the nearest name above it that has suffix rules.
func (x *hostIndex) link() {
	for n := range x.nodes {
		name, found := x.nodeName(int32(n)), true
		for found && x.nodes[n].up < 0 {
			if _, name, found = strings.Cut(name, "."); !found {
				break
			}
			if up, _ := find(x, maphash.String(x.seed, name), name); up >= 0 && x.nodes[up].suffix > 0 {
				x.nodes[n].up = up
			}
		}
	}
}

func (x *hostIndex) nodeName(n int32) string {
	node := &x.nodes[n]
	return x.text[node.name : node.name+uint32(node.size)]
}

func (x *hostIndex) selector(ref *hostRef) string {
	return x.text[ref.text : ref.text+uint32(ref.size)]
}

// probe returns what the only slot has whose tag is that of h, 0 where there is
// none: a node plus one and its flags. Whether it has the name that was asked
// for is left to say.
func (x *hostIndex) probe(h uint64) uint32 {
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		if slot := x.slots[at]; slot.node == 0 || slot.tag == uint32(h>>32) {
			return slot.node
		}
	}
}

// find returns the node called name, whose hash is h, and its flags; -1 where
// there is none.
func find[T string | []byte](x *hostIndex, h uint64, name T) (node int32, flags uint32) {
	slot := x.probe(h)
	if slot == 0 {
		return -1, 0
	}
	n := int32(slot>>flagBits) - 1
	if x.nodeName(n) != string(name) {
		return -1, 0
	}
	return n, slot & flagMask
}

// lookup walks name from its end. found is filled anew; it says false where no
// rule matches.
func (x *hostIndex) lookup(name string, found *hostFound) bool {
	found.full, found.suffix, found.count = -1, -1, 0
	// No rule covers a top-level domain: the first round takes two labels.
	for dot := max(strings.LastIndexByte(name, '.'), 0); ; {
		start := strings.LastIndexByte(name[:dot], '.') + 1
		h := maphash.String(x.seed, name[start:])
		if x.filter[h>>6&uint64(len(x.filter)-1)]>>(h&63)&1 == 0 {
			break
		}
		slot := x.probe(h)
		if slot == 0 {
			break
		}
		// A slot of another name with the same hash leads the walk on, but to
		// no rule: every node that is used is compared.
		if start == 0 || slot&(flagSuffix|flagStar) != 0 {
			n := int32(slot>>flagBits) - 1
			if x.nodeName(n) != name[start:] {
				break
			}
			if start == 0 {
				found.full = n
				break
			}
			if slot&flagSuffix != 0 {
				found.suffix = n
			}
			if slot&flagStar != 0 {
				x.wildcard(name, start, found)
			}
		}
		if slot&flagMore == 0 {
			break
		}
		dot = start - 1
	}
	return found.full >= 0 || found.suffix >= 0 || found.count > 0
}

// wildcard looks for a rule that has "*" in place of the label left of
// name[tail:], and notes it.
func (x *hostIndex) wildcard(name string, tail int, found *hostFound) {
	start := strings.LastIndexByte(name[:tail-1], '.') + 1
	var buffer [maxHostBytes + 1]byte
	if start == tail-1 || found.count == len(found.wildcards) || len(name) > maxHostBytes {
		return // an empty label; the second cannot happen, see maxHostLabels; no host name
	}
	text := append(buffer[:0], name[:start]...)
	text = append(text, '*')
	text = append(text, name[tail-1:]...)
	if n, _ := find(x, maphash.Bytes(x.seed, text), text); n >= 0 && x.nodes[n].wildcard > 0 {
		found.wildcards[found.count] = n
		found.count++
	}
}
