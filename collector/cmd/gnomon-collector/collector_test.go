//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// post sends an empty request to the receiver and returns the status.
func post(t *testing.T, dataDir, token string) int {
	t.Helper()
	e, err := readEndpoints(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.OTLPHTTP+"/v1/logs", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func tokenID(plain string) string { return strings.Split(plain, "_")[1] }

func TestTokens(t *testing.T) {
	create := func(arguments ...string) string {
		t.Helper()
		return strings.TrimSpace(succeed(t, append([]string{"token", "create", "--data-dir", shared}, arguments...)...))
	}
	agent := create("--name", "laptops", "--expires", "365d")
	reader := create("--name", "dashboard", "--role", "reader")
	admin := create("--name", "pipeline", "--role", "admin")
	expired := create("--name", "short", "--expires", "1s")
	for _, c := range []struct {
		name, token string
		want        int
	}{{"agent", agent, 200}, {"reader", reader, 401}, {"admin", admin, 401}, {"nobody", "gnomon_aaaa_bbbb", 401}} {
		if got := post(t, shared, c.token); got != c.want {
			t.Errorf("the receiver answers the token of %s with %d, want %d", c.name, got, c.want)
		}
	}
	until(t, "a token to expire", func() bool { return post(t, shared, expired) == http.StatusUnauthorized })

	inventory := write(t, "a.yaml", "schema: inventory/v1\nentries: []\n")
	as := func(token string, arguments ...string) error {
		_, _, err := command(t, append(arguments, "--data-dir", shared, "--token-file", write(t, "token", token+"\n"))...)
		return err
	}
	if err := as(reader, "inventory", "diff", inventory); err != nil {
		t.Errorf("a reader cannot compare: %v", err)
	}
	if err := as(reader, "inventory", "apply", inventory); err == nil || !strings.Contains(err.Error(), "dashboard may only read") {
		t.Errorf("a reader applies: %v", err)
	}
	if err := as(agent, "verdicts"); err == nil || !strings.Contains(err.Error(), "may not use the API") {
		t.Errorf("an agent reads verdicts: %v", err)
	}

	if got := post(t, shared, agent); got != 200 {
		t.Fatalf("before it is revoked: %d", got)
	}
	for range 2 { // again is no error
		succeed(t, "token", "revoke", tokenID(agent), "--data-dir", shared)
	}
	if got := post(t, shared, agent); got != 401 {
		t.Errorf("a revoked token is answered with %d, want 401", got)
	}
	succeed(t, "token", "revoke", tokenID(reader), "--data-dir", shared)
	if err := as(reader, "verdicts"); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a revoked reader reads: %v", err)
	}
	if _, _, err := command(t, "token", "revoke", "nosuchtoken", "--data-dir", shared); err == nil {
		t.Error("a token that does not exist is revoked")
	}
	list := succeed(t, "token", "list", "--data-dir", shared, "--output", "jsonl")
	for _, plain := range []string{agent, reader, admin} {
		if strings.Contains(list, plain) || !strings.Contains(list, tokenID(plain)) {
			t.Errorf("the list shows the secret of %s, or not its id:\n%s", tokenID(plain), list)
		}
	}
	if _, _, err := command(t, "token", "list", "--data-dir", t.TempDir()); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("where there is no collector: %v", err)
	}
}

// insert stores a finding beside the running collector.
func insert(t *testing.T, host, user string) {
	t.Helper()
	endpoint, err := engine.Attach(filepath.Join(shared, "engine"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), storeOptions(config.Config{}, endpoint))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	hour := time.Now().UTC().Truncate(time.Hour)
	f := finding.Finding{
		AgentID: "agent-" + host, HostName: host, Channel: "endpoint", Sensor: "network", Revision: 1, Count: 2, Confidence: 90,
		WindowStart: hour, WindowEnd: hour.Add(5 * time.Minute), FirstSeen: hour, LastSeen: hour.Add(time.Minute),
		Asset:    finding.Asset{Key: "groq.api", Kind: "service", Name: "=Groq", SignatureID: "groq.api", Provider: "groq"},
		Evidence: []finding.Evidence{{Kind: "tls.sni", Value: "api.groq.com"}}, User: user, ProcessName: "node",
	}
	f.Fingerprint = finding.ComputeFingerprint(&f)
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	if err := s.InsertFindings(t.Context(), []finding.Finding{f}); err != nil {
		t.Fatal(err)
	}
}

func TestFromFindingToVerdict(t *testing.T) {
	insert(t, "laptop-a", "ana")
	insert(t, "laptop-b", "leo")
	verdict := func(host string) map[string]any {
		t.Helper()
		out := succeed(t, "verdicts", "--data-dir", shared, "--host", host, "--output", "jsonl")
		if strings.Count(out, "\n") != 1 {
			return nil
		}
		var row map[string]any
		if err := json.Unmarshal([]byte(out), &row); err != nil {
			t.Fatal(err)
		}
		return row
	}
	until(t, "a verdict", func() bool { return verdict("laptop-b")["verdict"] == "unsanctioned" })

	apply := func(status string) string {
		return succeed(t, "inventory", "apply", "--data-dir", shared, write(t, "a.yaml",
			"schema: inventory/v1\nentries:\n  - {id: groq, name: Groq, kind: api_service, status: "+status+", match: [{signature: [groq.api]}]}\n"))
	}
	if out := apply("approved"); !strings.Contains(out, "created   groq") {
		t.Errorf("apply says:\n%s", out)
	}
	until(t, "the verdict after an approval", func() bool { return verdict("laptop-a")["verdict"] == "sanctioned" })
	if row := verdict("laptop-a"); row["verdict_at_event"] != "unsanctioned" || row["entry"] != "groq" {
		t.Errorf("verdict %v", row)
	}
	if out := apply("prohibited"); !strings.Contains(out, `status: "approved" -> "prohibited"`) {
		t.Errorf("apply says:\n%s", out)
	}
	if out := succeed(t, "inventory", "test", "--data-dir", shared, "--name", "api.groq.com"); !strings.Contains(out, "verdict    prohibited") || !strings.Contains(out, "groq (prohibited)") {
		t.Errorf("test says:\n%s", out)
	}
	until(t, "the verdict after a ban", func() bool { return verdict("laptop-a")["verdict"] == "prohibited" })

	stdout, stderr, err := command(t, "findings", "--data-dir", shared, "--limit", "1", "--output", "csv")
	if err != nil || strings.Count(stdout, "\n") != 2 || !strings.Contains(stderr, "cut at 1 rows") || !strings.Contains(stdout, "'=Groq") {
		t.Errorf("a cut list: %v\n%s%s", err, stdout, stderr)
	}
	exported := filepath.Join(t.TempDir(), "inventory.csv")
	succeed(t, "inventory", "export", exported, "--data-dir", shared)
	if out := succeed(t, "inventory", "diff", exported, "--data-dir", shared); !strings.Contains(out, "1 unchanged") {
		t.Errorf("an export is not what is in force:\n%s", out)
	}
	out, _, err := command(t, "inventory", "apply", "--data-dir", shared, write(t, "a.csv", "id,status\ngroq,perhaps\n"))
	if !errors.Is(err, errAttention) || !strings.Contains(out, "nothing was applied") || !strings.Contains(out, "a.csv:2: status") {
		t.Errorf("a rejected row: %v\n%s", err, out)
	}
	_, _, err = command(t, "inventory", "apply", "--base", "1", "--data-dir", shared, write(t, "a.yaml", "schema: inventory/v1\nentries: []\n"), "--replace")
	if err == nil || !strings.Contains(err.Error(), "meanwhile") {
		t.Errorf("a base that is gone: %v", err)
	}
	if out := succeed(t, "inventory", "apply", "--data-dir", shared, write(t, "u.csv", "name,department\nana,sales\n")); !strings.Contains(out, "created   user ana") {
		t.Errorf("a directory table: %s", out)
	}
	if _, _, err := command(t, "inventory", "diff", "--data-dir", shared, write(t, "u.csv", "name,groups\nana,sales\n")); !errors.As(err, &usageError{}) {
		t.Errorf("diff of a directory: %v", err)
	}
}

func TestSQL(t *testing.T) {
	insert(t, "laptop-sql", "ana")
	for statement, want := range map[string]string{
		"SELECT host_name, count FROM gnomon.findings FINAL WHERE host_name = 'laptop-sql'": "laptop-sql\t2\n",
		`SELECT 'a\tb\nc', [1, 2]`:                               "a\\tb\\nc\t[1 2]\n",
		"SELECT toDateTime('2026-11-01 09:00:00', 'UTC')":        "2026-11-01T09:00:00Z\n",
		"SELECT toNullable('x'), CAST(NULL, 'Nullable(String)')": "x\t\\N\n",
	} {
		if out := succeed(t, "sql", statement, "--data-dir", shared); out != want {
			t.Errorf("%s: %q, want %q", statement, out, want)
		}
	}
	for _, statement := range []string{"DROP TABLE gnomon.findings", "INSERT INTO gnomon.findings (host_name) VALUES ('x')", "SET readonly = 0", "SELEKT"} {
		if out, _, err := command(t, "sql", statement, "--data-dir", shared); err == nil {
			t.Errorf("%s is done: %s", statement, out)
		}
	}
	if _, _, err := command(t, "sql", "SELECT 1", "--data-dir", t.TempDir()); err == nil || !strings.Contains(err.Error(), "start the collector") {
		t.Errorf("where none runs: %v", err)
	}
}

func TestDoctor(t *testing.T) {
	configured := write(t, "c.yaml", "engine: {library: "+testLibrary()+"}\n")
	out := succeed(t, "doctor", "--data-dir", shared, "--config", configured)
	if strings.Contains(out, "FAIL") || strings.Count(out, "ok  ") != 6 || !strings.Contains(out, fmt.Sprintf("process %d is ready", os.Getpid())) {
		t.Errorf("on a running collector:\n%s", out)
	}
	fresh := t.TempDir()
	for _, c := range []struct {
		name, dir, says string
		mode            os.FileMode
	}{
		{"no folder", filepath.Join(fresh, "none"), "does not exist yet", 0},
		{"an empty folder", fresh, "no state database", 0o700},
		{"an open folder", fresh, "chmod 700", 0o755},
	} {
		if c.mode != 0 {
			if err := os.Chmod(c.dir, c.mode); err != nil {
				t.Fatal(err)
			}
		}
		out, _, err := command(t, "doctor", "--data-dir", c.dir, "--config", configured)
		if !errors.Is(err, errAttention) || !strings.Contains(out, c.says) || !strings.Contains(out, "start the collector") {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
	}
	if list, err := os.ReadDir(fresh); err != nil || len(list) != 0 {
		t.Errorf("doctor leaves %v, %v", list, err)
	}
	out, _, err := command(t, "doctor", "--data-dir", shared, "--config", write(t, "c.yaml", "engine: {library: /no/such/engine}\njudge: {interval: 1ms}\n"))
	if !errors.Is(err, errAttention) || !strings.Contains(out, "no ClickHouse engine at /no/such/engine") || !strings.Contains(out, "judge: interval must be") {
		t.Errorf("a missing engine and a bad value: %v\n%s", err, out)
	}
}

func testLibrary() string {
	if library := os.Getenv("GNOMON_ENGINE_LIBRARY"); library != "" {
		return library
	}
	return engine.DefaultLibrary()
}
