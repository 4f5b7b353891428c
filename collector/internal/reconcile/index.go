package reconcile

import (
	"slices"
	"strings"
)

// index finds the items that may match a usage. Each item lies under every
// value of one of its keys, the most telling one, so a lookup returns each item
// whose key holds, once for each value that holds.
type index struct {
	exact     [fieldCount]map[string][]int32
	wildcards map[string][]int32 // domain below "*.", at label boundaries
	globs     [fieldCount]globIndex
}

// globIndex finds globs by the text before their first "*", or, where there is
// none, after the last one; only globs that begin and end with "*" are scanned.
type globIndex struct {
	prefixes, suffixes           map[string][]int32
	prefixLengths, suffixLengths []int // in use, ascending
	scanned                      []int32
}

// bucket is where values of f are looked up: all publishers in one place.
func bucket(f field) field {
	if f == fieldSoftwarePublisher || f == fieldModelPublisher {
		return fieldPublisher
	}
	return f
}

func (x *index) add(number int32, p *part) {
	f := bucket(p.field)
	for _, value := range p.values.exact {
		if x.exact[f] == nil {
			x.exact[f] = map[string][]int32{}
		}
		x.exact[f][value] = append(x.exact[f][value], number)
	}
	for _, glob := range p.values.globs {
		if f == fieldDomain {
			if x.wildcards == nil {
				x.wildcards = map[string][]int32{}
			}
			below := strings.TrimPrefix(glob, "*.")
			x.wildcards[below] = append(x.wildcards[below], number)
			continue
		}
		x.globs[f].add(number, glob)
	}
}

func (g *globIndex) add(number int32, glob string) {
	if prefix := glob[:strings.IndexByte(glob, '*')]; prefix != "" {
		g.prefixes, g.prefixLengths = addAffix(g.prefixes, g.prefixLengths, prefix, number)
	} else if suffix := glob[strings.LastIndexByte(glob, '*')+1:]; suffix != "" {
		g.suffixes, g.suffixLengths = addAffix(g.suffixes, g.suffixLengths, suffix, number)
	} else {
		g.scanned = append(g.scanned, number)
	}
}

func addAffix(affixes map[string][]int32, lengths []int, affix string, number int32) (map[string][]int32, []int) {
	if affixes == nil {
		affixes = map[string][]int32{}
	}
	affixes[affix] = append(affixes[affix], number)
	if at, found := slices.BinarySearch(lengths, len(affix)); !found {
		lengths = slices.Insert(lengths, at, len(affix))
	}
	return affixes, lengths
}

// find appends the numbers of the items that may match s, some of them more
// than once, in no order that matters.
func (x *index) find(s *subject, into []int32) []int32 {
	for f, value := range s.values {
		switch f := field(f); {
		case value == "" || f == fieldAccount:
		case f == fieldDomain:
			into = x.findDomain(value, into)
		case f == fieldModelPublisher && value == s.values[fieldSoftwarePublisher]:
		default:
			into = x.findField(bucket(f), value, into)
		}
	}
	return into
}

func (x *index) findField(f field, value string, into []int32) []int32 {
	if numbers, found := x.exact[f][value]; found {
		into = append(into, numbers...)
	}
	globs := &x.globs[f]
	for _, length := range globs.prefixLengths {
		if length > len(value) {
			break
		}
		into = append(into, globs.prefixes[value[:length]]...)
	}
	for _, length := range globs.suffixLengths {
		if length > len(value) {
			break
		}
		into = append(into, globs.suffixes[value[len(value)-length:]]...)
	}
	return append(into, globs.scanned...)
}

// findDomain looks up the name itself and, for wildcards, what is left after
// each of its labels.
func (x *index) findDomain(domain string, into []int32) []int32 {
	into = append(into, x.exact[fieldDomain][domain]...)
	if len(x.wildcards) == 0 {
		return into
	}
	for rest := domain; ; {
		dot := strings.IndexByte(rest, '.')
		if dot < 0 {
			return into
		}
		rest = rest[dot+1:]
		into = append(into, x.wildcards[rest]...)
	}
}
