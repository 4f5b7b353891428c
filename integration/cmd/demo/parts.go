package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
	"github.com/gnomon-ai/gnomon/integration/fixture"
	"github.com/gnomon-ai/gnomon/integration/traffic"
)

// playEnv tells a copy of this program to play another one.
const playEnv = "GNOMON_DEMO_PLAY"

// play waits to be ended.
func play() { time.Sleep(5 * time.Minute) }

func startCollector(ctx context.Context, dir, data string) (*daemon.Process, error) {
	config := filepath.Join(dir, "collector.yaml")
	text := fmt.Sprintf(`data_dir: %q
receive: {grpc: "127.0.0.1:0", http: "127.0.0.1:0"}
api: {listen: "127.0.0.1:0"}
judge: {interval: 1s}
`, data)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the collector's configuration: %w", err)
	}
	collector, err := daemon.Start(nil, collectorBinary, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	err = daemon.Until(ctx, "the collector", func() (bool, error) {
		_, err := daemon.Run(ctx, collectorBinary, "inventory", "export", "--data-dir", data)
		return err == nil, err
	}, collector)
	if err != nil {
		return nil, err
	}
	fmt.Printf("    ready after %.1f s\n", time.Since(started).Seconds())
	return collector, nil
}

// applyInventory applies the shipped example, with a directory that puts the
// person running the demo into the group engineering, on a host that is not
// managed.
func applyInventory(ctx context.Context, dir, data string) error {
	person, host, err := whoami()
	if err != nil {
		return err
	}
	directory := filepath.Join(dir, "directory.yaml")
	text := fmt.Sprintf(`schema: directory/v1
users:
  - {name: %q, groups: [engineering]}
hosts:
  - {name: %q, labels: {managed: "false"}}
`, person, host)
	if err := os.WriteFile(directory, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the directory: %w", err)
	}
	out, err := daemon.Run(ctx, collectorBinary, "inventory", "apply", "--data-dir", data, "deploy/examples/inventory.yaml", directory)
	fmt.Print(indent(string(out)))
	return err
}

func whoami() (person, host string, err error) {
	u, err := user.Current()
	if err != nil {
		return "", "", fmt.Errorf("asking who runs this: %w", err)
	}
	if host, err = os.Hostname(); err != nil {
		return "", "", fmt.Errorf("asking the host's name: %w", err)
	}
	return u.Username, host, nil
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// destinations are connected to, each by a real client.
func destinations() []traffic.Client {
	return []traffic.Client{
		{Name: "api.openai.com", Path: "/v1/responses", PostQuantum: true},
		{Name: "api.anthropic.com", Path: "/v1/messages"},
		{Name: "api.deepseek.com", Path: "/chat/completions"},
		{Name: "api.mistral.ai", Path: "/v1/chat/completions", PostQuantum: true},
		{Name: "api.groq.com", Path: "/openai/v1/chat/completions"},
		{Name: "api.githubcopilot.com", Path: "/chat/completions"},
		{Name: "www.example.com"},
	}
}

func recordTraffic(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("making a capture: %w", err)
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
	}()
	recorder, err := traffic.NewRecorder(file)
	if err != nil {
		return err
	}
	server, err := traffic.NewServer("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() {
		if closing := server.Close(); err == nil {
			err = closing
		}
	}()
	laptop, resolver := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddrPort("192.0.2.53:53")
	for i, client := range destinations() {
		address := netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})
		query, answer, err := traffic.Lookup(uint16(i+1), client.Name, address)
		if err != nil {
			return err
		}
		asking := netip.AddrPortFrom(laptop, uint16(50000+i))
		recorder.Datagram(asking, resolver, query)
		recorder.Datagram(resolver, asking, answer)
		if err := server.Do(client, func() (net.Conn, error) {
			return recorder.Dial(server.Address(), laptop, netip.AddrPortFrom(address, 443))
		}); err != nil {
			return err
		}
		fmt.Printf("    %s\n", client.Name)
	}
	return recorder.Err()
}

func writeModels(dir string) error {
	gguf := fixture.GGUF([][2]string{
		{"general.architecture", "llama"},
		{"general.name", "Demo Llama"},
		{"general.organization", "Example Models"},
		{"general.license", "llama3.2"},
		{"general.size_label", "3B"},
	})
	tensors, err := fixture.Safetensors(map[string]string{"format": "pt", "modelspec.title": "Demo Adapter"})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	for name, data := range map[string][]byte{"demo-llama-3b-q4.gguf": gguf, "adapter.safetensors": tensors, "wrong-name.bin": gguf} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("writing a model: %w", err)
		}
	}
	_, err = fixture.OllamaStore(filepath.Join(dir, ".ollama", "models"), "demo", "3b", gguf, strings.Repeat("5a", 32))
	return err
}

// startPrograms runs copies of this program that look like a local runtime and
// like a coding agent.
func startPrograms(ctx context.Context, dir string) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	image, err := os.ReadFile(self)
	if err != nil {
		return nil, fmt.Errorf("reading this program: %w", err)
	}
	var running []*exec.Cmd
	stop = func() error {
		for _, program := range running {
			_ = program.Process.Kill() // it may be gone
			_ = program.Wait()         // killed is how it is meant to end
		}
		return nil
	}
	for _, p := range []struct {
		name      string
		arguments []string
	}{
		{"ollama", []string{"serve"}},
		{"node", []string{"/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"}},
	} {
		path := filepath.Join(dir, "programs", p.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return stop, fmt.Errorf("making a folder: %w", err)
		}
		if err := os.WriteFile(path, image, 0o755); err != nil {
			return stop, fmt.Errorf("writing a program: %w", err)
		}
		program := exec.CommandContext(ctx, path, p.arguments...)
		program.Env = append(os.Environ(), playEnv+"=1")
		if err := program.Start(); err != nil {
			return stop, fmt.Errorf("starting %s: %w", p.name, err)
		}
		running = append(running, program)
		fmt.Printf("    %s %s\n", p.name, strings.Join(p.arguments, " "))
	}
	return stop, nil
}

func startAgent(ctx context.Context, dir, data, capture, models string) (*daemon.Process, error) {
	endpoint, err := daemon.Run(ctx, collectorBinary, "endpoint", "--data-dir", data, "otlp-http")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf(`state_dir: %q
collector:
  endpoint: %q
  token_file: %q
network: {capture_files: [%q]}
process: {interval: 1s}
file: {roots: [%q]}
`, filepath.Join(dir, "agent"), strings.TrimSpace(string(endpoint)), filepath.Join(data, "agent.token"), capture, models)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the agent's configuration: %w", err)
	}
	return daemon.Start(nil, agentBinary, "run", "--config", config)
}
