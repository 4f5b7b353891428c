//go:build linux

package engine

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMain lets the test binary be the engine child and the stranger, as the
// collector's binary is the child in production.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case ChildCommand:
			os.Exit(RunChild(os.Args[2:]))
		case strangerCommand:
			os.Exit(runStranger(os.Args[2:]))
		case collectorCommand:
			os.Exit(runCollector(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// testLibrary is the fetched engine; a test without it fails.
func testLibrary(t testing.TB) string {
	t.Helper()
	library := os.Getenv("GNOMON_ENGINE_LIBRARY")
	if library == "" {
		library = DefaultLibrary()
	}
	if _, err := os.Stat(library); err != nil {
		t.Fatalf("no engine library (run \"make engine\"): %v", err)
	}
	return library
}

func testConfig(t testing.TB, dir string) Config {
	t.Helper()
	cfg := Default()
	cfg.Library = testLibrary(t)
	cfg.DataDir = dir
	return cfg
}

// start starts an engine that ends with the test.
func start(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e := New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err := e.Start(t.Context()); err != nil {
		log, _ := os.ReadFile(filepath.Join(cfg.DataDir, "engine.log"))
		t.Fatalf("start: %v\n%s", err, log)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func stop(t testing.TB, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// query runs one statement as the collector's user and fails when it is
// refused.
func query(t testing.TB, e *Engine, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dial := func(ctx context.Context) (net.Conn, error) { return e.Dial(ctx, "") }
	if err := ask(ctx, dial, User, e.Endpoint().Password, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
