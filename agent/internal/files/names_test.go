package files

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	n := newNames([]string{".claude"}, []string{"github.copilot-*", "models--*--*", "*.llamafile", "a*b*c", "plain"})
	f := func(name string, want bool) {
		t.Helper()
		if got := n.has(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	f(".claude", true)
	f("plain", true)
	f("github.copilot-1.250.0", true)
	f("github.copilot-", true)
	f("github.copilot", false)
	f("xgithub.copilot-1", false)
	f("models--Qwen--Qwen3-0.6B", true)
	f("models----", true)
	f("models--", false)
	f("models--Qwen", false)
	f("models---", false)
	f("mixtral.llamafile", true)
	f(".llamafile", true)
	f("llamafile", false)
	f("mixtral.llamafile.txt", false)
	f("abc", true)
	f("axxbxxc", true)
	f("ac", false)
	f("acb", false)
	f("", false)
}

func TestNamesAllocateNothing(t *testing.T) {
	n := newNames([]string{".claude"}, []string{"github.copilot-*", "models--*--*", "*.llamafile"})
	if got := testing.AllocsPerRun(100, func() { n.has("models--a--b"); n.has("main.go") }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkNames(b *testing.B) {
	n := newNames([]string{".claude"}, []string{"github.copilot-*", "google.geminicodeassist-*", "models--*--*", "*.llamafile"})
	b.ReportAllocs()
	for b.Loop() {
		n.has("gopher.go")
	}
}

func TestKnownPatterns(t *testing.T) {
	root := tempDir(t)
	write(t, filepath.Join(root, "u/.vscode/extensions/github.copilot-1.250.0/package.json"), []byte("{}"))
	write(t, filepath.Join(root, "u/.vscode/extensions/golang.go-0.50.0/package.json"), []byte("{}"))
	write(t, filepath.Join(root, "bin/tool.llamafile"), []byte("#!/bin/sh\n"))
	cfg := testConfig(root)
	cfg.KnownPatterns = []string{"github.copilot-*", "*.llamafile"}
	s, res := scan(t, cfg)
	if d := cmp.Diff([]string{"bin/tool.llamafile ", "u/.vscode/extensions/github.copilot-1.250.0 "}, s.brief(root)); d != "" {
		t.Error(d)
	}
	wantCount(t, res.Counters, "known_paths", 2)
}

func TestWatchFindsKnownPatterns(t *testing.T) {
	root := tempDir(t)
	first := write(t, filepath.Join(root, "extensions/first.bin"), gguf("first"))
	cfg := watchConfig(root)
	cfg.KnownPatterns = []string{"github.copilot-*"}
	_, out := start(t, cfg)
	eventually(t, "first", func() bool { return out.has(first) })
	write(t, filepath.Join(root, "extensions/github.copilot-1.250.0/package.json"), []byte("{}"))
	eventually(t, "extension", func() bool { return out.has(filepath.Join(root, "extensions/github.copilot-1.250.0")) })
}
