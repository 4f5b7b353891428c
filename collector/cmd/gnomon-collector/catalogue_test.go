//go:build linux

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const checkGood = `schema: signatures/v1
provider: {id: acme, name: Acme, country: US}
signatures:
  - id: acme.api
    name: Acme API
    kind: service
    categories: [api_llm]
    status: active
    confidence: 90
    sources: [{url: "https://acme.example/docs", checked: 2020-11-01}]
    hosts: [{value: api.acme.example, match: exact, role: api}]
    tests:
      positive: [{host: api.acme.example}]
      negative: [{host: www.acme.example}]
`

func TestCatalogueCommands(t *testing.T) {
	good := filepath.Dir(write(t, "acme.yaml", checkGood))
	unread := filepath.Dir(write(t, "acme.yaml", strings.Replace(checkGood, "exact", "exakt", 1)))
	wrong := filepath.Dir(write(t, "acme.yaml", strings.Replace(checkGood, "www.acme.example", "api.acme.example", 1)))
	ended := filepath.Dir(write(t, "own.yaml", "schema: signatures/v1\nsuppressions: [{signature: groq.api, reason: x, until: 2026-01-01}]\n"))
	for _, c := range []struct {
		name           string
		arguments      []string
		code           int
		stdout, stderr string
	}{
		{"good", []string{"check", good}, 0, "ok: 1 signatures, 1 of them enabled", ""},
		{"unread", []string{"check", unread}, 1, "", "acme.yaml:11"},
		{"wrong", []string{"check", wrong}, 1, "", "1 problems in 1 signatures:\nacme.yaml:4: acme.api: the negative example {host: api.acme.example} matches"},
		{"absent", []string{"check", filepath.Join(good, "absent")}, 1, "", "absent"},
		{"over the shipped", []string{"check", "--overlay", good}, 0, "ok: ", ""},
		{"ended", []string{"check", "--overlay", ended}, 0, "ok: ", "own.yaml:2: the suppression of groq.api ended on 2026-01-01"},
		{"no overlay", []string{"check", ended}, 1, "", "organisation"},
		{"no folder", []string{"check"}, 2, "", "1 arg"},
		{"stats", []string{"stats", "--dir", good}, 0, "service_sources", ""},
		{"review", []string{"review", "--dir", good}, 0, "single source", ""},
		{"duration", []string{"review", "--older-than", "180"}, 2, "", "--older-than"},
		{"format", []string{"stats", "--output", "xml"}, 2, "", "table, jsonl or csv"},
	} {
		code, stdout, stderr := program(t, append([]string{"catalogue"}, c.arguments...)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, want %d with %q and %q:\n%s\n%s", c.name, code, c.code, c.stdout, c.stderr, stdout, stderr)
		}
	}
}

// The figures of the shipped catalogue are read by programs, too.
func TestCatalogueStatsOfTheShipped(t *testing.T) {
	code, stdout, stderr := program(t, "catalogue", "stats", "--output", "jsonl")
	if code != 0 {
		t.Fatal(stderr)
	}
	found := false
	for line := range strings.Lines(stdout) {
		var row struct {
			Group, Name string
			Enabled     int
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if row.Group == "signatures" && row.Name == "service" {
			found = row.Enabled >= 400
		}
	}
	if !found {
		t.Errorf("not 400 services:\n%s", stdout)
	}
}
