package listen

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type inbox struct {
	mu       sync.Mutex
	messages []string
}

func (i *inbox) open() Consumer { return i }

func (i *inbox) Record(message []byte, _ bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.messages = append(i.messages, string(message))
}

func (i *inbox) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.messages)
}

func (i *inbox) wait(t *testing.T, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && len(i.all()) < len(want); {
		time.Sleep(time.Millisecond)
	}
	if diff := cmp.Diff(want, i.all()); diff != "" {
		t.Fatalf("messages (-want +got):\n%s", diff)
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// listening starts a listener and returns what comes in.
func listening(t *testing.T, serve func(context.Context, *Listener) error) (*Listener, *inbox) {
	t.Helper()
	box := &inbox{}
	l := New(Options{MaxMessage: 1000, Open: box.open})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-l.Ready():
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return l, box
}

func syslog(t *testing.T, c Config) (*Listener, *inbox) {
	t.Helper()
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return listening(t, func(ctx context.Context, l *Listener) error { return l.Syslog(ctx, c) })
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, w io.Writer, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUDP(t *testing.T) {
	l, box := syslog(t, Config{Protocol: "udp"})
	conn := dial(t, "udp", l.Address())
	send(t, conn, "<13>one\n", "<13>two\r\n\x00", strings.Repeat("x", 2000))
	box.wait(t, "<13>one", "<13>two", strings.Repeat("x", 1000))
	if c := l.Counters(); c["messages"] != 3 || c["cut"] != 1 || c["bytes"] != 1014 {
		t.Errorf("counters %v", c)
	}
}

func TestTCPFramings(t *testing.T) {
	l, box := syslog(t, Config{Protocol: "tcp"})
	conn := dial(t, "tcp", l.Address())
	send(t, conn, "8 <13>on", "e\n<13>two\n9 <13>t\nhr", "\x00<13>four\r\n", "2026-11-23 no priority\n", strings.Repeat("y", 1500)+"\n<13>after\n", "<13>unended")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	box.wait(t, "<13>one", "<13>two", "<13>t\nhr", "<13>four", "2026-11-23 no priority", strings.Repeat("y", 1000), "<13>after", "<13>unended")
	eventually(t, "the end", func() bool { return l.Counters()["connections_open"] == 0 })
	if c := l.Counters(); c["cut"] != 1 || c["connections"] != 1 || c["connections_failed"] != 0 {
		t.Errorf("counters %v", c)
	}
}

func TestTCPMessageTooLong(t *testing.T) {
	l, box := syslog(t, Config{Protocol: "tcp"})
	conn := dial(t, "tcp", l.Address())
	send(t, conn, "3 <1>1001 <13>")
	eventually(t, "the refusal", func() bool { return l.Counters()["connections_failed"] == 1 })
	box.wait(t, "<1>")
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

func TestIdleConnection(t *testing.T) {
	l, _ := syslog(t, Config{Protocol: "tcp", IdleTimeout: 20 * time.Millisecond})
	dial(t, "tcp", l.Address())
	eventually(t, "the timeout", func() bool { return l.Counters()["connections_idle"] == 1 })
}

func TestPeersAndClients(t *testing.T) {
	l, box := syslog(t, Config{Protocol: "tcp", AllowedPeers: []string{"192.0.2.0/24"}})
	conn := dial(t, "tcp", l.Address())
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a stranger is served")
	}
	eventually(t, "the refusal", func() bool { return l.Counters()["refused_peers"] == 1 })
	box.wait(t)

	l, box = syslog(t, Config{Protocol: "tcp", MaxClients: 1, AllowedPeers: []string{"127.0.0.1"}})
	first := dial(t, "tcp", l.Address())
	send(t, first, "<1>a\n")
	box.wait(t, "<1>a")
	second := dial(t, "tcp", l.Address())
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("one client too many is served")
	}
	if c := l.Counters(); c["refused_full"] != 1 || c["connections_open"] != 1 {
		t.Errorf("counters %v", c)
	}

	l, _ = syslog(t, Config{Protocol: "udp", AllowedPeers: []string{"192.0.2.1"}})
	send(t, dial(t, "udp", l.Address()), "<1>a")
	eventually(t, "the refusal", func() bool { return l.Counters()["refused_peers"] == 1 })
}

// certificates makes an authority and certificates for a server and a client.
func certificates(t *testing.T) (folder string, authority *x509.CertPool, client tls.Certificate) {
	t.Helper()
	folder = t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issue := func(name string, serial int64) (certPEM, keyPEM []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(err)
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}, ca, &key.PublicKey, caKey)
		check(err)
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		check(err)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	check(err)
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	authority = x509.NewCertPool()
	authority.AppendCertsFromPEM(caPEM)
	serverCert, serverKey := issue("server", 2)
	clientCert, clientKey := issue("client", 3)
	for name, data := range map[string][]byte{"ca.pem": caPEM, "cert.pem": serverCert, "key.pem": serverKey} {
		check(os.WriteFile(filepath.Join(folder, name), data, 0o600))
	}
	client, err = tls.X509KeyPair(clientCert, clientKey)
	check(err)
	return folder, authority, client
}

func TestTLS(t *testing.T) {
	folder, authority, certificate := certificates(t)
	l, box := syslog(t, Config{
		Protocol: "tls", CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem"), ClientCAFile: filepath.Join(folder, "ca.pem"),
	})
	conn, err := tls.Dial("tcp", l.Address(), &tls.Config{RootCAs: authority, Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, "7 <13>one7 <13>two")
	box.wait(t, "<13>one", "<13>two")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	stranger, err := tls.Dial("tcp", l.Address(), &tls.Config{RootCAs: authority})
	if err == nil { // TLS 1.3 tells of the refusal with the first read
		send(t, stranger, "7 <13>bad")
		_, err = stranger.Read(make([]byte, 1))
		_ = stranger.Close()
	}
	if err == nil {
		t.Error("a sender without a certificate is served")
	}
	send(t, dial(t, "tcp", l.Address()), "<13>plain text\n")
	eventually(t, "the refusals", func() bool { return l.Counters()["connections_failed"] >= 2 })
	box.wait(t, "<13>one", "<13>two")
}

func TestFrameStreams(t *testing.T) {
	const contentType = "protobuf:test"
	path := filepath.Join(t.TempDir(), "tap.sock")
	l, box := listening(t, func(ctx context.Context, l *Listener) error { return l.Frames(ctx, path, contentType) })
	data := func(text string) string {
		return string(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	}
	answer := func(conn net.Conn, want uint32) {
		t.Helper()
		b := make([]byte, 512)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(b)
		if kind, _ := control(b[:n]); err != nil || kind != want {
			t.Fatalf("answer %d (%v), want %d", kind, err, want)
		}
	}
	both := dial(t, "unix", path)
	send(t, both, string(appendControl(nil, controlReady, contentType)))
	answer(both, controlAccept)
	send(t, both, string(appendControl(nil, controlStart, contentType))+data("one")+data("two")[:5])
	box.wait(t, "one")
	send(t, both, data("two")[5:]+string(appendControl(nil, controlStop, "")))
	answer(both, controlFinish)
	box.wait(t, "one", "two")

	one := dial(t, "unix", path)
	send(t, one, string(appendControl(nil, controlStart, ""))+data("three"))
	box.wait(t, "one", "two", "three")

	wrong := dial(t, "unix", path)
	send(t, wrong, string(appendControl(nil, controlReady, "protobuf:other")))
	tooLong := dial(t, "unix", path)
	send(t, tooLong, string(binary.BigEndian.AppendUint32(nil, 1<<30)))
	eventually(t, "the refusals", func() bool { return l.Counters()["connections_failed"] == 2 })
}

func TestSocketInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap.sock")
	try := func() error {
		return New(Options{MaxMessage: 10, Open: new(inbox).open}).Frames(t.Context(), path, "x")
	}
	busy, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := try(); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a socket in use is taken: %v", err)
	}
	_ = busy.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := try(); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file is removed: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
	// What a killed agent left is taken over.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	listening(t, func(ctx context.Context, l *Listener) error { return l.Frames(ctx, path, "x") })
}

func TestConfig(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f(Config{Protocol: "udp", Address: "127.0.0.1:514"}, "")
	f(Config{Protocol: "tcp", Address: "[::1]:514"}, "")
	f(Config{Protocol: "smoke", Address: "127.0.0.1:514"}, "protocol")
	f(Config{Protocol: "udp", Address: "localhost:514"}, "address")
	f(Config{Protocol: "udp", Address: "0.0.0.0:514", AllowedPeers: []string{"192.0.2.1"}}, "plaintext")
	f(Config{Protocol: "udp", Address: "0.0.0.0:514", Plaintext: true}, "allowed_peers")
	f(Config{Protocol: "udp", Address: "0.0.0.0:514", Plaintext: true, AllowedPeers: []string{"192.0.2.0/24"}}, "")
	f(Config{Protocol: "udp", Address: "127.0.0.1:514", AllowedPeers: []string{"host"}}, "neither")
	f(Config{Protocol: "tls", Address: "0.0.0.0:6514", CertFile: "c", KeyFile: "k"}, "allowed_peers")
	f(Config{Protocol: "tls", Address: "0.0.0.0:6514", CertFile: "c", KeyFile: "k", ClientCAFile: "a"}, "")
	f(Config{Protocol: "tls", Address: "127.0.0.1:6514"}, "cert_file")
	f(Config{Protocol: "tcp", Address: "127.0.0.1:514", CertFile: "c"}, "takes no certificate")
	f(Config{Protocol: "tcp", Address: "127.0.0.1:514", MaxClients: -1}, "max_clients")
	f(Config{Protocol: "tcp", Address: "127.0.0.1:514", IdleTimeout: -1}, "idle_timeout")
}

// FuzzSyslogMessage holds that messages are taken off the front of a stream
// without ever going beyond it, and that what is cut is as long as is taken.
func FuzzSyslogMessage(f *testing.F) {
	for _, seed := range []string{"7 <13>one8 <13>two\n", "<13>x\n", "12", "99999999999 <", "4 abc\n", strings.Repeat("z", 200)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 100
		for len(b) > 0 {
			message, size, cut, err := syslogMessage(b, most)
			if err != nil || size == 0 {
				return
			}
			if size < 0 || size > len(b) || len(message) > size || len(message) > most || cut && len(message) != most {
				t.Fatalf("message of %d in %d of %d bytes, cut %v", len(message), size, len(b), cut)
			}
			b = b[size:]
		}
	})
}

// FuzzFrames does the same for Frame Streams, and holds that what is taken off
// is what was there.
func FuzzFrames(f *testing.F) {
	f.Add(append(appendControl(nil, controlStart, "protobuf:dnstap.Dnstap"), "\x00\x00\x00\x03abc"...))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 1000
		for len(b) > 0 {
			record, size, err := SplitFrames(b, most)
			if err != nil || size == 0 {
				return
			}
			if size > len(b) || len(record) > most {
				t.Fatalf("record of %d in %d of %d bytes", len(record), size, len(b))
			}
			if record != nil && !bytes.Equal(record, b[4:size]) {
				t.Fatal("the record is not the frame's content")
			}
			if kind, types := control(b); record != nil && (kind != 0 || types != nil) {
				t.Fatal(fmt.Sprint("a data frame is read as control frame ", kind))
			}
			b = b[size:]
		}
	})
}
