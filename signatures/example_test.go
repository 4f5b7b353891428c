package signatures

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestObservationForRefuses(t *testing.T) {
	f := func(e Example, want string) {
		t.Helper()
		if _, err := ObservationFor(e); err == nil || err.Error() != want {
			t.Errorf("%+v: got %v, want %q", e, err, want)
		}
	}
	f(Example{}, "the example is empty")
	f(Example{OS: "linux"}, "the example is empty")
	f(Example{Host: "a.test", File: "/x"}, "host and path, process, and file are examples of three kinds; give each its own")
	f(Example{Process: "a", Format: "gguf"}, "host and path, process, and file are examples of three kinds; give each its own")
	f(Example{Host: "a b"}, `"a b" is no host name`)
	f(Example{Host: "a.test", Path: "x"}, `the path "x" does not start with /`)
	f(Example{Host: "a.test", Method: "GET"}, `the path "" does not start with /`)
	f(Example{Host: "a.test", Ports: []uint16{1, 2}}, "a request goes to one port")
	f(Example{Format: "gguf", Ports: []uint16{1}}, "a file has no ports")
}

func TestParseExample(t *testing.T) {
	f := func(in string, want ...Example) {
		t.Helper()
		got, err := ParseExample(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
		for _, e := range got {
			if _, err := ObservationFor(e); err != nil {
				t.Errorf("%q: %+v: %v", in, e, err)
			}
		}
	}
	f("https://api.openai.com/v1/chat/completions?x=1", Example{Host: "api.openai.com", Path: "/v1/chat/completions"})
	f("http://[::1]:8080/", Example{Host: "::1", Ports: []uint16{8080}})
	f("https://api.openai.com", Example{Host: "api.openai.com"})
	f(" api.openai.com ", Example{Host: "api.openai.com"}, Example{Process: "api.openai.com", Arguments: []string{"api.openai.com"}},
		Example{File: "api.openai.com"}, Example{Format: "api.openai.com"})
	f("api.openai.com:443", Example{Host: "api.openai.com", Ports: []uint16{443}})
	f("ollama app.exe", Example{Process: "ollama app.exe", Arguments: []string{"ollama app.exe"}}, Example{File: "ollama app.exe"}, Example{Format: "ollama app.exe"})
	f("x.com/i/grok", Example{Host: "x.com", Path: "/i/grok"}, Example{File: "x.com/i/grok"}, Example{Executable: "python3", Arguments: []string{"python3", "x.com/i/grok"}})
	f("@anthropic-ai/claude-code", Example{File: "@anthropic-ai/claude-code"}, Example{Executable: "python3", Arguments: []string{"python3", "@anthropic-ai/claude-code"}})
	f("npm/@acme/sdk", Example{Package: "npm/@acme/sdk"}, Example{File: "npm/@acme/sdk"})
	f("vscode/acme.chat", Example{Extension: "vscode/acme.chat"}, Example{File: "vscode/acme.chat"})
	f("/usr/bin/ollama", Example{File: "/usr/bin/ollama"}, Example{Executable: "/usr/bin/ollama"}, Example{Path: "/usr/bin/ollama"})
	f("~/.ollama", Example{File: "~/.ollama"}, Example{Executable: "~/.ollama"})
	f(`C:\x\ollama.exe`, Example{File: `C:\x\ollama.exe`, OS: "windows"}, Example{Executable: `C:\x\ollama.exe`, OS: "windows"})

	for in, want := range map[string]string{
		"":            "nothing to match: want a host name, a URL, a path or the name of a program",
		"https://":    `"https://" names no host`,
		"http://a b/": `"http://a b/" is no URL: parse "http://a b/": invalid character " " in host name`,
	} {
		if _, err := ParseExample(in); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", in, err, want)
		}
	}
}

// FuzzParseExample checks that whatever is typed is either refused or makes
// observations that can be matched.
func FuzzParseExample(f *testing.F) {
	for _, s := range []string{"https://a.test/x", "a.test:1", "~", `\\host\share`, "a/b", "/", "::1", "[::1]:80", "http://a:99999/"} {
		f.Add(s)
	}
	set := world(f)
	f.Fuzz(func(t *testing.T, in string) {
		list, err := ParseExample(in)
		if err == nil && len(list) == 0 {
			t.Fatal("no example and no error")
		}
		for _, e := range list {
			o, err := ObservationFor(e)
			if err != nil {
				t.Fatalf("%q: %+v: %v", in, e, err)
			}
			set.Match(&o, nil)
		}
	})
}
