package strictyaml

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type common struct {
	Schema string `yaml:"schema"`
	Note   string `yaml:"note,omitempty"`
}

type rule struct {
	Value string `yaml:"value"`
	Match string `yaml:"match"`
	Ports []uint16
}

type sample struct {
	common  `yaml:"-"`
	Head    common            `yaml:",inline"`
	Extra   *tail             `yaml:",inline"`
	Hidden  string            `yaml:"-"`
	Rules   []rule            `yaml:"rules"`
	Labels  map[string]string `yaml:"labels"`
	Byte    map[uint8]bool    `yaml:"byte"`
	On      *bool             `yaml:"on"`
	Small   int8              `yaml:"small"`
	Big     uint64            `yaml:"big"`
	Share   float64           `yaml:"share"`
	Every   time.Duration     `yaml:"every"`
	From    time.Time         `yaml:"from"`
	Level   slog.Level        `yaml:"level"`
	Network netip.Prefix      `yaml:"network"`
	Nets    []netip.Prefix    `yaml:"nets"`
	Pair    [2]string         `yaml:"pair"`
	Free    any               `yaml:"free"`
}

type tail struct {
	Tail string `yaml:"tail"`
}

func TestDecodeAccepts(t *testing.T) {
	yes := true
	f := func(name, in string, want sample) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			var got sample
			if _, err := Decode("f.yaml", []byte(in), &got); err != nil {
				t.Fatalf("unexpected problem: %v", err)
			}
			opts := cmp.Options{cmp.AllowUnexported(sample{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
			if diff := cmp.Diff(want, got, opts); diff != "" {
				t.Errorf("decoded value (-want +got):\n%s", diff)
			}
		})
	}
	f("empty", "", sample{})
	f("only_comments", "# nothing\n---\n", sample{})
	f("inline", "schema: a/v1\ntail: x", sample{Head: common{Schema: "a/v1"}, Extra: &tail{Tail: "x"}})
	f("list_of_structs", "rules:\n- value: a\n  match: b\n  ports: [1, 65535]\n- {value: c}",
		sample{Rules: []rule{{"a", "b", []uint16{1, 65535}}, {Value: "c"}}})
	f("maps", "labels: {a.b: x, managed: \"true\"}\nbyte: {7: true}",
		sample{Labels: map[string]string{"a.b": "x", "managed": "true"}, Byte: map[uint8]bool{7: true}})
	f("pointer", "on: True", sample{On: &yes})
	f("nulls_keep", "on:\nrules: ~\nlabels: null\nfree:", sample{})
	f("numbers", "small: -128\nbig: 18446744073709551615\nshare: 1_0.5", sample{Small: -128, Big: 1<<64 - 1, Share: 10.5})
	f("hex", "big: 0xff\nsmall: 0o17\nshare: 3", sample{Big: 255, Small: 15, Share: 3})
	f("duration", "every: 180d", sample{Every: 180 * 24 * time.Hour})
	f("duration_mixed", "every: 1d12h30m", sample{Every: 36*time.Hour + 30*time.Minute})
	f("date", "from: 2026-09-02", sample{From: time.Date(2026, 9, 2, 0, 0, 0, 0, time.UTC)})
	f("time", "from: 2026-09-02T10:00:00Z", sample{From: time.Date(2026, 9, 2, 10, 0, 0, 0, time.UTC)})
	f("date_as_text", "schema: 2026-09-02", sample{Head: common{Schema: "2026-09-02"}})
	f("country_no", "schema: NO", sample{Head: common{Schema: "NO"}})
	f("text", "level: warn\nnetwork: 10.0.0.0/8\nnets: [\"::/0\"]",
		sample{Level: slog.LevelWarn, Network: netip.MustParsePrefix("10.0.0.0/8"), Nets: []netip.Prefix{netip.MustParsePrefix("::/0")}})
	f("array", "pair: [a, b]", sample{Pair: [2]string{"a", "b"}})
	f("any", "free: {a: [1, 2.5, x, true, null, 2026-01-01]}",
		sample{Free: map[string]any{"a": []any{int64(1), 2.5, "x", true, nil, "2026-01-01"}}})
	f("alias", "rules: [&r {value: a}, *r]", sample{Rules: []rule{{Value: "a"}, {Value: "a"}}})
}

func TestDecodeKeepsDefaults(t *testing.T) {
	got := struct {
		Head  common   `yaml:"head"`
		Lists []string `yaml:"lists"`
		Count int      `yaml:"count"`
	}{common{Schema: "kept", Note: "kept"}, []string{"replaced"}, 7}
	if _, err := Decode("f.yaml", []byte("head:\nlists: [new]\n"), &got); err != nil {
		t.Fatal(err)
	}
	if got.Head.Schema != "kept" || got.Count != 7 || !cmp.Equal(got.Lists, []string{"new"}) {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := func(name, in string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			var got sample
			_, err := Decode("f.yaml", []byte(in), &got)
			var list Errors
			if !errors.As(err, &list) {
				t.Fatalf("want Errors, got %T: %v", err, err)
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	f("unknown_key", "shema: x", `f.yaml:1:1: shema: unknown key; did you mean "schema"?`)
	f("unknown_key_case", "rules: [{Value: x}]", `f.yaml:1:10: rules[0].Value: unknown key; did you mean "value"?`)
	f("unknown_key_far", "rules:\n- colour: x", `f.yaml:2:3: rules[0].colour: unknown key; known here: match, ports, value`)
	f("hidden_key", "hidden: x", `f.yaml:1:1: hidden: unknown key`)
	f("all_collected", "schema: 1\nrules:\n- valu: x\n- match: [y]\n",
		`f.yaml:1:9: schema: want text, got the number 1; put it in quotes`,
		`f.yaml:3:3: rules[0].valu: unknown key; did you mean "value"?`,
		`f.yaml:4:10: rules[1].match: want text, got a list`)
	f("twice", "schema: a\nschema: b", `f.yaml:2:1: schema: given twice; the first is on line 1`)
	f("twice_in_map", "labels:\n  a.b: x\n  a.b: y", `f.yaml:3:3: labels["a.b"]: given twice; the first is on line 2`)
	f("scalar_for_list", "rules: x", `f.yaml:1:8: rules: want a list, got a single value; write [x]`)
	f("list_for_mapping", "labels: [x]", `f.yaml:1:9: labels: want a mapping, got a list`)
	f("root_list", "- a", `f.yaml:1:1: want a mapping, got a list`)
	f("bool_word", "on: yes", `f.yaml:1:5: on: want true or false, got the text yes`)
	f("bool_tagged", "on: !!bool maybe", `f.yaml:1:5: on: want true or false, got the boolean maybe`)
	f("bool_for_text", "schema: true", `f.yaml:1:9: schema: want text, got the boolean true; put it in quotes`)
	f("null_for_text", "schema:", `f.yaml:1:8: schema: no value; want text`)
	f("null_item", "rules:\n-\n- {value: a}", `f.yaml:2:2: rules[0]: an empty item; want a mapping`)
	f("null_for_number", "small: ~", `f.yaml:1:8: small: no value; want a whole number from -128 to 127`)
	f("null_for_date", "from:", `f.yaml:1:6: from: no value; want a date`)
	f("tagged_null", "schema: !!null x", `f.yaml:1:9: schema: want text, got a value with the tag !!null: x; put it in quotes`)
	f("overflow", "small: 128", `f.yaml:1:8: small: want a whole number from -128 to 127, got 128`)
	f("port", "rules: [{ports: [65536, -1]}]",
		`f.yaml:1:18: rules[0].ports[0]: want a whole number from 0 to 65535, got 65536`,
		`f.yaml:1:25: rules[0].ports[1]: want a whole number from 0 to 65535, got -1`)
	f("octal", "small: 017", `f.yaml:1:8: small: the number 017 starts with 0; write it without, or with 0o for octal`)
	f("float_for_int", "small: 1.5", `f.yaml:1:8: small: want a whole number from -128 to 127, got the number 1.5`)
	f("nan", "share: .nan", `f.yaml:1:8: share: want a decimal number, got .nan`)
	f("duration_without_unit", "every: 30", `f.yaml:1:8: every: want a duration with its unit, such as 30s, 15m, 12h or 30d, got "30"`)
	f("duration_bad", "every: 1d-2h", `f.yaml:1:8: every: want a duration with its unit, such as 30s, 15m, 12h or 30d, got "1d-2h"`)
	f("duration_long", "every: 999999d", `f.yaml:1:8: every: the duration "999999d" is over 292 years`)
	f("date_bad", "from: 2026-13-01", `f.yaml:1:7: from: want a date such as 2026-01-31 or a time such as 2026-01-31T12:00:00Z, got "2026-13-01"`)
	f("text_unmarshaler", "level: loud", `f.yaml:1:8: level: "loud": slog: level string "loud": unknown name`)
	f("array_length", "pair: [a]", `f.yaml:1:7: pair: 1 items; want 2`)
	f("map_key", "byte: {256: true}", `f.yaml:1:8: byte.256: want a whole number from 0 to 255, got 256`)
	f("merge", "labels: {<<: {a: b}}", `f.yaml:1:10: labels.<<: merge keys are not supported; write the keys out`)
	f("key_no_text", "labels: {[a]: b}", `f.yaml:1:10: labels: a key must be text, not a list`)
	f("key_missing", "labels:\n  ?\n  : A\n  ~: B", `f.yaml:2:4: labels: an entry without a key`, `f.yaml:4:3: labels: an entry without a key`)
	f("key_tag", "labels: {!x a: b, !!binary c: d}", `f.yaml:1:10: labels.a: the tag !x is not supported`, `f.yaml:1:19: labels.c: the tag !!binary is not supported`)
	f("custom_tag", "labels: !x {a: b}", `f.yaml:1:9: labels: the tag !x is not supported`)
	f("binary_tag", "from: !!binary aGk=", `f.yaml:1:7: from: the tag !!binary is not supported`)
	f("second_document", "schema: a\n---\nschema: b", `f.yaml:2:1: a second document starts here; a file holds one`)
	f("syntax", "schema: a\nrules: [\n", `f.yaml:3:1: not valid YAML: did not find expected node content`)
	f("flow", "schema: a\n\nlabels: {a: b c: d}\n", `f.yaml:3:1: not valid YAML: did not find expected ',' or '}'`)
	f("indent", "schema: a\nlabels:\n  a: b\n c: d\n", `f.yaml:4:1: not valid YAML: did not find expected key`)
	f("tab", "rules:\n\t- a", `f.yaml:2:1: not valid YAML: found character that cannot start any token`)
	f("unknown_anchor", "schema: *x", `f.yaml:1:1: not valid YAML: unknown anchor 'x' referenced`)
	f("control_in_message", "on: \"a\\nb\"", `f.yaml:1:5: on: want true or false, got the text a?b`)
}

func TestDecodeFindsTwiceAmongMany(t *testing.T) {
	var in strings.Builder
	in.WriteString("labels:\n")
	for i := range 40 {
		fmt.Fprintf(&in, "  k%d: x\n", i)
	}
	in.WriteString("  k3: x\n  k30: x\n")
	_, err := Decode("f.yaml", []byte(in.String()), &sample{})
	want := "f.yaml:42:3: labels.k3: given twice; the first is on line 5\nf.yaml:43:3: labels.k30: given twice; the first is on line 32"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestDecodeLimits(t *testing.T) {
	f := func(name, in, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			var got any
			_, err := Decode("f.yaml", []byte(in), &got)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ","))
	}
	f("alias_bomb", bomb, "more than 100000 values by way of aliases")
	f("alias_cycle", "a: &a [*a]", "f.yaml:1:8: a[0][0]: the alias *a contains itself")
	f("deep", strings.Repeat("[", 100)+strings.Repeat("]", 100), "nested more than 64 levels deep")
	f("deep_for_the_parser", strings.Repeat("[", 20000), "not valid YAML: exceeded max depth of 10000")
	f("too_large", strings.Repeat("#", MaxBytes+1), "f.yaml: 16777217 bytes are more than the limit of 16777216")
}

func TestDecodeLimitsNodes(t *testing.T) {
	f := func(limit int, want string) {
		t.Helper()
		root, problem := parse("f.yaml", []byte("[1, [2, 3], {a: 4}]"))
		if problem != nil {
			t.Fatal(problem)
		}
		var into any
		d := decoder{file: "f.yaml", maxNodes: limit, fields: map[reflect.Type]*fieldSet{}, open: map[*yaml.Node]bool{}}
		d.value(root, reflect.ValueOf(&into).Elem(), "", 0)
		if got := d.problems.Error(); got != want {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
	f(7, "")
	f(6, "f.yaml:1:17: [2].a: more than 6 values in the document, aliases counted as often as they are used")
	f(3, "f.yaml:1:6: [1][0]: more than 3 values in the document, aliases counted as often as they are used")
}

func TestDecodeCountsUnlistedProblems(t *testing.T) {
	var in strings.Builder
	for i := range MaxProblems + 50 {
		fmt.Fprintf(&in, "unknown%d: x\n", i)
	}
	var got sample
	_, err := Decode("f.yaml", []byte(in.String()), &got)
	var list Errors
	if !errors.As(err, &list) || len(list) != MaxProblems+1 {
		t.Fatalf("want %d problems, got %d", MaxProblems+1, len(list))
	}
	if got, want := list[MaxProblems].Error(), "f.yaml: 50 more problems are not listed; mend these first"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDecodeFaultsOfTheCaller(t *testing.T) {
	f := func(name string, into any, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			_, err := Decode("f.yaml", []byte("a: 1"), into)
			var list Errors
			if err == nil || errors.As(err, &list) || !strings.Contains(err.Error(), want) {
				t.Errorf("want a plain error with %q, got %T: %v", want, err, err)
			}
		})
	}
	f("nil", nil, "not a pointer")
	f("value", sample{}, "not a pointer")
	f("nil_pointer", (*sample)(nil), "not a pointer")
	f("channel", &struct{ A chan int }{}, "a: cannot decode into type chan int")
	f("interface", &struct{ A error }{}, "a: cannot decode into interface type error")
	f("same_key", &struct {
		A int
		B int `yaml:"a"`
	}{}, `two fields with the key "a"`)
}

func TestPositions(t *testing.T) {
	const in = `schema: v1
rules:
- value: a
  match:
    b
- {value: c, ports: [1, 22]}
labels:
  "a.b": &x y
  c: *x
`
	var into sample
	p, err := Decode("f.yaml", []byte(in), &into)
	var ignored Errors
	if err != nil && !errors.As(err, &ignored) {
		t.Fatal(err)
	}
	f := func(key string, line, column int, has bool) {
		t.Helper()
		l, c := p.At(key)
		if l != line || c != column || p.Has(key) != has {
			t.Errorf("%s: got %d:%d %v, want %d:%d %v", key, l, c, p.Has(key), line, column, has)
		}
	}
	f("", 1, 1, true)
	f("schema", 1, 9, true)
	f("rules", 2, 1, true)
	f("rules[0]", 3, 3, true)
	f("rules[0].match", 5, 5, true)
	f("rules[1].value", 6, 11, true)
	f("rules[1].ports[1]", 6, 25, true)
	f("rules[1].ports[2]", 6, 14, false)
	f("rules[1].match", 6, 3, false)
	f("rules[7].match", 2, 1, false)
	f(`labels["a.b"]`, 8, 10, true)
	f("labels.c", 9, 6, true)
	f("labels.c.d", 9, 6, false)
	f("[\"", 1, 1, false)
	f("nothing[0].here", 1, 1, false)
	if got, want := p.Errorf("rules[1].value", "no host %q", "c").Error(), `f.yaml:6:11: rules[1].value: no host "c"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var none *Positions
	if l, c := none.At("x"); l != 0 || c != 0 || none.Has("x") || none.File() != "" {
		t.Error("a nil Positions knows a place")
	}
	if got, want := none.Errorf("x", "bad").Error(), ": x: bad"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseDuration(t *testing.T) {
	f := func(in string, want time.Duration, ok bool) {
		t.Helper()
		got, err := ParseDuration(in)
		if got != want || (err == nil) != ok {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	f("0s", 0, true)
	f("250ms", 250*time.Millisecond, true)
	f("30d", 720*time.Hour, true)
	f("-2d6h", -54*time.Hour, true)
	f("106751d", 106751*24*time.Hour, true)
	f("106751d23h47m16s", 106751*24*time.Hour+23*time.Hour+47*time.Minute+16*time.Second, true)
	f("106751d24h", 0, false)
	f("106752d", 0, false)
	f("", 0, false)
	f("-", 0, false)
	f("--1h", 0, false)
	f("0", 0, true)
	f("d", 0, false)
	f("1.5d", 0, false)
	f("1w", 0, false)
}
