package files

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	n := newNames([]string{".claude"}, []string{"github.copilot-*", "models--*--*", "*.llamafile", "a*b*c", "plain", "@acme/sdk", "site-packages/acme-#.dist-info", "index.*/acme-#", "node_modules/acme"})
	in := func(folder, name string, want bool) {
		t.Helper()
		if got := n.has(filepath.FromSlash(folder), name); got != want {
			t.Errorf("%q in %s: %v", name, folder, got)
		}
	}
	f := func(name string, want bool) { t.Helper(); in("/srv", name, want) }
	in("/srv/node_modules/@acme", "sdk", true)
	in("/srv/node_modules/@other", "sdk", false)
	in("/srv", "sdk", false)
	in("/srv/node_modules/@acme", "sdks", false)
	in("/srv/node_modules", "acme", true)
	in("/srv", "acme", false)
	in("/srv/site-packages", "acme-1.2.dist-info", true)
	in("/srv/site-packages", "Acme-1.2.dist-info", true)
	in("/srv/site-packages", "acme-x.dist-info", false)
	in("/srv/site-packages", "acme-1.2", false)
	in("/srv/registry/src/index.crates.io-0", "acme-1.2", true)
	in("/srv/registry/src", "acme-1.2", false)
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
	n := newNames([]string{".claude"}, []string{"github.copilot-*", "models--*--*", "*.llamafile", "@acme/sdk"})
	if got := testing.AllocsPerRun(100, func() { n.has("/srv", "models--a--b"); n.has("/srv", "main.go"); n.has("/srv/@acme", "sdk") }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// manyPatterns makes n patterns as packages and extensions have them.
func manyPatterns(n int) []string {
	var list []string
	for i := range n {
		word := fmt.Sprintf("%c%cname%d", 'a'+i%26, 'a'+i/26%26, i)
		list = append(list, []string{"site-packages/" + word + "-#.dist-info", "node_modules/" + word, "extensions/acme." + word + "-#", "*" + word}[i%4])
	}
	return list
}

func BenchmarkNames(b *testing.B) {
	for _, patterns := range [][]string{{"github.copilot-*", "google.geminicodeassist-*", "models--*--*", "*.llamafile"}, manyPatterns(600)} {
		n := newNames([]string{".claude"}, patterns)
		for _, name := range []string{"gopher.go", "acme.unknown-1.2.3"} {
			b.Run(fmt.Sprintf("%d/%s", len(patterns), name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					n.has("/home/ana/src", name)
				}
			})
		}
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
