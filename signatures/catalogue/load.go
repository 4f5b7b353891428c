package catalogue

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/pack"
)

// loader is raised when the same YAML files begin to mean something else.
const loader = 1

// Rules returns what matching needs, in id order, with its signatures.Version:
// the list has no sources, notes, risks and examples.
func Rules() (list []signatures.Signature, version string, err error) {
	return rules(Files, compiled)
}

// All returns the catalogue whole, in id order.
func All() ([]signatures.Signature, error) { return all(Files, compiled) }

// Compile indexes the catalogue for matching.
func Compile() (*signatures.Set, error) {
	list, version, err := Rules()
	if err != nil {
		return nil, err
	}
	return signatures.CompileAs(list, version)
}

// Pack compiles YAML files into the bytes of CompiledFile. The same files give
// the same bytes.
func Pack(files fs.FS) ([]byte, error) {
	source, err := digest(files)
	if err != nil {
		return nil, err
	}
	list, err := signatures.Load(files)
	if err != nil {
		return nil, err
	}
	return pack.Build(list, pack.Options{ID: "embedded", Source: source})
}

func rules(files, compiled fs.FS) ([]signatures.Signature, string, error) {
	p, err := current(files, compiled)
	if err != nil {
		return nil, "", err
	}
	if p == nil {
		// The long way round, so that both ways give the same.
		data, err := Pack(files)
		if err != nil {
			return nil, "", err
		}
		if p, err = pack.Open(data); err != nil {
			return nil, "", fmt.Errorf("reading the embedded catalogue: %w", err)
		}
	}
	list, err := p.Rules()
	if err != nil {
		return nil, "", fmt.Errorf("reading the embedded catalogue: %w", err)
	}
	return list, p.Manifest.Catalogue, nil
}

func all(files, compiled fs.FS) ([]signatures.Signature, error) {
	p, err := current(files, compiled)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return signatures.Load(files)
	}
	list, err := p.All()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded catalogue: %w", err)
	}
	return list, nil
}

// current returns the compiled catalogue, nil where there is none or it was
// compiled from anything but files by these structs.
func current(files, compiled fs.FS) (*pack.Pack, error) {
	data, err := fs.ReadFile(compiled, CompiledFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the embedded catalogue: %w", err)
	}
	want, err := digest(files)
	if err != nil {
		return nil, err
	}
	p, err := pack.Open(data)
	if err != nil || p.Manifest.Source != want {
		return nil, nil // an older program's: the YAML is as good
	}
	return p, nil
}

// digest identifies the YAML files and the code that reads them.
func digest(files fs.FS) (string, error) {
	shape, err := signatures.ShapeDigest()
	if err != nil {
		return "", err
	}
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return "", fmt.Errorf("reading the embedded catalogue: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %d\n", loader, shape, pack.Format)
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return "", fmt.Errorf("reading the embedded catalogue: %w", err)
		}
		// Lengths first: where one file ends is part of what is hashed.
		h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(len(name))), uint64(len(data))))
		h.Write([]byte(name))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
