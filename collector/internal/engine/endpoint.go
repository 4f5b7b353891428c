package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Endpoint is a running engine as another process of the same user reaches it.
type Endpoint struct {
	Dir      string // the engine directory
	User     string
	Password string
}

// Attach finds the engine that a collector of the same user runs over dataDir.
// The error is ErrNotReady where none runs.
func Attach(dataDir string) (Endpoint, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return Endpoint{}, fmt.Errorf("finding the data directory: %w", err)
	}
	b, err := os.ReadFile(layout{dir: dir}.credentials())
	if os.IsNotExist(err) {
		return Endpoint{}, fmt.Errorf("%w: no collector runs over %s", ErrNotReady, dataDir)
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("reading the engine credentials: %w", err)
	}
	var c credentials
	if err := json.Unmarshal(b, &c); err != nil {
		return Endpoint{}, fmt.Errorf("reading the engine credentials: %w", err)
	}
	return Endpoint{Dir: dir, User: c.User, Password: c.Password}, nil
}

// Dial connects; an address is not needed.
func (p Endpoint) Dial(ctx context.Context, _ string) (net.Conn, error) { return dialIn(ctx, p.Dir) }

// dialIn connects to the socket in dir. A path that is longer than the system
// takes for a socket (108 bytes on Linux, 104 on macOS) is shortened.
func dialIn(ctx context.Context, dir string) (net.Conn, error) {
	var dialer net.Dialer
	path, release, err := shortSocket(dir)
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	defer release()
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	return conn, nil
}

const longestSocket = 100

// shortSocket names the socket in dir by a path that is short enough: through
// a link in a private temporary folder where dir itself is too long.
func shortSocket(dir string) (path string, release func(), err error) {
	path = layout{dir: dir}.socket()
	if len(path) <= longestSocket {
		return path, func() {}, nil
	}
	tmp, err := os.MkdirTemp("", "gnomon-")
	if err != nil {
		return "", nil, err
	}
	release = func() { _ = os.RemoveAll(tmp) }
	link := filepath.Join(tmp, "d")
	if err := os.Symlink(dir, link); err != nil {
		release()
		return "", nil, err
	}
	return filepath.Join(link, socketName), release, nil
}
