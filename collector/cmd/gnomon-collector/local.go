package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/state"
)

// Files that the collector writes into its data folder, readable by its own
// user alone: whoever can read them may use the collector on this machine.
const (
	endpointFile   = "endpoint.json"
	adminTokenFile = "admin.token"
	agentTokenFile = "agent.token"
)

// endpoints is where a running collector listens.
type endpoints struct {
	API      string `json:"api"`
	OTLPHTTP string `json:"otlp_http"`
	OTLPGRPC string `json:"otlp_grpc"`
	PID      int    `json:"pid"`
}

// writeTokens makes the tokens of this machine's own agent and commands, where
// they are missing or no longer good.
func (c *collector) writeTokens(ctx context.Context) error {
	for _, t := range []struct {
		file, name string
		role       state.TokenRole
	}{
		{adminTokenFile, "local admin", state.RoleAdmin},
		{agentTokenFile, "local agent", state.RoleAgent},
	} {
		path := filepath.Join(c.config.DataDir, t.file)
		data, err := os.ReadFile(path)
		if err == nil {
			if known, err := c.state.VerifyToken(ctx, strings.TrimSpace(string(data)), time.Now()); err == nil && known.Role == t.role {
				continue
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		_, plain, err := c.state.CreateToken(ctx, t.name, t.role, time.Time{}, state.Change{Author: "collector", Source: state.SourceAPI, At: time.Now()})
		if err != nil {
			return err
		}
		if err := writePrivate(path, []byte(plain+"\n")); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) writeEndpoint(context.Context) error {
	grpcAddress, httpAddress := c.receiver.Addresses()
	e := endpoints{
		API:      baseURL(c.config.API.TLS.Enabled(), c.api.Address()),
		OTLPHTTP: baseURL(c.config.Receive.TLS.Enabled(), httpAddress),
		OTLPGRPC: address(grpcAddress),
		PID:      os.Getpid(),
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding the endpoints: %w", err)
	}
	path := filepath.Join(c.config.DataDir, endpointFile)
	if err := writePrivate(path, append(data, '\n')); err != nil {
		return err
	}
	c.onStop(func(context.Context) error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the endpoint file: %w", err)
		}
		return nil
	})
	return nil
}

// baseURL is where a client on this machine reaches a server; "" for one that
// is off. A server on every address is reached on loopback.
func baseURL(tls bool, a net.Addr) string {
	if a == nil {
		return ""
	}
	where := a.String()
	if tcp, isTCP := a.(*net.TCPAddr); isTCP && tcp.IP.IsUnspecified() {
		where = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	if tls {
		return "https://" + where
	}
	return "http://" + where
}

// writePrivate writes a file of mode 0600 whole or not at all.
func writePrivate(path string, data []byte) error {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func readEndpoints(dataDir string) (endpoints, error) {
	var e endpoints
	data, err := os.ReadFile(filepath.Join(dataDir, endpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return e, fmt.Errorf("no collector runs on %s: start it with `gnomon-collector serve --data-dir %s`, or name another with --api and --token-file", dataDir, dataDir)
	}
	if err != nil {
		return e, fmt.Errorf("reading where the collector listens (are you the user it runs as?): %w", err)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("reading %s: %w", endpointFile, err)
	}
	return e, nil
}

// notify tells the service manager a state, where there is one (sd_notify(3)).
func notify(text string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	connection, err := net.Dial("unixgram", socket)
	if err != nil {
		return // the manager is gone: nobody is left to tell
	}
	defer connection.Close()
	_, _ = connection.Write([]byte(text)) // as above
}

// quietLog is the log of commands whose output is their result: warnings and
// worse, as text.
func quietLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
