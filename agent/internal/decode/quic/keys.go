package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
)

// Keys opens the Initials of one client. It is 44 bytes: what the ciphers
// expand it to is not kept.
type Keys struct {
	key, mask [16]byte
	iv        [12]byte
}

// salt returns the salt of a scheme: RFC 9001, section 5.2; RFC 9369, section
// 3.3.1; the same section of draft-ietf-quic-tls-22, -23, -29 and -33 and of
// draft-ietf-quic-v2-01; those of T050 and T051 stand in the source of
// Chromium.
func (s Scheme) salt() string {
	switch s {
	case SchemeDraft22:
		return "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
	case SchemeDraft23:
		return "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	case SchemeDraft29:
		return "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	case SchemeV2Draft:
		return "\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3"
	case SchemeV2:
		return "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
	case schemeT050:
		return "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
	case schemeT051:
		return "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"
	}
	return "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
}

// ClientKeys derives the keys of a client's Initials from the destination
// connection id of its first one (RFC 9001, section 5.2).
func (s Scheme) ClientKeys(destination []byte) Keys {
	initial := mac(s.salt(), destination)
	secret := expand(&initial, "client in")
	key, iv, mask := "quic key", "quic iv", "quic hp"
	if s == SchemeV2 || s == SchemeV2Draft {
		key, iv, mask = "quicv2 key", "quicv2 iv", "quicv2 hp"
	}
	var k Keys
	derived := expandTo(&secret, key, len(k.key))
	copy(k.key[:], derived[:])
	derived = expandTo(&secret, iv, len(k.iv))
	copy(k.iv[:], derived[:])
	derived = expandTo(&secret, mask, len(k.mask))
	copy(k.mask[:], derived[:])
	return k
}

func expand(secret *[32]byte, label string) [32]byte { return expandTo(secret, label, len(secret)) }

// expandTo is HKDF-Expand-Label (RFC 8446, section 7.1) with SHA-256 and no
// context; of the result, length bytes count. That is at most one block, so
// that HKDF-Expand is one HMAC.
func expandTo(secret *[32]byte, label string, length int) [32]byte {
	var info [64]byte
	b := append(info[:0], byte(length>>8), byte(length), byte(6+len(label)))
	b = append(b, "tls13 "...)
	b = append(b, label...)
	return mac(string(secret[:]), append(b, 0, 1))
}

// mac is HMAC-SHA-256 (RFC 2104) of a key of at most one block and a message
// of at most 255 bytes. It stands here because crypto/hkdf allocates some
// twenty objects for each client, which whoever floods a network with Initials
// would choose the number of; the tests hold it against crypto/hkdf.
func mac(key string, message []byte) [32]byte {
	const block = sha256.BlockSize
	var inner [block + 255]byte
	var outer [block + sha256.Size]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range block {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	n := copy(inner[block:], message)
	sum := sha256.Sum256(inner[:block+n])
	copy(outer[block:], sum[:])
	return sha256.Sum256(outer[:])
}

const (
	sampleBytes = 16
	tagBytes    = 16
	mostNumber  = 4 // bytes of a packet number
	// reservedBits are zero under the header protection; who sets them ends the
	// connection (RFC 9000, section 17.2).
	reservedBits = 0x0c
)

// Opener opens packets. What it returns lies in its memory until the next
// call. The zero value is ready; it is used by one goroutine at a time.
type Opener struct {
	header, plain []byte
	block, nonce  [16]byte
}

// Open removes the protection of an Initial (RFC 9001, sections 5.3 and 5.4).
// expected is one more than the largest packet number of this client so far.
// It reports false where the keys do not fit, or the packet was changed or is
// cut.
func (o *Opener) Open(k *Keys, p *Packet, expected uint64) (payload []byte, number uint64, ok bool) {
	if p.Cut {
		return nil, 0, false
	}
	at, number, ok := o.unmask(k, p, expected)
	if !ok || len(p.bytes) < at+tagBytes {
		return nil, 0, false
	}
	aead, ok := k.aead()
	if !ok {
		return nil, 0, false
	}
	o.setNonce(k, number)
	if need := len(p.bytes) - at; cap(o.plain) < need {
		o.plain = make([]byte, 0, need)
	}
	payload, err := aead.Open(o.plain[:0], o.nonce[:len(k.iv)], p.bytes[at:], o.header)
	return payload, number, err == nil
}

// Peek decrypts what there is of an Initial that the capture cut. Nothing
// proves that the keys fit: what is returned must be held against what it
// should be.
func (o *Opener) Peek(k *Keys, p *Packet, expected uint64) (payload []byte, number uint64, ok bool) {
	at, number, ok := o.unmask(k, p, expected)
	if !ok || len(p.bytes) <= at {
		return nil, 0, false
	}
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, 0, false
	}
	o.setNonce(k, number)
	o.nonce[15] = 2 // the first block of AES-GCM encrypts the tag
	o.plain = append(o.plain[:0], p.bytes[at:]...)
	cipher.NewCTR(block, o.nonce[:]).XORKeyStream(o.plain, o.plain)
	return o.plain, number, true
}

// unmask copies the header and removes its protection. at is where the payload
// starts.
func (o *Opener) unmask(k *Keys, p *Packet, expected uint64) (at int, number uint64, ok bool) {
	sample := p.number + mostNumber
	if len(p.bytes) < sample+sampleBytes {
		return 0, 0, false
	}
	mask, err := aes.NewCipher(k.mask[:])
	if err != nil {
		return 0, 0, false
	}
	copy(o.block[:], p.bytes[sample:])
	mask.Encrypt(o.block[:], o.block[:])
	first := p.bytes[0] ^ o.block[0]&0x0f
	if first&reservedBits != 0 {
		return 0, 0, false // most wrong keys are told by this, for half the price
	}
	size := int(first&3) + 1
	at = p.number + size
	o.header = append(o.header[:0], p.bytes[:at]...)
	o.header[0] = first
	truncated := uint64(0)
	for i := range size {
		o.header[p.number+i] ^= o.block[1+i]
		truncated = truncated<<8 | uint64(o.header[p.number+i])
	}
	return at, fullNumber(truncated, size, expected), true
}

// fullNumber completes a packet number to the one nearest to the expected
// (RFC 9000, appendix A.3).
func fullNumber(truncated uint64, size int, expected uint64) uint64 {
	window := uint64(1) << (8 * size)
	n := expected&^(window-1) | truncated
	switch {
	case n+window/2 <= expected:
		return n + window
	case n > expected+window/2 && n >= window:
		return n - window
	}
	return n
}

func (o *Opener) setNonce(k *Keys, number uint64) {
	o.nonce = [16]byte{}
	copy(o.nonce[:], k.iv[:])
	for i := range 8 {
		o.nonce[len(k.iv)-1-i] ^= byte(number >> (8 * i))
	}
}

func (k *Keys) aead() (cipher.AEAD, bool) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, false
	}
	aead, err := cipher.NewGCM(block)
	return aead, err == nil // it is refused where only FIPS 140 approved use is allowed
}
