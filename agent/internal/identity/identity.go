// Package identity says which agent this is and on which host it runs: a
// random agent id kept in the state directory, and the few host facts that
// every finding carries.
//
// It imports the standard library only. It does not enrol the agent and holds
// no key: the id is a name, not a secret, and a collector that knows the agent
// by its certificate or token overrules it.
package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// fileName is the name of the id file below the state directory.
const fileName = "agent_id"

// idBytes is the size of the agent id: 128 random bits.
const idBytes = 16

// Identity names one agent and its host.
type Identity struct {
	AgentID  string // 32 hex digits, stable as long as the state directory lives
	HostName string
	HostID   string // 32 hex digits derived from the machine id, "" where there is none
	OS       string // runtime.GOOS: linux, darwin, windows
}

// Load reads the agent id from stateDir and makes one there on the first call.
// hostName replaces the host name that the system tells; "" keeps that one.
// The directory must exist.
func Load(stateDir, hostName string) (Identity, error) {
	id, err := loadID(filepath.Join(stateDir, fileName))
	if err != nil {
		return Identity{}, err
	}
	host := Host(hostName)
	host.AgentID = id
	return host, nil
}

// Host returns the host facts alone, for commands that need no agent id.
func Host(hostName string) Identity {
	if hostName == "" {
		// A host without a name is reported with an empty one.
		hostName, _ = os.Hostname()
	}
	return Identity{HostName: hostName, HostID: hostID(machineIDFiles()), OS: runtime.GOOS}
}

// loadID reads the id file at path, or makes it. A damaged file is an error and
// never replaced silently: a new id would make the host look like a second one.
func loadID(path string) (string, error) {
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeID(path)
	}
	if err != nil {
		return "", fmt.Errorf("reading the agent id: %w", err)
	}
	id := strings.TrimSpace(text)
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != idBytes {
		return "", fmt.Errorf("reading the agent id: %s does not hold 32 hex digits; restore it, or remove it to make this a new agent", path)
	}
	return strings.ToLower(id), nil
}

// makeID writes a new random id to path, durably and readable by the agent
// alone. Where another process was faster, its id wins.
func makeID(path string) (string, error) {
	var raw [idBytes]byte
	rand.Read(raw[:]) // never fails, see crypto/rand
	id := hex.EncodeToString(raw[:])
	temporary, err := os.CreateTemp(filepath.Dir(path), fileName+".*")
	if err != nil {
		return "", fmt.Errorf("writing the agent id: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone where it was renamed
	_, err = temporary.WriteString(id + "\n")
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err != nil {
		return "", fmt.Errorf("writing the agent id: %w", err)
	}
	err = os.Link(temporary.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return loadID(path)
	}
	if err != nil { // a file system without links
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("writing the agent id: %w", err)
	}
	return id, nil
}

// machineIDFiles lists where a system keeps its machine id
// (machine-id(5), https://www.freedesktop.org/software/systemd/man/latest/machine-id.html).
func machineIDFiles() []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	return []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}
}

// hostID derives a host id from the first readable machine id. machine-id(5)
// asks that the id itself is never sent over a network, so what is returned is
// HMAC-SHA256 of a fixed word, keyed with it and cut to 128 bits.
func hostID(files []string) string {
	for _, file := range files {
		text, err := readSmall(file)
		text = strings.TrimSpace(text)
		if err != nil || text == "" || text == "uninitialized" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(text))
		mac.Write([]byte("gnomon host id"))
		return hex.EncodeToString(mac.Sum(nil)[:idBytes])
	}
	return ""
}

// readSmall reads at most 256 bytes of a file.
func readSmall(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, 256))
	return string(raw), err
}
