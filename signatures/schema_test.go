package signatures_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const schemaFile = "signature.schema.json"

// The schema serves editors. These tests keep it in step with the types and the
// loader.

func readSchema(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaFile, readSchema(t)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance reads YAML as an editor sees it: as JSON, dates as text.
func instance(t *testing.T, data []byte) any {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		t.Fatal(err)
	}
	untime(&node)
	var value any
	if err := node.Decode(&value); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func untime(n *yaml.Node) {
	if n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		untime(c)
	}
}

func TestSchemaAcceptsTheCatalogue(t *testing.T) {
	schema := compileSchema(t)
	names, err := fs.Glob(catalogue.Files, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(catalogue.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance(t, data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const schemaGood = `schema: signatures/v1
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

// TestSchemaRefuses changes one thing in a good file: loader and schema must
// both refuse it.
func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	if err := schema.Validate(instance(t, []byte(schemaGood))); err != nil {
		t.Fatalf("the good file is refused: %v", err)
	}
	f := func(old, new string) {
		t.Helper()
		if strings.Count(schemaGood, old) != 1 {
			t.Fatalf("%q is not once in the file", old)
		}
		data := []byte(strings.Replace(schemaGood, old, new, 1))
		if err := schema.Validate(instance(t, data)); err == nil {
			t.Errorf("the schema accepts %q for %q", new, old)
		}
		if _, err := signatures.Load(singleFile(data)); err == nil {
			t.Errorf("the loader accepts %q for %q", new, old)
		}
	}
	host := "{value: api.acme.example, match: exact, role: api}"
	hosts := "hosts:\n      - " + host
	f("signatures/v1", "signatures/v2")
	f("    hosts:", "    host:")
	f("id: acme,", "id: Acme,")
	f("name: Acme,", `name: "",`)
	f("country: US", "country: usa")
	f("country: US", "country: 49")
	f("id: acme.api", "id: acme")
	f("kind: service", "kind: servce")
	f("[api_llm]", "[]")
	f("[api_llm]", "api_llm")
	f("[api_llm]", "[chat, chat]")
	f("[api_llm]", "[llm]")
	f("status: active", "status: live")
	f("status: active", "status: renamed")
	f("status: active", "status: active\n    replaced_by: acme.new")
	f("status: active", "status: active\n    enabled: maybe")
	f("confidence: 90", "confidence: 101")
	f("confidence: 90", "confidence: 9.5")
	f("confidence: 90", `confidence: "90"`)
	f(`"https://acme.example/docs"`, "acme.example")
	f("2026-11-01", "2026-13-01")
	f("2026-11-01", "yesterday")
	f(hosts, "notes: no rule")
	f(hosts, "hosts: []")
	f(host, "{value: api.acme.example, match: sufix, role: api}")
	f(host, "{value: api.acme.example, match: exact, role: web}")
	f(host, "{value: api.acme.example, match: exact}")
	f(host, "{value: API.acme.example, match: exact, role: api}")
	f(host, "{value: api.acme.example., match: exact, role: api}")
	f(host, `{value: "*.acme.example", match: exact, role: api}`)
	f(host, `{value: "api.acme.example", match: wildcard, role: api}`)
	f(host, `{value: "api.*.example", match: wildcard, role: api}`)
	f(host, `{value: "*.*.acme.example", match: wildcard, role: api}`)
	f(hosts, hosts+"\n    paths: [{any_host: true}]")
	f(hosts, hosts+"\n    paths: [{suffix: v1/x, any_host: true}]")
	f(hosts, hosts+"\n    paths: [{suffix: /v1/x, weak: true}]")
	f(hosts, hosts+"\n    paths: [{suffix: /v1/x, any_host: true, method: post}]")
	f(hosts, hosts+"\n    fields: [{field: http.cookie, value: x}]")
	f(hosts, hosts+"\n    fields: [{field: http.mcp}]")
	f(hosts, hosts+"\n    fields: [{field: http.mcp, value: \"*\"}]")
	f(hosts, hosts+"\n    processes: [{name: bin/acme}]")
	f(hosts, hosts+"\n    processes: [{name: acme, match: like}]")
	f(hosts, hosts+"\n    processes: [{name: acme, os: [macos]}]")
	f(hosts, hosts+"\n    processes: [{name: acme, os: linux}]")
	f(hosts, hosts+"\n    arguments: [{contains: abc}]")
	f(hosts, hosts+"\n    arguments: [{contains: abcd, module: abcd}]")
	f(hosts, hosts+"\n    arguments: [{module: ab/cd}]")
	f(hosts, hosts+"\n    files: [{path: ~/.acme, kind: folder}]")
	f(hosts, hosts+"\n    files: [{path: ~/.acme/, kind: data}]")
	f(hosts, hosts+"\n    ports: [{port: 0}]")
	f(hosts, hosts+"\n    ports: [{port: 1, protocol: sctp}]")
	f(hosts, hosts+"\n    formats: [{format: GGUF, executable_content: none}]")
	f(hosts, hosts+"\n    formats: [{format: gguf}]")
	f(hosts, hosts+"\n    formats: [{format: gguf, executable_content: none, extensions: [gguf]}]")
	f(hosts, hosts+"\n    formats: [{format: gguf, executable_content: none, magic: [{offset: 0, bytes: \"4\"}]}]")
	f(hosts, hosts+"\n    gen_ai_providers: [Acme]")
	f(hosts, hosts+"\n    gen_ai_providers: [a]")
	f(hosts, hosts+"\n    gen_ai_providers: acme")
	f(hosts, hosts+"\n    unverified: true\n    enabled: true")
	f(host, "{value: api.acme.example, match: exact, role: api, label: tenant}")
	f(host, `{value: "*.acme.example", match: wildcard, role: api, label: customer}`)
	f(hosts, hosts+"\n    packages: [{ecosystem: pip, name: acme}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: npm, name: Acme}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: npm, name: \"@acme\"}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: pypi, name: \"acme/x\"}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: go, name: acme}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: maven, name: acme}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: packagist, name: acme}]")
	f(hosts, hosts+"\n    packages: [{ecosystem: oci, name: \"acme:latest\"}]")
	f(hosts, hosts+"\n    extensions: [{store: opera, id: acme}]")
	f(hosts, hosts+"\n    extensions: [{store: vscode, id: Acme.Chat}]")
	f(hosts, hosts+"\n    extensions: [{store: chrome, id: acme}]")
	f(hosts, hosts+"\n    extensions: [{store: vim, id: acme.vim}]")
	f(hosts, hosts+"\n    extensions: [{store: vscode, id: acme.chat, folder: chat}]")
	f(hosts, hosts+"\n    models: [{name: acme*}]")
	f(hosts, hosts+"\n    family: acme")
	f(hosts, hosts+"\n    licence: {class: unknown, source: \"https://acme.example\", checked: 2026-11-01}")
	f("kind: service", "kind: model_family")
	risk := func(fact string) { t.Helper(); f(hosts, hosts+"\n    risk: {"+fact+"}") }
	cited := `, source: "https://acme.example/terms", checked: 2026-11-01}`
	risk("")
	risk("trains_on_input: {value: maybe" + cited)
	risk("trains_on_input: {value: never}")
	risk("trains_on_input: never")
	risk(`retention: {value: 30d, source: acme, checked: 2026-11-01}`)
	risk(`retention: {value: 30d, source: "https://acme.example", checked: soon}`)
	risk("retention: {value: 30" + cited)
	risk("residency: {value: US" + cited)
	risk("residency: {value: []" + cited)
	risk("residency: {value: [Europe]" + cited)
	risk("certifications: {value: [iso9001]" + cited)
	risk("certifications: {value: [soc2, soc2]" + cited)
	risk("agentic: {value: sometimes" + cited)
	risk("aggregated: {value: true" + cited)
	f("positive: [{host: api.acme.example}]", "positive: []")
	f("positive: [{host: api.acme.example}]", "positive: [{host: api.acme.example, package: pypi/acme}]")
	f("positive: [{host: api.acme.example}]", "positive: [{package: pypi/acme, model: acme}]")
	f("positive: [{host: api.acme.example}]", "positive: [{package: acme}]")
	f("positive: [{host: api.acme.example}]", "positive: [{extension: opera/acme}]")
	f("positive: [{host: api.acme.example}]", "positive: [{host: api.acme.example, process: x}]")
	f("positive: [{host: api.acme.example}]", "positive: [{}]")
	f("negative: [{host: www.acme.example}]", "negative: []")
	f("negative: [{host: www.acme.example}]", "shares: []")
}

const schemaInstalled = `schema: signatures/v1
provider: {id: acme, name: Acme, country: US}
signatures:
  - id: acme.sdk
    name: Acme SDK
    kind: sdk
    categories: [api_llm]
    status: active
    confidence: 90
    sources: [{url: "https://acme.example/docs", checked: 2026-11-01}]
    hosts:
      - {value: "*.acme.example", match: wildcard, role: api, label: tenant}
    packages:
      - {ecosystem: pypi, name: acme-ai}
      - {ecosystem: npm, name: "@acme/sdk"}
      - {ecosystem: go, name: github.com/Acme/acme-go}
      - {ecosystem: maven, name: "example.acme:acme-java"}
      - {ecosystem: nuget, name: Acme.AI}
      - {ecosystem: cargo, name: acme-rs}
      - {ecosystem: rubygems, name: acme-ai}
      - {ecosystem: packagist, name: acme/client}
    extensions:
      - {store: vscode, id: acme.chat}
      - {store: chrome, id: abcdefghijklmnopabcdefghijklmnop}
      - {store: firefox, id: "chat@acme.example"}
      - {store: jetbrains, id: example.acme, folder: acme-intellij}
      - {store: jetbrains, id: example.acme.unknown}
      - {store: vim, id: acme/acme.vim}
      - {store: emacs, id: acme-el}
      - {store: sublime, id: LSP-acme}
    risk:
      trains_on_input: {value: opt_out, source: "https://acme.example/terms", checked: 2026-11-01}
      retention: {value: 30d, source: "https://acme.example/terms", checked: 2026-11-01, note: interface alone}
      residency: {value: [US, EU], source: "https://acme.example/terms", checked: 2026-11-01}
      certifications: {value: [soc2, iso27001], source: "https://acme.example/trust", checked: 2026-11-01}
      aggregator: {value: false, source: "https://acme.example/terms", checked: 2026-11-01}
    tests:
      positive:
        - {host: a.acme.example}
        - {package: pypi/acme-ai}
        - {package: npm/@acme/sdk}
        - {package: go/github.com/Acme/acme-go}
        - {package: "maven/example.acme:acme-java"}
        - {package: nuget/Acme.AI}
        - {package: cargo/acme-rs}
        - {package: rubygems/acme-ai}
        - {package: packagist/acme/client}
        - {extension: vscode/acme.chat}
        - {extension: chrome/abcdefghijklmnopabcdefghijklmnop}
        - {extension: firefox/chat@acme.example}
        - {extension: jetbrains/example.acme}
        - {extension: vim/acme/acme.vim}
        - {extension: emacs/acme-el}
        - {extension: sublime/LSP-acme, os: darwin}
      negative:
        - {package: pypi/acme-ai-helper}
        - {extension: jetbrains/example.acme.unknown}
  - id: acme.family
    name: Acme models
    kind: model_family
    family: acme
    licence: {class: community, name: Acme Licence, source: "https://acme.example/licence", checked: 2026-11-01}
    categories: [model_file]
    status: active
    unverified: true
    confidence: 90
    sources: [{url: "https://acme.example/docs", checked: 2026-11-01}]
    models: [{name: "acme-3*"}]
    tests:
      positive: [{model: "Acme/Acme_3 8B.gguf"}]
      negative: [{model: acme-2}]
`

// TestSchemaAcceptsWhatIsInstalled has one of every kind of package, extension
// and fact.
func TestSchemaAcceptsWhatIsInstalled(t *testing.T) {
	if err := compileSchema(t).Validate(instance(t, []byte(schemaInstalled))); err != nil {
		t.Error(err)
	}
	list, err := signatures.Load(singleFile([]byte(schemaInstalled)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sigtest.Run(list) {
		t.Error(p)
	}
}

// singleFile is a file system with data as its only file.
func singleFile(data []byte) fs.FS {
	return fstest.MapFS{"f.yaml": {Data: data}}
}

// TestSchemaNamesTheKeys compares the schema with the yaml tags of the types:
// the same keys, and required those without omitempty.
func TestSchemaNamesTheKeys(t *testing.T) {
	schema := readSchema(t)
	defs := schema["$defs"].(map[string]any)
	var seen []string
	var check func(typ reflect.Type, part map[string]any)
	check = func(typ reflect.Type, part map[string]any) {
		seen = append(seen, typ.Name())
		keys, required := []string{}, []string{}
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name == "-" {
				continue
			}
			keys = append(keys, name)
			if options == "" {
				required = append(required, name)
			}
			element := f.Type
			for element.Kind() == reflect.Slice || element.Kind() == reflect.Pointer {
				element = element.Elem()
			}
			if element.Kind() == reflect.Struct && !slices.Contains(seen, element.Name()) {
				def, ok := defs[element.Name()].(map[string]any)
				if !ok {
					t.Fatalf("the schema has no $defs/%s", element.Name())
				}
				check(element, def)
			}
		}
		properties := []string{}
		for name := range part["properties"].(map[string]any) {
			properties = append(properties, name)
		}
		var listed []string
		for _, name := range part["required"].([]any) {
			listed = append(listed, fmt.Sprint(name))
		}
		for _, list := range [][]string{keys, required, properties, listed} {
			slices.Sort(list)
		}
		if diff := cmp.Diff(keys, properties); diff != "" {
			t.Errorf("keys of %s (-type +schema):\n%s", typ.Name(), diff)
		}
		if diff := cmp.Diff(required, append([]string{}, listed...)); diff != "" {
			t.Errorf("required keys of %s (-type +schema):\n%s", typ.Name(), diff)
		}
		if part["additionalProperties"] != false {
			t.Errorf("%s lets unknown keys pass", typ.Name())
		}
	}
	check(reflect.TypeFor[signatures.Document](), schema)
	if len(seen)-1 != len(defs) {
		t.Errorf("the schema defines %d types, the code %d: %v", len(defs), len(seen)-1, seen)
	}
	enum := func(def, key string, want []string) {
		t.Helper()
		property := defs[def].(map[string]any)["properties"].(map[string]any)[key].(map[string]any)
		if items, ok := property["items"].(map[string]any); ok {
			property = items
		}
		var got []string
		for _, v := range property["enum"].([]any) {
			got = append(got, v.(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s.%s (-code +schema):\n%s", def, key, diff)
		}
	}
	enum("Signature", "categories", signatures.Categories())
	enum("Signature", "kind", texts(signatures.AssetKinds()))
	enum("HostRule", "role", texts(signatures.HostRoles()))
	enum("HostRule", "label", signatures.HostLabels())
	enum("PackageRule", "ecosystem", signatures.Ecosystems())
	enum("ExtensionRule", "store", signatures.Stores())
	enum("Licence", "class", signatures.LicenceClasses())
	risk := func(fact string) map[string]any {
		return defs["Risk"].(map[string]any)["properties"].(map[string]any)[fact].(map[string]any)["properties"].(map[string]any)["value"].(map[string]any)
	}
	words := func(list any) []string {
		var out []string
		for _, v := range list.([]any) {
			out = append(out, v.(string))
		}
		return out
	}
	if diff := cmp.Diff(signatures.Trainings(), words(risk("trains_on_input")["enum"])); diff != "" {
		t.Errorf("trains_on_input (-code +schema):\n%s", diff)
	}
	if diff := cmp.Diff(signatures.Certifications(), words(risk("certifications")["items"].(map[string]any)["enum"])); diff != "" {
		t.Errorf("certifications (-code +schema):\n%s", diff)
	}
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}
