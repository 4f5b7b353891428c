package pipeline

import (
	"fmt"
	"time"
)

// Config says how findings are folded.
type Config struct {
	Window     time.Duration `yaml:"window"`    // how long sightings of one use are folded; aligned to the wall clock
	MaxFolds   int           `yaml:"max_folds"` // different uses folded at the same time; beyond it the oldest end early
	FirstFlush time.Duration `yaml:"-"`         // how long a first sighting waits for others; at most 2 s
	Offline    bool          `yaml:"-"`         // windows follow the time of the observations: for captures
}

// DefaultConfig folds over five minutes.
func DefaultConfig() Config {
	return Config{Window: 5 * time.Minute, MaxFolds: 4096, FirstFlush: time.Second}
}

// Validate checks c; errors name the key of the configuration.
func (c Config) Validate() error {
	switch {
	case c.Window < time.Second || c.Window > 24*time.Hour || c.Window%time.Second != 0:
		return fmt.Errorf("window: %v is not between 1s and 24h in whole seconds", c.Window)
	case c.MaxFolds < 16 || c.MaxFolds > 1<<20:
		return fmt.Errorf("max_folds: %d is not between 16 and 1048576", c.MaxFolds)
	case c.FirstFlush <= 0 || c.FirstFlush > 2*time.Second:
		return fmt.Errorf("first_flush: %v is not between 0 and 2s", c.FirstFlush)
	}
	return nil
}

// maxBackoff is the longest wait before findings are handed to a sink that
// refuses them again.
func (c Config) maxBackoff() time.Duration { return 30 * c.FirstFlush }
