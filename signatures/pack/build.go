package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

const magic = "GNOMON PACK v1\r\n"

// Licence is under which packs of this project are published.
const Licence = "Apache-2.0"

// Options are what a pack says of itself; see Manifest.
type Options struct {
	ID              string
	Version         uint64
	Channel         string
	MinAgentVersion string
	Created         time.Time // zero for none
	Expires         time.Time // zero for never
	Source          string
}

// Validate checks o; errors name the field.
func (o *Options) Validate() error {
	switch {
	case !nameForm.MatchString(o.ID):
		return fmt.Errorf("id: %q is no slug (lower-case letters, digits and -, at most 63)", o.ID)
	case o.Channel != "" && !nameForm.MatchString(o.Channel):
		return fmt.Errorf("channel: %q is no slug (lower-case letters, digits and -, at most 63)", o.Channel)
	case o.MinAgentVersion != "" && !versionForm.MatchString(o.MinAgentVersion):
		return fmt.Errorf("min-agent-version: %q is no version such as 0.4.0", o.MinAgentVersion)
	case !o.Expires.IsZero() && !o.Expires.After(o.Created):
		return fmt.Errorf("expires: %s is not after created, %s", o.Expires.Format(time.RFC3339), o.Created.Format(time.RFC3339))
	}
	return nil
}

// Build makes an unsigned pack of list, which signatures.Load or Check has
// taken. The same input gives the same bytes.
func Build(list []signatures.Signature, o Options) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("building a pack: %w", err)
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b signatures.Signature) int { return strings.Compare(a.ID, b.ID) })
	version, err := signatures.Version(list)
	if err != nil {
		return nil, fmt.Errorf("building a pack: %w", err)
	}
	m := Manifest{
		Format: Format, Schema: signatures.Schema, ID: o.ID, Version: o.Version, Channel: o.Channel, MinAgentVersion: o.MinAgentVersion,
		Created: o.Created.UTC().Truncate(time.Second), Expires: o.Expires.UTC().Truncate(time.Second),
		Catalogue: version, Signatures: len(list), Source: o.Source, Licence: Licence, Attribution: attribution(list),
	}
	var parts []byte
	for _, part := range signatures.Parts() {
		data, err := part.Encode(list)
		if err != nil {
			return nil, fmt.Errorf("building a pack: %w", err)
		}
		sum := sha256.Sum256(data)
		m.Parts = append(m.Parts, PartEntry{part, len(data), hex.EncodeToString(sum[:])})
		parts = append(parts, data...)
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("building a pack: writing its manifest: %w", err)
	}
	out := append([]byte(magic), binary.BigEndian.AppendUint32(nil, uint32(len(manifest)))...)
	out = append(append(out, manifest...), parts...)
	out = append(out, 0) // signatures
	if len(manifest) > maxManifest || len(out) > MaxBytes {
		return nil, fmt.Errorf("building a pack: it has %d bytes, %d of them its manifest: at most %d and %d are read", len(out), len(manifest), MaxBytes, maxManifest)
	}
	return out, nil
}
