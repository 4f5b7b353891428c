package api

import (
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/listen"
)

func TestValidate(t *testing.T) {
	pair := listen.TLS{CertificateFile: "cert.pem", KeyFile: "key.pem"}
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   string // "" for valid
	}{
		{"the default", func(*Config) {}, ""},
		{"IPv6 loopback", func(c *Config) { c.Listen = "[::1]:4320" }, ""},
		{"by name", func(c *Config) { c.Listen = "localhost:4320" }, ""},
		{"everywhere with TLS", func(c *Config) { c.Listen, c.TLS = "0.0.0.0:4320", pair }, ""},
		{"everywhere in the clear", func(c *Config) { c.Listen = "0.0.0.0:4320" }, "listen: "},
		{"every address in the clear", func(c *Config) { c.Listen = ":4320" }, "listen: "},
		{"no port", func(c *Config) { c.Listen = "127.0.0.1" }, "listen: "},
		{"nowhere", func(c *Config) { c.Listen = "" }, "listen: "},
		{"no key", func(c *Config) { c.TLS.CertificateFile = "cert.pem" }, "key_file"},
		{"no certificate", func(c *Config) { c.TLS.KeyFile = "key.pem" }, "certificate_file"},
		{"no connection", func(c *Config) { c.MaxConnections = 0 }, "max_connections must be at least 1, is 0"},
		{"tiny requests", func(c *Config) { c.MaxRequestBytes = 64<<10 - 1 }, "max_request_bytes must be at least 65536, is 65535"},
		{"no time", func(c *Config) { c.RequestTimeout = time.Second - 1 }, "request_timeout must be at least 1s"},
	} {
		config := Default()
		c.change(&config)
		err := config.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
