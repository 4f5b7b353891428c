package signatures

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// synthetic makes n host rules: nine in ten suffixes of two or three labels, the
// rest exact names and wildcards. Names are drawn from a fixed seed.
func synthetic(n int) []Signature {
	random := rand.New(rand.NewPCG(1, 2))
	label := func() string {
		b := make([]byte, 4+random.IntN(9))
		for i := range b {
			b[i] = byte('a' + random.IntN(26))
		}
		return string(b)
	}
	top := []string{"com", "ai", "io", "net", "org", "dev", "app", "co"}
	list := make([]Signature, n)
	for i := range list {
		name := label() + "." + top[random.IntN(len(top))]
		r := hostRule(HostSuffix, name)
		switch i % 20 {
		case 0:
			r = hostRule(HostExact, "api."+name)
		case 1:
			r = hostRule(HostWildcard, "runtime.*."+name)
		case 2, 3, 4, 5:
			r = hostRule(HostSuffix, label()+"."+name)
		}
		list[i] = sign(fmt.Sprintf("bench.s%06d", i), func(s *Signature) { s.Hosts = []HostRule{r} })
	}
	return list
}

// mixture makes the names that a network shows: of ten, six unknown ones of three
// labels, three of five, and one that a rule matches.
func mixture(list []Signature) []Observation {
	random := rand.New(rand.NewPCG(3, 4))
	out := make([]Observation, 1024)
	for i := range out {
		name := fmt.Sprintf("www.site%05d.com", random.IntN(100000))
		switch i % 10 {
		case 0:
			r := list[random.IntN(len(list))].Hosts[0]
			switch r.Match {
			case HostExact:
				name = r.Value
			case HostSuffix:
				name = "www." + r.Value
			default:
				name = "runtime.eu-west-1" + r.Value[len("runtime.*"):]
			}
		case 1, 2, 3:
			name = fmt.Sprintf("e%04d.a.edge%03d.cdn.net", random.IntN(10000), random.IntN(1000))
		}
		out[i] = Observation{Kind: KindTLS, Name: name, NameEvidence: EvidenceTLS}
	}
	return out
}

func benchmarkHosts(b *testing.B, rules int) {
	list := synthetic(rules)
	set := mustCompile(b, list...)
	names := mixture(list)
	into := make([]Match, 0, MaxMatches)
	found, i := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		into = set.Match(&names[i&1023], into[:0])
		found += len(into)
		i++
	}
	if found == 0 && b.N > 1024 {
		b.Fatal("nothing matched")
	}
}

func BenchmarkMatchHost1000(b *testing.B)   { benchmarkHosts(b, 1000) }
func BenchmarkMatchHost100000(b *testing.B) { benchmarkHosts(b, 100_000) }

func BenchmarkMatchOne(b *testing.B) {
	set := world(b)
	for _, c := range []struct {
		name string
		e    Example
	}{
		{"host_hit", Example{Host: "api.openai.com"}},
		{"host_miss", Example{Host: "www.example.org"}},
		{"path", Example{Host: "llm.corp.test", Path: "/v1/chat/completions"}},
		{"process", Example{Process: "python3", Arguments: []string{"python3", "-m", "vllm.entrypoints.openai.api_server"}}},
		{"process_miss", Example{Executable: "/usr/lib/firefox/firefox", Arguments: []string{"/usr/lib/firefox/firefox", "-contentproc", "-childID", "7", "-isForBrowser"}}},
		{"file", Example{Format: "gguf", File: "/home/ana/.ollama/models/blobs/sha256-1"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			o := mustObserve(b, c.e)
			into := make([]Match, 0, MaxMatches)
			b.ReportAllocs()
			for b.Loop() {
				into = set.Match(&o, into[:0])
			}
		})
	}
}

func BenchmarkNormalizeHost(b *testing.B) {
	for _, name := range []string{"api.openai.com", "API.OpenAI.com", "bücher.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NormalizeHost(name)
			}
		})
	}
}

func BenchmarkCompile100000(b *testing.B) {
	list := synthetic(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMatchFileOf600 asks for the place of files among 600 rules that end
// in a version.
func BenchmarkMatchFileOf600(b *testing.B) {
	list := make([]Signature, 600)
	for i := range list {
		list[i] = sign(fmt.Sprintf("bench.x%03d", i), func(s *Signature) {
			s.Files = []FileRule{{Path: fmt.Sprintf("extensions/acme.%c%cname%d-*", 'a'+i%26, 'a'+i/26%26, i), Kind: "data"}}
		})
	}
	set := mustCompile(b, list...)
	for _, path := range []string{"/home/ana/.vscode/extensions/acme.abname27-1.2.3", "/home/ana/.vscode/extensions/acme.unknown-1.2.3", "/home/ana/src/main.go"} {
		b.Run(path[len(path)-12:], func(b *testing.B) {
			o := mustObserve(b, Example{File: path})
			into := make([]Match, 0, MaxMatches)
			b.ReportAllocs()
			for b.Loop() {
				into = set.Match(&o, into[:0])
			}
		})
	}
}
