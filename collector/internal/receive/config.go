package receive

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Config says where the receiver listens and what it takes.
type Config struct {
	// GRPC and HTTP are listen addresses, host:port; empty switches one off.
	GRPC string `yaml:"grpc"`
	HTTP string `yaml:"http"`
	TLS  TLS    `yaml:"tls"`
	// MaxRequestBytes bounds one request after decompression.
	MaxRequestBytes int `yaml:"max_request_bytes"`
	// MaxRecords bounds the log records of one request.
	MaxRecords int `yaml:"max_records"`
	// MaxConnections bounds the open connections of each listener.
	MaxConnections int `yaml:"max_connections"`
	// RequestTimeout bounds a request from its first byte to its answer.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// RetryAfter is the pause that a refused sender is told to keep.
	RetryAfter time.Duration `yaml:"retry_after"`
}

// TLS names the server's certificate and key. Both empty means no TLS, which
// is allowed on loopback addresses only.
type TLS struct {
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
}

// Enabled holds where a certificate is configured.
func (t TLS) Enabled() bool { return t.CertificateFile != "" || t.KeyFile != "" }

// Default listens on the standard OTLP ports of the loopback interface
// (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-default-port).
func Default() Config {
	return Config{
		GRPC:            "127.0.0.1:4317",
		HTTP:            "127.0.0.1:4318",
		MaxRequestBytes: 16 << 20,
		MaxRecords:      50_000,
		MaxConnections:  10_000,
		RequestTimeout:  60 * time.Second,
		RetryAfter:      5 * time.Second,
	}
}

// Validate reports the first value that cannot work. The receiver always asks
// for a token; without TLS it would travel in the clear, so only loopback
// addresses may do without.
func (c Config) Validate() error {
	if c.GRPC == "" && c.HTTP == "" {
		return fmt.Errorf("grpc and http are both empty: nothing would be received")
	}
	if (c.TLS.CertificateFile == "") != (c.TLS.KeyFile == "") {
		return fmt.Errorf("tls needs both certificate_file and key_file")
	}
	for _, listen := range []struct{ key, address string }{{"grpc", c.GRPC}, {"http", c.HTTP}} {
		if listen.address == "" {
			continue
		}
		if err := ValidateAddress(listen.address, c.TLS.Enabled()); err != nil {
			return fmt.Errorf("%s: %w", listen.key, err)
		}
	}
	switch {
	case c.MaxRequestBytes < 64<<10 || c.MaxRequestBytes > 256<<20:
		return fmt.Errorf("max_request_bytes must lie between 65536 and 268435456, is %d", c.MaxRequestBytes)
	case c.MaxRecords < 1:
		return fmt.Errorf("max_records must be at least 1, is %d", c.MaxRecords)
	case c.MaxConnections < 1:
		return fmt.Errorf("max_connections must be at least 1, is %d", c.MaxConnections)
	case c.RequestTimeout < time.Second:
		return fmt.Errorf("request_timeout must be at least 1s, is %s", c.RequestTimeout)
	case c.RetryAfter < time.Second:
		return fmt.Errorf("retry_after must be at least 1s, is %s", c.RetryAfter)
	}
	return nil
}

// ValidateAddress checks a listen address: a loopback address, or any with TLS.
func ValidateAddress(address string, tls bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port: %w", address, err)
	}
	if tls || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%q is reachable from other machines and has no TLS: set tls.certificate_file and tls.key_file, or listen on 127.0.0.1", address)
}
