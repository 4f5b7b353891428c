//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
	"github.com/gnomon-ai/gnomon/collector/internal/engine"
)

// asProgram makes the test binary behave as the built program.
const asProgram = "GNOMON_TEST_PROGRAM"

// shared is the data folder of a collector that runs for all tests.
var shared string

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == engine.ChildCommand {
		main()
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gnomon-collector-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared = filepath.Join(dir, "data")
	running, err := begin(shared, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting a collector (is the engine's library there? run \"make engine\"):", err)
		return 1
	}
	code := m.Run()
	if err := running.end(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the collector:", err)
		return 1
	}
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "a stopped collector leaves goroutines:", err)
		return 1
	}
	return code
}

// running is a collector in this process.
type running struct {
	cancel context.CancelFunc
	ended  chan error
}

func testConfig(dataDir string) config.Config {
	cfg := config.Default()
	cfg.DataDir = dataDir
	cfg.Receive.GRPC, cfg.Receive.HTTP, cfg.API.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Judge.Interval = 100 * time.Millisecond
	if library := os.Getenv("GNOMON_ENGINE_LIBRARY"); library != "" {
		cfg.Engine.Library = library
	}
	return cfg
}

// begin starts a collector and waits until it is ready.
func begin(dataDir string, change func(*config.Config)) (*running, error) {
	cfg := testConfig(dataDir)
	if change != nil {
		change(&cfg)
	}
	if err := errors.Join(cfg.Resolve(), cfg.Validate()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel, make(chan error, 1)}
	go func() { r.ended <- serve(ctx, cfg, slog.New(slog.DiscardHandler)) }()
	for {
		select {
		case err := <-r.ended:
			cancel()
			return nil, fmt.Errorf("it ended at once: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
		if _, err := os.Stat(filepath.Join(dataDir, endpointFile)); err == nil {
			return r, nil
		}
	}
}

func (r *running) end() error {
	r.cancel()
	return <-r.ended
}

// command runs a command in this process.
func command(t *testing.T, arguments ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	root := newRootCommand()
	root.SetArgs(arguments)
	root.SetOut(&out)
	root.SetErr(&complaints)
	err = root.ExecuteContext(t.Context())
	return out.String(), complaints.String(), err
}

// succeed runs a command that must succeed and returns its output.
func succeed(t *testing.T, arguments ...string) string {
	t.Helper()
	stdout, stderr, err := command(t, arguments...)
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(arguments, " "), err, stdout, stderr)
	}
	return stdout
}

// program runs the program as a shell would and returns its exit code.
func program(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			t.Fatal(err)
		}
		code = ended.ExitCode()
	}
	return code, out.String(), complaints.String()
}

// write writes a file into a folder of the test's own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// until asks again until holds, at most half a minute.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
