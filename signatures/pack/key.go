package pack

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
)

// KeyID tells keys apart: the first 8 bytes of the SHA-256 of the public key.
type KeyID [8]byte

// String writes the id in hex.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// IDOf returns the id of a public key.
func IDOf(key ed25519.PublicKey) KeyID {
	sum := sha256.Sum256(key)
	return KeyID(sum[:8])
}
