package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/gnomon-ai/gnomon/collector/internal/listen"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
)

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := writeCertificate(t, certificate, key)
	h := start(t, func(c *Config) { c.TLS = listen.TLS{CertificateFile: certificate, KeyFile: key} })
	url := strings.Replace(h.url, "http://", "https://", 1)
	for _, c := range []struct {
		name   string
		http2  bool
		option connect.ClientOption
	}{
		{"JSON over HTTP/1.1", false, connect.WithProtoJSON()},
		{"JSON over HTTP/2", true, connect.WithProtoJSON()},
		{"gRPC", true, connect.WithGRPC()},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: c.http2}
		client := gnomonv1connect.NewFindingServiceClient(bearer{"admin", &http.Client{Transport: transport}}, url, c.option)
		response, err := client.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{})
		if err != nil || response.GetFindings()[0].GetUser() != "ana" {
			t.Errorf("%s: %v, %v", c.name, response, err)
		}
		transport.CloseIdleConnections()
	}
	if _, err := tls.Dial("tcp", h.server.Address().String(), &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is taken")
	}
	if _, err := tls.Dial("tcp", h.server.Address().String(), &tls.Config{RootCAs: x509.NewCertPool()}); err == nil {
		t.Error("the certificate is trusted without its authority: the test proves nothing")
	}
	broken := Default()
	broken.Listen, broken.TLS = "127.0.0.1:0", listen.TLS{CertificateFile: key, KeyFile: key}
	other := &Server{config: broken}
	if err := other.Start(func(error) {}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("started with a key for a certificate: %v", err)
	}
}

// TestGRPCInTheClear is what a gRPC client on loopback does.
func TestGRPCInTheClear(t *testing.T) {
	h := start(t, nil)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	plain := &http.Client{Transport: transport}
	_, err := gnomonv1connect.NewInventoryServiceClient(bearer{"reader", plain}, h.url, connect.WithGRPC()).
		ApplyInventory(t.Context(), &gnomonv1.ApplyInventoryRequest{})
	if connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a reader changes over gRPC: %v", err)
	}
	_, err = gnomonv1connect.NewFindingServiceClient(plain, h.url, connect.WithGRPC()).ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{})
	if connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("no token over gRPC: %v", err)
	}
	response, err := gnomonv1connect.NewFindingServiceClient(bearer{"reader", plain}, h.url, connect.WithGRPC()).
		ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{})
	if err != nil || response.GetFindings()[0].GetUser() != "leo" {
		t.Errorf("a reader over gRPC: %v, %v", response, err)
	}
}
