package signatures

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestNormalizeModel(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := NormalizeModel(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	f("Meta-Llama-3-8B-Instruct", "meta-llama-3-8b-instruct")
	f("meta-llama/Meta-Llama-3-8B-Instruct", "meta-llama-3-8b-instruct")
	f("registry.ollama.ai/library/llama3.2:1b-instruct-q4_K_M", "llama3.2")
	f("Llama 3_ 8B.Q4_K_M.gguf", "llama-3-8b.q4-k-m")
	f(`C:\models\Qwen2.5-7B.safetensors`, "qwen2.5-7b")
	f("gpt-4.1", "gpt-4.1")
	f("phi-3.5", "phi-3.5")
	f(".gguf", ".gguf")
	f("", "")
	f("/", "")
	f(":tag", "")
	f(strings.Repeat("a", 256), strings.Repeat("a", 256))
	f(strings.Repeat("a", 257), "")
}

func family(id string, patterns ...string) Signature {
	return sign(id, func(s *Signature) {
		s.Kind, s.Family = AssetModelFamily, strings.TrimPrefix(id, "m.")
		for _, p := range patterns {
			s.Models = append(s.Models, ModelRule{p})
		}
	})
}

func TestFamily(t *testing.T) {
	off := family("m.off", "llama-3-8b-instruct")
	off.Unverified = true
	set := mustCompile(t, family("m.llama", "llama-*", "meta-llama-*"), family("m.llama3", "llama-3*", "*-llama-3-*"), family("m.code", "*code*llama*"), family("m.exact", "llama-3-9b"), off,
		family("m.other", "*-llama-3-*"))
	f := func(name, want, selector string) {
		t.Helper()
		got, by := set.Family(name)
		id := ""
		if got != nil {
			id = got.ID
		}
		if id != want || by != selector {
			t.Errorf("%q: %q by %q, want %q by %q", name, id, by, want, selector)
		}
	}
	f("llama-2-7b", "m.llama", "model llama-*")
	f("meta-llama/Llama-3-8B-Instruct", "m.llama3", "model llama-3*")
	f("meta-llama-3-8b", "m.llama", "model meta-llama-*") // as many letters: the first signature
	f("llama-3-9b:q4", "m.exact", "model llama-3-9b")
	f("code-llama-7b", "m.code", "model *code*llama*")
	f("mistral-7b", "", "")
	f("", "", "")
	f("llama", "", "")
	f("x-llama-3-8b", "m.llama3", "model *-llama-3-*")
	if _, err := Compile([]Signature{family("m.x", "*")}); err == nil {
		t.Error("a pattern for everything compiles")
	}
}

// TestFamilyIsTheLongest compares the index with trying every pattern.
func TestFamilyIsTheLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab1-]{0,3}\*?[ab1]{2,4}\*?[ab]{0,2}`)
		patterns := rapid.SliceOfNDistinct(word, 1, 12, func(s string) string { return s }).Draw(t, "patterns")
		patterns = slices.DeleteFunc(patterns, func(p string) bool { return checkModel(p) != nil })
		set, err := Compile([]Signature{family("m.x", patterns...)})
		if err != nil {
			t.Fatal(err)
		}
		name := rapid.StringMatching(`[ab1-]{1,8}`).Draw(t, "name")
		want := -1
		for _, p := range patterns {
			if matchSegment(p, NormalizeModel(name), false) {
				want = max(want, len(strings.ReplaceAll(p, "*", "")))
			}
		}
		_, selector := set.Family(name)
		got := -1
		if p, ok := strings.CutPrefix(selector, "model "); ok {
			got = len(strings.ReplaceAll(p, "*", ""))
		}
		if got != want {
			t.Fatalf("%q among %q: %d, want %d", name, patterns, got, want)
		}
	})
}

// manyFamilies makes n families of three patterns each.
func manyFamilies(n int) []Signature {
	list := make([]Signature, n)
	for i := range list {
		word := fmt.Sprintf("%c%c%cmodel%d", 'a'+i%26, 'a'+i/26%26, 'a'+i%7, i)
		list[i] = family("m."+word, word+"-*", "vendor-"+word+"*", "*-"+word+"-chat")
	}
	return list
}

func TestFamilyAllocatesNothing(t *testing.T) {
	set := mustCompile(t, manyFamilies(500)...)
	for _, name := range []string{"Vendor/ABBmodel27 8B_Instruct.gguf", "nobody/unknown-model-70b:q4", "vendor-abbmodel27"} {
		if n := testing.AllocsPerRun(100, func() { set.Family(name) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkFamily500(b *testing.B) {
	set := mustCompile(b, manyFamilies(500)...)
	for _, name := range []string{"abbmodel27-8b-instruct", "vendor/vendor-abbmodel27", "nobody/Unknown-Model-70B-Instruct.Q4_K_M.gguf"} {
		b.Run(name[max(0, len(name)-12):], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Family(name)
			}
		})
	}
}

// FuzzFamily holds the index against trying every pattern on the normal form,
// which is short, in lower case and one name.
func FuzzFamily(f *testing.F) {
	for _, name := range []string{
		"meta-llama/Meta-Llama-3-8B-Instruct", "registry.ollama.ai/library/llama3.2:1b", "Qwen 2.5_ 7B.Q4_K_M.gguf", `C:\models\x.bin`, "/", ":", ".gguf", "llama-3-\xff", "",
	} {
		f.Add(name)
	}
	patterns := []string{"llama-*", "meta-llama-*", "*-llama-3*", "qwen*", "qwen-2.5*7b*", "x", "*model*"}
	set, err := Compile([]Signature{family("m.x", patterns...)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		normal := NormalizeModel(name)
		if len(normal) > maxModelName || strings.ContainsAny(normal, `/\:_ ABCDEFGHIJKLMNOPQRSTUVWXYZ`) {
			t.Fatalf("%q becomes %q", name, normal)
		}
		want := 0
		for _, p := range patterns {
			if normal != "" && matchSegment(p, normal, false) {
				want = max(want, len(strings.ReplaceAll(p, "*", "")))
			}
		}
		_, selector := set.Family(name)
		if got := len(strings.ReplaceAll(strings.TrimPrefix(selector, "model "), "*", "")); got != want {
			t.Fatalf("%q: %q, want %d characters", normal, selector, want)
		}
	})
}

// FuzzMatchName holds the matcher against a regular expression, and the index
// against the matcher.
func FuzzMatchName(f *testing.F) {
	for _, seed := range [][2]string{{"a-#", "a-1.2"}, {"v#@v#", "v2@v2.0"}, {"*-#.info", "x-1-2.info"}, {"#", "7"}, {"*", ""}, {"plain", "PLAIN"}, {"a*b#c", "axb1c"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 40 || len(name) > 80 || !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			t.Skip()
		}
		text := regexp.QuoteMeta(pattern)
		text = strings.ReplaceAll(strings.ReplaceAll(text, `\*`, "(?s:.*)"), "#", "[0-9](?s:.*)")
		want := regexp.MustCompile(`\A(?:` + text + `)\z`).MatchString(name)
		got := MatchName(pattern, name, false)
		if got != want {
			t.Fatalf("%q, %q: %v", pattern, name, got)
		}
		var x NameIndex
		x.Add(pattern, 7)
		found := false
		x.Each(name, func(v int32) bool { found = v == 7; return true })
		if got && !found && pattern != "" {
			t.Fatalf("%q matches %q, and the index does not find it", pattern, name)
		}
	})
}
