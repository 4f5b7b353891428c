package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// Both ends of the line, and what listens on the server's.
const (
	clientDevice, serverDevice = "gnomon0", "gnomon1"
	clientAddress              = "198.18.0.1"
	serverAddress              = "198.18.0.2"
	namePort                   = ":443"
	bulkPort                   = ":5001"
)

// up brings a device up under an address.
func up(o options, device, address string) error {
	commands := [][]string{{"link", "set", "lo", "up"}, {"addr", "add", address + "/24", "dev", device}, {"link", "set", device, "up"}}
	if o.Segments {
		commands = append(commands, []string{"link", "set", device, "gso_max_segs", "1"})
	}
	for _, c := range commands {
		if err := ip(c...); err != nil {
			return err
		}
	}
	return nil
}

// server answers for every name and takes or gives bulk.
func server(ctx context.Context, o options, tell func(any) error) error {
	if err := up(o, serverDevice, serverAddress); err != nil {
		return err
	}
	config, err := certificate()
	if err != nil {
		return err
	}
	names, err := tls.Listen("tcp", serverAddress+namePort, config)
	if err != nil {
		return err
	}
	bulk, err := net.Listen("tcp", serverAddress+bulkPort)
	if err != nil {
		return err
	}
	datagrams, err := quic.ListenAddr(serverAddress+namePort, config, nil)
	if err != nil {
		return err
	}
	go accept(names, func(c net.Conn) { _, _ = io.Copy(c, io.LimitReader(c, 64)) })
	go accept(bulk, func(c net.Conn) { exchange(c, o.Upload, o.Bits) })
	go func() {
		for {
			c, err := datagrams.Accept(ctx)
			if err != nil {
				return
			}
			go func() { <-c.Context().Done() }()
		}
	}()
	if err := tell(struct{}{}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

// exchange is the server's end of the bulk transfer.
func exchange(c net.Conn, upload bool, bits int64) {
	if upload {
		_, _ = io.Copy(io.Discard, c) // ends when the client does
		return
	}
	pace(c, bits)
}

// pace writes at a rate until the other end is gone.
func pace(c net.Conn, bits int64) {
	chunk := make([]byte, 128<<10)
	began := time.Now()
	for sent := int64(0); ; {
		n, err := c.Write(chunk)
		if err != nil {
			return
		}
		sent += int64(n)
		due := time.Duration(float64(sent) * 8 / float64(bits) * float64(time.Second))
		if ahead := due - time.Since(began); ahead > time.Millisecond {
			time.Sleep(min(ahead, time.Second))
		}
	}
}

// certificate serves one certificate for every name: clients do not check it.
func certificate() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gnomon bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"h3", "h2", "http/1.1"}}, nil
}
