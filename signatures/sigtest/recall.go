package sigtest

import (
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Recall says how many of the endpoints that a catalogue documents are matched
// by their own signatures.
type Recall struct {
	Signatures int // enabled ones with host rules
	Endpoints  int
	Missed     []string // "id: endpoint: what matched instead"
}

// Recalled asks about every endpoint of the enabled signatures: each name among
// the positive examples and each name that a host rule spells out, with a path
// of the signature where the host is shared. A suffix rule's own name is left out
// where an exact rule of another signature claims it, for that is what such a
// rule is for.
func Recalled(list []signatures.Signature) (Recall, error) {
	set, err := signatures.Compile(list)
	if err != nil {
		return Recall{}, err
	}
	claimed := map[string]string{}
	for i := range list {
		for _, h := range list[i].Hosts {
			if h.Match == signatures.HostExact && list[i].IsEnabled() {
				claimed[h.Value] = list[i].ID
			}
		}
	}
	var r Recall
	for i := range list {
		sig := &list[i]
		if !sig.IsEnabled() || len(sig.Hosts) == 0 {
			continue
		}
		r.Signatures++
		for _, e := range endpoints(sig, claimed) {
			r.Endpoints++
			o, err := signatures.ObservationFor(e)
			if err != nil {
				r.Missed = append(r.Missed, sig.ID+": "+describe(e)+": "+err.Error())
				continue
			}
			matches := set.Match(&o, nil)
			if !has(matches, sig.ID) {
				r.Missed = append(r.Missed, sig.ID+": "+describe(e)+": "+summary(matches))
			}
		}
	}
	return r, nil
}

func has(matches []signatures.Match, id string) bool {
	for i := range matches {
		if matches[i].Signature.ID == id {
			return true
		}
	}
	return false
}

// endpoints lists the endpoints of sig, each once.
func endpoints(sig *signatures.Signature, claimed map[string]string) []signatures.Example {
	var out []signatures.Example
	seen := map[string]bool{}
	add := func(e signatures.Example) {
		if key := describe(e); !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	}
	for _, e := range sig.Tests.Positive {
		if e.Host != "" {
			add(e)
		}
	}
	for h := range sig.Hosts {
		rule := &sig.Hosts[h]
		other := claimed[rule.Value]
		if rule.Match == signatures.HostSuffix && other != "" && other != sig.ID {
			continue
		}
		add(lookalike{name: strings.Replace(rule.Value, "*", "label", 1)}.example(sig, rule))
	}
	return out
}
