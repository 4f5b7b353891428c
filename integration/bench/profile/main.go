// Command profile turns a CPU profile into the default.pgo of a program, by
// which the Go compiler decides what to inline
// (https://go.dev/doc/pgo): profile IN OUT. What a compiler does not need and
// others should not see, the places of files on the machine that the profile
// was taken on, is left out.
//
// It imports protowire, as a profile is a zipped protocol buffer, and nothing of
// the project.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxProfile bounds an unzipped profile, in bytes.
const maxProfile = 64 << 20

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: profile CPU.pprof default.pgo")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	zipped, err := os.ReadFile(in)
	if err != nil {
		return fmt.Errorf("reading the profile: %w", err)
	}
	stripped, err := strip(zipped)
	if err != nil {
		return fmt.Errorf("reading the profile %s: %w", in, err)
	}
	if err := os.WriteFile(out, stripped, 0o644); err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	return nil
}

// strip replaces each absolute path among the strings of a profile by its last
// element.
func strip(zipped []byte) ([]byte, error) {
	plain, err := unzip(zipped)
	if err != nil {
		return nil, err
	}
	var out []byte
	err = eachString(plain, func(field []byte, text string, isText bool) {
		if !isText {
			out = append(out, field...)
			return
		}
		if path.IsAbs(text) {
			text = path.Base(text)
		}
		out = protowire.AppendTag(out, stringTable, protowire.BytesType)
		out = protowire.AppendString(out, text)
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(out); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unzip(zipped []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err != nil {
		return nil, err
	}
	if len(plain) > maxProfile {
		return nil, fmt.Errorf("more than %d bytes", maxProfile)
	}
	return plain, nil
}

// stringTable is the number of the field that holds the strings
// (https://github.com/google/pprof/blob/main/proto/profile.proto).
const stringTable = 6

// eachString calls visit for each field of a profile, with its bytes and,
// where it is one of the strings, its text.
func eachString(profile []byte, visit func(field []byte, text string, isText bool)) error {
	for len(profile) > 0 {
		number, kind, tag := protowire.ConsumeTag(profile)
		if tag < 0 {
			return errors.New("not a profile")
		}
		value := protowire.ConsumeFieldValue(number, kind, profile[tag:])
		if value < 0 {
			return errors.New("not a profile")
		}
		field := profile[:tag+value]
		if number == stringTable && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(profile[tag:])
			visit(field, string(text), true)
		} else {
			visit(field, "", false)
		}
		profile = profile[tag+value:]
	}
	return nil
}
