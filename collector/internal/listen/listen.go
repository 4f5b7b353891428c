// Package listen opens the collector's listening ports: loopback in the clear,
// anything else with TLS, always with a bound on connections.
//
// It imports the standard library and x/net alone. It authenticates nobody:
// who may ask is each server's own rule.
package listen

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/netutil"
)

// TLS names the server's certificate and key. Both empty means no TLS, which
// is allowed on loopback addresses only: tokens would travel in the clear.
type TLS struct {
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
}

// Enabled holds where a certificate is configured.
func (t TLS) Enabled() bool { return t.CertificateFile != "" || t.KeyFile != "" }

// Validate checks that the certificate has its key.
func (t TLS) Validate() error {
	if (t.CertificateFile == "") != (t.KeyFile == "") {
		return fmt.Errorf("tls needs both certificate_file and key_file")
	}
	return nil
}

// Load reads the certificate; nil where there is none.
func (t TLS) Load() (*tls.Config, error) {
	if !t.Enabled() {
		return nil, nil //nolint:nilnil // no TLS is a legal outcome, documented above
	}
	certificate, err := tls.LoadX509KeyPair(t.CertificateFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("loading the server's certificate: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}, nil
}

// ValidateAddress checks a listen address, host:port: a loopback address, or
// any with TLS.
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

// Listen opens address for at most the given connections at a time; more
// wait to be accepted. key is the name of the address in the configuration.
func Listen(key, address string, connections int) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening (is another collector running? choose another port in %s): %w", key, err)
	}
	return netutil.LimitListener(listener, connections), nil
}
