package declare

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/collector/internal/api"
	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shipped is the catalogue, compiled once.
var shipped = sync.OnceValues(func() (*signatures.Set, error) {
	list, err := signatures.Load(catalogue.Files)
	if err != nil {
		return nil, err
	}
	return signatures.Compile(list)
})

// harness is the service behind a real server, over a real state database.
type harness struct {
	t             *testing.T
	state         *state.State
	service       *Inventory
	changed       atomic.Int32
	admin, reader gnomonv1connect.InventoryServiceClient
	clock         time.Time
}

// base is when the tests begin.
var base = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func start(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, clock: base}
	set, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	if h.state, err = state.Open(t.Context(), filepath.Join(t.TempDir(), "state.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.state.Close() })
	if err := h.state.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.service = NewInventory(h.state, reconcile.Default(), set, func() { h.changed.Add(1) })
	h.service.now = func() time.Time { return h.clock }
	none := struct {
		gnomonv1connect.UnimplementedFindingServiceHandler
		gnomonv1connect.UnimplementedUsageServiceHandler
		gnomonv1connect.UnimplementedVerdictServiceHandler
	}{}
	config := api.Default()
	config.Listen = "127.0.0.1:0"
	server, err := api.New(config, api.Services{Findings: none, Usage: none, Verdicts: none, Inventory: h.service, Metrics: http.NotFoundHandler()},
		func(_ context.Context, token string) (api.Principal, error) {
			name, role, _ := strings.Cut(token, ":")
			return api.Principal{Name: name, Role: api.Role(role)}, nil
		}, sdkmetric.NewMeterProvider().Meter("test"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(func(err error) { t.Errorf("the server failed: %v", err) }); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() { server.Stop(context.Background()); client.CloseIdleConnections() })
	url := "http://" + server.Address().String()
	h.admin = gnomonv1connect.NewInventoryServiceClient(bearer{"ana:admin", client}, url)
	h.reader = gnomonv1connect.NewInventoryServiceClient(bearer{"leo:reader", client}, url, connect.WithProtoJSON())
	return h
}

// bearer is a client that sends a token.
type bearer struct {
	token string
	next  *http.Client
}

// Do implements connect.HTTPClient.
func (b bearer) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.Do(r)
}

// files makes an import of names and contents.
func files(namesAndContents ...string) []*gnomonv1.SourceFile {
	var list []*gnomonv1.SourceFile
	for i := 0; i < len(namesAndContents); i += 2 {
		list = append(list, &gnomonv1.SourceFile{Name: namesAndContents[i], Content: []byte(namesAndContents[i+1])})
	}
	return list
}

// document is an inventory of entries "id status selector".
func document(entries ...string) string {
	text := "schema: inventory/v1\ndefaults: {review_every: 0d, scope_on_unknown: flag}\nentries:\n"
	for _, entry := range entries {
		part := strings.SplitN(entry, " ", 3)
		text += fmt.Sprintf("  - {id: %s, name: %s, kind: api_service, status: %s, match: [{%s}]}\n", part[0], strings.ToUpper(part[0]), part[1], part[2])
	}
	return text
}

// apply applies YAML as an admin, a minute later than the change before.
func (h *harness) apply(change func(*gnomonv1.ApplyInventoryRequest), namesAndContents ...string) *gnomonv1.ApplyInventoryResponse {
	h.t.Helper()
	h.clock = h.clock.Add(time.Minute)
	request := &gnomonv1.ApplyInventoryRequest{Files: files(namesAndContents...)}
	if change != nil {
		change(request)
	}
	response, err := h.admin.ApplyInventory(h.t.Context(), request)
	if err != nil {
		h.t.Fatal(err)
	}
	return response
}

func (h *harness) directory(namesAndContents ...string) *gnomonv1.ApplyDirectoryResponse {
	h.t.Helper()
	h.clock = h.clock.Add(time.Minute)
	response, err := h.admin.ApplyDirectory(h.t.Context(), &gnomonv1.ApplyDirectoryRequest{Files: files(namesAndContents...)})
	if err != nil {
		h.t.Fatal(err)
	}
	return response
}

// export returns the newest inventory in a format.
func (h *harness) export(format string) string {
	h.t.Helper()
	response, err := h.reader.ExportInventory(h.t.Context(), &gnomonv1.ExportInventoryRequest{Format: format})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(response.GetContent())
}

// expect checks changes as "kind id", sorted, and the number of unchanged.
func expect(t *testing.T, changes []*gnomonv1.Change, unchanged, wantUnchanged uint32, want ...string) {
	t.Helper()
	got := []string{}
	for _, c := range changes {
		got = append(got, c.GetKind()+" "+c.GetId())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || unchanged != wantUnchanged {
		t.Errorf("changes %q and %d unchanged, want %q and %d", got, unchanged, want, wantUnchanged)
	}
}

// notices returns the notices of a kind as "file:line:column:key:value".
func notices(list []*gnomonv1.Notice, kind string) []string {
	var got []string
	for _, n := range list {
		if n.GetKind() == kind {
			got = append(got, fmt.Sprintf("%s:%d:%s:%s", n.GetFile(), n.GetLine(), n.GetKey(), n.GetValue()))
		}
	}
	return got
}

func (h *harness) audits() []state.AuditRecord {
	h.t.Helper()
	records, err := h.state.AuditRecords(h.t.Context(), 0, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return records
}
