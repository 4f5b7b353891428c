package signatures

// Match appends the matches of o to into and returns it, best first. It
// allocates nothing when into has room for MaxMatches. The name of o must be in
// normal form (NormalizeHost): sensors see to that, once a name. The rules of
// matching are in the package comment.
func (s *Set) Match(o *Observation, into []Match) []Match {
	switch o.Kind {
	case KindTLS, KindQUIC, KindDNS, KindHTTP, KindFlow:
		return s.matchNetwork(o, into)
	case KindProcess:
		return s.matchProcess(o, into)
	case KindModelFile, KindFile:
		return s.matchFile(o, into)
	case KindApplication:
		return s.matchApplication(o, into)
	default:
		return into
	}
}

// matchNetwork tries the host rules, from the most specific to the least, until
// one level brings a match, and else the rules for paths on any host.
func (s *Set) matchNetwork(o *Observation, into []Match) []Match {
	before := len(into)
	var found hostFound
	if o.Name != "" && o.NameEvidence != EvidenceTLSOuter && s.hosts.lookup(o.Name, &found) {
		into = s.matchHost(o, &found, into)
	}
	if len(into) == before && (o.Path != "" || len(o.Attributes) > 0) {
		into = s.matchRequest(o, into)
	}
	return into
}

func (s *Set) matchHost(o *Observation, found *hostFound, into []Match) []Match {
	before := len(into)
	if found.full >= 0 {
		node := &s.hosts.nodes[found.full]
		if into = s.matchLevel(o, node.exactRules(), into); len(into) > before {
			return into
		}
		if into = s.matchLevel(o, node.suffixRules(), into); len(into) > before {
			return into
		}
	}
	for i := found.count - 1; i >= 0; i-- { // the last has the longest name right of its "*"
		if into = s.matchLevel(o, s.hosts.nodes[found.wildcards[i]].wildcardRules(), into); len(into) > before {
			return into
		}
	}
	n := found.suffix
	for n >= 0 {
		node := &s.hosts.nodes[n]
		if into = s.matchLevel(o, node.suffixRules(), into); len(into) > before {
			return into
		}
		n = node.up
	}
	return into
}

// matchLevel appends the matches of the host rules in run, which all have the
// same text. Rules of shared hosts whose path matches go first: of them, those
// with the most specific path; the others count only where there is none.
func (s *Set) matchLevel(o *Observation, run span, into []Match) []Match {
	refs := s.hosts.refs[run.start : run.start+run.count]
	weight := 0
	for i := range refs {
		if refs[i].shared && o.Path != "" {
			if p := best(s.pathsOf[refs[i].signature], o.Method, o.Path, false); p != nil {
				weight = max(weight, p.weight)
			}
		}
	}
	c := candidates{set: s, list: into, start: len(into)}
	for i := range refs {
		ref := &refs[i]
		if ref.shared != (weight > 0) {
			continue
		}
		var path *pathRule
		if o.Path != "" {
			path = best(s.pathsOf[ref.signature], o.Method, o.Path, !ref.shared)
		}
		if ref.shared && (path == nil || path.weight < weight) {
			continue
		}
		sort := &s.hosts.sorts[ref.sort]
		hit := Hit{Evidence: nameEvidence(o), Value: o.Name, Selector: s.hosts.selector(ref), Role: sort.role}
		if sort.label != "" {
			hit.Label, hit.LabelKind = starOf(hit.Selector[len(hostSelector(HostWildcard)):], o.Name), sort.label
		}
		c.add(ref.signature, hit)
		if path != nil {
			c.add(ref.signature, Hit{Evidence: EvidenceHTTPPath, Value: o.Path, Selector: path.selector, Weak: path.rule.AnyHost && path.rule.Weak})
		}
	}
	return c.conclude()
}

// matchRequest tries the rules for any host: those for header fields, and those
// for paths, the most specific strong ones, and weak ones where the server's
// port or a field bears them out.
func (s *Set) matchRequest(o *Observation, into []Match) []Match {
	c := candidates{set: s, list: into, start: len(into)}
	if o.Kind == KindHTTP && len(o.Attributes) > 0 {
		c.addFields(o)
	}
	lists := s.paths.candidates(o.Path)
	weight := 0
	for _, list := range lists {
		for i := range list {
			if p := list[i].path; !p.rule.Weak && p.weight > weight && p.match(o.Method, o.Path) {
				weight = p.weight
			}
		}
	}
	for _, list := range lists {
		for i := range list {
			p := list[i].path
			if !p.rule.Weak && p.weight < weight || !p.match(o.Method, o.Path) {
				continue
			}
			port := s.portHit(&s.signatures[list[i].signature], o.Flow.Protocol, o.Flow.Server.Port())
			if p.rule.Weak && port.Selector == "" && !c.has(list[i].signature) {
				continue
			}
			c.add(list[i].signature, Hit{Evidence: EvidenceHTTPPath, Value: o.Path, Selector: p.selector, Weak: p.rule.Weak})
			if port.Selector != "" {
				c.add(list[i].signature, port)
			}
		}
	}
	c.locate(o)
	return c.conclude()
}

func (s *Set) matchProcess(o *Observation, into []Match) []Match {
	c := candidates{set: s, list: into, start: len(into)}
	p := programOf(o)
	c.addArguments(o, &p)
	c.addName(p.name, Hit{Evidence: EvidenceProcessName, Value: p.name}, &p)
	if p.script != "" {
		c.addName(p.script, Hit{Evidence: EvidenceProcessArgument, Value: p.arguments[1]}, &p)
	}
	s.files.each(o.Process.Executable, p.os, true, func(f *fileRule) {
		c.add(f.signature, Hit{Evidence: EvidenceProcessPath, Value: o.Process.Executable, Selector: f.selector, Weak: f.rule.Weak})
	})
	for i := c.start; i < len(c.list); i++ {
		for _, port := range o.Ports {
			if hit := s.portHit(c.list[i].Signature, "tcp", port); hit.Selector != "" {
				c.list[i].add(hit)
				break
			}
		}
	}
	return c.conclude()
}

func (s *Set) matchFile(o *Observation, into []Match) []Match {
	c := candidates{set: s, list: into, start: len(into)}
	for _, f := range s.formats[o.File.Format] {
		c.add(f.signature, Hit{Evidence: EvidenceFileFormat, Value: o.File.Format, Selector: f.selector})
	}
	s.files.each(o.File.Path, o.OS, false, func(f *fileRule) {
		c.add(f.signature, Hit{Evidence: EvidenceFilePath, Value: o.File.Path, Selector: f.selector, Weak: f.rule.Weak})
	})
	return c.conclude()
}

// portHit returns the hit of a port rule of the signature; its Selector is ""
// where there is none.
func (s *Set) portHit(sig *Signature, protocol string, port uint16) Hit {
	rules := s.portsOf[sig]
	for i := range rules {
		if r := &rules[i]; r.port == port && r.udp == (protocol == "udp") {
			return Hit{Evidence: EvidencePort, Value: r.value, Selector: r.selector, Weak: true}
		}
	}
	return Hit{}
}

// nameEvidence says how the name of o was learnt.
func nameEvidence(o *Observation) Evidence {
	if o.NameEvidence != "" {
		return o.NameEvidence
	}
	switch o.Kind {
	case KindTLS:
		return EvidenceTLS
	case KindQUIC:
		return EvidenceQUIC
	case KindDNS:
		return EvidenceDNS
	case KindFlow:
		return EvidenceDNSAnswer
	default:
		return EvidenceHTTPHost
	}
}
