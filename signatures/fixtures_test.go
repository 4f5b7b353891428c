package signatures

import (
	"testing"
)

// sign makes a signature for tests; edit sets its rules.
func sign(id string, edit func(*Signature)) Signature {
	s := Signature{ID: id, Name: id, Kind: AssetService, Status: StatusActive, Confidence: 90}
	edit(&s)
	return s
}

// hostRule makes a host rule of role api.
func hostRule(match HostMatch, value string) HostRule {
	return HostRule{Value: value, Match: match, Role: RoleAPI}
}

func mustCompile(t testing.TB, list ...Signature) *Set {
	t.Helper()
	s, err := Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustObserve(t testing.TB, e Example) Observation {
	t.Helper()
	o, err := ObservationFor(e)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// world is a small catalogue with one of everything.
func world(t testing.TB) *Set {
	t.Helper()
	off := false
	return mustCompile(t,
		sign("openai.api", func(s *Signature) {
			s.Hosts = []HostRule{hostRule(HostExact, "api.openai.com")}
		}),
		sign("openai.web", func(s *Signature) {
			s.Hosts = []HostRule{
				{Value: "openai.com", Match: HostSuffix, Role: RoleWebUI},
				{Value: "cdn.openai.com", Match: HostExact, Role: RoleCDN},
				{Value: "auth.openai.com", Match: HostExact, Role: RoleAuth},
				{Value: "t.openai.com", Match: HostExact, Role: RoleTelemetry},
			}
		}),
		sign("azure.openai", func(s *Signature) {
			s.Hosts = []HostRule{hostRule(HostWildcard, "*.openai.azure.com")}
		}),
		sign("aws.bedrock", func(s *Signature) {
			s.Hosts = []HostRule{hostRule(HostWildcard, "bedrock-runtime.*.amazonaws.com")}
		}),
		sign("x.grok", func(s *Signature) {
			s.Hosts = []HostRule{{Value: "x.com", Match: HostExact, Role: RoleWebUI, Shared: true}}
			s.Paths = []PathRule{{Prefix: "/i/grok"}}
		}),
		sign("z.all", func(s *Signature) { s.Hosts = []HostRule{hostRule(HostExact, "api.z.test")} }),
		sign("z.coding", func(s *Signature) {
			h := hostRule(HostExact, "api.z.test")
			h.Shared = true
			s.Hosts, s.Paths = []HostRule{h}, []PathRule{{Prefix: "/coding"}}
		}),
		sign("z.coding-pro", func(s *Signature) {
			h := hostRule(HostExact, "api.z.test")
			h.Shared = true
			s.Hosts, s.Paths = []HostRule{h}, []PathRule{{Prefix: "/coding/pro"}}
		}),
		sign("generic.chat", func(s *Signature) {
			s.Confidence = 70
			s.Paths = []PathRule{{Suffix: "/chat/completions", AnyHost: true, Method: "POST"}}
		}),
		sign("generic.azure-like", func(s *Signature) {
			s.Paths = []PathRule{{Suffix: "/deployments/*/chat/completions", AnyHost: true}}
		}),
		sign("ollama.server", func(s *Signature) {
			s.Kind, s.Confidence = AssetRuntime, 95
			s.Paths = []PathRule{{Suffix: "/api/tags", AnyHost: true, Weak: true}}
			s.Processes = []ProcessRule{{Name: "ollama"}}
			s.Ports = []PortRule{{Port: 11434}}
			s.Files = []FileRule{{Path: "~/.ollama", Kind: "store"}, {Path: "/usr/share/ollama/.ollama", Kind: "store"}}
		}),
		sign("vllm.server", func(s *Signature) {
			s.Processes = []ProcessRule{{Name: "vllm", Argument: "serve"}}
			s.Arguments = []ArgumentRule{{Module: "vllm.entrypoints"}}
			s.Ports = []PortRule{{Port: 8000}}
		}),
		sign("anthropic.claude-code", func(s *Signature) {
			s.Processes = []ProcessRule{{Name: "claude", Weak: true}}
			s.Arguments = []ArgumentRule{{Contains: "@anthropic-ai/claude-code"}, {Contains: ".claude", Weak: true}}
			s.Files = []FileRule{{Path: "~/.claude.json", Kind: "config"}, {Path: ".claude/settings.json", Kind: "config"}}
		}),
		sign("goose.cli", func(s *Signature) {
			s.Processes = []ProcessRule{{Name: "goose", Weak: true}}
			s.Arguments = []ArgumentRule{{Contains: "goose", Weak: true}}
			s.Ports = []PortRule{{Port: 3284}}
		}),
		sign("kobold.cpp", func(s *Signature) { s.Processes = []ProcessRule{{Name: "koboldcpp", Match: "prefix"}} }),
		sign("kobold.rocm", func(s *Signature) { s.Processes = []ProcessRule{{Name: "koboldcpp_rocm", Match: "prefix"}} }),
		sign("cursor.app", func(s *Signature) {
			s.Files = []FileRule{
				{Path: "/Applications/Cursor.app", Kind: "binary", OS: []string{"darwin"}},
				{Path: "~/AppData/Local/Programs/cursor/Cursor.exe", Kind: "binary", OS: []string{"windows"}},
			}
		}),
		sign("mac.only", func(s *Signature) { s.Processes = []ProcessRule{{Name: "maconly", OS: []string{"darwin"}}} }),
		sign("generic.gguf", func(s *Signature) { s.Formats = []FormatRule{{Format: "gguf", Executable: "possible"}} }),
		sign("hidden.off", func(s *Signature) {
			s.Enabled = &off
			s.Hosts = []HostRule{hostRule(HostExact, "www.openai.com")}
		}),
		sign("udp.thing", func(s *Signature) {
			s.Processes = []ProcessRule{{Name: "thing", Weak: true}}
			s.Ports = []PortRule{{Port: 9999, Protocol: "udp"}}
		}),
	)
}
