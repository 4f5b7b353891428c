// Package config is the collector's configuration: a tree of the packages' own
// structs, read strictly from one YAML file.
//
// It may import the packages whose configuration it holds. It reads no
// environment but the folder that a service manager names, and starts nothing.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/api"
	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/ingest"
	"github.com/gnomon-ai/gnomon/collector/internal/judge"
	"github.com/gnomon-ai/gnomon/collector/internal/receive"
	"github.com/gnomon-ai/gnomon/collector/internal/telemetry"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// Config is the whole configuration.
type Config struct {
	// DataDir holds the state database, the embedded engine's data, tokens.
	DataDir string `yaml:"data_dir"`
	// ClickHouse is the DSN of a server, clickhouse://user:password@host:9000/gnomon;
	// empty runs the embedded engine.
	ClickHouse string `yaml:"clickhouse"`
	// ClickHouseFile names a file that holds the DSN, for secrets.
	ClickHouseFile string `yaml:"clickhouse_file"`
	// ShutdownTimeout bounds a clean stop.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`

	Engine    engine.Config    `yaml:"engine"`
	Receive   receive.Config   `yaml:"receive"`
	Ingest    ingest.Config    `yaml:"ingest"`
	Judge     judge.Config     `yaml:"judge"`
	API       api.Config       `yaml:"api"`
	Telemetry telemetry.Config `yaml:"telemetry"`
}

// Default is an embedded engine under the user's or the service's own folder,
// listening on loopback alone.
func Default() Config {
	return Config{
		DataDir:         DefaultDataDir(),
		ShutdownTimeout: 30 * time.Second,
		Engine:          engine.Default(),
		Receive:         receive.Default(),
		Ingest:          ingest.Default(),
		Judge:           judge.Default(),
		API:             api.Default(),
		Telemetry:       telemetry.Default(),
	}
}

// DefaultDataDir is the folder that systemd gives the service, else one in the
// user's home.
func DefaultDataDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "gnomon", "collector")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "gnomon-data"
	}
	return filepath.Join(home, ".local", "share", "gnomon", "collector")
}

// Load reads file over the defaults; "" is the defaults alone. The result is
// not yet validated: flags come on top of it.
func Load(file string) (Config, error) {
	config := Default()
	if file == "" {
		return config, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return config, fmt.Errorf("reading the configuration: %w", err)
	}
	if _, err := strictyaml.Decode(file, data, &config); err != nil {
		return config, fmt.Errorf("reading the configuration: %w", err)
	}
	return config, nil
}

// Resolve fills in what follows from other values.
func (c *Config) Resolve() error {
	if c.ClickHouseFile != "" {
		if c.ClickHouse != "" {
			return errors.New("clickhouse and clickhouse_file are both set: keep one")
		}
		data, err := os.ReadFile(c.ClickHouseFile)
		if err != nil {
			return fmt.Errorf("reading clickhouse_file: %w", err)
		}
		if c.ClickHouse = strings.TrimSpace(string(data)); c.ClickHouse == "" {
			return fmt.Errorf("clickhouse_file: %s is empty: it must hold the DSN of a server", c.ClickHouseFile)
		}
	}
	if c.DataDir == "" {
		return errors.New("data_dir: must be set") // else it would be the working folder
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	c.DataDir = dir
	if c.Engine.DataDir == "" {
		c.Engine.DataDir = filepath.Join(dir, "engine")
	}
	return nil
}

// Validate reports every part that cannot work, with its key.
func (c *Config) Validate() error {
	var problems []error
	part := func(key string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", key, err))
		}
	}
	if c.DataDir == "" {
		part("data_dir", errors.New("must be set"))
	}
	if c.ShutdownTimeout < time.Second {
		part("shutdown_timeout", fmt.Errorf("must be at least 1s, is %s", c.ShutdownTimeout))
	}
	if c.ClickHouse == "" {
		part("engine", c.Engine.Validate())
	}
	part("receive", c.Receive.Validate())
	part("ingest", c.Ingest.Validate())
	part("judge", c.Judge.Validate())
	part("api", c.API.Validate())
	part("telemetry", c.Telemetry.Validate())
	return errors.Join(problems...)
}
