// Package config reads the agent's configuration file strictly and checks it.
//
// It may import signatures/strictyaml and go.yaml.in/yaml/v3. It does not know
// the parts that are configured: each has its own Config with defaults and a
// Validate, and main puts them together into one tree. What is of no part
// (where the state is kept, what the host is called) is Base.
package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Base is the configuration of the agent as a whole.
type Base struct {
	StateDir      string `yaml:"state_dir"`      // agent id, spool and quarantine are kept here
	HostName      string `yaml:"host_name"`      // "" is the name that the system tells
	Channel       string `yaml:"channel"`        // endpoint, server or gateway
	LogLevel      string `yaml:"log_level"`      // debug, info, warn or error
	SignaturesDir string `yaml:"signatures_dir"` // further catalogue files, *.yaml; "" for none

	// A signed pack in the place of the embedded signatures.
	SignaturesPack         string   `yaml:"signatures_pack"`          // file; "" for none
	SignaturesKeys         []string `yaml:"signatures_keys"`          // whose packs are taken: public keys in base64, the current and the next
	SignaturesAllowVersion uint64   `yaml:"signatures_allow_version"` // take this version although a higher one was accepted; 0 for none
}

// DefaultBase keeps the state where the system keeps that of services.
func DefaultBase() Base {
	return Base{StateDir: defaultStateDir(runtime.GOOS), Channel: "endpoint", LogLevel: "info", SignaturesKeys: []string{}}
}

func defaultStateDir(system string) string {
	switch system {
	case "windows":
		return `C:\ProgramData\Gnomon\Agent`
	case "darwin":
		return "/Library/Application Support/Gnomon/Agent"
	}
	return "/var/lib/gnomon-agent"
}

// Validate checks b; errors name the key of the configuration.
func (b Base) Validate() error {
	var all []error
	if !filepath.IsAbs(b.StateDir) {
		all = append(all, fmt.Errorf("state_dir: %q is not an absolute path", b.StateDir))
	}
	switch b.Channel {
	case "endpoint", "server", "gateway":
	default:
		all = append(all, fmt.Errorf("channel: %q is not one of endpoint, server, gateway", b.Channel))
	}
	switch b.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		all = append(all, fmt.Errorf("log_level: %q is not one of debug, info, warn, error", b.LogLevel))
	}
	all = append(all, b.validatePack()...)
	if len(b.HostName) > 253 {
		all = append(all, fmt.Errorf("host_name: %d bytes are more than a host name has", len(b.HostName)))
	}
	return errors.Join(all...)
}

// maxKeys is how many keys may be pinned: the current one and the next.
const maxKeys = 2

func (b *Base) validatePack() (all []error) {
	switch {
	case b.SignaturesPack == "" && (len(b.SignaturesKeys) > 0 || b.SignaturesAllowVersion > 0):
		return append(all, errors.New("signatures_pack: missing, and signatures_keys and signatures_allow_version mean nothing without it"))
	case b.SignaturesPack == "":
		return nil
	case !filepath.IsAbs(b.SignaturesPack):
		all = append(all, fmt.Errorf("signatures_pack: %q is not an absolute path", b.SignaturesPack))
	}
	if n := len(b.SignaturesKeys); n < 1 || n > maxKeys {
		all = append(all, fmt.Errorf("signatures_keys: %d keys are given: pin the publisher's key, and the next one while keys change", n))
	}
	for i, text := range b.SignaturesKeys {
		if key, err := base64.StdEncoding.DecodeString(text); err != nil || len(key) != ed25519.PublicKeySize {
			all = append(all, fmt.Errorf("signatures_keys: number %d, %q, is no public key: want %d bytes in base64, as gnomon-collector pack keygen prints them", i+1, text, ed25519.PublicKeySize))
		}
	}
	return all
}

// Section is one part of a tree and its check.
type Section struct {
	Key      string       // of the part in the file; "" for the top
	Validate func() error // errors start with the key inside the part
}

// Load decodes the file at path into tree, which holds the defaults, and checks
// the sections of it, asked for once it is decoded. All problems come together, each with file, line and key.
func Load(path string, tree any, sections func() []Section) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	if len(data) > maxFile {
		return fmt.Errorf("reading configuration: %s is over %d bytes", path, maxFile)
	}
	return decode(path, data, tree, sections)
}

func decode(path string, data []byte, tree any, sections func() []Section) error {
	positions, err := strictyaml.Decode(path, data, tree)
	var problems strictyaml.Errors
	if err != nil && !errors.As(err, &problems) {
		return fmt.Errorf("reading configuration: %w", err)
	}
	if len(problems) == 0 { // else values may be missing that checks would complain about
		for _, section := range sections() {
			for _, problem := range flatten(section.Validate()) {
				problems = append(problems, locate(positions, section.Key, problem))
			}
		}
		problems.Sort()
	}
	return problems.Err()
}

// flatten takes a joined error apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// leadingKey is a key at the start of a section's error: "max_bytes: 3 is …" or
// "limits.flows is 3: …".
var leadingKey = regexp.MustCompile(`^([a-z0-9_]+(?:\.[a-z0-9_]+)*)(: | (?:is|holds) )`)

// locate gives the error of a section the place of its key.
func locate(positions *strictyaml.Positions, section string, err error) strictyaml.Problem {
	key, text := section, err.Error()
	if m := leadingKey.FindStringSubmatch(text); m != nil {
		key = strings.TrimPrefix(section+"."+m[1], ".")
		if m[2] == ": " {
			text = strings.TrimPrefix(text, m[1]+m[2])
		}
	}
	return positions.Errorf(key, "%s", text)
}

// Print writes tree as YAML that Load would read.
func Print(w io.Writer, tree any) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(tree), encoder.Close()); err != nil {
		return fmt.Errorf("printing configuration: %w", err)
	}
	return nil
}
