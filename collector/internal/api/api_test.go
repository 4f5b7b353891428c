package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// services answers who asked, fails on request, and waits on request.
type services struct {
	gnomonv1connect.UnimplementedFindingServiceHandler
	gnomonv1connect.UnimplementedUsageServiceHandler
	gnomonv1connect.UnimplementedVerdictServiceHandler
	gnomonv1connect.UnimplementedInventoryServiceHandler

	entered, leave chan struct{} // of a request for host "slow"
}

func (s *services) ListFindings(ctx context.Context, r *gnomonv1.ListFindingsRequest) (*gnomonv1.ListFindingsResponse, error) {
	switch r.GetFilter().GetHost() {
	case "panic":
		panic("a defect with a secret in it")
	case "slow":
		close(s.entered)
		<-s.leave
	}
	caller := Caller(ctx)
	return &gnomonv1.ListFindingsResponse{Findings: []*gnomonv1.Finding{{User: caller.Name, ProcessName: string(caller.Role)}}}, nil
}

func (s *services) ApplyInventory(ctx context.Context, _ *gnomonv1.ApplyInventoryRequest) (*gnomonv1.ApplyInventoryResponse, error) {
	if err := RequireAdmin(ctx); err != nil {
		return nil, err
	}
	return &gnomonv1.ApplyInventoryResponse{Unchanged: 7}, nil
}

// harness is a server on a real port.
type harness struct {
	t        *testing.T
	server   *Server
	services *services
	ready    atomic.Pointer[error]
	reader   *sdkmetric.ManualReader
	log      strings.Builder
	url      string
	client   *http.Client
}

func authenticate(_ context.Context, token string) (Principal, error) {
	switch token {
	case "admin":
		return Principal{Name: "ana", Role: RoleAdmin}, nil
	case "reader":
		return Principal{Name: "leo", Role: RoleReader}, nil
	case "unsure":
		return Principal{}, errors.New("the database at a private path is locked")
	}
	return Principal{}, ErrToken
}

func start(t *testing.T, change func(*Config)) *harness {
	t.Helper()
	h := &harness{
		t: t, services: &services{entered: make(chan struct{}), leave: make(chan struct{})},
		reader: sdkmetric.NewManualReader(), client: &http.Client{Transport: &http.Transport{}},
	}
	config := Default()
	config.Listen = "127.0.0.1:0"
	if change != nil {
		change(&config)
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(h.reader)).Meter("test")
	served := Services{
		Findings: h.services, Usage: h.services, Verdicts: h.services, Inventory: h.services,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metric 1\n") }),
		Ready: func(context.Context) error {
			if err := h.ready.Load(); err != nil {
				return *err
			}
			return nil
		},
	}
	var err error
	h.server, err = New(config, served, authenticate, meter, slog.New(slog.NewTextHandler(&h.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if h.server.Address() != nil {
		t.Fatal("New must not listen")
	}
	if err := h.server.Start(func(err error) { t.Errorf("the server failed: %v", err) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.server.Stop(context.Background()); h.client.CloseIdleConnections() })
	h.url = "http://" + h.server.Address().String()
	return h
}

// ask sends a request with a token, "" for none, and returns status and body.
func (h *harness) ask(method, path, token, body string, headers ...string) (int, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// outcomes returns the counter of requests.
func (h *harness) outcomes() map[string]int64 {
	h.t.Helper()
	var all metricdata.ResourceMetrics
	if err := h.reader.Collect(context.Background(), &all); err != nil {
		h.t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, metric := range scope.Metrics {
			for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
				outcome, _ := point.Attributes.Value("outcome")
				counts[outcome.AsString()] += point.Value
			}
		}
	}
	return counts
}

const (
	listFindings = "/gnomon.v1.FindingService/ListFindings"
	apply        = "/gnomon.v1.InventoryService/ApplyInventory"
)

func TestWhoMayAsk(t *testing.T) {
	h := start(t, func(c *Config) { c.MaxRequestBytes = 64 << 10 })
	tooLarge := `{"filter":{"host":"` + strings.Repeat("a", 80<<10) + `"}}`
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		says                            string
	}{
		{"no token", "POST", listFindings, "", "{}", 401, "unauthenticated"},
		{"another scheme", "POST", listFindings, "Basic admin", "{}", 401, "unauthenticated"},
		{"an empty token", "POST", listFindings, "Bearer ", "{}", 401, "unauthenticated"},
		{"an unknown token", "POST", listFindings, "Bearer nobody", "{}", 401, "unknown, expired or revoked"},
		{"an endless token", "POST", listFindings, "Bearer " + strings.Repeat("a", 600), "{}", 401, "unauthenticated"},
		{"the token comes before the body", "POST", listFindings, "Bearer nobody", "no JSON", 401, "unauthenticated"},
		{"the token comes before the size", "POST", listFindings, "", tooLarge, 401, "unauthenticated"},
		{"the token comes before the path", "POST", "/no/such/thing", "", "{}", 401, "unauthenticated"},
		{"nobody knows", "POST", listFindings, "Bearer unsure", "{}", 503, "try again"},
		{"a reader reads", "POST", listFindings, "Bearer reader", "{}", 200, `"user":"leo"`},
		{"the scheme in another case", "POST", listFindings, "bearer reader", "{}", 200, `"processName":"reader"`},
		{"a reader does not change", "POST", apply, "Bearer reader", "{}", 403, "token leo may only read"},
		{"an admin changes", "POST", apply, "Bearer admin", "{}", 200, `"unchanged":7`},
		{"too large", "POST", listFindings, "Bearer reader", tooLarge, 429, "resource_exhausted"},
		{"not JSON", "POST", listFindings, "Bearer reader", "no JSON", 400, "invalid_argument"},
		{"an unknown procedure", "POST", "/gnomon.v1.FindingService/Delete", "Bearer reader", "{}", 404, ""},
		{"a list is no GET", "GET", listFindings + "?message=%7B%7D&encoding=json&connect=v1", "Bearer reader", "", 405, ""},
		{"a change is no GET", "GET", apply + "?message=%7B%7D&encoding=json&connect=v1", "Bearer admin", "", 405, ""},
		{"metrics without a token", "GET", "/metrics", "", "", 401, "unknown, expired or revoked"},
		{"metrics", "GET", "/metrics", "Bearer reader", "", 200, "metric 1"},
		{"metrics are not posted", "POST", "/metrics", "Bearer reader", "{}", 404, ""},
	} {
		status, body := h.ask(c.method, c.path, c.token, c.body)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, status, body, c.status, c.says)
		}
		if strings.Contains(body, "private path") {
			t.Errorf("%s: the answer tells what the log should: %s", c.name, body)
		}
	}
	want := map[string]int64{
		"ok": 3, "unauthenticated": 9, "unavailable": 1, "permission_denied": 1,
		"refused": 6, // too large, not JSON, unknown procedure, two GETs, metrics posted
	}
	if diff := cmp.Diff(want, h.outcomes()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	if !strings.Contains(h.log.String(), "private path") {
		t.Error("why a token could not be checked is not in the log")
	}
}

func TestHealthTellsNothing(t *testing.T) {
	h := start(t, nil)
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := h.ask("GET", path, "", ""); status != 200 || body != "" {
			t.Errorf("%s: %d %q, want an empty 200", path, status, body)
		}
	}
	broken := errors.New("the store at db1.internal does not answer")
	h.ready.Store(&broken)
	if status, body := h.ask("GET", "/readyz", "", ""); status != 503 || body != "" {
		t.Errorf("/readyz: %d %q, want an empty 503", status, body)
	}
	if status, _ := h.ask("GET", "/livez", "", ""); status != 200 {
		t.Errorf("/livez: %d: a process whose store is down is alive", status)
	}
	if counts := h.outcomes(); len(counts) != 0 {
		t.Errorf("health checks are counted as requests: %v", counts)
	}
}

func TestCrossOrigin(t *testing.T) {
	h := start(t, nil)
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"another origin, an old browser", []string{"Origin", "https://evil.example"}, 403},
		{"another port", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"the same origin", []string{"Origin", h.url, "Sec-Fetch-Site", "same-origin"}, 200},
		{"no browser", nil, 200},
	} {
		status, body := h.ask("POST", apply, "Bearer admin", "{}", c.headers...)
		if status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, status, body, c.status)
		}
	}
	if diff := cmp.Diff(map[string]int64{"cross_origin": 3, "ok": 2}, h.outcomes()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestNoCrossOriginAnswers(t *testing.T) {
	h := start(t, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, h.url+listFindings, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "https://evil.example")
	request.Header.Set("Access-Control-Request-Method", "POST")
	request.Header.Set("Access-Control-Request-Headers", "authorization")
	response, err := h.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if allowed := response.Header.Get("Access-Control-Allow-Origin"); allowed != "" || response.StatusCode == http.StatusOK {
		t.Errorf("a preflight was answered with %s and allows %q", response.Status, allowed)
	}
}

func TestPanicCostsOneRequest(t *testing.T) {
	h := start(t, nil)
	status, body := h.ask("POST", listFindings, "Bearer reader", `{"filter":{"host":"panic"}}`)
	if status != 500 || !strings.Contains(body, "see its log") || strings.Contains(body, "secret") {
		t.Errorf("the panic was answered with %d %s", status, body)
	}
	if status, _ := h.ask("POST", listFindings, "Bearer reader", "{}"); status != 200 {
		t.Errorf("after the panic: %d", status)
	}
	if diff := cmp.Diff(map[string]int64{"internal": 1, "ok": 1}, h.outcomes()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	if !strings.Contains(h.log.String(), "a defect with a secret in it") {
		t.Error("the panic is not in the log")
	}
}

func TestStopWaitsForRequestsUnderWay(t *testing.T) {
	h := start(t, nil)
	type answer struct {
		status int
		body   string
	}
	answered, stopped := make(chan answer, 1), make(chan struct{})
	go func() {
		status, body := h.ask("POST", listFindings, "Bearer reader", `{"filter":{"host":"slow"}}`)
		answered <- answer{status, body}
	}()
	<-h.services.entered
	go func() { h.server.Stop(context.Background()); close(stopped) }()
	// The port closes first; the request goes on.
	for deadline := time.Now().Add(10 * time.Second); ; {
		connection, err := net.Dial("tcp", h.server.Address().String())
		if err != nil {
			break
		}
		connection.Close()
		if time.Now().After(deadline) {
			t.Fatal("Stop does not close the port")
		}
		time.Sleep(5 * time.Millisecond)
	}
	select {
	case <-stopped:
		t.Fatal("Stop did not wait for the request")
	default:
	}
	close(h.services.leave)
	if a := <-answered; a.status != 200 || !strings.Contains(a.body, "leo") {
		t.Errorf("the request under way got %d %s", a.status, a.body)
	}
	<-stopped
}

func TestStopGivesUpInTime(t *testing.T) {
	h := start(t, nil)
	go func() {
		request, err := http.NewRequest(http.MethodPost, h.url+listFindings, strings.NewReader(`{"filter":{"host":"slow"}}`))
		if err != nil {
			return
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer reader")
		if response, err := h.client.Do(request); err == nil {
			response.Body.Close()
		}
	}()
	<-h.services.entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	h.server.Stop(ctx)
	close(h.services.leave)
	if !strings.Contains(h.log.String(), "cut off") {
		t.Error("requests that were cut off are not in the log")
	}
}

func TestStopBeforeStart(t *testing.T) {
	s, err := New(Default(), Services{Findings: &services{}, Usage: &services{}, Verdicts: &services{}, Inventory: &services{}, Metrics: http.NotFoundHandler()},
		authenticate, sdkmetric.NewMeterProvider().Meter("test"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(t.Context())
	s.config.Listen = start(t, nil).server.Address().String()
	if err := s.Start(func(error) {}); err == nil || !strings.Contains(err.Error(), "api.listen") {
		t.Errorf("on a port that is taken: %v, want an error that names api.listen", err)
	}
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
