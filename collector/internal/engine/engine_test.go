//go:build linux

package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	collectorCommand = "test-collector"
)

func TestStartServesAndStops(t *testing.T) {
	var mu sync.Mutex
	var states []State
	cfg := testConfig(t, t.TempDir())
	cfg.Notify = func(s State) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, s)
	}
	began := time.Now()
	e := start(t, cfg)
	t.Logf("start: %s, isolation %s", time.Since(began), e.Isolation())
	query(t, e, "SELECT 1")
	query(t, e, "CREATE DATABASE kept")
	query(t, e, "CREATE TABLE kept.t (a UInt8) ENGINE = MergeTree ORDER BY a")
	query(t, e, "INSERT INTO kept.t SELECT 1")
	pid := e.PID()
	began = time.Now()
	stop(t, e)
	t.Logf("stop: %s", time.Since(began))
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child still exists after stop: %v", err)
	}
	if _, err := e.Dial(t.Context(), ""); err == nil {
		t.Error("a stopped engine takes connections")
	}
	if _, err := Attach(cfg.DataDir); !errors.Is(err, ErrNotReady) {
		t.Errorf("attach to a stopped engine: %v", err)
	}
	stop(t, e) // a second call does nothing
	mu.Lock()
	if diff := cmp.Diff([]State{Starting, Ready, Stopped}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	mu.Unlock()

	again := start(t, testConfig(t, cfg.DataDir))
	query(t, again, "SELECT throwIf((SELECT count() FROM kept.t) != 1)")
	if e.Endpoint().Password == again.Endpoint().Password {
		t.Error("two starts have one password")
	}
}

func TestRestartAfterKill(t *testing.T) {
	for _, isolation := range []string{IsolationNamespace, IsolationLoopback} {
		t.Run(isolation, func(t *testing.T) {
			cfg := testConfig(t, t.TempDir())
			cfg.Isolation = isolation
			e := start(t, cfg)
			query(t, e, "CREATE DATABASE kept")
			query(t, e, "CREATE TABLE kept.t (a UInt8) ENGINE = MergeTree ORDER BY a")
			for i := range 3 {
				query(t, e, "INSERT INTO kept.t SELECT 1")
				pid := e.PID()
				began := time.Now()
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				eventually(t, "a new child is ready", func() bool { return e.State() == Ready && e.PID() != pid && e.PID() != 0 })
				t.Logf("restart: %s", time.Since(began))
				if got, want := e.Restarts(), uint64(i+1); got != want {
					t.Errorf("restarts: %d, want %d", got, want)
				}
				query(t, e, "SELECT throwIf((SELECT count() FROM kept.t) != "+strconv.Itoa(i+1)+")")
			}
		})
	}
}

// runCollector is a collector that does nothing but hold an engine until it is
// killed.
func runCollector(args []string) int {
	cfg := Default()
	cfg.Library, cfg.DataDir = args[0], args[1]
	e := New(cfg, slog.New(slog.DiscardHandler))
	if err := e.Start(context.Background()); err != nil {
		os.Stdout.WriteString("failed: " + err.Error() + "\n")
		return 1
	}
	os.Stdout.WriteString(strconv.Itoa(e.PID()) + "\n")
	select {}
}

// startCollector starts runCollector in another process and returns the pid of
// its engine.
func startCollector(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, collectorCommand, testLibrary(t), dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, _ := out.Read(line)
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatalf("the other collector says %q", line[:n])
	}
	return cmd, pid
}

func TestEngineDiesWithItsCollectorAndTheNextOneStarts(t *testing.T) {
	dir := t.TempDir()
	collector, engine := startCollector(t, dir)
	if err := collector.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = collector.Wait()              // it was killed
	e := start(t, testConfig(t, dir)) // at once: an engine that still holds the data is waited for
	query(t, e, "SELECT 1")
	eventually(t, "the orphan is gone", func() bool { return errors.Is(syscall.Kill(engine, 0), syscall.ESRCH) })
	t.Logf("lock waits: %d", e.LockWaits())
}

func TestSecondCollectorIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := start(t, testConfig(t, dir))
	second := New(testConfig(t, dir), slog.New(slog.DiscardHandler))
	if err := second.Start(t.Context()); !errors.Is(err, ErrInUse) {
		t.Fatalf("second start: %v, want ErrInUse", err)
	}
	query(t, first, "SELECT 1") // and the first goes on

	p, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context) (net.Conn, error) { return p.Dial(ctx, "") }
	if err := ask(t.Context(), dial, p.User, p.Password, "SELECT 1"); err != nil {
		t.Errorf("attached: %v", err)
	}
}

// TestLockedDataIsWaitedFor holds the data with an engine whose supervisor's
// lock is not held, as an orphan would.
func TestLockedDataIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	first := start(t, testConfig(t, dir))
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t, dir)
	cfg.Isolation = IsolationLoopback
	second := New(cfg, slog.New(slog.DiscardHandler))
	result := make(chan error, 1)
	go func() { result <- second.Start(context.Background()) }()
	eventually(t, "the second waits for the lock", func() bool { return second.LockWaits() > 0 })
	stop(t, first)
	if err := <-result; err != nil {
		t.Fatalf("after the lock was let go: %v", err)
	}
	defer stop(t, second)
	query(t, second, "SELECT 1")
	if got := second.Restarts(); got != 0 {
		t.Errorf("waiting for the lock counted as %d restarts", got)
	}

	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	cfg.LockTimeout = 300 * time.Millisecond
	third := New(cfg, slog.New(slog.DiscardHandler))
	if err := third.Start(t.Context()); !errors.Is(err, ErrInUse) {
		t.Errorf("start over locked data: %v, want ErrInUse", err)
	}
}

func TestStartFailures(t *testing.T) {
	f := func(name string, change func(*Config), want error) {
		t.Helper()
		cfg := testConfig(t, filepath.Join(t.TempDir(), "engine"))
		change(&cfg)
		e := New(cfg, slog.New(slog.DiscardHandler))
		err := e.Start(t.Context())
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	notALibrary := filepath.Join(t.TempDir(), "lib.so")
	if err := os.WriteFile(notALibrary, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("no library", func(c *Config) { c.Library = "/nonexistent/libchdb.so" }, ErrNoEngine)
	f("no binary", func(c *Config) { c.Library, c.Binary = "", "/nonexistent/clickhouse" }, ErrNoEngine)
	f("not a library", func(c *Config) { c.Library = notALibrary }, errFatal)
	f("no time", func(c *Config) { c.StartTimeout = time.Microsecond }, ErrNotReady)
}

// TestRefusedNamespace: on a machine others may log in to there is no start;
// in a container loopback is used.
func TestRefusedNamespace(t *testing.T) {
	f := func(contained bool) *Engine {
		e := New(testConfig(t, t.TempDir()), slog.New(slog.DiscardHandler))
		e.namespace = func() *syscall.SysProcAttr { return nil }
		e.contained = func() bool { return contained }
		return e
	}
	if err := f(false).Start(t.Context()); !errors.Is(err, ErrNoNamespace) {
		t.Errorf("outside a container: %v, want ErrNoNamespace", err)
	}
	e := f(true)
	if err := e.Start(t.Context()); err != nil {
		t.Fatalf("in a container: %v", err)
	}
	defer stop(t, e)
	if got := e.Isolation(); got != IsolationLoopback {
		t.Errorf("isolation %q", got)
	}
	query(t, e, "SELECT 1")
}

func TestLongDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	e := start(t, testConfig(t, dir))
	query(t, e, "SELECT 1")
}

func TestLogIsBoundedAndKeepsTheTail(t *testing.T) {
	dir := t.TempDir()
	l, err := openLog(filepath.Join(dir, "engine.log"), 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for range 1000 {
		if _, err := l.Write([]byte(strings.Repeat("x", 999) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	var total int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
	}
	if total > 128<<10 || total < 64<<10 {
		t.Errorf("the log takes %d bytes", total)
	}
	tail := l.takeTail()
	if !strings.HasSuffix(tail, "the end") || len(tail) > tailBytes {
		t.Errorf("tail of %d bytes ends with %q", len(tail), tail[max(0, len(tail)-20):])
	}
	if again := l.takeTail(); again != "" {
		t.Errorf("taken twice: %q", again)
	}
}

func TestVersionAtLeast(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := versionAtLeast(text, 25, 3); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	f("ClickHouse local version 26.7.2.1 (official build).", true)
	f("ClickHouse local version 25.3.1.2.", true)
	f("ClickHouse local version 25.2.9.9.", false)
	f("ClickHouse local version 18.16.1.", false)
	f("usage: something else", false)
	f("", false)
}

func TestValidateNamesEveryBadValue(t *testing.T) {
	bad := Config{Library: "a", Binary: "b", Isolation: "none", MarkCache: 1}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"data_dir", "library and binary", "isolation", "memory_limit", "mark_cache", "background_pool",
		"max_connections", "max_concurrent_queries", "log_bytes", "start_timeout", "stop_timeout", "lock_timeout", "min_backoff", "max_backoff",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	good := Default()
	good.DataDir = "x"
	if err := good.Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
}
