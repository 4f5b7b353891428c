package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/gowebpki/jcs"
)

// Canonical returns the canonical JSON (RFC 8785) of the normal form of d and
// the hex SHA-256 of it. d itself is not changed.
func (d *Document) Canonical() (data []byte, sum string, err error) {
	copied := *d
	copied.Entries = append([]Entry(nil), d.Entries...)
	copied.Normalize()
	return canonical(&copied)
}

// Canonical returns the canonical JSON (RFC 8785) of the normal form of d and
// the hex SHA-256 of it. d itself is not changed.
func (d *Directory) Canonical() (data []byte, sum string, err error) {
	copied := Directory{Users: append([]User(nil), d.Users...), Hosts: append([]Host(nil), d.Hosts...)}
	copied.Normalize()
	return canonical(&copied)
}

func canonical(value any) (data []byte, sum string, err error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, "", fmt.Errorf("encoding as JSON: %w", err)
	}
	if data, err = jcs.Transform(plain); err != nil {
		return nil, "", fmt.Errorf("bringing JSON into canonical form: %w", err)
	}
	hash := sha256.Sum256(data)
	return data, hex.EncodeToString(hash[:]), nil
}

// FromJSON reads what Canonical wrote. Unknown keys are errors: a document of a
// later version of the schema is not read in part.
func FromJSON(data []byte) (*Document, error) {
	var d Document
	if err := strictJSON(data, &d); err != nil {
		return nil, fmt.Errorf("reading an inventory from JSON: %w", err)
	}
	return &d, nil
}

// DirectoryFromJSON reads what (*Directory).Canonical wrote.
func DirectoryFromJSON(data []byte) (*Directory, error) {
	var d Directory
	if err := strictJSON(data, &d); err != nil {
		return nil, fmt.Errorf("reading a directory from JSON: %w", err)
	}
	return &d, nil
}

func strictJSON(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("data after the document")
	}
	return nil
}
