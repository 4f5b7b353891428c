package signatures

// candidates gathers the hits of one observation by signature, in the spare room
// of the caller's slice.
type candidates struct {
	set   *Set
	list  []Match
	start int // what stands before it belongs to the caller
}

// add notes a hit of a signature. There are at most MaxMatches candidates; where
// they are used up, a strong hit takes the place of a signature that has only
// weak ones, and any other hit is dropped.
func (c *candidates) add(signature int32, h Hit) {
	sig := &c.set.signatures[signature]
	var loser *Match
	for i := c.start; i < len(c.list); i++ {
		m := &c.list[i]
		if m.Signature == sig {
			m.add(h)
			return
		}
		if loser == nil && m.onlyWeak() {
			loser = m
		}
	}
	switch {
	case len(c.list)-c.start < MaxMatches:
		c.list = append(c.list, Match{Signature: sig, Confidence: c.set.confidences[signature]})
		c.list[len(c.list)-1].add(h)
	case loser != nil && !h.Weak:
		*loser = Match{Signature: sig, Confidence: c.set.confidences[signature]}
		loser.add(h)
	}
}

func (m *Match) onlyWeak() bool {
	for i := range m.HitCount {
		if !m.Hits[i].Weak {
			return false
		}
	}
	return true
}

// conclude drops the candidates that are no matches, sorts the others and
// returns the whole list.
func (c *candidates) conclude() []Match {
	n := c.start
	for i := c.start; i < len(c.list); i++ {
		if c.list[i].conclude() {
			if i != n {
				c.list[n] = c.list[i]
			}
			n++
		}
	}
	sortMatches(c.list[c.start:n])
	return c.list[:n]
}

// addArguments tries the argument rules on the command line and on the path of
// the executable.
func (c *candidates) addArguments(o *Observation, p *program) {
	for i, element := range p.arguments {
		c.addElement(element, EvidenceProcessArgument, i == 0, p)
		if element != "-m" || i == 0 || i+1 == len(p.arguments) {
			continue
		}
		module := p.arguments[i+1]
		for r := range c.set.arguments.modules {
			if a := &c.set.arguments.modules[r]; matchModule(a.rule.Module, module) {
				c.add(a.signature, Hit{Evidence: EvidenceProcessArgument, Value: module, Selector: a.selector, Weak: a.rule.Weak})
			}
		}
	}
	c.addElement(o.Process.Executable, EvidenceProcessPath, true, p)
}

// addElement tries the argument rules at every boundary of one element. A weak
// rule is not tried on the base name of the program: that would be its name a
// second time.
func (c *candidates) addElement(element string, evidence Evidence, isProgram bool, p *program) {
	element = element[:min(len(element), MaxArgumentBytes)]
	base := len(element)
	if isProgram {
		base -= len(baseName(element, p.windows))
	}
	for at := range len(element) {
		if at > 0 && !isBoundary(element[at-1]) {
			continue
		}
		rules := c.set.arguments.byToken[firstToken(element[at:])]
		for r := range rules {
			a := &rules[r]
			if a.rule.Weak && at >= base || !a.containsAt(element, at) {
				continue
			}
			c.add(a.signature, Hit{Evidence: evidence, Value: element, Selector: a.selector, Weak: a.rule.Weak})
		}
	}
}

// addName tries the process rules on name. A strong rule for the whole name
// hides strong rules for its beginning, a longer beginning a shorter.
func (c *candidates) addName(name string, hit Hit, p *program) {
	if name == "" {
		return
	}
	add := func(r *processRule) {
		hit.Selector, hit.Weak = r.selector, r.rule.Weak
		c.add(r.signature, hit)
	}
	covered := 0 // characters of the longest strong rule
	rules := c.set.processes.named(name)
	for i := range rules {
		if r := &rules[i]; r.match(name, p) {
			add(r)
			if !r.rule.Weak {
				covered = len(name) + 1
			}
		}
	}
	prefixes := c.set.processes.prefixes
	for i := range prefixes {
		if r := &prefixes[i]; !r.rule.Weak && len(r.rule.Name) > covered && r.match(name, p) {
			covered = len(r.rule.Name)
		}
	}
	for i := range prefixes {
		if r := &prefixes[i]; (r.rule.Weak || len(r.rule.Name) == covered) && r.match(name, p) {
			add(r)
		}
	}
}
