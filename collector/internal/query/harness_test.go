//go:build linux

package query

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
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
	dir, err := os.MkdirTemp("", "gnomon-query-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cfg := engine.Default()
	cfg.Library, cfg.DataDir = engine.DefaultLibrary(), filepath.Join(dir, "engine")
	if library := os.Getenv("GNOMON_ENGINE_LIBRARY"); library != "" {
		cfg.Library = library
	}
	shared = engine.New(cfg, slog.New(slog.DiscardHandler))
	if err := shared.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "starting the engine (is its library there? run \"make engine\"):", err)
		return 1
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := shared.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// harness is the services behind a real server, over a real store.
type harness struct {
	t        *testing.T
	store    *store.Store
	findings gnomonv1connect.FindingServiceClient
	usage    gnomonv1connect.UsageServiceClient
	verdicts gnomonv1connect.VerdictServiceClient
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	options := store.Default()
	options.Dial, options.User, options.Password = shared.Dial, shared.Endpoint().User, shared.Endpoint().Password
	options.Database, options.Fsync = strings.ReplaceAll(t.Name(), "/", "_"), false
	s, err := store.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T) *harness {
	t.Helper()
	s := openStore(t)
	findings := NewFindings(s)
	mux := http.NewServeMux()
	mux.Handle(gnomonv1connect.NewFindingServiceHandler(findings))
	mux.Handle(gnomonv1connect.NewUsageServiceHandler(findings))
	mux.Handle(gnomonv1connect.NewVerdictServiceHandler(NewVerdicts(s, reconcile.DefaultOrder())))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &harness{
		t: t, store: s,
		findings: gnomonv1connect.NewFindingServiceClient(server.Client(), server.URL),
		usage:    gnomonv1connect.NewUsageServiceClient(server.Client(), server.URL, connect.WithProtoJSON()),
		verdicts: gnomonv1connect.NewVerdictServiceClient(server.Client(), server.URL),
	}
}

// day is the day of the tests; hours count from its midnight in UTC.
func day() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3) }

func at(hour int) time.Time { return day().Add(time.Duration(hour) * time.Hour) }

func stampAt(hour int) *timestamppb.Timestamp { return timestamppb.New(at(hour)) }

// use is a finding of an hour, with the id that an agent would give it.
func use(hour int, change func(*finding.Finding)) finding.Finding {
	f := finding.Finding{
		AgentID: "agent-1", HostName: "laptop-1", Channel: "endpoint", Sensor: "network", Revision: 1, Count: 2, Confidence: 90,
		WindowStart: at(hour), WindowEnd: at(hour).Add(5 * time.Minute), FirstSeen: at(hour).Add(time.Second), LastSeen: at(hour).Add(2 * time.Minute),
		Asset:    finding.Asset{Key: "openai.api", Kind: "service", Name: "OpenAI API", SignatureID: "openai.api", Provider: "openai"},
		Evidence: []finding.Evidence{{Kind: "tls.sni", Value: "api.openai.com"}},
		User:     "ana", ProcessName: "node", PeerName: "api.openai.com", Catalogue: "abc",
	}
	if change != nil {
		change(&f)
	}
	f.Fingerprint = finding.ComputeFingerprint(&f)
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	return f
}

func (h *harness) insert(list ...finding.Finding) {
	h.t.Helper()
	if err := h.store.InsertFindings(h.t.Context(), list); err != nil {
		h.t.Fatal(err)
	}
}

// judged stores verdicts of one day for users "u0", "u1" …, as "word reason".
func (h *harness) judged(list ...string) {
	h.t.Helper()
	var rows []store.VerdictRow
	for i, text := range list {
		word, reason, _ := strings.Cut(text, " ")
		rows = append(rows, store.VerdictRow{
			AssetKey: "openai.api", Host: "laptop-1", User: fmt.Sprint("u", i), Day: day(), AssetName: "OpenAI API", AssetKind: "service",
			Provider: "openai", Processes: []string{"node"}, FirstSeen: at(1), LastSeen: at(2), Count: 3, Confidence: 90,
			VerdictAtEvent: "unsanctioned", ReasonAtEvent: "not_in_inventory", Catalogue: "abc", DirectorySnapshot: 4, EvaluatedAt: at(2),
			VerdictCurrent: word, ReasonCurrent: reason, EntryCurrent: "entry", RevisionCurrent: 7, ChangedAt: at(3), DimensionsCurrent: []string{"group"},
		})
	}
	if err := h.store.UpsertVerdicts(h.t.Context(), rows); err != nil {
		h.t.Fatal(err)
	}
}
