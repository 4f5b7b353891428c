package files

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
)

// Config is the configuration of the sensor. Sizes are in bytes.
type Config struct {
	Enabled bool     `yaml:"enabled"`
	Roots   []string `yaml:"roots"` // absolute folders or files; those that do not exist are passed over
	// Exclude are absolute paths, left out with all below them, and plain
	// names, left out wherever they occur.
	Exclude []string `yaml:"exclude"`

	// KnownNames are base names of files and folders to report by their place;
	// main fills them in from the catalogue. They are compared without regard
	// to case on Windows and macOS.
	KnownNames []string `yaml:"-"`
	// KnownPatterns are the same with "*" for any run of characters, none
	// included, and "#" for one that begins with a digit. A pattern may be given
	// with that of the folder it must lie in, "@acme/sdk"; case does not count
	// then.
	KnownPatterns []string `yaml:"-"`

	Workers           int           `yaml:"workers"`              // folders looked at together, 1 or 2
	MaxDepth          int           `yaml:"max_depth"`            // folders below a root
	MaxPending        int           `yaml:"max_pending"`          // folders waiting in one walk
	MaxModels         int           `yaml:"max_models"`           // model files kept track of
	MaxRemembered     int           `yaml:"max_remembered"`       // files remembered as no model
	MaxFileRead       int64         `yaml:"max_file_read"`        // bytes read of one file's header
	MaxFilesPerSecond int           `yaml:"max_files_per_second"` // pace of walks in the background, 0 for none
	MinFileSize       int64         `yaml:"min_file_size"`        // smaller files are not read
	SmallText         int64         `yaml:"small_text"`           // files up to this size with the extension of another kind are not read; 0 reads all
	HashLimitBytes    int64         `yaml:"hash_limit_bytes"`     // model files up to this size get their SHA-256 computed; 0 for none
	ReportData        bool          `yaml:"report_data"`          // report pickles and arrays that show no model too
	MaxWatches        int           `yaml:"max_watches"`          // folders watched; 0 for none
	SettleDelay       time.Duration `yaml:"settle_delay"`         // quiet time after which a changed file is read
	RescanInterval    time.Duration `yaml:"rescan_interval"`      // between walks of everything
	UnwatchedInterval time.Duration `yaml:"unwatched_interval"`   // the same while some folders have no watch
	RepeatInterval    time.Duration `yaml:"repeat_interval"`      // after which an unchanged model is reported again
}

// DefaultConfig returns the defaults: the places where people and services
// keep models on this system.
func DefaultConfig() Config {
	return Config{
		Enabled:           true,
		Roots:             defaultRoots(runtime.GOOS),
		Exclude:           defaultExclude(runtime.GOOS),
		Workers:           2,
		MaxDepth:          64,
		MaxPending:        500_000,
		MaxModels:         50_000,
		MaxRemembered:     250_000,
		MaxFileRead:       modelformat.DefaultBudget,
		MaxFilesPerSecond: 20_000,
		MinFileSize:       modelformat.MinSize,
		SmallText:         64 << 10,
		MaxWatches:        8192,
		SettleDelay:       500 * time.Millisecond,
		RescanInterval:    6 * time.Hour,
		UnwatchedInterval: 30 * time.Minute,
		RepeatInterval:    24 * time.Hour,
	}
}

func defaultRoots(system string) []string {
	switch system {
	case "windows":
		return []string{`C:\Users`, `C:\ProgramData`, `C:\models`}
	case "darwin":
		return []string{"/Users", "/opt", "/usr/local", "/Library/Application Support", "/Volumes/models"}
	}
	return []string{"/home", "/root", "/opt", "/srv", "/data", "/models", "/usr/local", "/usr/share/ollama", "/var/lib"}
}

func defaultExclude(system string) []string {
	if system == "windows" {
		return nil
	}
	return []string{"/proc", "/sys", "/dev", "/run"}
}

// Validate returns the first thing that is wrong, with the key's name.
func (c *Config) Validate() error {
	if !c.Enabled {
		return nil
	}
	if len(c.Roots) == 0 {
		return fmt.Errorf("roots: name at least one folder, or set enabled: false")
	}
	for _, r := range c.Roots {
		if !filepath.IsAbs(r) {
			return fmt.Errorf("roots: %q is not an absolute path", r)
		}
	}
	for _, e := range c.Exclude {
		if e == "" || !filepath.IsAbs(e) && strings.ContainsAny(e, `/\`) {
			return fmt.Errorf("exclude: %q is neither an absolute path nor a plain name", e)
		}
	}
	for _, v := range []struct {
		key      string
		n        int64
		from, to int64
	}{
		{"workers", int64(c.Workers), 1, 2},
		{"max_depth", int64(c.MaxDepth), 1, 1024},
		{"max_pending", int64(c.MaxPending), 1, 1 << 24},
		{"max_models", int64(c.MaxModels), 1, 1 << 24},
		{"max_remembered", int64(c.MaxRemembered), 0, 1 << 26},
		{"max_file_read", c.MaxFileRead, 4096, 1 << 30},
		{"max_files_per_second", int64(c.MaxFilesPerSecond), 0, 1 << 30},
		{"min_file_size", c.MinFileSize, 0, 1 << 40},
		{"small_text", c.SmallText, 0, 1 << 40},
		{"hash_limit_bytes", c.HashLimitBytes, 0, 1 << 40},
		{"max_watches", int64(c.MaxWatches), 0, 1 << 24},
		{"settle_delay", int64(c.SettleDelay), int64(time.Millisecond), int64(time.Hour)},
		{"rescan_interval", int64(c.RescanInterval), int64(time.Millisecond), int64(365 * 24 * time.Hour)},
		{"unwatched_interval", int64(c.UnwatchedInterval), int64(time.Millisecond), int64(365 * 24 * time.Hour)},
		{"repeat_interval", int64(c.RepeatInterval), int64(time.Millisecond), int64(365 * 24 * time.Hour)},
	} {
		if v.n < v.from || v.n > v.to {
			return fmt.Errorf("%s: %d is not between %d and %d", v.key, v.n, v.from, v.to)
		}
	}
	return nil
}
