package wiretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// ClientHello returns the first flight of a real client: one record.
func ClientHello(config *tls.Config) ([]byte, error) {
	near, far := net.Pipe()
	var client sync.WaitGroup
	client.Go(func() { _ = tls.Client(near, config).Handshake() })
	defer client.Wait()
	defer far.Close()
	head := make([]byte, 5)
	if _, err := io.ReadFull(far, head); err != nil {
		return nil, fmt.Errorf("reading the hello of a client: %w", err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(far, body); err != nil {
		return nil, fmt.Errorf("reading the hello of a client: %w", err)
	}
	return slices.Concat(head, body), nil
}

// recorder keeps what is written through it, by one goroutine.
type recorder struct {
	net.Conn
	written []byte
}

// Write implements io.Writer.
func (r *recorder) Write(b []byte) (int, error) {
	r.written = append(r.written, b...)
	return r.Conn.Write(b)
}

// Handshake returns all that a real client sent during a handshake with a real
// server, over loopback.
func Handshake(client, server *tls.Config) ([]byte, error) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	defer listener.Close()
	failed := make(chan error, 1)
	go func() {
		far, err := listener.Accept()
		if err == nil {
			err = far.(*tls.Conn).Handshake()
			_ = far.Close()
		}
		failed <- err
	}()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	record := &recorder{Conn: near}
	err = tls.Client(record, client).Handshake()
	_ = near.Close()
	return record.written, errors.Join(err, <-failed)
}

// Certificate returns a certificate of its own for a test server.
func Certificate(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Records spreads the handshake message of a one-record flight over records of
// at most size bytes.
func Records(flight []byte, size int) []byte {
	var out []byte
	for body := flight[5:]; len(body) > 0; {
		n := min(size, len(body))
		out = Join(out, flight[:3], U16(n), body[:n])
		body = body[n:]
	}
	return out
}

// HelloBody returns the body of the ClientHello of a one-record flight.
func HelloBody(flight []byte) []byte { return flight[9:] }

// DatagramHello puts a hello body, with a cookie added, into DTLS records of
// at most size bytes of body each.
func DatagramHello(body []byte, size int) [][]byte {
	// version, random, session id; then the cookie
	at := 2 + 32
	at += 1 + int(body[at])
	body = Join([]byte{0xfe, 0xfd}, body[2:at], []byte{0}, body[at:])
	var out [][]byte
	for offset := 0; offset < len(body); offset += size {
		piece := body[offset:min(offset+size, len(body))]
		message := Join([]byte{1}, u24(len(body)), U16(0), u24(offset), u24(len(piece)), piece)
		out = append(out, Join([]byte{22, 0xfe, 0xfd}, make([]byte, 8), U16(len(message)), message))
	}
	return out
}

func u24(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }

// DNSName returns a name on the wire.
func DNSName(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(name, ".") {
		if label != "" {
			out = append(append(out, byte(len(label))), label...)
		}
	}
	return append(out, 0)
}

// DNSQuery returns a query for one name.
func DNSQuery(id int, name string, kind int) []byte {
	return Join(U16(id), []byte{1, 0}, U16(1), U16(0), U16(0), U16(0), DNSName(name), U16(kind), U16(1))
}

// DNSRecord returns a resource record of class IN.
func DNSRecord(owner []byte, kind, ttl int, data []byte) []byte {
	return Join(owner, U16(kind), U16(1), U32(ttl), U16(len(data)), data)
}

// DNSAnswer returns the answer to DNSQuery with the given records.
func DNSAnswer(id int, name string, kind int, records ...[]byte) []byte {
	return Join(U16(id), []byte{0x81, 0x80}, U16(1), U16(len(records)), U16(0), U16(0),
		DNSName(name), U16(kind), U16(1), Join(records...))
}

// DNSStream puts the length before a message, as over TCP.
func DNSStream(message []byte) []byte { return Join(U16(len(message)), message) }
