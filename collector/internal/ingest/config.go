package ingest

import (
	"fmt"
	"time"
)

// Config bounds the line.
type Config struct {
	// BatchFindings is how many findings go into one insert at the most.
	BatchFindings int `yaml:"batch_findings"`
	// Linger is how long an insert waits for company after its first request.
	Linger time.Duration `yaml:"linger"`
	// QueueFindings is how many findings may wait for an insert; beyond it
	// requests are refused with ErrOverloaded.
	QueueFindings int `yaml:"queue_findings"`
	// InsertTimeout ends an insert that the store does not answer.
	InsertTimeout time.Duration `yaml:"insert_timeout"`
	// ClockSkew is how far in the future a finding may lie.
	ClockSkew time.Duration `yaml:"clock_skew"`
	// Applications says how the uses are folded that applications report
	// themselves.
	Applications Applications `yaml:"applications"`
}

// Default returns limits that suit a fleet of some thousands of agents.
func Default() Config {
	return Config{
		BatchFindings: 50_000,
		Linger:        10 * time.Millisecond,
		QueueFindings: 200_000,
		InsertTimeout: 30 * time.Second,
		ClockSkew:     24 * time.Hour,
		Applications:  Applications{Window: 5 * time.Minute, MaxFolds: 50_000, MaxAge: 24 * time.Hour},
	}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	switch {
	case c.BatchFindings < 1 || c.BatchFindings > 1_000_000:
		return fmt.Errorf("batch_findings must lie between 1 and 1000000, is %d", c.BatchFindings)
	case c.Linger < 0 || c.Linger > 10*time.Second:
		return fmt.Errorf("linger must lie between 0 and 10s, is %s", c.Linger)
	case c.QueueFindings < c.BatchFindings:
		return fmt.Errorf("queue_findings must be at least batch_findings (%d), is %d", c.BatchFindings, c.QueueFindings)
	case c.InsertTimeout < time.Second:
		return fmt.Errorf("insert_timeout must be at least 1s, is %s", c.InsertTimeout)
	case c.ClockSkew < 0:
		return fmt.Errorf("clock_skew must not be negative, is %s", c.ClockSkew)
	}
	return c.Applications.validate()
}
