//go:build linux

package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
)

// binaries holds the daemons, built from this tree for the tests.
var binaries struct{ agent, collector string }

// roleEnv tells a copy of the test binary to play a part instead of testing.
const roleEnv = "GNOMON_INTEGRATION_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
	case "sleep":
		time.Sleep(10 * time.Minute)
		return
	case "stranger":
		os.Exit(beStranger())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gnomon-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Another user runs a copy of this binary in the stranger's test.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "../agent/cmd/gnomon-agent", "../collector/cmd/gnomon-collector")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the daemons: %v\n%s", err, out)
		return 1
	}
	binaries.agent, binaries.collector = filepath.Join(dir, "gnomon-agent"), filepath.Join(dir, "gnomon-collector")
	return m.Run()
}

// long reports whether slow tests run at full length (make test-integration).
func long() bool { return os.Getenv("GNOMON_LONG") != "" }

// collector is a running collector with its folder.
type collector struct {
	t    *testing.T
	data string
	*daemon.Process
	ports struct{ grpc, http, api string }
}

// startCollector starts a collector with an embedded engine on free ports that
// stay the same over restarts.
func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t, data: filepath.Join(t.TempDir(), "collector")}
	c.ports.grpc, c.ports.http, c.ports.api = freePort(t), freePort(t), freePort(t)
	c.start()
	t.Cleanup(func() {
		if err := c.Process.Stop(30 * time.Second); err != nil && !t.Failed() {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the collector's last lines:\n%s", c.Log.Tail(25))
		}
	})
	return c
}

func (c *collector) start() {
	c.t.Helper()
	config := filepath.Join(c.t.TempDir(), "collector.yaml")
	text := fmt.Sprintf("data_dir: %q\nreceive: {grpc: %q, http: %q}\napi: {listen: %q}\njudge: {interval: 500ms}\nengine: {max_backoff: 500ms}\n", c.data, c.ports.grpc, c.ports.http, c.ports.api)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	process, err := daemon.Start(nil, binaries.collector, "serve", "--config", config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Process = process
	c.await("the collector", time.Minute, func() (bool, error) {
		_, err := c.try("inventory", "export")
		return err == nil, err
	})
}

// try runs a command of the collector against this one.
func (c *collector) try(arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	out, err := daemon.Run(ctx, binaries.collector, append(arguments, "--data-dir", c.data)...)
	return string(out), err
}

func (c *collector) run(arguments ...string) string {
	c.t.Helper()
	out, err := c.try(arguments...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// rows runs a list command and returns its rows.
func (c *collector) rows(arguments ...string) ([]map[string]any, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	return daemon.Rows(ctx, binaries.collector, append(arguments, "--data-dir", c.data)...)
}

// sql asks ClickHouse itself and returns the first value of the first row.
func (c *collector) sql(query string) string {
	c.t.Helper()
	out := c.run("sql", query)
	line, _, _ := strings.Cut(out, "\n")
	value, _, _ := strings.Cut(line, "\t")
	return value
}

func (c *collector) count(query string) int {
	c.t.Helper()
	n, err := strconv.Atoi(c.sql(query))
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *collector) await(what string, timeout time.Duration, holds func() (bool, error), others ...*daemon.Process) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), timeout)
	defer cancel()
	if err := daemon.Until(ctx, what, holds, append(others, c.Process)...); err != nil {
		c.t.Fatal(err)
	}
}

// apply applies inventory or directory text.
func (c *collector) apply(text string) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "import.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.run("inventory", "apply", file)
}

// token returns the token of this machine's agent.
func (c *collector) token() string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.data, "agent.token"))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// enginePID finds the engine among the collector's children.
func (c *collector) enginePID() int {
	c.t.Helper()
	var pid int
	c.await("the engine's process", 30*time.Second, func() (bool, error) {
		// A child belongs to the thread that started it.
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.PID()))
		if err != nil {
			return false, err
		}
		for _, list := range lists {
			children, err := os.ReadFile(list)
			if err == nil && len(strings.Fields(string(children))) > 0 {
				pid, err = strconv.Atoi(strings.Fields(string(children))[0])
				return err == nil, err
			}
		}
		return false, errors.New("the collector has no child")
	})
	return pid
}

// agentConfig writes an agent configuration with an own state folder.
func agentConfig(t *testing.T, c *collector, sensors string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf("state_dir: %q\ncollector:\n  endpoint: %q\n  token_file: %q\n%s", filepath.Join(dir, "state"), "http://"+c.ports.http, filepath.Join(c.data, "agent.token"), sensors)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func startAgent(t *testing.T, config string) *daemon.Process {
	t.Helper()
	agent, err := daemon.Start(nil, binaries.agent, "run", "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Stop(30 * time.Second); err != nil && !t.Failed() {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the agent's last lines:\n%s", agent.Log.Tail(25))
		}
	})
	return agent
}

// needRoot ends tests that need rights which only root has. CI runs as root, so
// there it is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("CI must run this test as root")
	}
	t.Skip("needs root: another user's account, or packet capture")
}

// moment is a random pause below a bound: where in the work a kill falls.
func moment(below time.Duration) time.Duration { return rand.N(below) }
