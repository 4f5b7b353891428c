package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector that keeps the last revision of each finding.
type receiver struct {
	server *http.Server
	url    string

	mu       sync.Mutex
	findings map[string]sighting
}

type sighting struct {
	revision, count int64
	name            string
}

func newReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String(), findings: map[string]sighting{}}
	r.server = &http.Server{Handler: http.HandlerFunc(r.take)}
	go func() { _ = r.server.Serve(listener) }() // ends with Close
	return r, nil
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	unzipped, err := gzip.NewReader(request.Body)
	if err == nil {
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(unzipped, 64<<20)); err == nil {
			err = r.add(body)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
}

func (r *receiver) add(body []byte) error {
	var data logspb.LogsData
	if err := proto.Unmarshal(body, &data); err != nil {
		return fmt.Errorf("reading findings: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range data.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				r.record(record)
			}
		}
	}
	return nil
}

func (r *receiver) record(record *logspb.LogRecord) {
	var id string
	var s sighting
	for _, a := range record.Attributes {
		switch a.Key {
		case "gnomon.finding.id":
			id = a.Value.GetStringValue()
		case "gnomon.finding.revision":
			s.revision = a.Value.GetIntValue()
		case "gnomon.count":
			s.count = a.Value.GetIntValue()
		case "server.address":
			s.name = a.Value.GetStringValue()
		}
	}
	if id != "" && s.revision > r.findings[id].revision {
		r.findings[id] = s
	}
}

// totals returns how many sightings and names the findings count.
func (r *receiver) totals() (sightings int64, names int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	distinct := map[string]bool{}
	for _, s := range r.findings {
		sightings += s.count
		distinct[s.name] = true
	}
	return sightings, len(distinct)
}
