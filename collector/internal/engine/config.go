package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Version of the engine library that deploy/engine/fetch brings and that this
// package is tested with.
const Version = "26.7.3-stable.1"

// The ways the engine's port is kept from other local users.
const (
	IsolationAuto      = "auto"      // a network namespace; in a container that is refused one, loopback
	IsolationNamespace = "namespace" // a network namespace or no start
	IsolationLoopback  = "loopback"  // a port on loopback: only where nobody else can log in
)

// Config says which engine runs where and how much it may take.
type Config struct {
	// Library is the path of libchdb.so or libchdb.dylib. Empty: the place
	// deploy/engine/fetch puts it (DefaultLibrary).
	Library string `yaml:"library"`
	// Binary is the path of a `clickhouse` binary to run as a server instead
	// of the library. Empty, and Library empty too: one on PATH is used when
	// it is new enough.
	Binary string `yaml:"binary"`
	// DataDir holds everything of the engine: data, configuration, socket,
	// log. It is made with mode 0700 and belongs to one collector at a time.
	DataDir string `yaml:"data_dir"`
	// Isolation is auto, namespace or loopback.
	Isolation string `yaml:"isolation"`

	MemoryLimit          uint64 `yaml:"memory_limit"`    // bytes the engine may take for all its work
	MarkCache            uint64 `yaml:"mark_cache"`      // bytes
	BackgroundPool       int    `yaml:"background_pool"` // threads that merge parts
	MaxConnections       int    `yaml:"max_connections"`
	MaxConcurrentQueries int    `yaml:"max_concurrent_queries"`
	LogBytes             int64  `yaml:"log_bytes"` // size of one log file; two are kept

	StartTimeout time.Duration `yaml:"start_timeout"` // until the engine answers
	StopTimeout  time.Duration `yaml:"stop_timeout"`  // until a stopping engine is killed
	LockTimeout  time.Duration `yaml:"lock_timeout"`  // wait for an earlier engine to let the data go
	MinBackoff   time.Duration `yaml:"min_backoff"`   // before the first restart
	MaxBackoff   time.Duration `yaml:"max_backoff"`

	// Notify is told every change of state, in order, from one goroutine at a
	// time; it must not block. May be nil.
	Notify func(State) `yaml:"-"`
}

// Default is what a laptop can run. DataDir is left empty: the caller knows.
func Default() Config {
	return Config{
		Isolation:            IsolationAuto,
		MemoryLimit:          2 << 30,
		MarkCache:            128 << 20,
		BackgroundPool:       2,
		MaxConnections:       64,
		MaxConcurrentQueries: 64,
		LogBytes:             4 << 20,
		StartTimeout:         60 * time.Second,
		StopTimeout:          10 * time.Second,
		LockTimeout:          30 * time.Second,
		MinBackoff:           100 * time.Millisecond,
		MaxBackoff:           10 * time.Second,
	}
}

// Validate reports every value that cannot work, by its name in the
// configuration.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.DataDir == "" {
		bad("data_dir: must be set")
	}
	if c.Library != "" && c.Binary != "" {
		bad("library and binary: set one of them, not both")
	}
	switch c.Isolation {
	case IsolationAuto, IsolationNamespace, IsolationLoopback:
	default:
		bad("isolation: %q is not one of auto, namespace, loopback", c.Isolation)
	}
	if c.MemoryLimit < 512<<20 {
		bad("memory_limit: %d is below 536870912 bytes, the least the engine works with", c.MemoryLimit)
	}
	if c.MarkCache > c.MemoryLimit/2 {
		bad("mark_cache: %d is more than half of memory_limit", c.MarkCache)
	}
	for _, n := range []struct {
		name       string
		value, min int
	}{
		{"background_pool", c.BackgroundPool, 1},
		{"max_connections", c.MaxConnections, 8},
		{"max_concurrent_queries", c.MaxConcurrentQueries, 8},
	} {
		if n.value < n.min {
			bad("%s: %d is below %d", n.name, n.value, n.min)
		}
	}
	if c.LogBytes < 64<<10 {
		bad("log_bytes: %d is below 65536", c.LogBytes)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"start_timeout", c.StartTimeout},
		{"stop_timeout", c.StopTimeout},
		{"lock_timeout", c.LockTimeout},
		{"min_backoff", c.MinBackoff},
		{"max_backoff", c.MaxBackoff},
	} {
		if d.value <= 0 {
			bad("%s: must be more than 0", d.name)
		}
	}
	if c.MaxBackoff < c.MinBackoff {
		bad("max_backoff: is less than min_backoff")
	}
	return errors.Join(problems...)
}

// DefaultLibrary is where deploy/engine/fetch puts the library: the folder
// named by GNOMON_ENGINE_DIR, else the user's cache folder.
func DefaultLibrary() string {
	dir := os.Getenv("GNOMON_ENGINE_DIR")
	if dir == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		dir = filepath.Join(cache, "gnomon", "engine", Version)
	}
	return filepath.Join(dir, libraryName)
}

// inContainer says whether this process runs in a container: its loopback is
// then not the machine's.
func inContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != "" || os.Getenv("container") != ""
}
