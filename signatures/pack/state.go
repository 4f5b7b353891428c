package pack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// State is what has to outlive the program, so that an older pack is not taken
// for a new one. The zero State is that of a program that never accepted one.
type State struct {
	ID       string    `json:"pack_id"`
	Highest  uint64    `json:"highest_version"`
	Digest   string    `json:"digest"`   // Pack.Digest of the highest version
	Accepted time.Time `json:"accepted"` // when the highest version was first accepted
	Tested   string    `json:"tested"`   // which pack passed its tests last, and by which program
}

// maxState bounds the file of a State, in bytes.
const maxState = 1 << 16

// LoadState reads the file at path; one that is not there is the zero State.
func LoadState(path string) (State, error) {
	data, err := readLimited(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("reading the state of packs: %w", err)
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("reading the state of packs: %s is damaged (%w): restore it, or remove it to forget which version was accepted", path, err)
	}
	if (s.Highest == 0) != (s.ID == "") || (s.Highest == 0) != (s.Digest == "") {
		return State{}, fmt.Errorf("reading the state of packs: %s is damaged: restore it, or remove it to forget which version was accepted", path)
	}
	return s, nil
}

// Save writes s to path: whole, or not at all.
func (s State) Save(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the state of packs: %w", err)
	}
	if err := WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the state of packs: %w", err)
	}
	return nil
}

// ReadFile reads the bytes of a pack: a regular file of at most MaxBytes.
func ReadFile(path string) ([]byte, error) {
	data, err := readLimited(path, MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("reading a pack: %w", err)
	}
	return data, nil
}

func readLimited(path string, limit int64) ([]byte, error) {
	// Asked before opening: to open a pipe that nobody writes to waits for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is longer than the %d bytes that are read", path, limit)
	}
	return data, nil
}

// WriteFile writes data to path with the rights of mode: whole, or not at all.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// linesOf lists the lines of an error that are not empty.
func linesOf(err error) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(err.Error()) {
			if line = strings.TrimSpace(line); line != "" && !yield(line) {
				return
			}
		}
	}
}
