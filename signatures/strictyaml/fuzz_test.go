package strictyaml

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// loose is made of types that the YAML library can decode too.
type loose struct {
	Schema string            `yaml:"schema"`
	Count  int32             `yaml:"count"`
	Port   uint16            `yaml:"port"`
	Share  float64           `yaml:"share"`
	On     *bool             `yaml:"on"`
	Names  []string          `yaml:"names"`
	Labels map[string]string `yaml:"labels"`
	Inner  []loose           `yaml:"inner"`
}

// FuzzDecode checks that a document is either refused with problems that point
// into it, or means to the YAML library exactly what it means to Decode.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"schema: a\ncount: -3\nport: 443\nshare: 0.5\non: true\nnames: [a, b]\nlabels: {a.b: c}\ninner:\n- schema: x\n  inner: [{on: false}]\n",
		"inner: [&a {schema: x}, *a]\n", "a: &a [*a]", "schema: !!str 12\n", "count: 0x1f\n", "schema: a\n---\nschema: b\n",
		"labels:\n  ? a\n  : b\n", "names: x", "schema: |\n  a\n  b\n", "on: yes", "- 1", "\xff\xfe", "schema: \"\\u0000\"", "<<: *a", "# c\n%YAML 1.1\n---\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		var strict loose
		positions, err := Decode("f.yaml", data, &strict)
		if positions == nil {
			t.Fatal("no positions")
		}
		lines := strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n") + strings.Count(string(data), "\u0085") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + 2
		var list Errors
		if errors.As(err, &list) {
			if len(list) == 0 {
				t.Fatal("an empty list of problems")
			}
			for _, p := range list {
				if p.File != "f.yaml" || p.Message == "" || p.Line < 0 || p.Line > lines || (p.Line == 0) != (p.Column == 0) {
					t.Errorf("a problem that points nowhere: %+v (%d lines)", p, lines)
				}
				if strings.Contains(p.Error(), "\n") {
					t.Errorf("a problem of two lines: %q", p.Error())
				}
			}
			return
		}
		if err != nil {
			t.Fatalf("not the document's fault: %v", err)
		}
		var library loose
		if err := yaml.Unmarshal(data, &library); err != nil {
			t.Fatalf("accepted what the library refuses: %v", err)
		}
		if !reflect.DeepEqual(strict, library) {
			t.Errorf("read differently:\n%+v\n%+v", strict, library)
		}
	})
}

// FuzzPositions checks that any path can be asked for.
func FuzzPositions(f *testing.F) {
	f.Add("inner[0].names[1]")
	f.Add(`labels["a.b"]`)
	f.Add("[[[")
	f.Add("a..b[")
	f.Fuzz(func(t *testing.T, key string) {
		var into loose
		p, err := Decode("f.yaml", []byte("inner:\n- names: [a, b]\nlabels: {a.b: c}\n"), &into)
		if err != nil {
			t.Fatal(err)
		}
		if line, column := p.At(key); line < 1 || line > 3 || column < 1 {
			t.Errorf("%q is at %d:%d", key, line, column)
		}
	})
}
