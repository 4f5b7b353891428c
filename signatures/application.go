package signatures

import (
	"errors"
	"fmt"
	"strconv"
)

// maxProvider is the longest name of a provider that is looked up.
const maxProvider = 63

func providerSelector(name string) string { return "gen_ai provider " + name }

// matchApplication weighs two things that an application says: which server it
// called, and what it calls the provider. The server goes first, for that is
// where the data went: the provider's name tells the flavour of the interface,
// and many services speak another's
// (https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/,
// note on gen_ai.provider.name). So the name of a hosted service is weak beside
// a server that is not known as one of its hosts; that of a program which is
// installed anywhere is not.
func (s *Set) matchApplication(o *Observation, into []Match) []Match {
	before := len(into)
	named := s.providersNamed(o.Application.Provider)
	var found hostFound
	if o.Name != "" && s.hosts.lookup(o.Name, &found) {
		into = s.matchHost(o, &found, into)
	}
	if len(into) > before {
		for i := range into[before:] {
			m := &into[before+i]
			for _, rule := range named {
				if &s.signatures[rule.signature] == m.Signature {
					m.add(Hit{Evidence: EvidenceGenAIProvider, Value: o.Application.Provider, Selector: rule.selector})
				}
			}
		}
		return into
	}
	c := candidates{set: s, list: into, start: len(into)}
	for _, rule := range named {
		sig := &s.signatures[rule.signature]
		elsewhere := o.Name != "" && sig.Kind == AssetService && !sig.hasHost(o.Name)
		c.add(rule.signature, Hit{Evidence: EvidenceGenAIProvider, Value: o.Application.Provider, Selector: rule.selector, Weak: elsewhere})
		if port := s.portHit(sig, "tcp", o.Application.Port); port.Selector != "" {
			c.add(rule.signature, port)
		}
	}
	return c.conclude()
}

// providersNamed returns the rules for a name, in any case.
func (s *Set) providersNamed(name string) []namedRule {
	var buffer [maxProvider]byte
	key, ok := lowerInto(buffer[:], name)
	if !ok {
		return nil
	}
	return s.providers[string(key)]
}

// hasHost says whether a rule of sig covers name, shared hosts included: with
// the provider's name beside it, the path need not be seen.
func (sig *Signature) hasHost(name string) bool {
	for i := range sig.Hosts {
		if hostMatches(&sig.Hosts[i], name) {
			return true
		}
	}
	return false
}

func applicationExample(e Example, o Observation, other bool) (Observation, error) {
	if other || e.Path != "" || e.Method != "" || e.MCP != "" || e.Client != "" || len(e.Ports) > 1 {
		return o, errors.New("gen_ai_provider goes with a host and one port at most")
	}
	o.Sensor, o.Kind, o.NameEvidence = "application", KindApplication, EvidenceGenAIServer
	o.Application.Provider = e.GenAIProvider
	if len(e.Ports) > 0 {
		o.Application.Port = e.Ports[0]
	}
	if e.Host != "" {
		name, ok := NormalizeHost(e.Host)
		if !ok {
			return o, fmt.Errorf("%s is no host name", strconv.Quote(e.Host))
		}
		o.Name, o.Application.Server = name, name
	}
	return o, nil
}
