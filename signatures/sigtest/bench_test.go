package sigtest

import (
	"os"
	"testing"

	"github.com/gnomon-ai/gnomon/signatures"
)

func load(b *testing.B) []signatures.Signature {
	b.Helper()
	list, err := signatures.Load(os.DirFS("../catalogue"))
	if err != nil {
		b.Fatal(err)
	}
	return list
}

// BenchmarkLoad reads and checks the shipped catalogue: part of the start of
// every agent.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b)
	}
}

func BenchmarkCompile(b *testing.B) {
	list := load(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signatures.Compile(list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMatch asks the shipped catalogue about names that match nothing, nine
// in ten, and names that match.
func BenchmarkMatch(b *testing.B) {
	list := load(b)
	set, err := signatures.Compile(list)
	if err != nil {
		b.Fatal(err)
	}
	var names []signatures.Observation
	benign := BenignNames()
	for i := range benign {
		names = append(names, signatures.Observation{Kind: signatures.KindTLS, Name: benign[i]})
		if hosts := list[i%len(list)].Hosts; i%10 == 0 && len(hosts) > 0 {
			names = append(names, signatures.Observation{Kind: signatures.KindTLS, Name: hosts[0].Value})
		}
	}
	into := make([]signatures.Match, 0, signatures.MaxMatches)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		into = set.Match(&names[i], into[:0])
		if i++; i == len(names) {
			i = 0
		}
	}
}
