package signatures

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// installedWorld has packages, extensions and model families.
func installedWorld(t testing.TB) *Set {
	t.Helper()
	return mustCompile(t,
		sign("openai.sdk", func(s *Signature) {
			s.Kind = AssetSDK
			s.Packages = []PackageRule{
				{"pypi", "OpenAI"}, {"pypi", "zope.llm"}, {"npm", "openai"}, {"npm", "@openai/agents"}, {"go", "github.com/OpenAI/openai-go"}, {"go", "github.com/openai/other/v2"},
				{"maven", "com.openai:openai-java"}, {"nuget", "Azure.AI.OpenAI"}, {"cargo", "async-openai"}, {"rubygems", "ruby-openai"},
				{"packagist", "openai-php/client"},
			}
		}),
		sign("fetch.mcp", func(s *Signature) {
			s.Kind = AssetMCPServer
			s.Packages = []PackageRule{{"npm", "@acme/mcp"}, {"pypi", "mcp-server-fetch"}, {"npm", "fetchmcp"}, {"oci", "mcp/fetch-server"}, {"oci", "mcp/time"}}
			s.Ports = []PortRule{{Port: 7777}}
		}),
		sign("copilot.chat", func(s *Signature) { s.Extensions = []ExtensionRule{{Store: "vscode", ID: "github.copilot-chat"}} }),
		sign("copilot.ext", func(s *Signature) {
			s.Extensions = []ExtensionRule{
				{Store: "vscode", ID: "github.copilot"}, {Store: "jetbrains", ID: "com.github.copilot", Folder: "github-copilot-intellij"},
				{Store: "chrome", ID: "abcdefghijklmnopabcdefghijklmnop"}, {Store: "firefox", ID: "{12345678-1234-1234-1234-123456789abc}"},
				{Store: "vim", ID: "github/copilot.vim"}, {Store: "emacs", ID: "gptel"}, {Store: "sublime", ID: "LSP-copilot"},
			}
		}),
	)
}

// TestInstalled names the places that package managers and editors use.
func TestInstalled(t *testing.T) {
	set := installedWorld(t)
	f := func(path, want string) {
		t.Helper()
		o := mustObserve(t, Example{File: path})
		got := ""
		for _, m := range set.Match(&o, nil) {
			got += m.Signature.ID + " " + m.Hits[0].Selector
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	f("/srv/venv/lib/python3.12/site-packages/openai-1.30.1.dist-info", "openai.sdk package pypi/OpenAI")
	f("/srv/venv/lib/python3.12/site-packages/OpenAI-0.1.dist-info", "openai.sdk package pypi/OpenAI")
	f("/usr/lib/python3/dist-packages/openai-0.27.8.egg-info", "openai.sdk package pypi/OpenAI")
	f("/srv/venv/lib/python3.12/site-packages/openai_agents-0.1.dist-info", "")
	f("/srv/venv/lib/python3.12/site-packages/openai-agents-0.1.dist-info", "")
	f("/srv/venv/lib/python3.12/site-packages/openai", "")
	f("/srv/openai-1.30.1.dist-info", "")
	f("/srv/site-packages/zope_llm-1.0.dist-info", "openai.sdk package pypi/zope.llm")
	f("/srv/site-packages/zope.llm-1.0.dist-info", "openai.sdk package pypi/zope.llm")
	f("C:/Users/ana/venv/Lib/site-packages/openai-1.30.1.dist-info", "openai.sdk package pypi/OpenAI")
	f("/srv/app/node_modules/openai", "openai.sdk package npm/openai")
	f("/srv/app/node_modules/openai/dist", "")
	f("/srv/app/node_modules/Openai", "")
	f("/srv/app/node_modules/@openai/agents", "openai.sdk package npm/@openai/agents")
	f("/srv/app/node_modules/@other/agents", "")
	f("/srv/app/node_modules/agents", "")
	f("/home/ana/go/pkg/mod/github.com/!open!a!i/openai-go@v1.2.3", "openai.sdk package go/github.com/OpenAI/openai-go")
	f("/home/ana/go/pkg/mod/github.com/!open!a!i/openai-go/v2@v2.0.1", "openai.sdk package go/github.com/OpenAI/openai-go")
	f("/home/ana/go/pkg/mod/github.com/!open!a!i/openai-go-x@v1.2.3", "")
	f("/home/ana/go/pkg/mod/github.com/openai/other/v2@v2.0.1", "openai.sdk package go/github.com/openai/other/v2")
	f("/home/ana/go/pkg/mod/github.com/openai/other@v1.0.1", "")
	f("/srv/src/vendor/github.com/OpenAI/openai-go", "openai.sdk package go/github.com/OpenAI/openai-go")
	f("/home/ana/.m2/repository/com/openai/openai-java", "openai.sdk package maven/com.openai:openai-java")
	f("/home/ana/.m2/repository/org/openai/openai-java", "")
	f("/home/ana/.gradle/caches/modules-2/files-2.1/com.openai/openai-java", "openai.sdk package maven/com.openai:openai-java")
	f("/home/ana/.nuget/packages/azure.ai.openai", "openai.sdk package nuget/Azure.AI.OpenAI")
	f("/home/ana/.cargo/registry/src/index.crates.io-6f17d22bba15001f/async-openai-0.23.0", "openai.sdk package cargo/async-openai")
	f("/home/ana/.cargo/registry/src/index.crates.io-6f17d22bba15001f/async-openai-macros-0.1.0", "")
	f("/var/lib/gems/3.1.0/gems/ruby-openai-7.0.0", "openai.sdk package rubygems/ruby-openai")
	f("/srv/www/vendor/openai-php/client", "openai.sdk package packagist/openai-php/client")
	f("/srv/www/vendor/other/client", "")
	f("/home/ana/.vscode/extensions/github.copilot-1.250.0", "copilot.ext extension vscode/github.copilot")
	f("/home/ana/.cursor/extensions/GitHub.copilot-1.250.0-linux-x64", "copilot.ext extension vscode/github.copilot")
	f("/home/ana/.vscode/extensions/github.copilot-chat-0.1", "copilot.chat extension vscode/github.copilot-chat")
	f("/home/ana/.vscode/extensions/github.copilot-x", "")
	f(`C:\Users\ana\.vscode\extensions\github.copilot-1.250.0`, "copilot.ext extension vscode/github.copilot")
	f("/home/ana/.config/google-chrome/Default/Extensions/abcdefghijklmnopabcdefghijklmnop", "copilot.ext extension chrome/abcdefghijklmnopabcdefghijklmnop")
	f("/home/ana/.mozilla/firefox/x.default/extensions/{12345678-1234-1234-1234-123456789abc}.xpi", "copilot.ext extension firefox/{12345678-1234-1234-1234-123456789abc}")
	f("/home/ana/.local/share/JetBrains/IdeaIC2024.1/github-copilot-intellij", "copilot.ext extension jetbrains/com.github.copilot")
	f("/Users/ana/Library/Application Support/JetBrains/GoLand2024.1/plugins/github-copilot-intellij", "copilot.ext extension jetbrains/com.github.copilot")
	f("/Users/ana/Library/Application Support/Google/AndroidStudio2024.1/plugins/github-copilot-intellij", "copilot.ext extension jetbrains/com.github.copilot")
	f("/home/ana/plugins/github-copilot-intellij", "")
	f("/home/ana/.vim/plugged/copilot.vim", "copilot.ext extension vim/github/copilot.vim")
	f("/home/ana/.local/share/nvim/site/pack/packer/start/copilot.vim", "copilot.ext extension vim/github/copilot.vim")
	f("/home/ana/.local/share/nvim/lazy/copilot.vim", "copilot.ext extension vim/github/copilot.vim")
	f("/home/ana/src/copilot.vim", "")
	f("/home/ana/.emacs.d/elpa/gptel-0.9.8", "copilot.ext extension emacs/gptel")
	f("/home/ana/.emacs.d/straight/build-29.1/gptel", "copilot.ext extension emacs/gptel")
	f("/home/ana/.emacs.d/elpa/gptel-extras-0.1", "")
	f("/home/ana/.config/sublime-text/Installed Packages/LSP-copilot.sublime-package", "copilot.ext extension sublime/LSP-copilot")
}

// TestStartedPackages has the command lines that start a package by its name.
func TestStartedPackages(t *testing.T) {
	set := installedWorld(t)
	f := func(want string, arguments ...string) {
		t.Helper()
		o := mustObserve(t, Example{Process: arguments[0], Arguments: arguments})
		got := ""
		for _, m := range set.Match(&o, nil) {
			got += m.Hits[0].Selector
		}
		if got != want {
			t.Errorf("%q: %q, want %q", arguments, got, want)
		}
	}
	f("package npm/@acme/mcp", "npx", "-y", "@acme/mcp")
	f("package npm/@acme/mcp", "npx", "-y", "@acme/mcp@1.2.3")
	f("package npm/@acme/mcp", "node", "/srv/node_modules/@acme/mcp/dist/index.js")
	f("", "npx", "-y", "@acme/mcp-other")
	f("package pypi/mcp-server-fetch", "uvx", "mcp-server-fetch")
	f("package pypi/mcp-server-fetch", "uvx", "mcp-server-fetch==1.0")
	f("package oci/mcp/fetch-server", "docker", "run", "-i", "--rm", "mcp/fetch-server:latest")
	f("package oci/mcp/fetch-server", "docker", "run", "docker.io/mcp/fetch-server@sha256:0")
	f("", "docker", "run", "mcp/fetch-server-x")
	f("", "docker", "run", "mcp/time") // weak: neither long nor with a "-"
	f("", "npx", "fetchmcp")
	f("", "npx", "openai") // an sdk is not started
	o := mustObserve(t, Example{Process: "npx", Arguments: []string{"npx", "fetchmcp"}, Ports: []uint16{7777}})
	if got := set.Match(&o, nil); len(got) != 1 || got[0].Confidence != confidenceOfWeak {
		t.Errorf("a weak name with its port gives %v", got)
	}
}

func TestLabel(t *testing.T) {
	set := mustCompile(t, sign("azure.openai", func(s *Signature) {
		s.Hosts = []HostRule{
			{Value: "*.openai.azure.com", Match: HostWildcard, Role: RoleAPI, Label: "tenant"},
			{Value: "bedrock-runtime.*.amazonaws.com", Match: HostWildcard, Role: RoleAPI, Label: "region"},
			{Value: "*.plain.test", Match: HostWildcard, Role: RoleAPI},
		}
	}))
	f := func(host, label, kind string) {
		t.Helper()
		o := mustObserve(t, Example{Host: host})
		m := set.Match(&o, nil)
		if len(m) != 1 || m[0].Hits[0].Label != label || m[0].Hits[0].LabelKind != kind {
			t.Errorf("%s: %+v, want %s %s", host, m, kind, label)
		}
	}
	f("contoso.openai.azure.com", "contoso", "tenant")
	f("bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1", "region")
	f("x.plain.test", "", "")
}

func TestMatchInstalledAllocatesNothing(t *testing.T) {
	set := installedWorld(t)
	into := make([]Match, 0, MaxMatches)
	for _, e := range []Example{
		{File: "/srv/site-packages/openai-1.30.1.dist-info"}, {File: "/srv/app/node_modules/@openai/agents"}, {File: "/home/ana/.vscode/extensions/github.copilot-chat-0.1"},
		{File: "/srv/app/main.go"}, {Process: "npx", Arguments: []string{"npx", "-y", "@acme/mcp@1.2.3"}},
	} {
		o := mustObserve(t, e)
		if n := testing.AllocsPerRun(100, func() { into = set.Match(&o, into[:0]) }); n != 0 {
			t.Errorf("%v: %v allocations", e, n)
		}
	}
}

func TestMatchName(t *testing.T) {
	f := func(pattern, name string, fold, want bool) {
		t.Helper()
		if got := MatchName(pattern, name, fold); got != want {
			t.Errorf("%q, %q: %v", pattern, name, got)
		}
	}
	f("a-#", "a-1", false, true)
	f("a-#", "a-1.2.3-linux", false, true)
	f("a-#", "a-", false, false)
	f("a-#", "a-x1", false, false)
	f("a-#.info", "a-1.2.info", false, true)
	f("a-#.info", "a-1.2.info.info", false, true)
	f("a-#.info", "a-1.2.inf", false, false)
	f("v#@v#", "v2@v2.0.0", false, true)
	f("v#@v#", "v2@x", false, false)
	f("*-#", "a-b-1", false, true)
	f("*-#", "a-b", false, false)
	f("#*", "1", false, true)
	f("A-#", "a-1", true, true)
	f("A-#", "a-1", false, false)
	f("a*b", "axxb", false, true)
	f("#", "", false, false)
	f("#", "7", false, true)
}

func TestRisk(t *testing.T) {
	var nothing *Risk
	if nothing.Facts() != nil || len(nothing.Unknown()) != len(FactNames()) {
		t.Errorf("nothing: %v, %v", nothing.Facts(), nothing.Unknown())
	}
	r := &Risk{
		Retention: &TextFact{"30d", "https://a.test", "2026-11-01", ""}, Residency: &ListFact{[]string{"US", "EU"}, "https://b.test", "2026-11-02", "n"},
		AnonymousUse: &BoolFact{Source: "https://c.test", Checked: "2026-11-03"},
	}
	want := []Fact{
		{"retention", "30d", "https://a.test", "2026-11-01", ""}, {"residency", "US, EU", "https://b.test", "2026-11-02", "n"},
		{"anonymous_use", "false", "https://c.test", "2026-11-03", ""},
	}
	if diff := cmp.Diff(want, r.Facts()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"trains_on_input", "certifications", "aggregator", "agentic"}, r.Unknown()); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}
