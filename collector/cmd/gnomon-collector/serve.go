package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
)

func newServeCommand() *cobra.Command {
	var flags struct{ config, dataDir, clickhouse string }
	c := &cobra.Command{
		Use:   "serve",
		Short: "Receive findings, keep them, judge them",
		Long: "Receive findings, keep them, judge them.\n\nWith no flag at all: an embedded ClickHouse engine and a SQLite database under the data folder, " +
			"listening on loopback alone. Tokens for a local agent and for these commands are written beside them.",
		Example: "  gnomon-collector serve\n  gnomon-collector serve --config /etc/gnomon/collector.yaml\n  gnomon-collector serve --clickhouse clickhouse://gnomon:secret@db1:9000/gnomon",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(flags.config)
			if err != nil {
				return err
			}
			if flags.dataDir != "" {
				cfg.DataDir = flags.dataDir
			}
			if flags.clickhouse != "" {
				cfg.ClickHouse, cfg.ClickHouseFile = flags.clickhouse, ""
			}
			if err := cfg.Resolve(); err != nil {
				return fmt.Errorf("configuration: %w", err)
			}
			if err := cfg.Validate(); err != nil {
				return fmt.Errorf("configuration: %w", err)
			}
			log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
			return serve(c.Context(), cfg, log)
		},
	}
	c.Flags().StringVar(&flags.config, "config", "", "configuration file")
	c.Flags().StringVar(&flags.dataDir, "data-dir", "", "folder for everything the collector keeps")
	c.Flags().StringVar(&flags.clickhouse, "clickhouse", "", "DSN of a ClickHouse server, instead of the embedded engine")
	return c
}

// serve runs the collector until ctx ends or a part fails: downstream first,
// so that nothing is taken before it can be kept; upstream stops first.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	started := time.Now()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	c := &collector{config: cfg, log: log, fail: func(err error) { fail(err) }}
	err := c.start(ctx)
	if err == nil {
		grpcAddress, httpAddress := c.receiver.Addresses()
		log.Info("collector is ready", "version", version, "after", time.Since(started).Round(time.Millisecond).String(),
			"otlp_grpc", address(grpcAddress), "otlp_http", address(httpAddress), "api", address(c.api.Address()), "data_dir", cfg.DataDir)
		notify("READY=1")
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}
	notify("STOPPING=1")
	log.Info("collector is stopping", "error", err)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, c.stop(stopping))
}
