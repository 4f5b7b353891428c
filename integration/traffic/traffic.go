// Package traffic makes real traffic under catalogue names without leaving the
// machine: a TLS server that answers for any name with a certificate of its
// own, real clients that connect to it, and a recorder that writes what passed
// as a capture file, so that no rights and no network are needed.
//
// It is used by the demo and by the tests from outside. It imports the
// standard library, quic-go, the capture file writer of gopacket, and x/net's
// DNS messages; it never contacts anything but loopback.
package traffic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// Server is a TLS server on loopback that answers for every name.
type Server struct {
	// Authority trusts the server's certificates.
	Authority *x509.CertPool
	// AuthorityPEM is the same certificate for programs that read files.
	AuthorityDER []byte

	listener net.Listener
	http     *http.Server
	http3    *http3.Server // nil until ServeHTTP3
	key      *ecdsa.PrivateKey
	parent   *x509.Certificate
	serving  sync.WaitGroup

	mu    sync.Mutex
	leafs map[string]*tls.Certificate
}

// NewServer starts a server on address, e.g. "127.0.0.1:0". Close ends it.
func NewServer(address string) (*Server, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gnomon test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, parent, parent, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	if parent, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("reading the authority back: %w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &Server{Authority: x509.NewCertPool(), AuthorityDER: der, listener: listener, key: key, parent: parent, leafs: map[string]*tls.Certificate{}}
	s.Authority.AddCert(parent)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(answer),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that leave early are part of the tests
		TLSConfig:         &tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS12},
	}
	s.serving.Go(func() { _ = s.http.ServeTLS(listener, "", "") }) // always ends with ErrServerClosed
	return s, nil
}

func answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"object":"test"}`) // the client may have left
}

// Address returns where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the server.
func (s *Server) Close() error {
	err := s.http.Close()
	if s.http3 != nil {
		err = errors.Join(err, s.http3.Close())
	}
	s.serving.Wait()
	if err != nil {
		return fmt.Errorf("closing the server: %w", err)
	}
	return nil
}

// ServeHTTP3 also answers HTTP/3, on the same port over UDP.
func (s *Server) ServeHTTP3() error {
	socket, err := net.ListenPacket("udp", s.Address())
	if err != nil {
		return fmt.Errorf("listening for QUIC: %w", err)
	}
	s.http3 = &http3.Server{
		Handler:   http.HandlerFunc(answer),
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS13}),
	}
	s.serving.Go(func() {
		_ = s.http3.Serve(socket) // always ends with ErrServerClosed
		_ = socket.Close()        // the server leaves it open
	})
	return nil
}

// KeyHash is the SHA-256 hash of the public key of every certificate that the
// server shows, in base64: browsers can be told to trust it.
func (s *Server) KeyHash() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		return "", fmt.Errorf("encoding the public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hello.ServerName
	if name == "" {
		return nil, errors.New("the client names no server")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if leaf, known := s.leafs[name]; known {
		return leaf, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(s.leafs) + 2)), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.parent, s.key.Public(), s.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %s: %w", name, err)
	}
	leaf := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}
	s.leafs[name] = leaf
	return leaf, nil
}

// Client is how a connection is made.
type Client struct {
	Name        string // server name
	Path        string // of the HTTP request
	PostQuantum bool   // offer X25519MLKEM768, whose key share fills more than one segment
}

// Do connects through dial, completes a TLS handshake under the client's name
// and makes one request.
func (s *Server) Do(client Client, dial func() (net.Conn, error)) error {
	connection, err := dial()
	if err != nil {
		return err
	}
	config := &tls.Config{ServerName: client.Name, RootCAs: s.Authority, CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"}}
	if client.PostQuantum {
		config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768, tls.X25519}
	}
	session := tls.Client(connection, config)
	defer session.Close()
	path := client.Path
	if path == "" {
		path = "/"
	}
	if _, err := fmt.Fprintf(session, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, client.Name); err != nil {
		return fmt.Errorf("requesting %s: %w", client.Name, err)
	}
	if _, err := io.Copy(io.Discard, session); err != nil {
		return fmt.Errorf("reading from %s: %w", client.Name, err)
	}
	return nil
}
