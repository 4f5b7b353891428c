package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

const (
	namesAsked    = 1 << 16
	rulesOfOne    = 4 // rules of a synthetic signature, as the catalogue has on average, roundly
	shareWildcard = 5 // of a hundred rules
	shareExact    = 35
)

// world is what the matchers are built from and asked.
type world struct {
	list  []signatures.Signature
	rules int
	names []string
}

// newWorld makes a world of n rules; 0 takes those of the catalogue.
func newWorld(n int) (*world, error) {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	w := &world{}
	if n == 0 {
		list, err := signatures.Load(catalogue.Files)
		if err != nil {
			return nil, fmt.Errorf("loading the catalogue: %w", err)
		}
		w.list = hostsAlone(list)
	} else {
		w.list = synthetic(random, n)
	}
	var hosts []signatures.HostRule
	for i := range w.list {
		hosts = append(hosts, w.list[i].Hosts...)
	}
	w.rules = len(hosts)
	for i := range namesAsked {
		switch i % 10 {
		case 0:
			w.names = append(w.names, hit(random, hosts))
		case 1, 2, 3:
			w.names = append(w.names, label(random)+"."+label(random)+"."+label(random)+"."+domain(random))
		default:
			w.names = append(w.names, label(random)+"."+domain(random))
		}
	}
	random.Shuffle(len(w.names), func(i, j int) { w.names[i], w.names[j] = w.names[j], w.names[i] })
	// Strings made one after the other lie in memory in that order, which no
	// network does them the favour of: copied after the shuffle, all matchers
	// read them in order, and none is charged for fetching them.
	for i := range w.names {
		w.names[i] = strings.Clone(w.names[i])
	}
	return w, nil
}

// hostsAlone returns the enabled signatures that have host rules, without any
// other rules, so that all matchers hold the same. Rules of shared hosts, which
// need a path, are left out.
func hostsAlone(list []signatures.Signature) []signatures.Signature {
	var out []signatures.Signature
	for i := range list {
		sig := &list[i]
		hosts := slices.DeleteFunc(slices.Clone(sig.Hosts), func(r signatures.HostRule) bool { return r.Shared })
		if sig.IsEnabled() && len(hosts) > 0 {
			out = append(out, signatures.Signature{ID: sig.ID, Name: sig.Name, Kind: sig.Kind, Status: sig.Status, Confidence: sig.Confidence, Hosts: hosts})
		}
	}
	return slices.Clone(out) // without room, which the measure of the heap would see go
}

// hit makes a name that one of hosts matches.
func hit(random *rand.Rand, hosts []signatures.HostRule) string {
	switch r := hosts[random.IntN(len(hosts))]; r.Match {
	case signatures.HostWildcard:
		return strings.Replace(r.Value, "*", "eu-west-1", 1)
	case signatures.HostSuffix:
		return "www." + r.Value
	default:
		return r.Value
	}
}

// synthetic makes signatures with n rules in all: suffixes that are registrable
// names, exact names below one, and wildcards with a word before the "*".
func synthetic(random *rand.Rand, n int) []signatures.Signature {
	seen := map[string]bool{}
	list := make([]signatures.Signature, 0, n/rulesOfOne+1)
	for made := 0; made < n; {
		s := signatures.Signature{
			ID: fmt.Sprintf("bench.s%06d", len(list)), Name: "Bench", Kind: signatures.AssetService, Status: "active", Confidence: 80,
		}
		for range min(rulesOfOne, n-made) {
			r := signatures.HostRule{Match: signatures.HostSuffix, Role: signatures.RoleAPI}
			for r.Value == "" || seen[r.Value] {
				r.Value = domain(random)
			}
			seen[r.Value] = true
			switch kind := random.IntN(100); {
			case kind < shareWildcard:
				r.Match, r.Value = signatures.HostWildcard, "runtime.*."+r.Value
			case kind < shareWildcard+shareExact:
				r.Match, r.Value = signatures.HostExact, "api."+r.Value
			}
			s.Hosts = append(s.Hosts, r)
			made++
		}
		list = append(list, s)
	}
	return list
}

func domain(random *rand.Rand) string {
	top := [...]string{"com", "com", "com", "com", "ai", "io", "net", "org", "dev", "app", "co", "de", "cn", "ru", "jp"}
	return label(random) + "." + top[random.IntN(len(top))]
}

func label(random *rand.Rand) string {
	b := make([]byte, 5+random.IntN(9))
	for i := range b {
		b[i] = byte('a' + random.IntN(26))
	}
	return string(b)
}
