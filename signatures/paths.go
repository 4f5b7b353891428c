package signatures

import (
	"cmp"
	"strings"
)

// pathRule is a compiled PathRule.
type pathRule struct {
	rule           *PathRule
	selector       string
	suffix, prefix []string
	weight         int // how specific: segments first, then characters
}

func compilePath(r *PathRule) pathRule {
	p := pathRule{rule: r, selector: "path " + describePath(r)}
	if r.Suffix != "" {
		p.suffix = strings.Split(strings.Trim(r.Suffix, "/"), "/")
	}
	if r.Prefix != "" {
		p.prefix = strings.Split(strings.Trim(r.Prefix, "/"), "/")
	}
	for _, s := range append(p.suffix[:len(p.suffix):len(p.suffix)], p.prefix...) {
		p.weight += 1000
		if s != "*" {
			p.weight += len(s)
		}
	}
	if r.Method != "" {
		p.weight++
	}
	return p
}

func describePath(r *PathRule) string {
	parts := make([]string, 0, 3)
	if r.Method != "" {
		parts = append(parts, r.Method)
	}
	if r.Prefix != "" {
		parts = append(parts, "prefix "+r.Prefix)
	}
	if r.Suffix != "" {
		parts = append(parts, "suffix "+r.Suffix)
	}
	return strings.Join(parts, " ")
}

// match compares p with a request. A method that is not known contradicts no
// rule.
func (p *pathRule) match(method, path string) bool {
	if p.rule.Method != "" && method != "" && p.rule.Method != method {
		return false
	}
	if !strings.HasPrefix(path, "/") {
		return false
	}
	path = strings.TrimSuffix(path, "/")
	rest := path
	for i := len(p.suffix) - 1; i >= 0; i-- {
		at := strings.LastIndexByte(rest, '/')
		if at < 0 || !matchSegment(p.suffix[i], rest[at+1:], false) {
			return false
		}
		rest = rest[:at]
	}
	rest = path
	for _, want := range p.prefix {
		if rest == "" {
			return false
		}
		segment, after := rest[1:], ""
		if at := strings.IndexByte(segment, '/'); at >= 0 {
			segment, after = segment[:at], segment[at:]
		}
		if !matchSegment(want, segment, false) {
			return false
		}
		rest = after
	}
	return true
}

// pathRef is an any_host path rule of one signature.
type pathRef struct {
	signature int32
	path      *pathRule
}

// pathIndex finds the any_host path rules of a request: by the last segment of
// suffix rules, by the first of prefix rules. Rules whose key segment holds a
// "*" are tried one by one; there are few.
type pathIndex struct {
	last, first map[string][]pathRef
	loose       []pathRef
}

func newPathIndex() *pathIndex {
	return &pathIndex{last: map[string][]pathRef{}, first: map[string][]pathRef{}}
}

func (x *pathIndex) add(ref pathRef) {
	if n := len(ref.path.suffix); n > 0 {
		if key := ref.path.suffix[n-1]; !strings.Contains(key, "*") {
			x.last[key] = append(x.last[key], ref)
			return
		}
	} else if key := ref.path.prefix[0]; !strings.Contains(key, "*") {
		x.first[key] = append(x.first[key], ref)
		return
	}
	x.loose = append(x.loose, ref)
}

// candidates returns the three lists in which every rule that matches path is
// found.
func (x *pathIndex) candidates(path string) [3][]pathRef {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return [3][]pathRef{x.loose}
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	first := strings.TrimPrefix(path, "/")
	if at := strings.IndexByte(first, '/'); at >= 0 {
		first = first[:at]
	}
	return [3][]pathRef{x.last[last], x.first[first], x.loose}
}

// best returns the most specific of rules that matches, nil where none does.
// Weak rules come after strong ones.
func best(rules []pathRule, method, path string, anyHostOnly bool) *pathRule {
	var found *pathRule
	for i := range rules {
		p := &rules[i]
		if anyHostOnly && !p.rule.AnyHost || !p.match(method, path) {
			continue
		}
		if found == nil || cmp.Or(boolOrder(found.rule.Weak, p.rule.Weak), cmp.Compare(p.weight, found.weight)) > 0 {
			found = p
		}
	}
	return found
}

// boolOrder is 1 where a holds and b does not, -1 the other way round.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
