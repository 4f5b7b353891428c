package wiretest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// QUIC versions for the builders.
const (
	QUICv1      = 1
	QUICv2      = 0x6b3343cf
	QUICDraft22 = 0xff000016
	QUICDraft23 = 0xff000017
	QUICDraft27 = 0xff00001b
	QUICDraft29 = 0xff00001d
	QUICDraft34 = 0xff000022
)

// QUICEnd builds the packets of one end of a QUIC connection. Its keys are
// derived apart from the decoder's, with crypto/hkdf, so that the two can be
// held against each other.
type QUICEnd struct {
	Version             uint32
	Destination, Source []byte // connection ids of the packets to come
	Token               []byte
	Number              uint64 // of the next packet
	NumberBytes         int    // how long packet numbers are written; 0 is 2
	key, iv, mask       []byte
}

// NewQUICClient returns a client whose keys come from the destination id, and
// whose version is protected like scheme.
func NewQUICClient(version, scheme uint32, destination, source []byte) *QUICEnd {
	return newQUICEnd(version, scheme, "client in", destination, destination, source)
}

// Server returns the server that answers c under its own id, as long as c
// still sends to the id that it chose itself.
func (c *QUICEnd) Server(scheme uint32, own []byte) *QUICEnd {
	return newQUICEnd(c.Version, scheme, "server in", c.Destination, c.Source, own)
}

func newQUICEnd(version, scheme uint32, side string, secret, destination, source []byte) *QUICEnd {
	salts := map[uint32]string{
		QUICv1:      "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
		QUICv2:      "0dede3def700a6db819381be6e269dcbf9bd2ed9",
		QUICDraft22: "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a",
		QUICDraft23: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
		QUICDraft27: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
		QUICDraft29: "afbfec289993d24c9e9786f19c6111e04390a899",
		QUICDraft34: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
	}
	salt, err := hex.DecodeString(salts[scheme])
	if err != nil || len(salt) == 0 {
		panic(fmt.Sprintf("no salt for version %#x", scheme)) // a mistake of the test
	}
	initial, err := hkdf.Extract(sha256.New, secret, salt)
	e := &QUICEnd{Version: version, Destination: destination, Source: source}
	derive := func(secret []byte, label string, length int) []byte {
		label = "tls13 " + label
		info := Join(U16(length), []byte{byte(len(label))}, []byte(label), []byte{0})
		out, failed := hkdf.Expand(sha256.New, secret, string(info), length)
		err = errors.Join(err, failed)
		return out
	}
	own := derive(initial, side, 32)
	prefix := "quic "
	if scheme == QUICv2 {
		prefix = "quicv2 "
	}
	e.key, e.iv, e.mask = derive(own, prefix+"key", 16), derive(own, prefix+"iv", 12), derive(own, prefix+"hp", 16)
	if err != nil {
		panic(err) // lengths that HKDF does not give
	}
	return e
}

// quicType writes a packet type as version 1 or 2 numbers it.
func quicType(version uint32, kind byte) byte {
	if version == QUICv2 {
		kind = (kind + 1) & 3
	}
	return 0xc0 | kind<<4
}

// Initial returns one sealed Initial with the frames.
func (e *QUICEnd) Initial(frames ...[]byte) []byte {
	size := e.NumberBytes
	if size == 0 {
		size = 2
	}
	payload := Join(frames...)
	for len(payload) < 4 {
		payload = append(payload, 0)
	}
	header := Join([]byte{quicType(e.Version, 0) | byte(size-1)}, e.ids(), QUICInt(uint64(len(e.Token))), e.Token,
		QUICInt(uint64(size+len(payload)+16)))
	at := len(header)
	number := binary.BigEndian.AppendUint64(nil, e.Number)
	header = append(header, number[8-size:]...)
	nonce := slices.Clone(e.iv)
	for i, b := range number {
		nonce[4+i] ^= b
	}
	block, err := aes.NewCipher(e.key)
	if err != nil {
		panic(err) // the key is of the right length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	packet := aead.Seal(slices.Clone(header), nonce, payload, header)
	protect, err := aes.NewCipher(e.mask)
	if err != nil {
		panic(err)
	}
	mask := make([]byte, 16)
	protect.Encrypt(mask, packet[at+4:at+20])
	packet[0] ^= mask[0] & 0x0f
	for i := range size {
		packet[at+i] ^= mask[1+i]
	}
	e.Number++
	return packet
}

// Datagram returns one Initial with the frames, padded to the 1,200 bytes that
// a client's datagram must have.
func (e *QUICEnd) Datagram(frames ...[]byte) []byte {
	used := 1 + len(e.ids()) + 1 + len(QUICInt(uint64(len(e.Token)))) + len(e.Token) + 4 + 16
	for _, f := range frames {
		used += len(f)
	}
	return e.Initial(append(frames, make([]byte, max(0, 1200-used)))...)
}

// Opaque returns a packet of another kind (1: 0-RTT, 2: Handshake) that nobody
// can open.
func (e *QUICEnd) Opaque(kind byte, size int) []byte {
	return Join([]byte{quicType(e.Version, kind)}, e.ids(), QUICInt(uint64(size)), slices.Repeat([]byte{0x5a}, size))
}

// Retry returns a Retry with a zero tag: the server's request to begin again
// with the source id as the client's new destination.
func (e *QUICEnd) Retry(token []byte) []byte {
	return Join([]byte{quicType(e.Version, 3)}, e.ids(), token, make([]byte, 16))
}

// VersionNegotiation returns the answer of a server that speaks the versions.
func (e *QUICEnd) VersionNegotiation(versions ...uint32) []byte {
	out := Join([]byte{0x80, 0, 0, 0, 0}, e.ids()[4:])
	for _, v := range versions {
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return out
}

func (e *QUICEnd) ids() []byte {
	return Join(U32(int(e.Version)), []byte{byte(len(e.Destination))}, e.Destination, []byte{byte(len(e.Source))}, e.Source)
}

// QUICInt returns n as a variable-length integer.
func QUICInt(n uint64) []byte {
	switch {
	case n < 1<<6:
		return []byte{byte(n)}
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(nil, uint16(n)|1<<14)
	case n < 1<<30:
		return binary.BigEndian.AppendUint32(nil, uint32(n)|2<<30)
	}
	return binary.BigEndian.AppendUint64(nil, n|3<<62)
}

// QUICCrypto returns a CRYPTO frame.
func QUICCrypto(offset int, data []byte) []byte {
	return Join([]byte{6}, QUICInt(uint64(offset)), QUICInt(uint64(len(data))), data)
}

// QUICPing returns a PING frame.
func QUICPing() []byte { return []byte{1} }

// QUICAck returns an ACK frame with two ranges, and with ECN counts where ecn
// is set.
func QUICAck(ecn bool) []byte {
	ack := Join([]byte{2}, QUICInt(300), QUICInt(20000), QUICInt(1), QUICInt(2), QUICInt(1), QUICInt(5))
	if ecn {
		ack[0] = 3
		ack = Join(ack, QUICInt(1), QUICInt(2), QUICInt(70000))
	}
	return ack
}

// QUICClose returns a CONNECTION_CLOSE frame.
func QUICClose(reason string) []byte {
	return Join([]byte{0x1c}, QUICInt(0x10a), QUICInt(6), QUICInt(uint64(len(reason))), []byte(reason))
}

// QUICHello returns the ClientHello that a real client puts into its CRYPTO
// stream.
func QUICHello(config *tls.Config) ([]byte, error) {
	config = config.Clone()
	config.MinVersion = tls.VersionTLS13
	client := tls.QUICClient(&tls.QUICConfig{TLSConfig: config})
	defer client.Close()
	client.SetTransportParameters(Join(QUICInt(4), QUICInt(4), QUICInt(1<<20), QUICInt(1), QUICInt(2), QUICInt(10000)))
	if err := client.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("starting a client: %w", err)
	}
	for {
		switch event := client.NextEvent(); event.Kind {
		case tls.QUICWriteData:
			return slices.Clone(event.Data), nil
		case tls.QUICNoEvent:
			return nil, errors.New("the client sends no hello")
		}
	}
}
