package network

import (
	"crypto/tls"
	"net/netip"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

const quicLine = "quic api.example.com " + clientEnd + ">" + serverEnd

// quicHello returns the handshake message of a real client.
func quicHello(t testing.TB, name string) []byte {
	t.Helper()
	b, err := wire.QUICHello(&tls.Config{ServerName: name, NextProtos: []string{"h3"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func quicClient() *wire.QUICEnd {
	return wire.NewQUICClient(wire.QUICv1, wire.QUICv1, []byte("destinat"), []byte("source"))
}

// quicUp returns a frame from client to server, quicDown one the other way.
func quicUp(datagram []byte) []byte {
	return wire.Datagram(netip.MustParseAddrPort(clientEnd), netip.MustParseAddrPort(serverEnd), datagram)
}

func quicDown(datagram []byte) []byte {
	return wire.Datagram(netip.MustParseAddrPort(serverEnd), netip.MustParseAddrPort(clientEnd), datagram)
}

func quicUps(datagrams ...[]byte) [][]byte {
	var frames [][]byte
	for _, d := range datagrams {
		frames = append(frames, quicUp(d))
	}
	return frames
}

// pieces returns a handshake message as CRYPTO frames of at most size bytes.
func pieces(message []byte, size int) [][]byte {
	var frames [][]byte
	for at := 0; at < len(message); at += size {
		frames = append(frames, wire.QUICCrypto(at, message[at:min(at+size, len(message))]))
	}
	return frames
}
