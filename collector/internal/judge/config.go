package judge

import (
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
)

// Config says how often and how far back usage is judged.
type Config struct {
	// Interval is the pause between passes; a change of the inventory or of
	// the directory starts one at once.
	Interval time.Duration `yaml:"interval"`
	// Lookback is how far back a change of the inventory is carried into the
	// current verdicts. Older verdicts keep the revision they were judged by,
	// which is stored with them.
	Lookback time.Duration `yaml:"lookback"`
	// Verdicts are the settings of the verdicts themselves.
	Verdicts reconcile.Settings `yaml:"verdicts"`
}

// Default judges new findings within seconds and looks back a year.
func Default() Config {
	return Config{Interval: 3 * time.Second, Lookback: 366 * 24 * time.Hour, Verdicts: reconcile.Default()}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	if c.Interval < 100*time.Millisecond {
		return fmt.Errorf("interval must be at least 100ms, is %s", c.Interval)
	}
	if c.Lookback < 24*time.Hour {
		return fmt.Errorf("lookback must be at least 24h, is %s", c.Lookback)
	}
	if err := c.Verdicts.Validate(); err != nil {
		return fmt.Errorf("verdicts.%w", err)
	}
	return nil
}
