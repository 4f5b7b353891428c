//go:build linux

package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/proto/finding"
)

// shared is the engine of the package's tests; each test has a database of its
// own in it.
var shared *engine.Engine

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.ChildCommand {
		os.Exit(engine.RunChild(os.Args[2:]))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gnomon-store-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = startEngine(filepath.Join(dir, "engine"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the engine (is its library there? run \"make engine\"):", err)
		return 1
	}
	defer stopEngine(shared)
	return m.Run()
}

func startEngine(dir string) (*engine.Engine, error) {
	cfg := engine.Default()
	cfg.Library = os.Getenv("GNOMON_ENGINE_LIBRARY")
	if cfg.Library == "" {
		cfg.Library = engine.DefaultLibrary()
	}
	cfg.DataDir = dir
	e := engine.New(cfg, slog.New(slog.DiscardHandler))
	return e, e.Start(context.Background())
}

func stopEngine(e *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func options(e *engine.Engine, database string) Options {
	opt := Default()
	opt.Dial = e.Dial
	opt.User, opt.Password = e.Endpoint().User, e.Endpoint().Password
	opt.Database = database
	opt.Fsync = false // TestSettings and the benchmarks look at it; no test cuts the power
	return opt
}

// database is a name of the test's own.
func database(t testing.TB) string {
	h := fnv.New32a()
	h.Write([]byte(t.Name()))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, t.Name())
	return fmt.Sprintf("%.40s_%08x", name, h.Sum32())
}

// open is a migrated store over the shared engine.
func open(t testing.TB) *Store {
	t.Helper()
	return openWith(t, options(shared, database(t)))
}

func openWith(t testing.TB, opt Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec(context.Background(), "test", "DROP DATABASE IF EXISTS "+opt.Database); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

var noon = time.Date(2026, 9, 14, 12, 0, 0, 0, time.UTC)

// sample is a finding with every field filled; n makes it one of many.
func sample(n int) finding.Finding {
	f := finding.Finding{
		Revision: 3,
		AgentID:  fmt.Sprintf("agent-%d", n%50), HostName: fmt.Sprintf("host-%d", n%50), HostID: "machine", OS: "linux", Channel: "endpoint",
		Sensor: "network", Retro: true,
		WindowStart: noon.Add(time.Duration(n%200) * time.Second), WindowEnd: noon.Add(5 * time.Minute),
		FirstSeen: noon.Add(1234567891), LastSeen: noon.Add(time.Minute + 987654321), Count: 7,
		Asset: finding.Asset{
			Key: fmt.Sprintf("provider.api%d", n%20), Kind: "service", Name: "Example API", SignatureID: "provider.api", Provider: "provider",
			Country: "US", Categories: []string{"llm", "image"}, Role: "api", Status: "active",
		},
		Confidence: 90,
		Evidence: []finding.Evidence{
			{Kind: "tls.sni", Value: "api.example.com", Selector: "domain:api.example.com"},
			{Kind: "process.name", Value: "node", Selector: "process:node", Weak: true},
		},
		Catalogue: "2026.09.1",
		User:      fmt.Sprintf("user-%d", n), ProcessName: "node", ProcessPath: "/usr/bin/node", ParentName: "bash", Container: "c0ffee",
		OwnerUnknown: "exited",
		Protocol:     "tls", PeerName: "api.example.com", PeerAddress: "203.0.113.7", PeerPort: 443, ClientAddress: "192.0.2.4",
		BytesUp: 1 << 40, BytesDown: 1<<63 + 5,
		Model: finding.Model{
			Path: "/models/a.gguf", Format: "gguf", Name: "a", Family: "llama", Architecture: "llama", Publisher: "p", License: "mit",
			Quantization: "Q4_K_M", Parameters: 7_000_000_000, SHA256: strings.Repeat("ab", 32), SizeBytes: 1 << 33, Store: "ollama", Problem: "cut",
		},
		Attributes: map[string]string{"tls.version": "1.3", "ja4": "t13d"},
	}
	return identify(f)
}

// identify fills in fingerprint and id.
func identify(f finding.Finding) finding.Finding {
	f.Fingerprint = finding.ComputeFingerprint(&f)
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	return f
}

func samples(from, to int) []finding.Finding {
	var list []finding.Finding
	for n := from; n < to; n++ {
		list = append(list, sample(n))
	}
	return list
}

func insertFindings(t testing.TB, s *Store, list ...finding.Finding) {
	t.Helper()
	if err := s.InsertFindings(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

func findings(t testing.TB, s *Store, filter FindingFilter) []finding.Finding {
	t.Helper()
	var list []finding.Finding
	if err := s.Findings(t.Context(), filter, func(f finding.Finding) error {
		list = append(list, f)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func findingCount(t testing.TB, s *Store) uint64 {
	t.Helper()
	n, err := s.FindingCount(t.Context(), FindingFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func usages(t testing.TB, s *Store, filter UsageFilter) []UsageRow {
	t.Helper()
	var list []UsageRow
	if err := s.Usages(t.Context(), filter, func(u UsageRow) error {
		list = append(list, u)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func segments(t testing.TB, s *Store, filter SegmentFilter, times ...time.Time) []UsageSegment {
	t.Helper()
	var list []UsageSegment
	if err := s.UsageSegments(t.Context(), filter, times, func(u UsageSegment) error {
		list = append(list, u)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// kill ends the engine and does not wait for the next one.
func kill(t testing.TB, e *engine.Engine) {
	t.Helper()
	if pid := e.PID(); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}
