package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
)

func newEndpointCommand() *cobra.Command {
	var dataDir string
	c := &cobra.Command{
		Use:       "endpoint [otlp-http|otlp-grpc|api]",
		Short:     "Print where the collector on this machine listens",
		Example:   "  gnomon-collector endpoint otlp-http",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"otlp-http", "otlp-grpc", "api"},
		RunE: func(c *cobra.Command, arguments []string) error {
			e, err := readEndpoints(dataDir)
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			switch strings.Join(arguments, "") {
			case "otlp-http":
				_, err = fmt.Fprintln(w, e.OTLPHTTP)
			case "otlp-grpc":
				_, err = fmt.Fprintln(w, e.OTLPGRPC)
			case "api":
				_, err = fmt.Fprintln(w, e.API)
			default:
				_, err = fmt.Fprintf(w, "otlp-http %s\notlp-grpc %s\napi       %s\n", e.OTLPHTTP, e.OTLPGRPC, e.API)
			}
			return err
		},
	}
	c.Flags().StringVar(&dataDir, "data-dir", config.DefaultDataDir(), "folder of the collector")
	return c
}

// loadOffline reads a configuration for commands that work without a running
// collector.
func loadOffline(file, dataDir string) (config.Config, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return cfg, err
	}
	if dataDir != "" {
		cfg.DataDir = dataDir
	}
	if err := cfg.Resolve(); err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	return cfg, nil
}

func newMigrateCommand() *cobra.Command {
	var file, dataDir string
	c := &cobra.Command{
		Use:     "migrate",
		Short:   "Bring the schemas of both databases up to date (serve does it too)",
		Example: "  gnomon-collector migrate --config /etc/gnomon/collector.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadOffline(file, dataDir)
			if err != nil {
				return err
			}
			if err := cfg.Validate(); err != nil {
				return fmt.Errorf("configuration: %w", err)
			}
			ctx := c.Context()
			part := &collector{config: cfg, log: quietLog(), fail: func(error) {}}
			for _, step := range []func(context.Context) error{part.prepareDataDir, part.openState, part.startEngine, part.openStore} {
				if err = step(ctx); err != nil {
					break
				}
			}
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
			defer cancel()
			if err := errors.Join(err, part.stop(stopping)); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "both schemas are up to date")
			return err
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file")
	c.Flags().StringVar(&dataDir, "data-dir", "", "folder of the collector")
	return c
}

// check is one line of doctor.
type check struct {
	name string
	do   func(ctx context.Context) (detail string, err error)
}

func newDoctorCommand() *cobra.Command {
	var file, dataDir string
	c := &cobra.Command{
		Use:     "doctor",
		Short:   "Check configuration, folders, engine, databases and ports, and say what to do",
		Example: "  gnomon-collector doctor --config /etc/gnomon/collector.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadOffline(file, dataDir)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			failed := false
			for _, one := range doctorChecks(cfg) {
				detail, err := one.do(ctx)
				mark := "ok  "
				if err != nil {
					mark, detail, failed = "FAIL", err.Error(), true
				}
				if _, err := fmt.Fprintf(c.OutOrStdout(), "%s  %-14s %s\n", mark, one.name, detail); err != nil {
					return err
				}
			}
			if failed {
				return errAttention
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file")
	c.Flags().StringVar(&dataDir, "data-dir", "", "folder of the collector")
	return c
}

func doctorChecks(cfg config.Config) []check {
	return []check{
		{"configuration", func(context.Context) (string, error) { return "valid", cfg.Validate() }},
		{"data folder", func(context.Context) (string, error) { return cfg.DataDir, checkFolder(cfg.DataDir) }},
		{"state database", func(ctx context.Context) (string, error) { return checkState(ctx, cfg.DataDir) }},
		{"engine", func(context.Context) (string, error) { return checkEngine(cfg) }},
		{"ClickHouse", func(ctx context.Context) (string, error) { return checkStore(ctx, cfg) }},
		{"collector", func(ctx context.Context) (string, error) { return checkRunning(ctx, cfg.DataDir) }},
	}
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist yet: `gnomon-collector serve` makes it", dir)
	}
	if err != nil {
		return fmt.Errorf("looking at the data folder: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %o): chmod 700 it", dir, mode)
	}
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return fmt.Errorf("cannot write there (is the disk full, are you its user?): %w", err)
	}
	if err := os.Remove(probe); err != nil {
		return fmt.Errorf("cannot remove from there: %w", err)
	}
	return nil
}

// checkState only reads: bringing the schema up to date is migrate's and
// serve's to do.
func checkState(ctx context.Context, dir string) (string, error) {
	if _, err := os.Stat(stateFile(dir)); err != nil {
		return "", fmt.Errorf("no state database yet: `gnomon-collector serve` makes it: %w", err)
	}
	s, err := state.Open(ctx, stateFile(dir))
	if err != nil {
		return "", err
	}
	head, err := s.VerifyAudit(ctx)
	return fmt.Sprintf("sound, audit log of %d records verified", head.Seq), errors.Join(err, s.Close())
}

func checkEngine(cfg config.Config) (string, error) {
	if cfg.ClickHouse != "" {
		return "not used: a server is configured", nil
	}
	if cfg.Engine.Binary != "" {
		path, err := exec.LookPath(cfg.Engine.Binary)
		if err != nil {
			return "", fmt.Errorf("engine.binary: %w", err)
		}
		return path, nil
	}
	path := cfg.Engine.Library
	if path == "" {
		path = engine.DefaultLibrary()
		if _, err := os.Stat(path); err != nil {
			if binary, err := exec.LookPath("clickhouse"); err == nil {
				return binary, nil
			}
		}
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no ClickHouse engine at %s: fetch it with deploy/engine/fetch, put a clickhouse binary on PATH, or set clickhouse to a server: %w", path, err)
	}
	return path, nil
}

// checkStore asks the configured server, or the engine of a running collector.
func checkStore(ctx context.Context, cfg config.Config) (string, error) {
	var endpoint engine.Endpoint
	if cfg.ClickHouse == "" {
		var err error
		if endpoint, err = engine.Attach(cfg.Engine.DataDir); err != nil {
			return "", fmt.Errorf("the embedded engine does not run: start the collector: %w", err)
		}
	}
	s, err := store.Open(ctx, storeOptions(cfg, endpoint))
	if err != nil {
		return "", err
	}
	count, err := s.FindingCount(ctx, store.FindingFilter{})
	return fmt.Sprintf("answers, %d findings", count), errors.Join(err, s.Close())
}

func checkRunning(ctx context.Context, dir string) (string, error) {
	e, err := readEndpoints(dir)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.API+"/readyz", nil)
	if err != nil {
		return "", fmt.Errorf("asking the collector: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("the collector (process %d) does not answer: see its log: %w", e.PID, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the collector is up but not ready (%s): its store does not answer", response.Status)
	}
	return fmt.Sprintf("process %d is ready; OTLP on %s and %s", e.PID, e.OTLPHTTP, e.OTLPGRPC), nil
}
