package inventory

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the JSON Schemas anew from the Go types")

func enum[T ~string](words []T) map[string]any {
	return map[string]any{"type": "string", "enum": words}
}

// schemaOf builds the schema of a type from its yaml tags.
func schemaOf(t reflect.Type, path string) map[string]any {
	switch reflect.Zero(t).Interface().(type) {
	case Kind:
		return enum(Kinds())
	case Status:
		return enum(Statuses())
	case Role:
		return enum(Roles())
	case Tier:
		return enum(Tiers())
	case AIClass:
		return enum(AIClasses())
	case Channel:
		return enum(Channels())
	case PaperState:
		return enum(PaperStates())
	case OnUnknown:
		return enum(UnknownPolicies())
	case Date:
		return map[string]any{"type": "string", "format": "date"}
	case Duration:
		return map[string]any{"type": "string", "pattern": "^(0|[1-9][0-9]{0,4})[dw]$"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), path)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), path)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), path)}
	case reflect.Struct:
		properties, required := map[string]any{}, []string{}
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			properties[name] = schemaOf(t.Field(i).Type, path+"."+name)
			if !strings.Contains(options, "omitempty") {
				required = append(required, name)
			}
		}
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
	}
	schema := map[string]any{"type": "string"}
	switch {
	case path == ".schema":
		return nil // set by the caller
	case path == ".entries.id":
		schema["pattern"] = "^[a-z0-9][a-z0-9-]{1,62}$"
	case path == ".entries.provider":
		schema["pattern"] = "^[a-z0-9][a-z0-9-]{0,62}$"
	case strings.HasSuffix(path, ".sha256"):
		schema["pattern"] = "^[0-9a-f]{64}$"
	case strings.HasPrefix(path, ".entries.owner."):
		schema["format"] = "email"
	}
	return schema
}

func documentSchema(value any, id, title string) map[string]any {
	schema := schemaOf(reflect.TypeOf(value), "")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = title
	schema["properties"].(map[string]any)["schema"] = map[string]any{"const": id}
	return schema
}

// TestSchemaDrift fails where a Go type and its JSON Schema differ. Run it with
// -update after a change of the types.
func TestSchemaDrift(t *testing.T) {
	f := func(file string, embedded []byte, schema map[string]any) {
		t.Helper()
		want, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if diff := cmp.Diff(string(want), string(embedded)); diff != "" {
			t.Errorf("%s is not what the types say; run go test -run TestSchemaDrift -update (-types +file):\n%s", file, diff)
		}
	}
	f("inventory.schema.json", JSONSchema(), documentSchema(Document{}, Schema, "The sanctioned AI inventory"))
	f("directory.schema.json", DirectoryJSONSchema(), documentSchema(Directory{}, DirectorySchema, "The directory of people and hosts"))
}

func compileSchema(t *testing.T, data []byte) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSchemaAgrees holds schema and parser against each other: what one refuses
// by its shape the other refuses too.
func TestSchemaAgrees(t *testing.T) {
	schema := compileSchema(t, JSONSchema())
	f := func(change func(string) string, good bool) {
		t.Helper()
		text := change(completeYAML)
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(plain)))
		if err != nil {
			t.Fatal(err)
		}
		schemaError := schema.Validate(instance)
		_, _, parseError := Parse([]File{{"a.yaml", []byte(text)}})
		if (schemaError == nil) != good || (parseError == nil) != good {
			t.Errorf("schema: %v; parser: %v; want both to accept: %v", schemaError, parseError, good)
		}
	}
	replace := func(old, new string) func(string) string {
		return func(text string) string {
			if !strings.Contains(text, old) {
				t.Fatalf("the example has no %q", old)
			}
			return strings.Replace(text, old, new, 1)
		}
	}
	f(func(text string) string { return text }, true)
	f(replace("status: approved", "status: allowed"), false)
	f(replace("kind: api_service", "kind: service"), false)
	f(replace("id: openai-api", "id: OpenAI"), false)
	f(replace("schema: inventory/v1", "schema: inventory/v2"), false)
	f(replace("tags: [support]", "tag: [support]"), false)
	f(replace("tags: [support]", "tags: support"), false)
	f(replace("every: 180d", "every: 6 months"), false)
	f(replace("every: 180d", "every: 26w"), true)
	f(replace("until: \"2027-03-31\"", "until: \"2027-02-30\""), false)
	f(replace("training_on_data: false", "training_on_data: \"no\""), false)
	f(replace("business: ana@example.com", "business: ana"), false)
	f(replace("    name: OpenAI API\n", ""), false)
}
