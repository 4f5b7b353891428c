//go:build linux

package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
)

func TestTokensAreMadeAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := begin(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	adminFile, agentFile := filepath.Join(dir, adminTokenFile), filepath.Join(dir, agentTokenFile)
	admin, agent := read(t, adminFile), read(t, agentFile)
	succeed(t, "verdicts", "--data-dir", dir)
	succeed(t, "token", "revoke", tokenID(admin), "--data-dir", dir)
	if err := first.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, endpointFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a stopped collector still names its ports: %v", err)
	}
	if err := os.WriteFile(agentFile, []byte(admin), 0o644); err != nil { // of another role, and open
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	second, err := begin(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	newAdmin, newAgent := read(t, adminFile), read(t, agentFile)
	if newAdmin == admin || newAgent == agent || newAgent == admin {
		t.Error("a token that is no longer good was kept")
	}
	succeed(t, "verdicts", "--data-dir", dir)
	if got := post(t, dir, newAgent); got != 200 {
		t.Errorf("the new agent token is answered with %d", got)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, adminFile: 0o600, agentFile: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
	if err := second.end(); err != nil {
		t.Fatal(err)
	}
	third, err := begin(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if read(t, adminFile) != newAdmin || read(t, agentFile) != newAgent {
		t.Error("good tokens were made anew")
	}
	if err := third.end(); err != nil {
		t.Fatal(err)
	}
	// The databases can be brought up to date without a running collector.
	if out := succeed(t, "migrate", "--data-dir", dir, "--config", write(t, "c.yaml", "engine: {library: "+testLibrary()+"}\n")); !strings.Contains(out, "up to date") {
		t.Errorf("migrate says %s", out)
	}
}

func TestServeFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		says   string
	}{
		{"no engine", func(c *config.Config) { c.Engine.Library = "/no/such/engine" }, "engine: "},
		{"a port that is taken", func(c *config.Config) { c.API.Listen = taken.Addr().String() }, "api.listen"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		r, err := begin(dir, c.change)
		if err == nil {
			t.Errorf("%s: started; stopped with %v", c.name, r.end())
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if _, err := os.Stat(filepath.Join(dir, endpointFile)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it names ports: %v", c.name, err)
		}
	}
}

// TestForeignFolder: a folder that others use is not made private.
func TestForeignFolder(t *testing.T) {
	for _, c := range []struct {
		name, file string
		mode, want os.FileMode // want 0: refused
	}{
		{"others' files", "notes.txt", 0o755, 0},
		{"a temporary folder", "x", 0o777, 0},
		{"an empty volume", "", 0o755, 0o700},
		{"an empty file system", "lost+found", 0o755, 0o700},
		{"a collector's", filepath.Base(stateFile("")), 0o755, 0o700},
		{"a private one", "notes.txt", 0o700, 0o700},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(dir, c.file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		err := (&collector{config: testConfig(dir)}).prepareDataDir(t.Context())
		info, statErr := os.Stat(dir)
		if statErr != nil {
			t.Fatal(statErr)
		}
		want := c.want
		if want == 0 {
			want = c.mode // untouched
		}
		if (err != nil) != (c.want == 0) || info.Mode().Perm() != want {
			t.Errorf("%s: %v, mode %o, want %o", c.name, err, info.Mode().Perm(), want)
		}
	}
}

// TestSignal is what a service manager does: it is told of ready and stopping,
// and a stop by signal is a success.
func TestSignal(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	told := func() string {
		t.Helper()
		if err := manager.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 100)
		n, err := manager.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	file := write(t, "c.yaml", "engine: {library: "+testLibrary()+"}\nreceive: {grpc: \"127.0.0.1:0\", http: \"\"}\napi: {listen: \"127.0.0.1:0\"}\n")
	cmd := exec.Command(os.Args[0], "serve", "--config", file, "--data-dir", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), asProgram+"=1", "NOTIFY_SOCKET="+socket)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // gone already where the test went well
	if text := told(); text != "READY=1" {
		t.Errorf("told %q", text)
	}
	if out := succeed(t, "endpoint", "otlp-http", "--data-dir", filepath.Join(dir, "data")); out != "\n" {
		t.Errorf("a receiver that is off is at %q", out)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if text := told(); text != "STOPPING=1" {
		t.Errorf("told %q", text)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped by a signal: %v\n%s", err, log.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "data", endpointFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a stopped collector still names its ports: %v", err)
	}
}
