//go:build linux

package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestExitCodes(t *testing.T) {
	good := write(t, "inventory.yaml", "schema: inventory/v1\nentries: []\n")
	bad := write(t, "inventory.yaml", "schema: inventory/v1\nentires: []\n")
	for _, c := range []struct {
		name      string
		arguments []string
		code      int
		says      string
	}{
		{"done", []string{"version"}, 0, "gnomon-collector"},
		{"no command", nil, 0, "Available Commands"},
		{"help", []string{"inventory", "apply", "--help"}, 0, "Examples:"},
		{"failed", []string{"verdicts", "--data-dir", t.TempDir()}, 1, "no collector runs"},
		{"failed to read", []string{"inventory", "validate", "no-such-file"}, 1, "no-such-file"},
		{"unknown flag", []string{"verdicts", "--no-such-flag"}, 2, "--no-such-flag"},
		{"unknown command", []string{"frobnicate"}, 2, "frobnicate"},
		{"unknown command below", []string{"inventory", "frobnicate"}, 2, "frobnicate"},
		{"unknown command below token", []string{"token", "frobnicate"}, 2, "frobnicate"},
		{"an argument too many", []string{"serve", "now"}, 2, "now"},
		{"an argument too few", []string{"inventory", "validate"}, 2, "at least 1"},
		{"a value of another type", []string{"usage", "--limit", "many"}, 2, "--limit"},
		{"an unknown format", []string{"findings", "--output", "xml"}, 2, "table, jsonl or csv"},
		{"an unknown time", []string{"findings", "--since", "yesterday"}, 2, "--since"},
		{"an unknown port", []string{"endpoint", "ftp"}, 2, "ftp"},
		{"a name is missing", []string{"token", "create"}, 2, "--name"},
		{"an unknown role", []string{"token", "create", "--name", "x", "--role", "root"}, 2, "--role"},
		{"an expiry without unit", []string{"token", "create", "--name", "x", "--expires", "90"}, 2, "--expires"},
		{"nothing to test", []string{"inventory", "test"}, 2, "--name"},
		{"valid", []string{"inventory", "validate", good}, 0, "ok"},
		{"attention", []string{"inventory", "validate", bad}, 3, "entires"},
		{"attention of doctor", []string{"doctor", "--data-dir", t.TempDir()}, 3, "FAIL"},
		{"a bad configuration", []string{"serve", "--config", write(t, "c.yaml", "api: {lisen: x}\n")}, 1, "c.yaml:1:7: api.lisen"},
	} {
		code, stdout, stderr := program(t, c.arguments...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", c.name, code, c.code, c.says, stdout, stderr)
		}
		if (code == 1 || code == 2) && (stdout != "" || !strings.HasPrefix(stderr, "gnomon-collector: ")) {
			t.Errorf("%s: complaints belong to standard error alone:\n%q\n%q", c.name, stdout, stderr)
		}
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if !strings.Contains(c.Example, "gnomon-collector ") || c.Short == "" {
			t.Errorf("%s: example %q, short %q", c.CommandPath(), c.Example, c.Short)
		}
		if !c.Runnable() || c.Args == nil {
			t.Errorf("%s takes any argument", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			arguments := strings.Fields(line)
			found, _, err := c.Root().Find(arguments[1:])
			if err != nil || found != c && c.HasParent() && !c.HasSubCommands() {
				t.Errorf("%s: its example %q is one of %s", c.CommandPath(), strings.TrimSpace(line), found.CommandPath())
			}
			for _, argument := range arguments {
				name, isFlag := strings.CutPrefix(argument, "--")
				if isFlag && found.Flags().Lookup(name) == nil {
					t.Errorf("%s: its example has the unknown flag %s", c.CommandPath(), argument)
				}
			}
		}
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(newRootCommand())
}

func TestValidate(t *testing.T) {
	inventory := "schema: inventory/v1\nentries:\n  - {id: openai, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}]}\n"
	for _, c := range []struct {
		name, file, content string
		attention           bool
		says                string
	}{
		{"an inventory", "a.yaml", inventory, false, "ok\n"},
		{"an unknown key", "a.yaml", inventory + "  - {id: groq, nmae: Groq}\n", true, "a.yaml:4:16: entries[1].nmae"},
		{"a directory", "d.yaml", "schema: directory/v1\nusers: [{name: ana, groups: [a]}]\n", false, "ok\n"},
		{"a bad directory", "d.yaml", "schema: directory/v1\nusers: [{nmae: ana}]\n", true, "d.yaml:2"},
		{"rows", "a.csv", "id,name,kind,status,signatures\nopenai,OpenAI,api_service,approved,openai.api\n", false, "ok\n"},
		{"rows of existing entries", "a.csv", "id,name,kind,status,groups,signatures\nopenai,OpenAI,api_service,approved,sales,openai.api\n", false, "ok\n"},
		{"a bad row", "a.csv", "id,name,kind,status\nopenai,OpenAI,api_service,perhaps\n", true, `a.csv:2: status: "perhaps"`},
		{"users", "u.csv", "name,groups\nana,engineering\n", false, "ok\n"},
		{"hosts", "h.csv", "name,labels\nlaptop-1,managed=true\n", false, "ok\n"},
		{"hosts without labels", "h.csv", "Name,Owner,Network\nlaptop-1,ana,10.0.0.0/8\n", false, "ok\n"},
		{"users without groups", "u.csv", "name,department\nana,sales\n", false, "ok\n"},
		{"a bad host", "h.csv", "name,labels\nlaptop-1,managed\n", true, "h.csv:2: labels"},
		{"an inventory without id", "a.csv", "vendor,status\nOpenAI,approved\n", true, "no column id"},
		{"an inventory without status", "a.csv", "id,name,groups\nopenai,OpenAI,sales\n", true, "a.csv:2"},
		{"nothing", "a.yaml", "", true, "a.yaml"},
	} {
		stdout, _, err := command(t, "inventory", "validate", write(t, c.file, c.content))
		if errors.Is(err, errAttention) != c.attention || (err != nil) != c.attention || !strings.Contains(stdout, c.says) {
			t.Errorf("%s: %v, want attention %v with %q:\n%s", c.name, err, c.attention, c.says, stdout)
		}
	}
	examples := filepath.Join("..", "..", "..", "deploy", "examples")
	if stdout := succeed(t, "inventory", "validate", filepath.Join(examples, "inventory.yaml"), filepath.Join(examples, "directory.yaml")); stdout != "ok\n" {
		t.Errorf("the examples: %s", stdout)
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-01":                now.Add(-36 * time.Hour),
		"2026-11-01T09:00:00+01:00": time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC),
		"24h":                       now.Add(-24 * time.Hour),
		"30d":                       now.AddDate(0, 0, -30),
	} {
		if got, err := parseMoment(text, now); err != nil || !got.AsTime().Equal(want) {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "2026-13-01", "30", "h"} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
	if got, err := parseMoment("", now); got != nil || err != nil {
		t.Errorf("nothing is read as %v, %v", got, err)
	}
}

func TestEndpoint(t *testing.T) {
	all := succeed(t, "endpoint", "--data-dir", shared)
	for _, name := range []string{"otlp-http", "otlp-grpc", "api"} {
		value := strings.TrimSpace(succeed(t, "endpoint", name, "--data-dir", shared))
		if !strings.Contains(value, "127.0.0.1:") || strings.HasPrefix(value, "http://") != (name != "otlp-grpc") || !strings.Contains(all, value) {
			t.Errorf("%s is at %q; all: %q", name, value, all)
		}
	}
	if _, _, err := command(t, "endpoint", "--data-dir", t.TempDir()); err == nil || !strings.Contains(err.Error(), "serve --data-dir") {
		t.Errorf("where none runs: %v", err)
	}
}

func TestPrivateFiles(t *testing.T) {
	for name, want := range map[string]os.FileMode{".": 0o700, "engine": 0o700, stateDatabase: 0o600, endpointFile: 0o600, adminTokenFile: 0o600, agentTokenFile: 0o600} {
		info, err := os.Stat(filepath.Join(shared, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

// stateDatabase is the name of the state database in the data folder.
var stateDatabase = filepath.Base(stateFile(""))

func TestOutput(t *testing.T) {
	table := succeed(t, "token", "list", "--data-dir", shared)
	if head, _, _ := strings.Cut(table, "\n"); strings.Join(strings.Fields(head), " ") != "ID NAME ROLE CREATED EXPIRES REVOKED" {
		t.Errorf("table:\n%s", table)
	}
	rows, err := csv.NewReader(strings.NewReader(succeed(t, "token", "list", "--data-dir", shared, "--output", "csv"))).ReadAll()
	if err != nil || len(rows) < 3 || rows[1][1] != "local admin" {
		t.Errorf("csv: %q, %v", rows, err)
	}
	for line := range strings.Lines(succeed(t, "token", "list", "--data-dir", shared, "--output", "jsonl")) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil || row["id"] == "" || len(row) != 6 {
			t.Errorf("jsonl: %s, %v", line, err)
		}
	}
	for _, list := range []string{"verdicts", "usage", "findings", "coverage"} {
		if out := succeed(t, list, "--data-dir", shared, "--host", "nowhere", "--output", "jsonl"); out != "" {
			t.Errorf("%s of nowhere: %q, want not a byte", list, out)
		}
		if out := succeed(t, list, "--data-dir", shared, "--host", "nowhere", "--output", "csv"); strings.Count(out, "\n") != 1 {
			t.Errorf("%s of nowhere: %q, want a header", list, out)
		}
	}
}
