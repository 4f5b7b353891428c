//go:build linux

package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// sample returns the n-th of a series of findings that all differ.
func sample(n int) finding.Finding {
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(time.Duration(n%12) * 5 * time.Minute)
	f := finding.Finding{
		AgentID: fmt.Sprintf("agent-%d", n%50), HostName: fmt.Sprintf("host-%d", n%50), OS: "linux", Channel: "endpoint", Sensor: "network",
		Revision: 1, Count: 3, Confidence: 90,
		WindowStart: start, WindowEnd: start.Add(5 * time.Minute), FirstSeen: start, LastSeen: start.Add(time.Minute),
		Asset:    finding.Asset{Key: "openai.api", Kind: "service", Name: "OpenAI API", SignatureID: "openai.api", Provider: "openai"},
		Evidence: []finding.Evidence{{Kind: "tls.sni", Value: "api.openai.com", Selector: "api.openai.com"}},
		User:     fmt.Sprintf("user-%d", n), PeerName: "api.openai.com", PeerPort: 443, Catalogue: "test",
	}
	f.Fingerprint = finding.ComputeFingerprint(&f)
	f.ID = finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart)
	return f
}

// emptyPartialSuccess is the answer to a request of which nothing was
// rejected: field 1, of no length.
const emptyPartialSuccess = "\n\x00"

// sender sends findings as an agent does: again, until they are acknowledged.
type sender struct {
	url, token string
	client     *http.Client
	acked      atomic.Int64 // findings acknowledged
	retries    atomic.Int64 // requests that had to be sent again
}

func newSender(c *collector) *sender {
	return &sender{url: "http://" + c.ports.http + "/v1/logs", token: c.token(), client: &http.Client{Timeout: 20 * time.Second}}
}

// post sends one body and returns the status, 0 where there was no answer.
func (s *sender) post(body []byte, header http.Header) (int, string) {
	q, err := http.NewRequest(http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	q.Header.Set("Content-Type", "application/x-protobuf")
	q.Header.Set("Authorization", "Bearer "+s.token)
	for key := range header {
		q.Header.Set(key, header.Get(key))
	}
	response, err := s.client.Do(q)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

func encode(t *testing.T, list []finding.Finding) []byte {
	t.Helper()
	data, err := otlpwire.EncodeFindings(list, "test")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// flood sends findings [from, to) in requests of size, several in flight, and
// returns when all are acknowledged or ctx ends.
func (s *sender) flood(ctx context.Context, t *testing.T, from, to, size, inFlight int) {
	t.Helper()
	requests := make(chan []byte)
	var sending sync.WaitGroup
	for range inFlight {
		sending.Go(func() {
			for body := range requests {
				for ctx.Err() == nil {
					status, text := s.post(body, http.Header{"Content-Encoding": {"gzip"}})
					if status == http.StatusOK && (text == "" || text == emptyPartialSuccess) {
						s.acked.Add(int64(size))
						break
					}
					if status == http.StatusOK || (status >= 400 && status < 500 && status != http.StatusTooManyRequests) {
						t.Errorf("a good request was answered %d %q", status, text)
						return
					}
					s.retries.Add(1)
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	for n := from; n < to && ctx.Err() == nil; n += size {
		list := make([]finding.Finding, 0, size)
		for i := n; i < min(n+size, to); i++ {
			list = append(list, sample(i))
		}
		select {
		case requests <- encode(t, groupByAgent(list)):
		case <-ctx.Done():
		}
	}
	close(requests)
	sending.Wait()
}

// groupByAgent gives all findings of a request to one agent, as one resource
// carries them.
func groupByAgent(list []finding.Finding) []finding.Finding {
	for i := range list {
		list[i].AgentID, list[i].HostName = list[0].AgentID, list[0].HostName
		list[i].Fingerprint = finding.ComputeFingerprint(&list[i])
		list[i].ID = finding.ComputeID(list[i].AgentID, list[i].Fingerprint, list[i].WindowStart)
	}
	return list
}
