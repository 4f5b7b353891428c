package pack

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/compact"
)

// Pack is an opened pack. It shares the bytes that it was opened from.
type Pack struct {
	Manifest Manifest

	data       []byte
	signed     int // the head of data that the signatures sign
	end        int // of the parts
	parts      map[signatures.Part][]byte
	signatures []signature
}

// signature is an Ed25519 signature and the key that it names.
type signature struct {
	key   KeyID
	bytes [ed25519.SignatureSize]byte
}

const signatureBytes = len(KeyID{}) + ed25519.SignatureSize

// Open reads the form of a pack. It vouches for nothing: see Verify. Errors are
// ErrDamaged or ErrNewerFormat, wrapped.
func Open(data []byte) (*Pack, error) {
	switch {
	case len(data) > MaxBytes:
		return nil, refuse(ErrDamaged, "it is longer than the %d bytes that are read", MaxBytes)
	case len(data) >= len(magic) && strings.HasPrefix(string(data[:len(magic)]), "GNOMON PACK v") && string(data[:len(magic)]) != magic:
		return nil, refuse(ErrNewerFormat, "its form is not %q", strings.TrimSpace(magic))
	case len(data) < len(magic)+4 || string(data[:len(magic)]) != magic:
		return nil, refuse(ErrDamaged, "it does not begin as a pack")
	}
	size := int64(binary.BigEndian.Uint32(data[len(magic):]))
	begin := len(magic) + 4
	if size > maxManifest || size > int64(len(data)-begin) {
		return nil, refuse(ErrDamaged, "its manifest of %d bytes is cut off or too long", size)
	}
	p := &Pack{data: data, signed: begin + int(size), parts: map[signatures.Part][]byte{}}
	var err error
	if p.Manifest, err = readManifest(data[begin:p.signed]); err != nil {
		return nil, err
	}
	at := p.signed
	for _, part := range p.Manifest.Parts {
		if part.Size > len(data)-at {
			return nil, refuse(ErrDamaged, "the part %s is cut off", part.Name)
		}
		p.parts[part.Name] = data[at : at+part.Size]
		at += part.Size
	}
	p.end = at
	return p, p.readSignatures(data[at:])
}

func (p *Pack) readSignatures(data []byte) error {
	if len(data) == 0 || int(data[0]) > maxSignatures || len(data) != 1+int(data[0])*signatureBytes {
		return refuse(ErrDamaged, "its signatures are cut off, or something follows them")
	}
	for data = data[1:]; len(data) > 0; data = data[signatureBytes:] {
		var s signature
		copy(s.key[:], data)
		copy(s.bytes[:], data[len(s.key):])
		if slices.ContainsFunc(p.signatures, func(other signature) bool { return other.key == s.key }) {
			return refuse(ErrDamaged, "it is signed by the key %s twice", s.key)
		}
		p.signatures = append(p.signatures, s)
	}
	return nil
}

// intact says whether a part is the one that the manifest means.
func (p *Pack) intact(name signatures.Part) error {
	for _, entry := range p.Manifest.Parts {
		if sum := sha256.Sum256(p.parts[name]); entry.Name == name && hex.EncodeToString(sum[:]) != entry.SHA256 {
			return refuse(ErrDamaged, "the part %s is not what the manifest says", name)
		}
	}
	return nil
}

// Rules returns the signatures without facts and examples: what matching needs.
func (p *Pack) Rules() ([]signatures.Signature, error) {
	return p.decode(signatures.PartRules)
}

// All returns the signatures whole.
func (p *Pack) All() ([]signatures.Signature, error) {
	return p.decode(signatures.Parts()...)
}

func (p *Pack) decode(parts ...signatures.Part) ([]signatures.Signature, error) {
	var list []signatures.Signature
	for _, part := range parts {
		if err := p.intact(part); err != nil {
			return nil, err
		}
		err := part.Decode(p.parts[part], &list)
		switch {
		case errors.Is(err, compact.ErrUnknown):
			return nil, refuse(ErrNewerFormat, "%v", err)
		case err != nil:
			return nil, refuse(ErrDamaged, "%v", err)
		}
	}
	if len(list) != p.Manifest.Signatures {
		return nil, refuse(ErrDamaged, "it holds %d signatures, its manifest says %d", len(list), p.Manifest.Signatures)
	}
	return list, nil
}
