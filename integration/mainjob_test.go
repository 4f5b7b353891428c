//go:build linux

package integration

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
	"github.com/gnomon-ai/gnomon/integration/fixture"
	"github.com/gnomon-ai/gnomon/integration/traffic"
)

// TestMainJob is the whole line on live input: real TLS clients to a local
// server under catalogue names, DNS lookups against a local resolver, a model
// file dropped into a watched folder and a runtime's process go in; verdicts
// come out, by the collector's own command and straight from ClickHouse.
func TestMainJob(t *testing.T) {
	needRoot(t)
	c := startCollector(t)
	person, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c.apply(mainInventory)
	c.apply(fmt.Sprintf("schema: directory/v1\nusers: [{name: %q, groups: [engineering]}]\nhosts: [{name: %q, labels: {managed: \"true\"}}]\n", person.Username, host))

	watched := t.TempDir()
	agent := startAgent(t, agentConfig(t, c, fmt.Sprintf(`network: {interfaces: [lo]}
process: {interval: 1s}
file: {roots: [%q]}
heartbeat: {interval: 2s}
`, watched)))
	c.await("the agent's sensors", 30*time.Second, func() (bool, error) {
		rows, err := c.rows("coverage", "--sensor", "network")
		if err != nil || len(rows) == 0 {
			return false, err
		}
		if rows[0]["state"] != "on" {
			return false, fmt.Errorf("the network sensor is %v: %v", rows[0]["state"], rows[0]["reason"])
		}
		return true, nil
	}, agent)

	connect := connections(t)
	connect()
	lookUp(t, "api.cohere.com")
	dropModel(t, watched)
	playOllama(t)

	want := []wantVerdict{
		{"openai.api", "sanctioned", "ok", "integration.test"},
		{"mistral.api", "out_of_scope", "scope_mismatch:[group]", "integration.test"},
		{"anthropic.api", "expired", "validity_ended", "integration.test"},
		{"deepseek.api", "prohibited", "entry_prohibited", "curl"},
		{"groq.api", "unsanctioned", "not_in_inventory", "integration.test"},
		{"cohere.api", "unsanctioned", "not_in_inventory", ""},
		{"ollama.runtime", "sanctioned", "ok", "ollama"},
	}
	var rows []map[string]any
	c.await("a verdict of each use", 90*time.Second, func() (bool, error) {
		if rows, err = c.rows("verdicts"); err != nil {
			return false, err
		}
		for _, w := range want {
			if problem := w.missing(rows, person.Username); problem != "" {
				// A connection that ended before the agent looked has no
				// process, which its finding says; use is repeated.
				time.Sleep(time.Second)
				connect()
				return false, errors.New(problem)
			}
		}
		return true, nil
	}, agent)
	model := false
	for _, row := range rows {
		model = model || (strings.HasPrefix(row["asset"].(string), "model:") && row["asset_name"] == "Dropped Llama")
	}
	if !model {
		t.Errorf("the dropped model has no verdict: %v", rows)
	}
	for _, w := range want {
		got := c.sql("SELECT concat(verdict_current, ' ', reason_current) FROM gnomon.verdicts FINAL WHERE asset_key = '" + w.asset + "' ORDER BY user_name DESC LIMIT 1")
		if got != w.verdict+" "+w.reason {
			t.Errorf("ClickHouse says of %s: %q", w.asset, got)
		}
	}
	checkNothingElseLeft(t, c)
}

const mainInventory = `schema: inventory/v1
defaults: {review_every: 0d}
entries:
  - {id: openai-api, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}], scope: {groups: [engineering]}}
  - {id: mistral-api, name: Mistral, kind: api_service, status: approved, match: [{signature: [mistral.api]}], scope: {groups: [research]}}
  - {id: anthropic-api, name: Anthropic, kind: api_service, status: approved, match: [{signature: [anthropic.api]}], valid: {from: 2025-01-01, until: 2026-01-01}}
  - {id: deepseek, name: DeepSeek, kind: saas_app, status: prohibited, match: [{signature: ["deepseek.*"]}]}
  - {id: ollama, name: Ollama, kind: runtime, status: restricted, match: [{signature: [ollama.runtime]}], scope: {host_labels: {managed: "true"}}}
`

type wantVerdict struct{ asset, verdict, reason, process string }

// missing says what keeps the rows from holding the verdict, "" for nothing.
// The process must be named by one of the rows of the asset, with its user.
func (w wantVerdict) missing(rows []map[string]any, person string) string {
	seen := "no row"
	for _, row := range rows {
		if row["asset"] != w.asset {
			continue
		}
		seen = fmt.Sprintf("%v %v, user %v, processes %v", row["verdict"], row["reason"], row["user"], row["processes"])
		if row["verdict"] != w.verdict || row["reason"] != w.reason {
			continue
		}
		if w.process == "" {
			return ""
		}
		if row["user"] == person && strings.Contains(fmt.Sprint(row["processes"]), w.process) {
			return ""
		}
	}
	return fmt.Sprintf("%s should be %s %s by %s: %s", w.asset, w.verdict, w.reason, w.process, seen)
}

// connections returns a function that makes real TLS connections under catalogue
// names: crypto/tls with and without a post-quantum key share, and curl.
func connections(t *testing.T) func() {
	t.Helper()
	server, err := traffic.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.AuthorityDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		for i, name := range []string{"api.openai.com", "api.mistral.ai", "api.anthropic.com", "api.groq.com", "www.example.com"} {
			client := traffic.Client{Name: name, PostQuantum: i%2 == 0}
			if err := server.Do(client, func() (net.Conn, error) { return net.Dial("tcp", server.Address()) }); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := daemon.Run(ctx, "curl", "-sS", "--noproxy", "*", "--cacert", authority, "--resolve", "api.deepseek.com:"+port+":127.0.0.1",
			"https://api.deepseek.com:"+port+"/chat/completions"); err != nil {
			t.Fatalf("curl (package curl): %v", err)
		}
	}
}

// lookUp asks a resolver on loopback for a name.
func lookUp(t *testing.T, name string) {
	t.Helper()
	resolver, err := net.ListenPacket("udp", "127.0.0.153:53")
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	query, answer, err := traffic.Lookup(7, name, netip.MustParseAddr("198.51.100.9"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 512)
		if _, from, err := resolver.ReadFrom(buffer); err == nil {
			_, _ = resolver.WriteTo(answer, from) // the client fails without it
		}
	}()
	client, err := net.Dial("udp", "127.0.0.153:53")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write(query); err != nil {
		t.Fatal(err)
	}
	if err := client.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
}

func dropModel(t *testing.T, dir string) {
	t.Helper()
	data := fixture.GGUF([][2]string{{"general.architecture", "llama"}, {"general.name", "Dropped Llama"}})
	partial := filepath.Join(dir, "model.bin.incomplete")
	if err := os.WriteFile(partial, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(partial, filepath.Join(dir, "model.bin")); err != nil {
		t.Fatal(err)
	}
}

// playOllama runs a copy of the test binary under the name of a local runtime.
func playOllama(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ollama")
	if err := os.WriteFile(path, image, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve")
	cmd.Env = append(os.Environ(), roleEnv+"=sleep")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed is how it is meant to end
	})
}

// checkNothingElseLeft holds that names which are no AI never left the host.
func checkNothingElseLeft(t *testing.T, c *collector) {
	t.Helper()
	if n := c.count("SELECT count() FROM gnomon.findings WHERE position(peer_name, 'example.com') > 0 OR has(evidence_value, 'www.example.com')"); n != 0 {
		t.Errorf("%d findings name www.example.com, which is no AI service", n)
	}
}
