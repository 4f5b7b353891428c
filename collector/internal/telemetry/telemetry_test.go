package telemetry

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func TestMetricsAreServedAsText(t *testing.T) {
	telemetry, err := New(t.Context(), Default(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer telemetry.Shutdown(context.Background())
	counter, err := telemetry.Meter().Int64Counter("gnomon.collector.test")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 7)
	answer := httptest.NewRecorder()
	telemetry.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{"gnomon_collector_test_total{", "} 7\n", `service_version="1.2.3"`, "go_goroutines", "process_resident_memory_bytes"} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

func TestTracesAreSent(t *testing.T) {
	var (
		mu    sync.Mutex
		paths []string
	)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.URL.Path)
		if !strings.Contains(string(body), "pass") {
			t.Error("the span is not in the request")
		}
	}))
	defer receiver.Close()
	telemetry, err := New(t.Context(), Config{TracesEndpoint: receiver.URL + "/v1/traces", TraceShare: 1}, "1")
	if err != nil {
		t.Fatal(err)
	}
	_, span := telemetry.Tracer().Start(t.Context(), "pass")
	span.End()
	if err := telemetry.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(paths) != 1 || paths[0] != "/v1/traces" {
		t.Errorf("requests to %v, want one to /v1/traces", paths)
	}
}

func TestConfig(t *testing.T) {
	f := func(config Config, want string) {
		t.Helper()
		err := config.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: got %v, want %q", config, err, want)
		}
	}
	f(Default(), "")
	f(Config{TracesEndpoint: "https://otel.example:4318/v1/traces"}, "")
	f(Config{TracesEndpoint: "otel.example:4318"}, "traces_endpoint must be an http or https URL")
	f(Config{TraceShare: 1.5}, "trace_share")
}
