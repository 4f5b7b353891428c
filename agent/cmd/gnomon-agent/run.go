package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/agent/internal/config"
)

func runCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "run --config FILE", Short: "Run the sensors and send findings to the collector",
		Long: `run starts the sensors that the configuration switches on and sends findings to the
collector until it is interrupted. Findings wait on disk while the collector cannot be reached.

Exit codes: 0 stopped by a signal, 1 error.`,
		Example: "  gnomon-agent run --config /etc/gnomon/agent.yaml\n  gnomon-agent run --config agent.yaml --check",
		Args:    cobra.NoArgs,
	}
	path := c.Flags().StringP("config", "c", "", "configuration file")
	check := c.Flags().Bool("check", false, "check the configuration and the signatures, print what is in effect, and end")
	// Fails only for a flag that does not exist.
	_ = c.MarkFlagRequired("config")
	c.RunE = func(c *cobra.Command, _ []string) error {
		began := time.Now()
		t, err := load(*path)
		if err != nil {
			return err
		}
		if err := t.quietSensors(); err != nil {
			return fmt.Errorf("%s: %w", *path, err)
		}
		signed, err := chooseCatalogue(t)
		if err != nil {
			return err
		}
		set := signed.set
		if *check {
			return config.Print(s.out, t)
		}
		log := newLog(s.err, t.LogLevel)
		warnOfExpired(set, began, log)
		unnamed := lookFor(set, &t.File)
		saveMemory()
		a, err := assemble(t, signed, log)
		if err != nil {
			return err
		}
		signed.keep(log)
		notifier, err := newNotifier()
		if err != nil {
			return errors.Join(err, a.spool.Close())
		}
		err = a.run(c.Context(), func(alive func()) {
			log.Info("ready", "version", version, "catalogue", set.Version(), "signatures", len(set.Signatures()),
				"collector", t.Collector.Endpoint, "took", time.Since(began).Round(time.Millisecond).String())
			if unnamed > 0 {
				log.Warn("some file rules find no file: their last element is no name", "rules", unnamed)
			}
			notifier.start(c.Context(), alive, log)
		})
		notifier.stop()
		return err
	}
	return c
}

// gcPercent trades processor time, of which the agent uses little, for memory
// (https://go.dev/doc/gc-guide). $GOGC goes before it.
const gcPercent = 40

// saveMemory keeps the heap small, and gives back what reading the catalogue
// left behind.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
}

// What the Go runtime holds during replay before it collects more often than
// it would, about what the default limits take when all are reached; and how
// much it lets the heap grow below that.
const (
	replayMemory    = 70 << 20
	replayGCPercent = 200
)

// tuneReplay has replay use one processor, for it reads packet after packet and
// a second one would only keep the collector busy, and sets its memory.
// $GOMAXPROCS, $GOMEMLIMIT and $GOGC go before it.
func tuneReplay() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(replayMemory)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(replayGCPercent)
	}
}

// beatEvery is how often the service manager hears from the agent, where it
// asked to: half of what it waits.
func beatEvery(limit time.Duration) time.Duration { return max(limit/2, 10*time.Millisecond) }

// waitOr sleeps for d; false when ctx ended first.
func waitOr(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
