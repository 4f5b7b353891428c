package main

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

// sink takes what the agent sends, as a collector would.
type sink struct {
	address string

	mu       sync.Mutex
	names    map[string]map[string]bool // by protocol
	counters map[string]uint64          // of the network sensor, the newest
	mode     string                     // filter that was in effect
}

// listen starts a sink on loopback.
func listen() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{address: l.Addr().String(), names: map[string]map[string]bool{}}
	go func() { _ = http.Serve(l, s) }() // ends with the process
	return s, nil
}

func (s *sink) url() string { return "http://" + s.address }

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(io.LimitReader(body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	findings, coverage, _, err := otlpwire.Decode(data)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range findings {
		if s.names[f.Protocol] == nil {
			s.names[f.Protocol] = map[string]bool{}
		}
		s.names[f.Protocol][f.PeerName] = true
	}
	for _, c := range coverage {
		if c.Sensor == "network" {
			s.counters = c.Counters
			for _, mode := range []string{"ebpf", "classic", "none"} {
				if c.Counters["capture_mode_"+mode] > 0 { // at the end, nothing is read any more
					s.mode = mode
				}
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// score compares what was sent with what was reported.
func (s *sink) score(sent map[string][]string, r *result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for protocol, names := range sent {
		found := 0
		for _, name := range names {
			if s.names[protocol][name] {
				found++
			} else if len(r.Missed) < 5 {
				r.Missed = append(r.Missed, name)
			}
		}
		switch protocol {
		case "tls":
			r.TLSSent, r.TLSFound = len(names), found
		case "quic":
			r.QUICSent, r.QUICFound = len(names), found
		}
	}
	r.Frames, r.Drops = s.counters["kernel_received"], s.counters["kernel_drops"]
	if r.Mode = s.mode; r.Mode == "" {
		r.Mode = "?"
	}
}
