package application

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gnomon-ai/gnomon/signatures"
)

// BenchmarkServe takes requests of 512 gzipped spans as SDKs send them, up to
// the hand-over.
func BenchmarkServe(b *testing.B) {
	h := &handler{Sensor: New(DefaultConfig(), slog.New(slog.DiscardHandler)), emit: func(signatures.Observation) {}}
	data := zip(marshal(b, request(510, "openai")))
	routes := h.routes()
	b.ReportAllocs()
	for b.Loop() {
		q := httptest.NewRequest(http.MethodPost, tracesPath, bytes.NewReader(data))
		q.Header.Set("Content-Type", typeProtobuf)
		q.Header.Set("Content-Encoding", "gzip")
		w := httptest.NewRecorder()
		if routes.ServeHTTP(w, q); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
	b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}
