package receive

import (
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/listen"
)

// Config says where the receiver listens and what it takes.
type Config struct {
	// GRPC and HTTP are listen addresses, host:port; empty switches one off.
	GRPC string `yaml:"grpc"`
	HTTP string `yaml:"http"`
	// TLS is needed where an address is not loopback.
	TLS listen.TLS `yaml:"tls"`
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
	if err := c.TLS.Validate(); err != nil {
		return err
	}
	for _, server := range []struct{ key, address string }{{"grpc", c.GRPC}, {"http", c.HTTP}} {
		if server.address == "" {
			continue
		}
		if err := listen.ValidateAddress(server.address, c.TLS.Enabled()); err != nil {
			return fmt.Errorf("%s: %w", server.key, err)
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
