package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
)

// connection says which collector a command asks.
type connection struct{ dataDir, api, tokenFile, caFile string }

func (c *connection) addFlags(command *cobra.Command) {
	f := command.Flags()
	f.StringVar(&c.dataDir, "data-dir", config.DefaultDataDir(), "folder of a collector on this machine")
	f.StringVar(&c.api, "api", "", "URL of a collector's API, instead of the one on this machine")
	f.StringVar(&c.tokenFile, "token-file", "", "file with the token to use")
	f.StringVar(&c.caFile, "ca-file", "", "certificate authority of the collector")
}

// client returns an HTTP client that sends the token, and the API's URL.
func (c *connection) client() (*http.Client, string, error) {
	url, tokenFile := c.api, c.tokenFile
	if url == "" {
		e, err := readEndpoints(c.dataDir)
		if err != nil {
			return nil, "", err
		}
		url = e.API
	}
	if tokenFile == "" {
		tokenFile = filepath.Join(c.dataDir, adminTokenFile)
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, "", fmt.Errorf("reading the token (name one with --token-file): %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.caFile != "" {
		pem, err := os.ReadFile(c.caFile)
		if err != nil {
			return nil, "", fmt.Errorf("reading the certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, "", fmt.Errorf("%s holds no certificate in PEM form", c.caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client := &http.Client{
		Transport: bearer{strings.TrimSpace(string(token)), transport},
		Timeout:   2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the API redirects: the token is not sent elsewhere")
		},
	}
	return client, url, nil
}

// bearer adds the token to every request.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

func (c *connection) inventory() (gnomonv1connect.InventoryServiceClient, error) {
	client, url, err := c.client()
	if err != nil {
		return nil, err
	}
	return gnomonv1connect.NewInventoryServiceClient(client, url), nil
}

// complaint is an API error for a person: its message without the code, which
// says the same to programs.
func complaint(err error) error {
	var failed *connect.Error
	if errors.As(err, &failed) && !errors.Is(err, context.Canceled) {
		if failed.Code() == connect.CodeUnavailable {
			return fmt.Errorf("the collector does not answer: %s", failed.Message())
		}
		return errors.New(failed.Message())
	}
	return err
}
