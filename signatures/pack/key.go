package pack

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
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

// ParseKey reads a public key: 32 bytes in base64, as FormatKey writes them.
func ParseKey(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is no public key: want %d bytes in base64, as `pack keygen` prints them", text, ed25519.PublicKeySize)
	}
	return key, nil
}

// FormatKey writes a public key as the configuration takes it.
func FormatKey(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }

// NewKey makes a key and writes its private half to path (PKCS #8 in PEM, for
// its user alone), where nothing may be yet.
func NewKey(path string) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing a private key: %w", err)
	}
	err = pem.Encode(file, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, fmt.Errorf("writing a private key: %w", err)
	}
	return public, nil
}

// maxKeyFile bounds the file of a private key, in bytes.
const maxKeyFile = 1 << 14

// ReadPrivateKey reads what NewKey wrote. A file that others may read is
// refused, save on Windows, where the mode of a file does not say who may.
func ReadPrivateKey(path string) (ed25519.PrivateKey, error) {
	data, err := readLimited(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("reading a private key: %s may be read by others (mode %04o): run chmod 600 on it, and think about who has read it", path, info.Mode().Perm())
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("reading a private key: %s holds no PRIVATE KEY in PEM, as `pack keygen` writes it", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %s: %w", path, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("reading a private key: %s holds a %T, want Ed25519", path, key)
	}
	return private, nil
}

// Sign returns the pack with the signature of key, in the place of one that the
// key gave before. What it signs is opened first. The same input gives the same
// bytes.
func Sign(data []byte, key ed25519.PrivateKey) ([]byte, error) {
	p, err := Open(data)
	if err != nil {
		return nil, err
	}
	for _, part := range p.Manifest.Parts {
		if err := p.intact(part.Name); err != nil {
			return nil, err
		}
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("signing a pack: the key is not Ed25519")
	}
	s := signature{key: IDOf(public)}
	copy(s.bytes[:], ed25519.Sign(key, signedMessage(data[:p.signed])))
	all := slices.DeleteFunc(slices.Clone(p.signatures), func(other signature) bool { return other.key == s.key })
	all = append(all, s)
	if len(all) > maxSignatures {
		return nil, fmt.Errorf("signing a pack: it has %d signatures already", maxSignatures)
	}
	slices.SortFunc(all, func(a, b signature) int { return bytes.Compare(a.key[:], b.key[:]) })
	out := append(slices.Clone(data[:p.end]), byte(len(all)))
	for _, s := range all {
		out = append(append(out, s.key[:]...), s.bytes[:]...)
	}
	return out, nil
}
