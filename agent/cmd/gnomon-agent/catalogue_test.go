package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/files"
	"github.com/gnomon-ai/gnomon/signatures"
)

func TestLookFor(t *testing.T) {
	f := func(paths []string, names, patterns []string, unnamed int) {
		t.Helper()
		var rules []signatures.FileRule
		for _, p := range paths {
			rules = append(rules, signatures.FileRule{Path: p, Kind: "data"})
		}
		set, err := signatures.Compile([]signatures.Signature{{ID: "acme.tool", Name: "Tool", Kind: signatures.AssetApp, Confidence: 90, Files: rules}})
		if err != nil {
			t.Fatal(err)
		}
		var config files.Config
		left := lookFor(set, &config)
		if diff := cmp.Diff(names, config.KnownNames); diff != "" {
			t.Errorf("names of %q (-want +got):\n%s", paths, diff)
		}
		if diff := cmp.Diff(patterns, config.KnownPatterns); diff != "" {
			t.Errorf("patterns of %q (-want +got):\n%s", paths, diff)
		}
		if left != unnamed {
			t.Errorf("%q: %d name nothing, want %d", paths, left, unnamed)
		}
	}
	f([]string{"~/.tool", "opt/Tool", "/etc/Tool"}, []string{".tool", "Tool"}, nil, 0)
	f([]string{"extensions/acme.tool-*", "more/acme.tool-*", "*.tool"}, nil, []string{"*.tool", "acme.tool-*"}, 0)
	f([]string{`Acme\Tool`}, []string{"Tool"}, nil, 0)
	f([]string{"tool/*", "other/**"}, nil, nil, 2)
}

// TestLookFor_installed has the folder beside the name, and nothing of what is
// switched off.
func TestLookFor_installed(t *testing.T) {
	set, err := signatures.Compile([]signatures.Signature{
		{ID: "acme.sdk", Name: "SDK", Kind: signatures.AssetSDK, Confidence: 90, Packages: []signatures.PackageRule{
			{Ecosystem: "npm", Name: "@acme/sdk"}, {Ecosystem: "pypi", Name: "acme"}, {Ecosystem: "cargo", Name: "acme"}, {Ecosystem: "oci", Name: "acme/x"},
		}, Extensions: []signatures.ExtensionRule{{Store: "vscode", ID: "acme.chat"}}},
		{ID: "acme.off", Name: "Off", Kind: signatures.AssetSDK, Confidence: 90, Unverified: true, Packages: []signatures.PackageRule{{Ecosystem: "npm", Name: "off"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var config files.Config
	if n := lookFor(set, &config); n != 0 {
		t.Errorf("%d name nothing", n)
	}
	want := []string{
		"*/acme-#", "@acme/sdk", "dist-packages/acme-#.dist-info", "dist-packages/acme-#.egg-info", "extensions/acme.chat-#",
		"site-packages/acme-#.dist-info", "site-packages/acme-#.egg-info",
	}
	if diff := cmp.Diff(want, config.KnownPatterns); diff != "" || config.KnownNames != nil {
		t.Errorf("%v (-want +got):\n%s", config.KnownNames, diff)
	}
}

func TestLookFor_coversTheEmbeddedCatalogue(t *testing.T) {
	set, err := loadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	var config files.Config
	if n := lookFor(set, &config); n != 0 {
		t.Errorf("%d file rules find no file", n)
	}
	if !slices.Contains(config.KnownPatterns, "extensions/github.copilot-#") || !slices.Contains(config.KnownNames, ".ollama") {
		t.Errorf("%q, %q", config.KnownPatterns, config.KnownNames)
	}
}

// TestScan_extensionsByTheirFolders names folders as VS Code
// (<publisher>.<name>-<version>) and Chromium browsers (by extension id) do.
func TestScan_extensionsByTheirFolders(t *testing.T) {
	home := t.TempDir()
	copilot := filepath.Join(home, ".vscode", "extensions", "github.copilot-1.250.0")
	claude := filepath.Join(home, ".config", "google-chrome", "Default", "Extensions", "fcoeoabgfenejglbffodgkkbkcdhcgfn")
	hub := filepath.Join(home, ".cache", "huggingface", "hub", "models--acme--tiny")
	for _, dir := range []string{filepath.Join(copilot, "dist"), filepath.Join(claude, "1.0.3_0"), hub, filepath.Join(home, ".vscode", "extensions", "golang.go-0.50.0")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := command(t, nil, "scan", "--output", "jsonl", home)
	if r.code != exitOK {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	got := map[string]string{}
	for _, l := range r.lines(t) {
		asset, _ := l["asset"].(map[string]any)
		got[fmt.Sprint(l["path"])] += fmt.Sprint(asset["signature"])
	}
	want := map[string]string{copilot: "github.copilot-extension", claude: "anthropic.chrome-extension", hub: "huggingface.cache"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, r.out)
	}
}

// TestLoadCatalogue_organisation lays a folder over the embedded catalogue.
func TestLoadCatalogue_organisation(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "own.yaml"), []byte("schema: signatures/v1\nsuppressions:\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("  - {signature: groq.api, reason: decided, until: 2026-12-24}\n  - {signature: openai.api, reason: old, until: 2026-01-01}\n")
	set, err := loadCatalogue(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(set.Suppressions()); n != 2 {
		t.Errorf("%d suppressions", n)
	}
	var out strings.Builder
	warnOfExpired(set, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), slog.New(slog.NewTextHandler(&out, nil)))
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "signature=openai.api until=2026-01-01 reason=old file=own.yaml line=4") {
		t.Errorf("warnings: %s", got)
	}
	write("  - {signature: groq.apii, reason: decided, until: 2026-12-24}\n")
	if _, err := loadCatalogue(dir); err == nil || !strings.Contains(err.Error(), "own.yaml:3") {
		t.Errorf("an unknown id gives %v", err)
	}
}

const installedCatalogue = `schema: signatures/v1
provider: {id: zzacme, name: Acme, country: US}
signatures:
  - id: zzacme.sdk
    name: Acme SDK
    kind: sdk
    categories: [api_llm]
    status: active
    confidence: 90
    sources: [{url: "https://acme.example/docs", checked: 2026-11-01}]
    packages: [{ecosystem: pypi, name: zzacme-ai}, {ecosystem: npm, name: "@zzacme/sdk"}, {ecosystem: go, name: github.com/ZZAcme/acme-go}]
    extensions: [{store: vscode, id: zzacme.chat}]
    tests:
      positive: [{package: pypi/zzacme-ai}, {package: npm/@zzacme/sdk}, {package: go/github.com/ZZAcme/acme-go}, {extension: vscode/zzacme.chat}]
      negative: [{package: pypi/zzacme-ai-x}]
  - id: zzacme.family
    name: Acme models
    kind: model_family
    family: zzacme
    categories: [model_file]
    status: active
    confidence: 90
    sources: [{url: "https://acme.example/docs", checked: 2026-11-01}]
    models: [{name: "zzacme-3*"}]
    tests: {positive: [{model: zzacme-3-8b}], negative: [{model: zzacme-2}]}
`

// TestScan_installed makes the folders that package managers and editors make,
// and others whose names come near: the sensor reports only what is meant.
func TestScan_installed(t *testing.T) {
	own, home := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(own, "own.yaml"), []byte(installedCatalogue), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for path, known := range map[string]bool{
		"venv/lib/python3.12/site-packages/zzacme_ai-1.2.3.dist-info": true,
		"venv/lib/python3.12/site-packages/zzacme_ai":                 false,
		"venv/lib/python3.12/site-packages/zzacme_ai_x-1.dist-info":   false,
		"app/node_modules/@zzacme/sdk":                                true,
		"app/node_modules/@zzacme/other":                              false,
		"app/node_modules/@other/sdk":                                 false,
		"app/sdk":                                                     false,
		"go/pkg/mod/github.com/!z!z!acme/acme-go@v1.2.3":              true,
		"go/pkg/mod/github.com/!z!z!acme/acme-go/v2@v2.0.0":           true,
		"go/pkg/mod/github.com/!z!z!acme/acme-other@v1.0.0":           false,
		".vscode/extensions/zzacme.chat-0.1.0":                        true,
		".vscode/extensions/zzacme.chat-more-0.1.0":                   false,
	} {
		path = filepath.Join(home, filepath.FromSlash(path))
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if known {
			want[path] = "zzacme.sdk"
		}
	}
	r := command(t, nil, "scan", "--output", "jsonl", "--signatures-dir", own, home)
	if r.code != exitOK {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	got := map[string]string{}
	for _, l := range r.lines(t) {
		asset, _ := l["asset"].(map[string]any)
		got[fmt.Sprint(l["path"])] += fmt.Sprint(asset["signature"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, r.out)
	}
	for input, id := range map[string]string{"npm/@zzacme/sdk": "zzacme.sdk", "vscode/zzacme.chat": "zzacme.sdk", "zzacme/ZZAcme-3:8b": "zzacme.family"} {
		r := command(t, nil, "match", "--output", "jsonl", "--signatures-dir", own, input)
		if r.code != exitOK || !strings.Contains(r.out, id) {
			t.Errorf("%s: exit %d: %s%s", input, r.code, r.out, r.err)
		}
	}
}
