package deploy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// Every command line that is shipped uses commands and flags that the programs
// have: both appear as text in the sources of their commands.
func TestCommandLinesExist(t *testing.T) {
	lines := map[string][][]string{}
	add := func(words []string) {
		program := strings.TrimPrefix(path.Base(words[0]), "gnomon-")
		lines[program] = append(lines[program], words[1:])
	}
	for _, file := range []string{"systemd/gnomon-agent.service", "systemd/gnomon-collector.service"} {
		add(parseUnit(t, file).words("Service.ExecStart"))
	}
	c := loadCompose(t)
	add(append([]string{"gnomon-collector"}, c.Services["collector"].Command...))
	add(c.Services["agent"].Healthcheck.Test[1:])
	for program, uses := range lines {
		known := texts(t, filepath.Join("..", program, "cmd", "gnomon-"+program))
		for _, words := range uses {
			for _, word := range words {
				name, isFlag := strings.CutPrefix(word, "--")
				if strings.HasPrefix(word, "/") || word == "" {
					continue // a path
				}
				if isFlag && !known[name] || !isFlag && !known[word] {
					t.Errorf("gnomon-%s has no %q, used in %q", program, word, words)
				}
			}
		}
	}
}

// texts collects the string literals of the Go files of a folder; of a literal
// with spaces its first word too, as in cobra's "run --config FILE".
func texts(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go file in %s (%v)", folder, err)
	}
	found := map[string]bool{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(node ast.Node) bool {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && text != "" {
					found[text] = true
					found[strings.Fields(text + " .")[0]] = true
				}
			}
			return true
		})
	}
	return found
}

type inventoryExample struct {
	Schema  string `yaml:"schema"`
	Entries []struct {
		ID          string `yaml:"id"`
		Status      string `yaml:"status"`
		Alternative string `yaml:"alternative"`
		Match       []struct {
			Signature []string `yaml:"signature"`
		} `yaml:"match"`
	} `yaml:"entries"`
}

// Every signature that the example inventory names is one of the catalogue, and
// the service that it leaves out on purpose is in no entry.
func TestInventoryExampleFitsTheCatalogue(t *testing.T) {
	list, err := signatures.Load(catalogue.Files)
	if err != nil {
		t.Fatal(err)
	}
	matches := func(pattern string) []string {
		var ids []string
		for i := range list {
			if ok, err := path.Match(pattern, list[i].ID); err == nil && ok {
				ids = append(ids, list[i].ID)
			}
		}
		return ids
	}
	if len(matches("groq.api")) != 1 {
		t.Error("the catalogue has no groq.api, which stands for what is not in the inventory")
	}
	var inventory inventoryExample
	decode(t, "examples/inventory.yaml", &inventory)
	status := map[string]string{}
	for _, entry := range inventory.Entries {
		status[entry.ID] = entry.Status
		for _, item := range entry.Match {
			for _, pattern := range item.Signature {
				ids := matches(pattern)
				if len(ids) == 0 {
					t.Errorf("%s: no signature is %q", entry.ID, pattern)
				}
				if slices.Contains(ids, "groq.api") {
					t.Errorf("%s: %q covers groq.api, which stands for what is not in the inventory", entry.ID, pattern)
				}
			}
		}
	}
	for _, entry := range inventory.Entries {
		if _, ok := status[entry.Alternative]; entry.Alternative != "" && !ok {
			t.Errorf("%s: the alternative %q is no entry", entry.ID, entry.Alternative)
		}
	}
	want := map[string]string{
		"openai-api": "approved", "anthropic-api": "approved", "deepseek": "prohibited",
		"github-copilot": "approved", "ollama": "restricted", "mistral-api": "approved",
	}
	if diff := cmp.Diff(want, status); diff != "" || inventory.Schema != "inventory/v1" {
		t.Errorf("schema %q, entries (-want +got):\n%s", inventory.Schema, diff)
	}
}

// The examples name the credentials where the units put them.
func TestExamplesFitTheUnits(t *testing.T) {
	f := func(example, unitFile, unitName string) {
		t.Helper()
		text := read(t, example)
		for _, credential := range parseUnit(t, unitFile)["Service.LoadCredential"] {
			name, _, _ := strings.Cut(credential, ":")
			if place := "/run/credentials/" + unitName + "/" + name; !strings.Contains(text, place) {
				t.Errorf("%s does not name %s, where %s puts it", example, place, unitFile)
			}
		}
	}
	f("examples/agent.yaml", "systemd/gnomon-agent.service", "gnomon-agent.service")
	f("examples/collector.yaml", "systemd/gnomon-collector.d/server.conf", "gnomon-collector.service")
}
