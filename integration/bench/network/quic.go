package main

import (
	"context"
	"crypto/tls"

	"github.com/quic-go/quic-go"
)

// dial starts a QUIC handshake that nobody answers.
func dial(ctx context.Context, address string) {
	config := &tls.Config{ServerName: "flood.example.com", NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	if connection, err := quic.DialAddr(ctx, address, config, nil); err == nil {
		_ = connection.CloseWithError(0, "")
	}
}
