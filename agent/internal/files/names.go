package files

import "strings"

// names are the base names of files and folders to report by their place. One
// lookup costs a map access and, where it is no hit, a look at the patterns that
// begin with the same byte.
type names struct {
	whole map[string]struct{}
	first [256][]namePattern // by their first byte
	open  []namePattern      // those that begin with "*"
}

// namePattern is what stands before, between and after the "*" of a pattern.
type namePattern struct {
	before, after string
	between       []string
}

func newNames(whole, patterns []string) *names {
	n := &names{whole: make(map[string]struct{}, len(whole))}
	for _, s := range whole {
		n.whole[foldCase(s)] = struct{}{}
	}
	for _, s := range patterns {
		parts := strings.Split(foldCase(s), "*")
		last := len(parts) - 1
		if last == 0 {
			n.whole[parts[0]] = struct{}{}
			continue
		}
		p := namePattern{before: parts[0], between: parts[1:last], after: parts[last]}
		if p.before == "" {
			n.open = append(n.open, p)
		} else {
			n.first[p.before[0]] = append(n.first[p.before[0]], p)
		}
	}
	return n
}

// has says whether name is one of n.
func (n *names) has(name string) bool {
	if name == "" {
		return false
	}
	name = foldCase(name)
	if _, ok := n.whole[name]; ok {
		return true
	}
	for _, list := range [2][]namePattern{n.first[name[0]], n.open} {
		for i := range list {
			if list[i].match(name) {
				return true
			}
		}
	}
	return false
}

func (p *namePattern) match(name string) bool {
	if len(name) < len(p.before)+len(p.after) || !strings.HasPrefix(name, p.before) || !strings.HasSuffix(name, p.after) {
		return false
	}
	name = name[len(p.before) : len(name)-len(p.after)]
	for _, part := range p.between {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}
