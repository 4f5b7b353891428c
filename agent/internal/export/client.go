package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what is read of a response, in bytes.
const maxBody = 64 << 10

// maxToken bounds a token file, in bytes.
const maxToken = 8 << 10

// verdict is what a response means for the request it answers.
type verdict int

const (
	accepted  verdict = iota // done with; some records may be rejected
	retry                    // the collector cannot now
	permanent                // the collector will never take this request
	refused                  // it refuses the agent, not the data: token, address, redirect
)

// answer is one response, or the lack of one.
type answer struct {
	verdict    verdict
	status     int           // 0 where there was no response
	reason     string        // for people
	retryAfter time.Duration // 0 where the collector said nothing
	rejected   int64         // records of an accepted request that it did not keep
	serverTime time.Time     // Date of the response, zero without one
}

// client posts requests. It is used by one goroutine at a time.
type client struct {
	config Config
	url    string
	agent  string
	http   *http.Client
	zip    *gzip.Writer
	body   bytes.Buffer
}

// newClient reads the certificates that config names.
func newClient(config Config, path, userAgent string) (*client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: config.ServerName}
	if config.CAFile != "" {
		pem, err := os.ReadFile(config.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading ca_file: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading ca_file: %s holds no PEM certificate", config.CAFile)
		}
	}
	if config.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile); err != nil {
			return nil, fmt.Errorf("reading cert_file and key_file: %w", err)
		}
		// Read again for every handshake, so that a renewed certificate is used.
		tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile)
			return &pair, err
		}
	}
	return &client{config: config, url: config.url(path), agent: userAgent, zip: gzip.NewWriter(io.Discard), http: &http.Client{
		Timeout: config.Timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true,
			MaxIdleConns: 1, MaxConnsPerHost: 1, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: maxBody,
		},
		// A redirect would carry findings and token to a place nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// close drops idle connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// post sends one request and says what its answer means. An error is only
// returned when ctx ended.
func (c *client) post(ctx context.Context, data []byte) (answer, error) {
	token, err := readToken(c.config.TokenFile)
	if err != nil {
		return answer{verdict: refused, reason: err.Error()}, nil
	}
	c.body.Reset()
	c.zip.Reset(&c.body)
	// Writing to a buffer cannot fail.
	_, _ = c.zip.Write(data)
	_ = c.zip.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body.Bytes()))
	if err != nil {
		return answer{verdict: refused, reason: err.Error()}, nil
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("User-Agent", c.agent)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return answer{}, ctx.Err()
		}
		return answer{verdict: retry, reason: err.Error()}, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil && ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	return classify(response, body, time.Now()), nil
}

// readToken returns the token of a file without the white space around it, ""
// where no file is configured.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading token_file: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	token := strings.TrimSpace(string(raw))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading token_file: %w", err)
	case token == "" || len(raw) > maxToken:
		return "", fmt.Errorf("reading token_file: %s is empty or over %d bytes", path, maxToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("reading token_file: %s holds more than one word of printable ASCII", path)
	}
	return token, nil
}

// classify follows the OTLP/HTTP specification: 2xx is success, possibly
// partial; 429, 502, 503 and 504 are to be tried again
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). Of the rest,
// 400, 413 and 422 are about the data, and everything else is about the agent
// or the collector and leaves the data alone.
func classify(response *http.Response, body []byte, now time.Time) answer {
	// A Date that is missing or malformed leaves the time zero.
	date, _ := http.ParseTime(response.Header.Get("Date"))
	a := answer{status: response.StatusCode, serverTime: date, retryAfter: retryAfter(response.Header.Get("Retry-After"), now)}
	isProtobuf := strings.HasPrefix(response.Header.Get("Content-Type"), "application/x-protobuf")
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		if isProtobuf {
			a.rejected, a.reason = partialSuccess(body)
		}
		return a
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		a.verdict = refused
		a.reason = "token refused"
	case code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge || code == http.StatusUnprocessableEntity:
		a.verdict = permanent
		a.reason = "request refused for good"
	case code >= 300 && code < 400:
		a.verdict = refused
		a.reason = "redirected to " + printable(response.Header.Get("Location")) + ", which is not followed; set endpoint to the right address"
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		a.verdict = refused
		a.reason = "no OTLP receiver at this address; check endpoint"
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		a.verdict = retry
		a.reason = "the collector cannot take it now"
	default:
		a.verdict = refused
		a.reason = "unexpected answer"
	}
	a.reason += ": " + response.Status
	if text := statusMessage(body); isProtobuf && text != "" {
		a.reason += ": " + text
	}
	return a
}

// maxRetryAfter bounds a Retry-After that is honoured.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After field: seconds or a date (RFC 9110, section
// 10.2.3). Anything else, and the past, is 0.
func retryAfter(field string, now time.Time) time.Duration {
	field = strings.TrimSpace(field)
	if field == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseUint(field, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		wait = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(field); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
