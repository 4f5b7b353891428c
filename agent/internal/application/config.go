// Package application is the sensor that listens to applications which report
// their own use of AI: an OTLP/HTTP receiver for traces and logs with gen_ai
// attributes (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
//
// It may import proto/genai, signatures, proto/finding and
// agent/internal/sensor. It listens on loopback unless it is told otherwise, and
// not at all unless it is switched on. It can pass what it is sent on to another
// OTLP endpoint, byte for byte, so that an application which points at the agent
// keeps its traces.
//
// What it deliberately does not do: it keeps no span, reads no content (see
// proto/genai), takes no metrics, and answers a request only when all that it
// says was handed over. A request that cannot be read changes nothing. There is
// no gRPC: the agent does not link it.
package application

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config of the application sensor.
type Config struct {
	Enabled         bool          `yaml:"enabled"`
	Listen          string        `yaml:"listen"`            // host:port; what is not loopback needs token_file, cert_file and key_file
	TokenFile       string        `yaml:"token_file"`        // applications must send what it holds as bearer token; "" asks for none
	CertFile        string        `yaml:"cert_file"`         // PEM, with key_file: HTTPS
	KeyFile         string        `yaml:"key_file"`          //
	MaxRequestBytes int           `yaml:"max_request_bytes"` // of one request, as sent and unzipped
	MaxRecords      int           `yaml:"max_records"`       // spans or log records of one request
	MaxRequests     int           `yaml:"max_requests"`      // worked on at a time; more wait, then are told to come again
	MaxConnections  int           `yaml:"max_connections"`   //
	RequestTimeout  time.Duration `yaml:"request_timeout"`   // from the first byte to the answer
	Wait            time.Duration `yaml:"wait"`              // how long a request waits for its turn
	RetryAfter      time.Duration `yaml:"retry_after"`       // the pause that a refused sender is told to keep
	Forward         Forward       `yaml:"forward"`
}

// Forward says where requests are passed on to.
type Forward struct {
	Endpoint  string        `yaml:"endpoint"`   // http or https, without /v1/traces; "" passes nothing on
	TokenFile string        `yaml:"token_file"` // bearer token for the endpoint, instead of the application's own
	CAFile    string        `yaml:"ca_file"`    // PEM; "" trusts the system's authorities
	Timeout   time.Duration `yaml:"timeout"`
}

// DefaultConfig listens nowhere; switched on, on the standard port of loopback.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:4318", MaxRequestBytes: 8 << 20, MaxRecords: 50_000, MaxRequests: 4, MaxConnections: 256,
		RequestTimeout: 30 * time.Second, Wait: time.Second, RetryAfter: 5 * time.Second,
		Forward: Forward{Timeout: 10 * time.Second},
	}
}

// Validate names all that is wrong.
func (c Config) Validate() error {
	var all []error
	check := func(key string, value, least, most int) {
		if value < least || value > most {
			all = append(all, fmt.Errorf("%s: %d is outside %d to %d", key, value, least, most))
		}
	}
	span := func(key string, value, least, most time.Duration) {
		if value < least || value > most {
			all = append(all, fmt.Errorf("%s: %s is outside %s to %s", key, value, least, most))
		}
	}
	check("max_request_bytes", c.MaxRequestBytes, 64<<10, 64<<20)
	check("max_records", c.MaxRecords, 1, 1_000_000)
	check("max_requests", c.MaxRequests, 1, 64)
	check("max_connections", c.MaxConnections, 1, 65_536)
	span("request_timeout", c.RequestTimeout, time.Second, 10*time.Minute)
	span("wait", c.Wait, 0, time.Minute)
	span("retry_after", c.RetryAfter, time.Second, time.Hour)
	span("forward.timeout", c.Forward.Timeout, 100*time.Millisecond, 10*time.Minute)
	if (c.CertFile == "") != (c.KeyFile == "") {
		all = append(all, errors.New("cert_file: goes together with key_file"))
	}
	return errors.Join(append(all, c.validateListen(), c.validateForward())...)
}

func (c Config) validateListen() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "" {
		return fmt.Errorf("listen: %q is no host:port", c.Listen)
	}
	if isLoopback(host) {
		return nil
	}
	if c.TokenFile == "" || c.CertFile == "" {
		return fmt.Errorf("listen: %q is open to other hosts; listen on 127.0.0.1, or set token_file, cert_file and key_file", c.Listen)
	}
	return nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

func (c Config) validateForward() error {
	if c.Forward.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Forward.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		// The text may hold a password: it is not repeated.
		return errors.New("forward.endpoint: is no http or https URL of a host and a path alone")
	}
	if strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/v1/traces") {
		return errors.New("forward.endpoint: leave out /v1/traces, it is added")
	}
	if u.Host == c.Listen {
		return errors.New("forward.endpoint: is the address that this sensor listens on")
	}
	return nil
}
