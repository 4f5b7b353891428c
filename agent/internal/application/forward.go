package application

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gnomon-ai/gnomon/proto/genai"
)

// maxReply bounds what is passed back of an endpoint's answer, in bytes.
const maxReply = 1 << 20

// forwarder passes requests on.
type forwarder struct {
	endpoint string
	token    string // for the endpoint; "" keeps the sender's own
	ownToken bool   // the sender's token is meant for the agent: it goes no further
	client   *http.Client
}

func newForwarder(config Config, ownToken bool) (*forwarder, error) {
	token, err := readToken(config.Forward.TokenFile)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if config.Forward.CAFile != "" {
		pem, err := os.ReadFile(config.Forward.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading ca_file: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading ca_file: %s holds no PEM certificate", config.Forward.CAFile)
		}
	}
	return &forwarder{
		endpoint: strings.TrimRight(config.Forward.Endpoint, "/"), token: token, ownToken: ownToken,
		client: &http.Client{
			Timeout: config.Forward.Timeout,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: settings, ForceAttemptHTTP2: true,
				MaxIdleConnsPerHost: config.MaxRequests, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			},
			// A redirect would carry traces to a place that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func (f *forwarder) close() { f.client.CloseIdleConnections() }

// hopByHop lists the fields that are of one connection alone (RFC 9110, section
// 7.6.1), and those that a client sets itself.
func hopByHop() []string {
	return []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Host"}
}

// reply is what an endpoint answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// post sends the bytes as they came, with the sender's header fields.
func (f *forwarder) post(q *http.Request, sent []byte) (reply, error) {
	request, err := http.NewRequestWithContext(q.Context(), http.MethodPost, f.endpoint+q.URL.Path, bytes.NewReader(sent))
	if err != nil {
		return reply{}, err
	}
	request.Header = withoutHops(q.Header)
	if f.ownToken {
		request.Header.Del("Authorization")
	}
	if f.token != "" {
		request.Header.Set("Authorization", "Bearer "+f.token)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return reply{}, err
	}
	return reply{response.StatusCode, withoutHops(response.Header), body}, nil
}

func withoutHops(header http.Header) http.Header {
	kept := header.Clone()
	for _, named := range header.Values("Connection") {
		for name := range strings.SplitSeq(named, ",") {
			kept.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop() {
		kept.Del(name)
	}
	return kept
}

// passOn forwards a request and answers with the endpoint's answer. What it says
// is handed over whatever the endpoint answers, and once: where the sender is
// told to come again, the same bytes do not count a second time.
func (h *handler) passOn(w http.ResponseWriter, q *http.Request, sent []byte, batch genai.Batch) {
	again := h.repeats.forget(sent)
	if again {
		h.counters.repeated.Add(1)
	}
	r, err := h.forward.post(q, sent)
	if !again {
		h.handOver(q, batch)
	}
	if err != nil || isRetryable(r.status) {
		h.repeats.remember(sent)
		if h.counters.failed.Add(1) == 1 {
			h.log.Warn("a request of an application could not be passed on; further ones are only counted", "status", r.status, "reached", err == nil)
		}
	} else {
		h.counters.passed.Add(1)
	}
	if err != nil {
		h.refuse(w, q, &refusal{http.StatusServiceUnavailable, "the endpoint that requests are passed on to does not answer"})
		return
	}
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // a sender that left gets no answer
}

// isRetryable says whether OTLP senders repeat a request that was answered so
// (https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes).
func isRetryable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// maxRepeats is how many requests are remembered that senders were told to
// repeat. A repetition that is forgotten counts again.
const maxRepeats = 1024

// repeats remembers requests by a hash of their bytes.
type repeats struct {
	seed maphash.Seed
	mu   *sync.Mutex
	set  map[uint64]struct{}
	ring []uint64
	next int
}

func newRepeats() repeats {
	return repeats{seed: maphash.MakeSeed(), mu: &sync.Mutex{}, set: make(map[uint64]struct{}), ring: make([]uint64, maxRepeats)}
}

func (r *repeats) remember(sent []byte) {
	sum := maphash.Bytes(r.seed, sent)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.set, r.ring[r.next])
	r.ring[r.next] = sum
	r.next = (r.next + 1) % len(r.ring)
	r.set[sum] = struct{}{}
}

// forget reports whether a request is one that was remembered, and forgets it.
func (r *repeats) forget(sent []byte) bool {
	sum := maphash.Bytes(r.seed, sent)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.set[sum]
	delete(r.set, sum)
	return known
}
