//go:build linux

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/clients"
	"github.com/gnomon-ai/gnomon/integration/daemon"
	"github.com/gnomon-ai/gnomon/integration/traffic"
)

// catalogueNames are API hosts, web apps and downloads of different providers.
func catalogueNames() []string {
	return []string{
		"api.openai.com", "chatgpt.com", "api.anthropic.com", "claude.ai", "generativelanguage.googleapis.com", "gemini.google.com",
		"api.mistral.ai", "api.cohere.com", "api.groq.com", "api.deepseek.com", "api.perplexity.ai", "www.perplexity.ai",
		"api.together.xyz", "api.fireworks.ai", "openrouter.ai", "api.x.ai", "huggingface.co", "api.replicate.com",
		"api.elevenlabs.io", "api.stability.ai", "api.githubcopilot.com", "copilot.microsoft.com", "api.cerebras.ai", "dashscope.aliyuncs.com",
	}
}

// TestRealClients has browsers, language runtimes and curl ask for catalogue
// names at a local server, over TLS and QUIC. Every service must be named
// under every one of them, with the program that connected.
func TestRealClients(t *testing.T) {
	needRoot(t)
	list := installed(t)
	server, err := traffic.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	if err := server.ServeHTTP3(); err != nil {
		t.Fatal(err)
	}
	hash, err := server.KeyHash()
	if err != nil {
		t.Fatal(err)
	}
	target := clients.Server{Address: server.Address(), Authority: server.AuthorityDER, KeyHash: hash}

	c := startCollector(t)
	agent := startAgent(t, agentConfig(t, c, "network: {interfaces: [lo]}\nprocess: {enabled: false}\nfile: {enabled: false}\nheartbeat: {interval: 2s}\n"))
	c.await("the network sensor", 30*time.Second, func() (bool, error) {
		rows, err := c.rows("coverage", "--sensor", "network")
		return err == nil && len(rows) > 0 && rows[0]["state"] == "on", err
	}, agent)

	names := catalogueNames()
	for _, client := range list {
		start := time.Now()
		if err := client.Connect(t.Context(), target, folder(t, client.Name), names); err != nil {
			t.Errorf("%s: %v", client.Name, err)
		}
		t.Logf("%s: %d names in %.1f s", client.Name, len(names), time.Since(start).Seconds())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	missing := map[string][]string{}
	err = daemon.Until(ctx, "every name", func() (bool, error) {
		rows, err := c.rows("findings", "--sensor", "network", "--limit", "10000")
		if err != nil {
			return false, err
		}
		done := true
		for _, client := range list {
			missing[client.Name] = unnamed(rows, client, names)
			done = done && len(missing[client.Name]) == 0
		}
		return done, nil
	}, agent)
	for _, client := range list {
		if left := missing[client.Name]; err != nil && len(left) > 0 {
			t.Errorf("%s: %d of %d names: %s", client.Name, len(names)-len(left), len(names), strings.Join(left, "; "))
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// unnamed lists the names that no finding has with the client's process and
// protocol, with what there is instead.
func unnamed(rows []map[string]any, client clients.Client, names []string) []string {
	var missing []string
	for _, name := range names {
		best := name + ": no finding"
		for _, row := range rows {
			evidence, _ := row["evidence"].([]any)
			if len(evidence) == 0 || evidence[0] != client.Protocol+".sni="+name {
				continue
			}
			path := fmt.Sprint(row["process_path"])
			if strings.Contains(path, client.Process) && row["signature"] != "" {
				best = ""
				break
			}
			best = fmt.Sprintf("%s: process %q %v", name, path, row["owner_unknown"])
		}
		if best != "" {
			missing = append(missing, best)
		}
	}
	return missing
}

// installed returns the clients that are there; in CI all must be.
func installed(t *testing.T) []clients.Client {
	t.Helper()
	var list []clients.Client
	for _, client := range clients.List() {
		missing := client.Missing()
		switch {
		case len(missing) == 0:
			list = append(list, client)
		case os.Getenv("CI") != "":
			t.Fatalf("%s: %v is not installed: the packages are %v", client.Name, missing, client.Packages)
		default:
			t.Logf("left out: %s, because %v is not installed: the packages are %v", client.Name, missing, client.Packages)
		}
	}
	if len(list) == 0 {
		t.Skip("no client is installed: .ci/run installs them")
	}
	return list
}

func folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.NewReplacer(" ", "-", ",", "", "/", "").Replace(name))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
