//go:build linux

package integration

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

// TestBadOTLPCostsNothingElse sends what no agent would send, among good
// findings.
func TestBadOTLPCostsNothingElse(t *testing.T) {
	c := startCollector(t)
	s := newSender(c)
	f := func(name string, body []byte, header http.Header, status int, words string) {
		t.Helper()
		got, text := s.post(body, header)
		if got != status || !strings.Contains(text, words) {
			t.Errorf("%s: %d %q, want %d with %q", name, got, text, status, words)
		}
	}
	f("garbage", []byte("\xff\xfe not protobuf"), nil, 400, "no OTLP logs request")
	f("gzip of nothing", []byte{0x1f, 0x8b, 0}, http.Header{"Content-Encoding": {"gzip"}}, 400, "")
	f("too large", make([]byte, 17<<20), nil, 413, "larger than")
	f("wrong token", nil, http.Header{"Authorization": {"Bearer gnomon_wrong_token"}}, 401, "unknown, expired or revoked")
	f("JSON that is none", []byte("{]"), http.Header{"Content-Type": {"application/json"}}, 400, "no OTLP logs request")

	future, lying := sample(1), sample(2)
	future.LastSeen = time.Now().Add(100 * time.Hour)
	lying.AgentID = "another-agent"
	list := []finding.Finding{sample(3), future, sample(4)}
	data, err := otlpwire.EncodeFindings(groupByAgent(list), "test")
	if err != nil {
		t.Fatal(err)
	}
	f("one from the future among three", data, nil, 200, "future")
	if data, err = otlpwire.EncodeFindings([]finding.Finding{lying}, "test"); err != nil {
		t.Fatal(err)
	}
	f("an id that is not the agent's", data, nil, 200, "bad_identity")
	if rows := c.count("SELECT count() FROM gnomon.findings FINAL"); rows != 2 {
		t.Errorf("%d findings stored, want the 2 good ones", rows)
	}
	s.flood(t.Context(), t, 10, 210, 200, 1)
	if rows := c.count("SELECT count() FROM gnomon.findings FINAL"); rows != 202 {
		t.Errorf("%d findings stored, want 202", rows)
	}
}

// TestWrongTokenIsSaid holds that an agent with a wrong token keeps its
// findings, says what is wrong, and sends them when the token is mended.
func TestWrongTokenIsSaid(t *testing.T) {
	c := startCollector(t)
	watched := t.TempDir()
	config := agentConfig(t, c, "network: {enabled: false}\nprocess: {enabled: false}\nfile: {roots: ["+watched+"]}\n")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("gnomon_wrong_token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	mended := strings.Replace(string(text), filepath.Join(c.data, "agent.token"), token, 1)
	if err := os.WriteFile(config, []byte(mended), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := startAgent(t, config)
	dropModel(t, watched)
	c.await("a word about the token", 30*time.Second, func() (bool, error) {
		return strings.Contains(agent.Log.String(), "token"), nil
	}, agent)
	if rows := c.count("SELECT count() FROM gnomon.findings"); rows != 0 {
		t.Fatalf("%d findings arrived with a wrong token", rows)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if out, err := daemon.Run(ctx, binaries.agent, "doctor", "--config", config); err == nil || !strings.Contains(string(out), "token") {
		t.Errorf("doctor says nothing of the token: %v\n%s", err, out)
	}
	if err := os.WriteFile(token, []byte(c.token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.await("the kept finding", 2*time.Minute, func() (bool, error) {
		return c.count("SELECT count() FROM gnomon.findings WHERE model_name = 'Dropped Llama'") == 1, nil
	}, agent)
}
