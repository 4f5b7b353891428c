package api

import (
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/listen"
)

// Config says where the API listens.
type Config struct {
	// Listen is host:port.
	Listen string     `yaml:"listen"`
	TLS    listen.TLS `yaml:"tls"`
	// MaxConnections bounds the open connections.
	MaxConnections int `yaml:"max_connections"`
	// MaxRequestBytes bounds one request: an inventory of 10,000 entries has
	// about 10 MB.
	MaxRequestBytes int `yaml:"max_request_bytes"`
	// RequestTimeout bounds a request from its first byte to its answer.
	RequestTimeout time.Duration `yaml:"request_timeout"`
}

// Default listens on loopback.
func Default() Config {
	return Config{Listen: "127.0.0.1:4320", MaxConnections: 256, MaxRequestBytes: 32 << 20, RequestTimeout: 60 * time.Second}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	if err := c.TLS.Validate(); err != nil {
		return err
	}
	if err := listen.ValidateAddress(c.Listen, c.TLS.Enabled()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	switch {
	case c.MaxConnections < 1:
		return fmt.Errorf("max_connections must be at least 1, is %d", c.MaxConnections)
	case c.MaxRequestBytes < 64<<10:
		return fmt.Errorf("max_request_bytes must be at least 65536, is %d", c.MaxRequestBytes)
	case c.RequestTimeout < time.Second:
		return fmt.Errorf("request_timeout must be at least 1s, is %s", c.RequestTimeout)
	}
	return nil
}
