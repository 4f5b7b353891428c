package catalogue

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gnomon-ai/gnomon/signatures"
)

// compile is what the command compile makes of files.
func compile(t testing.TB, files fs.FS) fstest.MapFS {
	t.Helper()
	data, err := Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{CompiledFile: &fstest.MapFile{Data: data}}
}

func sorted(list []signatures.Signature) []signatures.Signature {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b signatures.Signature) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func TestCompiledAndYAMLAreTheSame(t *testing.T) {
	t.Parallel()
	loaded, err := signatures.Load(Files)
	if err != nil {
		t.Fatal(err)
	}
	made := compile(t, Files)
	if p, err := current(Files, made); err != nil || p == nil {
		t.Fatalf("the compiled catalogue is not used: %v, %v", p, err)
	}
	whole, err := all(Files, made)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(loaded), whole, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the whole catalogue (-YAML +compiled):\n%s", diff)
	}
	fromYAML, versionOfYAML, err := rules(Files, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	fromPack, versionOfPack, err := rules(Files, made)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromYAML, fromPack); diff != "" {
		t.Errorf("the rules (-YAML +compiled):\n%s", diff)
	}
	set, err := signatures.Compile(loaded)
	if err != nil {
		t.Fatal(err)
	}
	if versionOfPack != set.Version() || versionOfYAML != set.Version() {
		t.Errorf("versions: %s of the YAML way, %s of the compiled way, %s of the loaded list", versionOfYAML, versionOfPack, set.Version())
	}
}

// TestCompiledSetMatchesAsTheYAMLDoes asks both sets all examples of the catalogue.
func TestCompiledSetMatchesAsTheYAMLDoes(t *testing.T) {
	t.Parallel()
	loaded, err := signatures.Load(Files)
	if err != nil {
		t.Fatal(err)
	}
	want, err := signatures.Compile(loaded)
	if err != nil {
		t.Fatal(err)
	}
	list, version, err := rules(Files, compile(t, Files))
	if err != nil {
		t.Fatal(err)
	}
	got, err := signatures.CompileAs(list, version)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, sig := range loaded {
		for _, e := range slices.Concat(sig.Tests.Positive, sig.Tests.Negative) {
			o, err := signatures.ObservationFor(e)
			if err != nil {
				t.Fatal(err)
			}
			asked++
			if diff := cmp.Diff(told(want.Match(&o, nil)), told(got.Match(&o, nil))); diff != "" {
				t.Errorf("%s: %+v (-YAML +compiled):\n%s", sig.ID, e, diff)
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d examples were asked", asked)
	}
}

// told is what a finding carries of a match.
func told(matches []signatures.Match) []any {
	var out []any
	for i := range matches {
		m := &matches[i]
		out = append(out, m.Signature.ID, m.Signature.Name, m.Signature.Kind, m.Signature.Provider, m.Signature.Categories, m.Confidence, m.Role(), slices.Clone(m.Evidence()))
	}
	return out
}

func TestStaleCompiledCatalogueIsNotUsed(t *testing.T) {
	t.Parallel()
	const provider = "schema: signatures/v1\nprovider: {id: acme, name: Acme, country: DE}\nsignatures:\n"
	const signature = `  - id: acme.api
    name: Acme API
    kind: service
    categories: [api_llm]
    status: active
    confidence: 95
    sources: [{url: "https://acme.test/docs", checked: 2026-01-31}]
    hosts: [{value: api.acme.test, match: exact, role: api}]
    tests: {positive: [{host: api.acme.test}], negative: [{host: www.acme.test}]}
`
	files := func(name, text string) fstest.MapFS { return fstest.MapFS{name: &fstest.MapFile{Data: []byte(text)}} }
	old := files("acme.yaml", provider+signature)
	made := compile(t, old)
	cases := map[string]struct {
		files, compiled fstest.MapFS
		used            bool
	}{
		"the same":         {old, made, true},
		"none":             {old, fstest.MapFS{}, false},
		"a rule changed":   {files("acme.yaml", provider+strings.ReplaceAll(signature, "api.acme.test", "llm.acme.test")), made, false},
		"a file renamed":   {files("other.yaml", provider+signature), made, false},
		"a comment more":   {files("acme.yaml", "# new\n"+provider+signature), made, false},
		"damaged":          {old, fstest.MapFS{CompiledFile: &fstest.MapFile{Data: made[CompiledFile].Data[:200]}}, false},
		"empty":            {old, fstest.MapFS{CompiledFile: &fstest.MapFile{}}, false},
		"a file more":      {fstest.MapFS{"acme.yaml": old["acme.yaml"], "b.yaml": &fstest.MapFile{Data: []byte(strings.ReplaceAll(provider+signature, "acme", "bcme"))}}, made, false},
		"text moved along": {fstest.MapFS{"acme.yaml": &fstest.MapFile{Data: []byte(provider + signature)}, "b.yaml": &fstest.MapFile{}}, made, false},
	}
	for name, c := range cases {
		p, err := current(c.files, c.compiled)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if used := p != nil; used != c.used {
			t.Errorf("%s: the compiled catalogue is used: %v, want %v", name, used, c.used)
		}
		if name == "text moved along" {
			continue // an empty file is no catalogue
		}
		list, version, err := rules(c.files, c.compiled)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		loaded, err := signatures.Load(c.files)
		if err != nil {
			t.Fatal(err)
		}
		want, err := signatures.Version(loaded)
		if err != nil {
			t.Fatal(err)
		}
		if version != want || len(list) != len(loaded) {
			t.Errorf("%s: %d signatures of version %s, want %d of %s", name, len(list), version, len(loaded), want)
		}
	}
}

func TestDamagedPartIsReported(t *testing.T) {
	t.Parallel()
	made := compile(t, Files)
	data := slices.Clone(made[CompiledFile].Data)
	data[len(data)-2] ^= 1 // in the last part, the examples
	broken := fstest.MapFS{CompiledFile: &fstest.MapFile{Data: data}}
	if _, _, err := rules(Files, broken); err != nil {
		t.Errorf("the rules are intact, and yet: %v", err)
	}
	if _, err := all(Files, broken); err == nil || !strings.Contains(err.Error(), "examples") {
		t.Errorf("got %v, want an error that names the examples", err)
	}
}

func TestSameFilesSameBytes(t *testing.T) {
	t.Parallel()
	one, two := compile(t, Files), compile(t, Files)
	if !slices.Equal(one[CompiledFile].Data, two[CompiledFile].Data) {
		t.Error("two compilations of the same files differ")
	}
}

func BenchmarkCompiled(b *testing.B) {
	made := compile(b, Files)
	b.ReportAllocs()
	for b.Loop() {
		list, version, err := rules(Files, made)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := signatures.CompileAs(list, version); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompiledPhases(b *testing.B) {
	made := compile(b, Files)
	list, version, err := rules(Files, made)
	if err != nil {
		b.Fatal(err)
	}
	phases := map[string]func() error{
		"digest":  func() error { _, err := digest(Files); return err },
		"current": func() error { _, err := current(Files, made); return err },
		"rules":   func() error { _, _, err := rules(Files, made); return err },
		"compile": func() error { _, err := signatures.CompileAs(list, version); return err },
		"version": func() error { _, err := signatures.Version(list); return err },
	}
	for name, phase := range phases {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := phase(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
