package export

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Config says where findings go and how.
type Config struct {
	Endpoint       string        `yaml:"endpoint"`        // base URL, e.g. https://collector.example:4318; "/v1/logs" is added
	TokenFile      string        `yaml:"token_file"`      // file with the bearer token, read again for every attempt
	CAFile         string        `yaml:"ca_file"`         // PEM certificates to trust instead of the system's
	ServerName     string        `yaml:"server_name"`     // name in the collector's certificate, where it is not the endpoint's
	CertFile       string        `yaml:"cert_file"`       // PEM client certificate for mutual TLS
	KeyFile        string        `yaml:"key_file"`        // and its key
	AllowPlaintext bool          `yaml:"allow_plaintext"` // http:// to another host than this one
	Timeout        time.Duration `yaml:"timeout"`         // of one attempt
	MaxBackoff     time.Duration `yaml:"max_backoff"`     // longest wait between attempts
}

// DefaultConfig returns the timings, without an endpoint.
func DefaultConfig() Config { return Config{Timeout: 30 * time.Second, MaxBackoff: 5 * time.Minute} }

// Validate checks c; errors name the key of the configuration.
func (c Config) Validate() error {
	if c.Endpoint == "" {
		return errors.New("endpoint: the collector's URL is needed, e.g. https://collector.example:4318")
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("endpoint: %q is no http or https URL", c.Endpoint)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("endpoint: must hold no user, query or fragment; a token belongs into token_file")
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !c.AllowPlaintext:
		return errors.New("endpoint: http would send findings and token in the clear to another host; use https, or set allow_plaintext")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("cert_file: needs key_file, and the other way round")
	case c.Timeout < time.Second || c.Timeout > 10*time.Minute:
		return fmt.Errorf("timeout: %v is not between 1s and 10m", c.Timeout)
	case c.MaxBackoff < time.Second || c.MaxBackoff > time.Hour:
		return fmt.Errorf("max_backoff: %v is not between 1s and 1h", c.MaxBackoff)
	}
	return nil
}

// The paths of OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
const (
	LogsPath    = "/v1/logs"
	MetricsPath = "/v1/metrics"
	TracesPath  = "/v1/traces"
)

// url is where requests are posted to.
func (c Config) url(path string) string { return strings.TrimRight(c.Endpoint, "/") + path }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
