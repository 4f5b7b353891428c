package signatures

// fieldRef is a field rule of one signature.
type fieldRef struct {
	signature int32
	rule      *FieldRule
	selector  string
}

func describeField(r *FieldRule) string { return "field " + string(r.Field) + " " + r.Value }

// addFields tries the field rules on the attributes of a request; there are
// few.
func (c *candidates) addFields(o *Observation) {
	for i := range c.set.fields {
		f := &c.set.fields[i]
		if value, ok := o.Attributes[string(f.rule.Field)]; ok && matchSegment(f.rule.Value, value, false) {
			c.add(f.signature, Hit{Evidence: f.rule.Field, Value: value, Selector: f.selector, Weak: f.rule.Weak})
		}
	}
}

// has reports whether a signature was hit already.
func (c *candidates) has(signature int32) bool {
	for i := c.start; i < len(c.list); i++ {
		if c.list[i].Signature == &c.set.signatures[signature] {
			return true
		}
	}
	return false
}

// locate adds the path of the request, and the server's port, to what strong
// fields brought: they say where it is. Weak ones need a path rule: many a
// program on a customary port accepts an event stream.
func (c *candidates) locate(o *Observation) {
	for i := c.start; i < len(c.list); i++ {
		m := &c.list[i]
		first := m.Hits[0]
		if first.Evidence != EvidenceHTTPMCP || first.Weak {
			continue
		}
		if port := c.set.portHit(m.Signature, o.Flow.Protocol, o.Flow.Server.Port()); port.Selector != "" {
			m.add(port)
		}
		if o.Path != "" {
			m.add(Hit{Evidence: EvidenceHTTPPath, Value: o.Path, Selector: first.Selector, Weak: true})
		}
	}
}
