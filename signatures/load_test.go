package signatures

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
	"github.com/google/go-cmp/cmp"
)

const goodFile = `schema: signatures/v1
provider: {id: acme, name: Acme, country: US}
signatures:
  - id: acme.api
    name: Acme API
    kind: service
    categories: [api_llm]
    status: active
    confidence: 90
    sources: [{url: "https://acme.example/docs", checked: 2026-11-01}]
    hosts:
      - {value: api.acme.example, match: exact, role: api}
    tests:
      positive: [{host: api.acme.example}]
      negative: [{host: www.acme.example}]
`

func files(pairs ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func TestLoad(t *testing.T) {
	second := strings.NewReplacer("acme.api", "acme.web", "api.acme.example", "chat.acme.example").Replace(goodFile)
	list, err := Load(files("b/acme.yaml", goodFile, "a.yaml", second, "notes.txt", "no yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.ID+" "+s.Provider.Name+" "+s.File)
		if s.Line != 4 {
			t.Errorf("%s is on line %d", s.ID, s.Line)
		}
	}
	if diff := cmp.Diff([]string{"acme.web Acme a.yaml", "acme.api Acme b/acme.yaml"}, got); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	if list, err := Load(fstest.MapFS{}); err != nil || list != nil {
		t.Errorf("an empty catalogue: %v, %v", list, err)
	}
}

// TestLoadRefuses changes one thing in the good file and wants exactly these
// problems.
func TestLoadRefuses(t *testing.T) {
	f := func(name, old, new string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			if strings.Count(goodFile, old) != 1 {
				t.Fatalf("%q is not once in the file", old)
			}
			list, err := Load(files("acme.yaml", strings.Replace(goodFile, old, new, 1)))
			var problems strictyaml.Errors
			if !errors.As(err, &problems) || list != nil {
				t.Fatalf("want problems, got %d signatures and %v", len(list), err)
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	host := "{value: api.acme.example, match: exact, role: api}"
	hosts := "hosts:\n      - " + host
	positive := "positive: [{host: api.acme.example}]"
	rules := func(rules, examples string) string {
		return rules + "\n    tests:\n      positive: [" + examples + "]"
	}
	tail := hosts + "\n    tests:\n      " + positive

	f("schema", "signatures/v1", "signatures/v2", `acme.yaml:1:9: schema: want signatures/v1, got "signatures/v2"`)
	f("unknown_key", "    hosts:", "    host:",
		`acme.yaml:11:5: signatures[0].host: unknown key; did you mean "hosts"?`)
	f("slug", "id: acme,", "id: Acme,", `acme.yaml:2:16: provider.id: "Acme" is no slug (lower-case letters, digits and -, at most 63)`,
		`acme.yaml:4:9: signatures[0].id: "acme.api" is not Acme.<product> with a slug for the product`)
	f("provider_name", "name: Acme,", `name: " ",`, `acme.yaml:2:28: provider.name: missing`)
	f("country", "country: US", "country: UK", `acme.yaml:2:43: provider.country: "UK" is no ISO 3166-1 alpha-2 code; use unknown where the country is not known`)
	f("parent", "country: US", "country: US, parent: acme", `acme.yaml:2:55: provider.parent: "acme" is not the id of another provider`)
	f("id", "id: acme.api", "id: other.api", `acme.yaml:4:9: signatures[0].id: "other.api" is not acme.<product> with a slug for the product`)
	f("name", "name: Acme API", `name: ""`, `acme.yaml:5:5: signatures[0].name: missing`)
	f("kind", "kind: service", "kind: servce", `acme.yaml:6:11: signatures[0].kind: "servce" is none of service, runtime, app, agent, extension, mcp_server, model_format, model_store, sdk, model_family`)
	f("no_category", "[api_llm]", "[]", `acme.yaml:7:5: signatures[0].categories: want at least one`)
	f("category", "[api_llm]", "[chat, chat, llm]", `acme.yaml:7:24: signatures[0].categories[1]: "chat" is given twice`,
		`acme.yaml:7:30: signatures[0].categories[2]: "llm" is none of `+list(Categories()))
	f("status", "status: active", "status: live", `acme.yaml:8:13: signatures[0].status: "live" is none of active, retired, renamed`)
	f("renamed", "status: active", "status: renamed", `acme.yaml:4:5: signatures[0].replaced_by: goes together with status renamed`)
	f("replaced_by_itself", "status: active", "status: renamed\n    replaced_by: acme.api", `acme.yaml:9:18: signatures[0].replaced_by: the signature replaces itself`)
	f("replaced_by_nothing", "status: active", "status: renamed\n    replaced_by: acme.new", `acme.yaml:4:1: acme.api.replaced_by: there is no signature "acme.new"`)
	f("confidence", "confidence: 90", "confidence: 101", `acme.yaml:9:17: signatures[0].confidence: want 1 to 100, got 101`)
	f("no_source", `[{url: "https://acme.example/docs", checked: 2026-11-01}]`, "[]", `acme.yaml:10:5: signatures[0].sources: want at least one: where the facts were read, and when`)
	f("source", `[{url: "https://acme.example/docs", checked: 2026-11-01}]`, `[{url: acme.example, checked: 2026-11-31}]`,
		`acme.yaml:10:21: signatures[0].sources[0].url: "acme.example" is no http or https URL`,
		`acme.yaml:10:44: signatures[0].sources[0].checked: "2026-11-31" is no date such as 2026-01-31`)

	f("no_rule", tail, rules("notes: none", "{host: a.test}"), `acme.yaml:4:5: signatures[0]: the signature has no rule: it can never match`)
	f("host_match", "match: exact", "match: sufix", `acme.yaml:12:42: signatures[0].hosts[0].match: "sufix" is none of exact, suffix, wildcard`)
	f("host_role", "role: api}", "role: web}", `acme.yaml:12:55: signatures[0].hosts[0].role: "web" is none of api, web_ui, auth, cdn, telemetry, download, mcp`)
	f("host_case", "value: api.acme.example", "value: API.acme.example", `acme.yaml:12:17: signatures[0].hosts[0].value: "API.acme.example" is no host name in normal form (lower case, A-labels, no final dot)`)
	f("host_star", "value: api.acme.example", `value: "*.acme.example"`, `acme.yaml:12:17: signatures[0].hosts[0].value: "*.acme.example" is no host name in normal form (lower case, A-labels, no final dot)`)
	f("suffix_of_one_label", host, "{value: ai, match: suffix, role: api}", `acme.yaml:12:17: signatures[0].hosts[0].value: "ai" matches too much: a suffix has at least two labels`)
	f("public_suffix", host, "{value: co.uk, match: suffix, role: api}", `acme.yaml:12:17: signatures[0].hosts[0].value: "co.uk" matches too much: registries hand out names below it`)
	f("shared_domain", host, "{value: googleapis.com, match: suffix, role: api}", `acme.yaml:12:17: signatures[0].hosts[0].value: "googleapis.com" matches too much as a suffix: all of Google is there; name the hosts`)
	f("wildcard_wide", host, `{value: "api.*.com", match: wildcard, role: api}`, `acme.yaml:12:17: signatures[0].hosts[0].value: "api.*.com" matches too much: at least two labels must follow the "*"`)
	f("wildcard_public", host, `{value: "*.com.cn", match: wildcard, role: api}`, `acme.yaml:12:17: signatures[0].hosts[0].value: "*.com.cn" matches too much: registries hand out names below com.cn`)
	f("wildcard_two", host, `{value: "*.*.acme.example", match: wildcard, role: api}`, `acme.yaml:12:17: signatures[0].hosts[0].value: "*.*.acme.example": a wildcard rule has exactly one label "*"`)
	f("wildcard_half", host, `{value: "a*.acme.example", match: wildcard, role: api}`, `acme.yaml:12:17: signatures[0].hosts[0].value: "a*.acme.example": "*" stands for a whole label`)
	f("many_labels", host, `{value: a.b.c.d.e.f.g.h.i.j.k, match: exact, role: api}`, `acme.yaml:12:17: signatures[0].hosts[0].value: "a.b.c.d.e.f.g.h.i.j.k" has more than 10 labels`)
	f("shared_without_path", "role: api}", "role: api, shared: true}", `acme.yaml:12:68: signatures[0].hosts[0].shared: a shared host needs a path rule that tells the AI from the rest`)
	f("same_rule", "- "+host, "- "+host+"\n      - "+host, `acme.yaml:13:9: signatures[0].hosts[1]: says the same as hosts[0]`)

	f("path_for_nothing", tail, rules(hosts+"\n    paths: [{suffix: /v1/x}]", "{host: api.acme.example}"), `acme.yaml:13:13: signatures[0].paths[0]: completes nothing: mark a host rule shared or the path any_host`)
	f("path_short", tail, rules("paths: [{suffix: /chat, any_host: true}]", "{path: /chat}"), `acme.yaml:11:13: signatures[0].paths[0]: matches too much on any host: give two segments or weak: true`)
	f("path_stars", tail, rules("paths: [{suffix: /*/chat, any_host: true}]", "{path: /a/chat}"), `acme.yaml:11:13: signatures[0].paths[0]: matches too much on any host: give two segments or weak: true`)
	f("path_empty", tail, rules("paths: [{any_host: true}]", "{path: /chat}"), `acme.yaml:11:13: signatures[0].paths[0]: want suffix or prefix`)
	f("path_query", tail, rules("paths: [{prefix: \"/a/b?c\", any_host: true}]", "{path: /a/b}"), `acme.yaml:11:22: signatures[0].paths[0].prefix: "/a/b?c" is no path: it starts with /, ends without, and has no query`)
	f("path_method", tail, rules("paths: [{prefix: /a/b, method: post, any_host: true}]", "{path: /a/b}"), `acme.yaml:11:36: signatures[0].paths[0].method: "post" is no HTTP method in capital letters`)
	f("path_weak", tail, rules("paths: [{prefix: /a/b, weak: true}]", "{path: /a/b}"),
		`acme.yaml:4:5: signatures[0]: the signature can never match: it needs a strong rule, or weak rules of two kinds that one sensor sees together`,
		`acme.yaml:11:34: signatures[0].paths[0].weak: goes together with any_host`)

	f("field_name", tail, rules("fields: [{field: http.cookie, value: x}]", "{path: /a, mcp: x}"), `acme.yaml:11:22: signatures[0].fields[0].field: "http.cookie" is none of http.mcp, http.client`)
	f("field_any", tail, rules("fields: [{field: http.mcp, value: \"*\"}]", "{path: /a, mcp: x}"), `acme.yaml:11:39: signatures[0].fields[0].value: "*" matches every request that has the field`)
	f("field_strong_client", tail, rules("fields: [{field: http.client, value: x}]", "{path: /a, client: x}"), `acme.yaml:11:14: signatures[0].fields[0].weak: what a client calls itself is weak`)
	f("field_only_weak", tail, rules("fields: [{field: http.mcp, value: stream, weak: true}]", "{path: /a, mcp: stream}"),
		`acme.yaml:4:5: signatures[0]: the signature can never match: it needs a strong rule, or weak rules of two kinds that one sensor sees together`)

	f("interpreter", tail, rules("processes: [{name: python3}]", "{process: python3}"), `acme.yaml:11:24: signatures[0].processes[0].name: "python3" runs or names anything: use an argument rule, or weak: true`)
	f("interpreter_exe", tail, rules("processes: [{name: Node.exe}]", "{process: node.exe}"), `acme.yaml:11:24: signatures[0].processes[0].name: "Node.exe" runs or names anything: use an argument rule, or weak: true`)
	f("process_short", tail, rules("processes: [{name: qx}]", "{process: qx}"), `acme.yaml:11:24: signatures[0].processes[0].name: "qx" matches too much: under 3 letters a name is weak`)
	f("process_start", tail, rules("processes: [{name: abc, match: prefix}]", "{process: abcd}"), `acme.yaml:11:24: signatures[0].processes[0].name: "abc" matches too much: under 4 letters a beginning is weak`)
	f("process_path", tail, rules("processes: [{name: bin/acme}]", "{process: acme}"), `acme.yaml:11:24: signatures[0].processes[0].name: "bin/acme" is no base name of a program (1 to 64 characters, no path, no *)`)
	f("process_match", tail, rules("processes: [{name: acme, match: like}]", "{process: acme}"), `acme.yaml:11:37: signatures[0].processes[0].match: "like" is none of exact, prefix`)
	f("process_os", tail, rules("processes: [{name: acme, os: [macos]}]", "{process: acme}"), `acme.yaml:11:35: signatures[0].processes[0].os[0]: "macos" is none of linux, darwin, windows`)
	f("process_only_weak", tail, rules("processes: [{name: acme, weak: true}]", "{process: acme}"), `acme.yaml:4:5: signatures[0]: the signature can never match: it needs a strong rule, or weak rules of two kinds that one sensor sees together`)
	f("port_alone", tail, rules("ports: [{port: 1234}]", "{ports: [1234]}"), `acme.yaml:4:5: signatures[0]: the signature can never match: it needs a strong rule, or weak rules of two kinds that one sensor sees together`)
	f("port_zero", tail, rules("ports: [{port: 0, protocol: sctp}]\n    formats: [{format: acme, executable_content: none}]", "{format: acme}"),
		`acme.yaml:11:20: signatures[0].ports[0].port: want 1 to 65535`, `acme.yaml:11:33: signatures[0].ports[0].protocol: "sctp" is none of tcp, udp`)
	f("argument_short", tail, rules("arguments: [{contains: abc}]", "{process: x, arguments: [abc]}"), `acme.yaml:11:17: signatures[0].arguments[0]: matches too much: want at least 4 characters`)
	f("argument_both", tail, rules("arguments: [{contains: abcd, module: abcd}]", "{process: x, arguments: [abcd]}"), `acme.yaml:11:17: signatures[0].arguments[0]: want either contains or module`)
	f("argument_module", tail, rules("arguments: [{module: ab/cd}]", "{process: x, arguments: [abcd]}"), `acme.yaml:11:26: signatures[0].arguments[0].module: "ab/cd" is no dotted name of a Python module`)
	f("argument_generic", tail, rules("arguments: [{contains: server}]", "{process: x, arguments: [server]}"), `acme.yaml:11:28: signatures[0].arguments[0].contains: "server" runs or names anything: give more of the path, or weak: true`)
	f("argument_backslash", tail, rules(`arguments: [{contains: 'a\bcd'}]`, "{process: x, arguments: [abcd]}"), `acme.yaml:11:28: signatures[0].arguments[0].contains: "a\\bcd": write / for \, and no *`)
	f("file_star", tail, rules(`files: [{path: "~/*", kind: data}]`, "{file: ~/x}"), `acme.yaml:11:20: signatures[0].files[0].path: "~/*" matches too much: its last segment must say more than *`)
	f("file_kind", tail, rules(`files: [{path: ~/.acme, kind: folder}]`, "{file: ~/.acme}"), `acme.yaml:11:35: signatures[0].files[0].kind: "folder" is none of config, data, binary, store`)
	f("file_slash", tail, rules(`files: [{path: ~/.acme/, kind: data}]`, "{file: ~/.acme}"), `acme.yaml:11:20: signatures[0].files[0].path: "~/.acme/" is no path pattern: segments of 1 to 128 characters between /, no \, no **`)
	f("format", tail, rules(`formats: [{format: GGUF, executable_content: maybe, magic: [{offset: -1, bytes: "4"}], extensions: [gguf]}]`, "{format: GGUF}"),
		`acme.yaml:11:24: signatures[0].formats[0].format: "GGUF" is no name of a format`,
		`acme.yaml:11:50: signatures[0].formats[0].executable_content: "maybe" is none of none, possible, yes`,
		`acme.yaml:11:74: signatures[0].formats[0].magic[0].offset: want 0 to 1048576`,
		`acme.yaml:11:85: signatures[0].formats[0].magic[0].bytes: "4" are not 2 to 64 bytes in lower-case hex`,
		`acme.yaml:11:105: signatures[0].formats[0].extensions[0]: "gguf" is no extension such as .gguf`)

	f("no_positive", positive, "positive: []", `acme.yaml:12:9: signatures[0].hosts[0]: no positive example hits this rule`,
		`acme.yaml:14:7: signatures[0].tests.positive: want at least one example that matches`)
	f("no_negative", "negative: [{host: www.acme.example}]", "negative: []", `acme.yaml:15:7: signatures[0].tests.negative: want at least one example that comes near and does not match`)
	f("rule_without_example", positive, "positive: [{host: www.acme.example}]", `acme.yaml:12:9: signatures[0].hosts[0]: no positive example hits this rule`)
	f("example_mixed", positive, "positive: [{host: api.acme.example, process: x}]", `acme.yaml:14:18: signatures[0].tests.positive[0]: host and path, process, and file are examples of three kinds; give each its own`)
	f("example_empty", positive, "positive: [{}]", `acme.yaml:14:18: signatures[0].tests.positive[0]: the example is empty`)
	f("example_os", positive, "positive: [{host: api.acme.example, os: macos}]", `acme.yaml:14:47: signatures[0].tests.positive[0].os: "macos" is none of linux, darwin, windows`)
	f("shares_itself", positive, positive+"\n      shares: [acme.api]", `acme.yaml:15:16: signatures[0].tests.shares[0]: the signature shares with itself`)
	f("shares_nothing", positive, positive+"\n      shares: [acme.x]", `acme.yaml:4:1: acme.api.tests.shares: there is no signature "acme.x"`)
}

func TestLoadRefusesAcrossFiles(t *testing.T) {
	f := func(name, second string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			_, err := Load(files("acme.yaml", goodFile, "b.yaml", second))
			if err == nil {
				t.Fatal("no problem")
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	claim := "b.yaml:4:1: acme.web.hosts[0]: the rule \"host exact api.acme.example\" is also one of acme.api (acme.yaml:4); drop one, or list the other in tests.shares"
	f("same_rule", strings.Replace(goodFile, "id: acme.api", "id: acme.web", 1), claim)
	f("same_id", strings.ReplaceAll(goodFile, "api.acme.example", "chat.acme.example"), `b.yaml:4:1: acme.api: the id is taken by acme.yaml:4`)
	f("other_provider", strings.NewReplacer("acme.api", "acme.web", "api.acme.example", "chat.acme.example", "country: US", "country: DE").Replace(goodFile),
		`b.yaml:4:1: acme.web: the provider acme is described otherwise in acme.yaml`)
	f("broken_beside_good", "schema: [\n", `b.yaml:2:1: not valid YAML: did not find expected node content`)

	shared := strings.NewReplacer("id: acme.api", "id: acme.web", "positive:", "shares: [acme.api]\n      positive:").Replace(goodFile)
	if _, err := Load(files("acme.yaml", goodFile, "b.yaml", shared)); err != nil {
		t.Errorf("shared rules are refused: %v", err)
	}
	off := strings.NewReplacer("id: acme.api", "id: acme.web", "status:", "enabled: false\n    status:").Replace(goodFile)
	if _, err := Load(files("acme.yaml", goodFile, "b.yaml", off)); err != nil {
		t.Errorf("the rule of a disabled signature is refused: %v", err)
	}
}

type brokenFS struct{}

func (brokenFS) Open(string) (fs.File, error) { return nil, errors.New("disk on fire") }

func TestLoadReportsReadErrors(t *testing.T) {
	_, err := Load(brokenFS{})
	if err == nil || !strings.Contains(err.Error(), "reading signatures: disk on fire") {
		t.Errorf("got %v", err)
	}
}

// FuzzLoad checks that whatever loads also compiles, and that every positive
// example of a file that loads alone makes a match of strong rules possible.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte(strings.Replace(goodFile, "exact", "suffix", 1)))
	f.Add([]byte("schema: signatures/v1\nprovider: {id: a, name: A, country: DE}\nsignatures:\n- {id: a.b, name: B, kind: runtime, categories: [chat], status: active, confidence: 1, sources: [{url: \"http://x\", checked: 2026-01-01}], processes: [{name: acme, weak: true}], ports: [{port: 1}], tests: {positive: [{process: acme, ports: [1]}], negative: [{ports: [1]}]}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Load(files("f.yaml", string(data)))
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		set, err := Compile(list)
		if err != nil {
			t.Fatalf("it loads and does not compile: %v", err)
		}
		for i := range list {
			for _, e := range append(list[i].Tests.Positive, list[i].Tests.Negative...) {
				o, err := ObservationFor(e)
				if err != nil {
					t.Fatalf("an example that Load took makes no observation: %v", err)
				}
				for _, m := range set.Match(&o, nil) {
					if m.Confidence < 1 || m.Confidence > m.Signature.Confidence || m.HitCount < 1 {
						t.Fatalf("a match of confidence %d and %d hits for %s", m.Confidence, m.HitCount, m.Signature.ID)
					}
				}
			}
		}
	})
}
