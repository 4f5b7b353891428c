package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

// receiver takes what the agent sends and keeps the last revision of each
// finding.
type receiver struct {
	listener net.Listener
	http     *http.Server
	serving  sync.WaitGroup

	mu       sync.Mutex
	findings map[string]finding.Finding
	state    map[string]string // of each part of the agent
	reason   map[string]string
}

func newReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	r := &receiver{listener: listener, findings: map[string]finding.Finding{}, state: map[string]string{}, reason: map[string]string{}}
	r.http = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	r.serving.Go(func() { _ = r.http.Serve(listener) }) // always ends with ErrServerClosed
	return r, nil
}

func (r *receiver) address() string { return "http://" + r.listener.Addr().String() }

func (r *receiver) close() {
	_ = r.http.Close() // the listener's errors are nobody's
	r.serving.Wait()
}

func (r *receiver) isOn(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state[part] == "on"
}

// maxBody bounds a request, in bytes.
const maxBody = 64 << 20

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body := io.Reader(request.Body)
	if request.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	findings, coverage, _, err := otlpwire.Decode(data)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range findings {
		if f.Revision >= r.findings[f.ID].Revision {
			r.findings[f.ID] = f
		}
	}
	for _, c := range coverage {
		r.state[c.Sensor], r.reason[c.Sensor] = c.State, c.Reason
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}
