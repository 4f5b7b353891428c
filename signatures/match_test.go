package signatures

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// brief writes a match as "id confidence evidence=value …", a weak hit with "~".
func brief(list []Match) []string {
	var out []string
	for i := range list {
		m := &list[i]
		s := fmt.Sprintf("%s %d", m.Signature.ID, m.Confidence)
		for _, h := range m.Evidence() {
			weak := ""
			if h.Weak {
				weak = "~"
			}
			s += fmt.Sprintf(" %s%s=%s (%s)", weak, h.Evidence, h.Value, h.Selector)
		}
		out = append(out, s)
	}
	return out
}

func TestMatch(t *testing.T) {
	set := world(t)
	f := func(e Example, want ...string) {
		t.Helper()
		o := mustObserve(t, e)
		if diff := cmp.Diff(want, brief(set.Match(&o, nil))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", e, diff)
		}
	}
	// Host names.
	f(Example{Host: "api.openai.com"}, "openai.api 90 tls.sni=api.openai.com (host exact api.openai.com)")
	f(Example{Host: "x.api.openai.com"}, "openai.web 90 tls.sni=x.api.openai.com (host suffix openai.com)")
	f(Example{Host: "www.openai.com"}, "openai.web 90 tls.sni=www.openai.com (host suffix openai.com)") // the disabled rule hides nothing
	f(Example{Host: "openai.com"}, "openai.web 90 tls.sni=openai.com (host suffix openai.com)")
	f(Example{Host: "notopenai.com"})
	f(Example{Host: "openai.com.evil.test"})
	f(Example{Host: "com"})
	f(Example{Host: "me.openai.azure.com"}, "azure.openai 90 tls.sni=me.openai.azure.com (host wildcard *.openai.azure.com)")
	f(Example{Host: "openai.azure.com"})
	f(Example{Host: "a.b.openai.azure.com"})
	f(Example{Host: "bedrock-runtime.eu-west-1.amazonaws.com"}, "aws.bedrock 90 tls.sni=bedrock-runtime.eu-west-1.amazonaws.com (host wildcard bedrock-runtime.*.amazonaws.com)")
	f(Example{Host: "bedrock-runtime.a.b.amazonaws.com"})
	f(Example{Host: "xbedrock-runtime.a.amazonaws.com"})
	f(Example{Host: "s3.eu-west-1.amazonaws.com"})
	// Roles.
	f(Example{Host: "cdn.openai.com"}, "openai.web 30 tls.sni=cdn.openai.com (host exact cdn.openai.com)")
	f(Example{Host: "auth.openai.com"}, "openai.web 30 tls.sni=auth.openai.com (host exact auth.openai.com)")
	f(Example{Host: "t.openai.com"}, "openai.web 30 tls.sni=t.openai.com (host exact t.openai.com)")
	// Shared hosts.
	f(Example{Host: "x.com"})
	f(Example{Host: "x.com", Path: "/home"})
	f(Example{Host: "x.com", Path: "/i/grokking"})
	f(Example{Host: "x.com", Path: "/i/grok/"}, "x.grok 90 http.host=x.com (host exact x.com) http.path=/i/grok/ (path prefix /i/grok)")
	f(Example{Host: "api.z.test"}, "z.all 90 tls.sni=api.z.test (host exact api.z.test)")
	f(Example{Host: "api.z.test", Path: "/v1"}, "z.all 90 http.host=api.z.test (host exact api.z.test)")
	f(Example{Host: "api.z.test", Path: "/coding/v1"}, "z.coding 90 http.host=api.z.test (host exact api.z.test) http.path=/coding/v1 (path prefix /coding)")
	f(Example{Host: "api.z.test", Path: "/coding/pro/v1"}, "z.coding-pro 90 http.host=api.z.test (host exact api.z.test) http.path=/coding/pro/v1 (path prefix /coding/pro)")
	// Paths on any host.
	f(Example{Host: "llm.corp.test", Method: "POST", Path: "/v1/chat/completions"}, "generic.chat 70 http.path=/v1/chat/completions (path POST suffix /chat/completions)")
	f(Example{Path: "/v1/chat/completions"}, "generic.chat 70 http.path=/v1/chat/completions (path POST suffix /chat/completions)")
	f(Example{Host: "llm.corp.test", Method: "GET", Path: "/v1/chat/completions"})
	f(Example{Host: "llm.corp.test", Path: "/xchat/completions"})
	f(Example{Host: "api.openai.com", Path: "/v1/chat/completions"}, "openai.api 90 http.host=api.openai.com (host exact api.openai.com)")
	f(Example{Host: "llm.corp.test", Path: "/openai/deployments/d1/chat/completions"}, "generic.azure-like 90 http.path=/openai/deployments/d1/chat/completions (path suffix /deployments/*/chat/completions)")
	f(Example{Host: "x.com", Path: "/v1/chat/completions"}, "generic.chat 70 http.path=/v1/chat/completions (path POST suffix /chat/completions)")
	f(Example{Path: "/api/tags"})
	f(Example{Path: "/api/tags", Ports: []uint16{80}})
	f(Example{Path: "/api/tags", Ports: []uint16{11434}}, "ollama.server 60 ~http.path=/api/tags (path suffix /api/tags) ~net.port=11434 (port 11434)")
	// Programs.
	f(Example{Process: "ollama"}, "ollama.server 95 process.name=ollama (process ollama)")
	f(Example{Process: "ollama", Ports: []uint16{22, 11434}}, "ollama.server 95 process.name=ollama (process ollama) ~net.port=11434 (port 11434)")
	f(Example{Ports: []uint16{11434, 8000, 3284}})
	f(Example{Process: "OLLAMA"})
	f(Example{Process: "Ollama.EXE"}, "ollama.server 95 process.name=Ollama.EXE (process ollama)")
	f(Example{Executable: `C:\Program Files\Ollama\OLLAMA.exe`}, `ollama.server 95 process.name=OLLAMA.exe (process ollama)`)
	f(Example{Process: "Ollama", OS: "windows"}, "ollama.server 95 process.name=Ollama (process ollama)")
	f(Example{Process: "vllm"})
	f(Example{Process: "vllm", Arguments: []string{"vllm", "serve", "m"}}, "vllm.server 90 process.name=vllm (process vllm serve)")
	f(Example{Process: "python3.12", Arguments: []string{"python3", "/usr/local/bin/vllm", "serve"}}, "vllm.server 90 process.argument=/usr/local/bin/vllm (process vllm serve)")
	f(Example{Process: "cat", Arguments: []string{"cat", "/usr/local/bin/vllm", "serve"}})
	f(Example{Process: "python3", Arguments: []string{"python3", "-m", "vllm.entrypoints.openai.api_server"}}, "vllm.server 90 process.argument=vllm.entrypoints.openai.api_server (module vllm.entrypoints)")
	f(Example{Process: "python3", Arguments: []string{"python3", "-m", "vllm.entrypointsx"}})
	f(Example{Process: "python3", Arguments: []string{"python3", "vllm.entrypoints"}})
	f(Example{Process: "node", Arguments: []string{"node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"}},
		"anthropic.claude-code 90 process.argument=/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js (argument @anthropic-ai/claude-code)")
	f(Example{Process: "node.exe", Arguments: []string{"node", `C:\npm\node_modules\@anthropic-ai\claude-code\cli.js`}},
		`anthropic.claude-code 90 process.argument=C:\npm\node_modules\@anthropic-ai\claude-code\cli.js (argument @anthropic-ai/claude-code)`)
	f(Example{Process: "npx", Arguments: []string{"npx", "@anthropic-ai/claude-code@latest"}}, "anthropic.claude-code 90 process.argument=@anthropic-ai/claude-code@latest (argument @anthropic-ai/claude-code)")
	f(Example{Process: "x", Arguments: []string{"x", "--pkg=@anthropic-ai/claude-code"}}, "anthropic.claude-code 90 process.argument=--pkg=@anthropic-ai/claude-code (argument @anthropic-ai/claude-code)")
	f(Example{Process: "node", Arguments: []string{"node", "/x/@anthropic-ai/claude-code-router/cli.js"}})
	f(Example{Process: "node", Arguments: []string{"node", "a", "b", "c", "d", "e", "f", "g", "/@anthropic-ai/claude-code/"}}) // the ninth element
	f(Example{Executable: "/opt/@anthropic-ai/claude-code/bin/x"}, "anthropic.claude-code 90 process.exe=/opt/@anthropic-ai/claude-code/bin/x (argument @anthropic-ai/claude-code)")
	f(Example{Process: "claude"})
	f(Example{Process: "claude", Arguments: []string{"claude", "/home/a/.claude/x"}}, "anthropic.claude-code 60 ~process.argument=/home/a/.claude/x (argument .claude) ~process.name=claude (process claude)")
	f(Example{Executable: "/usr/bin/goose", Arguments: []string{"goose"}}) // one name, seen three times
	f(Example{Executable: "/opt/goose/bin/goose"}, "goose.cli 60 ~process.exe=/opt/goose/bin/goose (argument goose) ~process.name=goose (process goose)")
	f(Example{Process: "goose", Ports: []uint16{3284}}, "goose.cli 60 ~process.name=goose (process goose) ~net.port=3284 (port 3284)")
	f(Example{Process: "thing", Ports: []uint16{9999}}) // listening ports are TCP
	f(Example{Process: "koboldcpp-linux-x64"}, "kobold.cpp 90 process.name=koboldcpp-linux-x64 (process prefix koboldcpp)")
	f(Example{Process: "koboldcpp_rocm.exe"}, "kobold.rocm 90 process.name=koboldcpp_rocm.exe (process prefix koboldcpp_rocm)")
	f(Example{Executable: "/Applications/Cursor.app/Contents/MacOS/Cursor", OS: "darwin"}, "cursor.app 90 process.exe=/Applications/Cursor.app/Contents/MacOS/Cursor (file /Applications/Cursor.app)")
	f(Example{Executable: "/Applications/Cursor.app/Contents/MacOS/Cursor", OS: "linux"})
	f(Example{Executable: `c:\users\ana\appdata\local\programs\cursor\cursor.exe`}, `cursor.app 90 process.exe=c:\users\ana\appdata\local\programs\cursor\cursor.exe (file ~/AppData/Local/Programs/cursor/Cursor.exe)`)
	f(Example{Process: "maconly"}, "mac.only 90 process.name=maconly (process maconly)")
	f(Example{Process: "maconly", OS: "linux"})
	// Files.
	f(Example{Format: "gguf"}, "generic.gguf 90 file.format=gguf (format gguf)")
	f(Example{File: "/tmp/x.gguf"})
	f(Example{Format: "gguf", File: "/home/ana/.ollama/models/blobs/sha256-1"},
		"ollama.server 95 file.path=/home/ana/.ollama/models/blobs/sha256-1 (file ~/.ollama)", "generic.gguf 90 file.format=gguf (format gguf)")
	f(Example{File: "/root/.ollama"}, "ollama.server 95 file.path=/root/.ollama (file ~/.ollama)")
	f(Example{File: "/usr/share/ollama/.ollama/models"}, "ollama.server 95 file.path=/usr/share/ollama/.ollama/models (file /usr/share/ollama/.ollama)")
	f(Example{File: "/srv/backup/.ollama"})
	f(Example{File: "/home/ana/.ollamax"})
	f(Example{File: "~/.claude.json"}, "anthropic.claude-code 90 file.path=/home/user/.claude.json (file ~/.claude.json)")
	f(Example{File: "~/.claude.json/x"})
	f(Example{File: "~/.claude.json", OS: "windows"}, "anthropic.claude-code 90 file.path=C:/Users/user/.claude.json (file ~/.claude.json)")
	f(Example{File: "/srv/project/.claude/settings.json"}, "anthropic.claude-code 90 file.path=/srv/project/.claude/settings.json (file .claude/settings.json)")
	f(Example{File: "/srv/project/x.claude/settings.json"})
}

func TestMatchLeavesWhatIsThere(t *testing.T) {
	set := world(t)
	o := mustObserve(t, Example{Host: "api.openai.com"})
	first := set.Match(&o, nil)
	both := set.Match(&o, first)
	if len(both) != 2 || both[0].Signature != both[1].Signature {
		t.Errorf("got %q", brief(both))
	}
	unknown := Observation{Kind: "something", Name: "api.openai.com"}
	if got := set.Match(&unknown, both); len(got) != 2 {
		t.Errorf("an unknown kind matched: %q", brief(got))
	}
}

func TestMatchNamesTheEvidence(t *testing.T) {
	set := world(t)
	f := func(kind Kind, given, want Evidence) {
		t.Helper()
		o := Observation{Kind: kind, Name: "api.openai.com", NameEvidence: given}
		got := set.Match(&o, nil)
		if len(got) != 1 || got[0].Hits[0].Evidence != want || got[0].Role() != RoleAPI {
			t.Errorf("%s: got %q, want %s", kind, brief(got), want)
		}
	}
	f(KindTLS, "", EvidenceTLS)
	f(KindQUIC, "", EvidenceQUIC)
	f(KindDNS, "", EvidenceDNS)
	f(KindHTTP, "", EvidenceHTTPHost)
	f(KindFlow, "", EvidenceDNSAnswer)
	f(KindHTTP, EvidenceTLS, EvidenceTLS)
	f(KindFlow, EvidenceProxyTarget, EvidenceProxyTarget)
}

func TestMatchOfAnOuterNameIsNone(t *testing.T) {
	o := Observation{Kind: KindTLS, Name: "api.openai.com", NameEvidence: EvidenceTLSOuter}
	if got := world(t).Match(&o, nil); len(got) != 0 {
		t.Errorf("got %q", brief(got))
	}
}

func TestMatchNeverExceedsItsLimit(t *testing.T) {
	var list []Signature
	for i := range 3 * MaxMatches {
		list = append(list, sign(fmt.Sprintf("many.s%02d", i), func(s *Signature) {
			s.Confidence = uint8(10 + i)
			s.Hosts = []HostRule{hostRule(HostExact, "many.test")}
			s.Processes = []ProcessRule{{Name: "many"}}
			s.Formats = []FormatRule{{Format: "many"}}
			s.Paths = []PathRule{{Suffix: "/many/paths", AnyHost: true}}
		}))
	}
	set := mustCompile(t, list...)
	for _, e := range []Example{{Host: "many.test"}, {Process: "many"}, {Format: "many"}, {Path: "/many/paths"}} {
		o := mustObserve(t, e)
		got := set.Match(&o, nil)
		if len(got) != MaxMatches {
			t.Errorf("%+v: %d matches", e, len(got))
		}
		for i := 1; i < len(got); i++ {
			if got[i].Confidence > got[i-1].Confidence {
				t.Errorf("%+v: not the best first: %q", e, brief(got))
			}
		}
	}
}

// TestMatchPrefersStrongCandidates fills the room for candidates with weak ones.
func TestMatchPrefersStrongCandidates(t *testing.T) {
	var list []Signature
	for i := range MaxMatches {
		list = append(list, sign(fmt.Sprintf("weak.s%02d", i), func(s *Signature) {
			s.Arguments = []ArgumentRule{{Contains: "common", Weak: true}}
			s.Ports = []PortRule{{Port: uint16(9000 + i)}}
		}))
	}
	list = append(list, sign("strong.s", func(s *Signature) { s.Processes = []ProcessRule{{Name: "strong"}} }))
	o := mustObserve(t, Example{Process: "strong", Arguments: []string{"strong", "/common/x"}, Ports: []uint16{9007}})
	want := []string{
		"strong.s 90 process.name=strong (process strong)",
		"weak.s07 60 ~process.argument=/common/x (argument common) ~net.port=9007 (port 9007)",
	}
	if diff := cmp.Diff(want, brief(mustCompile(t, list...).Match(&o, nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMatchTakesRetiredSignatures(t *testing.T) {
	set := mustCompile(t, sign("old.name", func(s *Signature) {
		s.Status, s.Hosts = StatusRetired, []HostRule{hostRule(HostExact, "old.test")}
	}))
	o := mustObserve(t, Example{Host: "old.test"})
	if got := set.Match(&o, nil); len(got) != 1 || got[0].Confidence != 90 {
		t.Errorf("got %q", brief(got))
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	set := world(t)
	into := make([]Match, 0, MaxMatches)
	for _, e := range []Example{
		{Host: "api.openai.com"},
		{Host: "www.example.org"},
		{Host: "bedrock-runtime.eu-west-1.amazonaws.com"},
		{Host: "x.com", Path: "/i/grok"},
		{Host: "llm.test", Path: "/openai/deployments/d1/chat/completions"},
		{Path: "/api/tags", Ports: []uint16{11434}},
		{Process: "python3", Arguments: []string{"python3", "-m", "vllm.entrypoints.openai.api_server"}, Ports: []uint16{8000}},
		{Executable: `C:\Users\a\AppData\Local\Programs\cursor\Cursor.exe`, Arguments: []string{`C:\Users\a\.claude\x`}},
		{Process: "koboldcpp.exe"},
		{Format: "gguf", File: "/home/ana/.ollama/models/blobs/sha256-1"},
	} {
		o := mustObserve(t, e)
		if n := testing.AllocsPerRun(100, func() { into = set.Match(&o, into[:0]) }); n != 0 {
			t.Errorf("%+v: %v allocations", e, n)
		}
	}
}

func TestCompile(t *testing.T) {
	set := world(t)
	if got, ok := set.Lookup("hidden.off"); !ok || got.ID != "hidden.off" {
		t.Error("a disabled signature is not listed")
	}
	if _, ok := set.Lookup("hidden"); ok {
		t.Error("an unknown id is found")
	}
	for i := 1; i < len(set.Signatures()); i++ {
		if set.Signatures()[i-1].ID >= set.Signatures()[i].ID {
			t.Error("not in id order")
		}
	}
	f := func(want string, list ...Signature) {
		t.Helper()
		if _, err := Compile(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	plain := func(s *Signature) {}
	f("the id a.b is given twice", sign("a.b", plain), sign("a.c", plain), sign("a.b", plain))
	f(`compiling signature a.b: host rule: "com" matches too much`, sign("a.b", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostSuffix, "com")} }))
	f("path rule 0 is empty", sign("a.b", func(s *Signature) { s.Paths = []PathRule{{Suffix: "/"}} }))
	f("process rule 0: the name has 0 bytes", sign("a.b", func(s *Signature) { s.Processes = []ProcessRule{{}} }))
	f("argument rule 0: want either contains or module", sign("a.b", func(s *Signature) { s.Arguments = []ArgumentRule{{}} }))
	f(`file rule "~"`, sign("a.b", func(s *Signature) { s.Files = []FileRule{{Path: "~"}} }))
}

func TestVersion(t *testing.T) {
	off := false
	a := sign("a.a", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostExact, "a.test")} })
	b := sign("a.b", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostExact, "b.test")} })
	version := mustCompile(t, a, b).Version()
	if len(version) != 12 || strings.Trim(version, "0123456789abcdef") != "" {
		t.Fatalf("version %q", version)
	}
	same := func(name string, want bool, list ...Signature) {
		t.Helper()
		if got := mustCompile(t, list...).Version() == version; got != want {
			t.Errorf("%s: same version %v, want %v", name, got, want)
		}
	}
	moved, disabled, changed := a, a, a
	moved.File, moved.Line = "elsewhere.yaml", 7
	disabled.ID, disabled.Enabled = "a.z", &off
	changed.Hosts = []HostRule{hostRule(HostExact, "c.test")}
	same("other order", true, b, a)
	same("moved to another file", true, moved, b)
	same("a disabled one more", true, a, b, disabled)
	same("one rule changed", false, changed, b)
	same("one fewer", false, a)
}

func TestMerge(t *testing.T) {
	off := false
	base := []Signature{sign("a.a", func(s *Signature) { s.Name = "old" }), sign("a.b", func(s *Signature) {})}
	merged := Merge(base, []Signature{sign("a.a", func(s *Signature) { s.Name = "new"; s.Enabled = &off }), sign("c.c", func(s *Signature) {})})
	var got []string
	for _, s := range merged {
		got = append(got, s.ID+" "+s.Name)
	}
	if diff := cmp.Diff([]string{"a.a new", "a.b a.b", "c.c c.c"}, got); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if base[0].Name != "old" {
		t.Error("the base was changed")
	}
}
