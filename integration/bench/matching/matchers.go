package main

import (
	"fmt"
	"strings"

	"github.com/AdguardTeam/urlfilter"

	"github.com/gnomon-ai/gnomon/signatures"
)

// matcher is one of those compared. ask matches the names of the world from one
// index up to another, and returns how many matched.
type matcher struct {
	name  string
	build func(w *world) (ask func(from, to int) int, err error)
}

func matchers() []matcher {
	return []matcher{
		{"gnomon", gnomon},
		{"map, each boundary", plainMap},
		{"urlfilter DNSEngine", adguard},
	}
}

func gnomon(w *world) (func(from, to int) int, error) {
	set, err := signatures.CompileAs(w.list, "bench")
	if err != nil {
		return nil, err
	}
	// The set has a list of its own, with the same texts: the one that it was
	// compiled from is let go, as the agent does.
	w.list = set.Signatures()
	into := make([]signatures.Match, 0, signatures.MaxMatches)
	o := signatures.Observation{Kind: signatures.KindTLS, NameEvidence: signatures.EvidenceTLS}
	return func(from, to int) (matched int) {
		for _, name := range w.names[from:to] {
			o.Name = name
			if len(set.Match(&o, into[:0])) > 0 {
				matched++
			}
		}
		return matched
	}, nil
}

// each calls f for every rule.
func each(w *world, f func(r *signatures.HostRule)) {
	for i := range w.list {
		for h := range w.list[i].Hosts {
			f(&w.list[i].Hosts[h])
		}
	}
}

func plainMap(w *world) (func(from, to int) int, error) {
	rules := map[string]int32{}
	each(w, func(r *signatures.HostRule) {
		if r.Match != signatures.HostWildcard {
			rules[r.Value] = int32(len(rules))
		}
	})
	probe := func(name string) bool {
		for {
			if _, found := rules[name]; found {
				return true
			}
			at := strings.IndexByte(name, '.')
			if at < 0 {
				return false
			}
			name = name[at+1:]
		}
	}
	return func(from, to int) (matched int) {
		for _, name := range w.names[from:to] {
			if probe(name) {
				matched++
			}
		}
		return matched
	}, nil
}

func adguard(w *world) (func(from, to int) int, error) {
	var text strings.Builder
	each(w, func(r *signatures.HostRule) {
		if r.Match == signatures.HostExact {
			fmt.Fprintf(&text, "0.0.0.0 %s\n", r.Value)
		} else {
			fmt.Fprintf(&text, "||%s^\n", r.Value)
		}
	})
	list := &urlfilter.StringRuleList{ID: 1, RulesText: text.String(), IgnoreCosmetic: true}
	storage, err := urlfilter.NewRuleStorage([]urlfilter.RuleList{list})
	if err != nil {
		return nil, err
	}
	engine := urlfilter.NewDNSEngine(storage)
	return func(from, to int) (matched int) {
		for _, name := range w.names[from:to] {
			if _, found := engine.Match(name); found {
				matched++
			}
		}
		return matched
	}, nil
}
