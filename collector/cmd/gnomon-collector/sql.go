package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/engine"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
)

// newSQLCommand asks ClickHouse itself, beside the API: for hunting, and to
// check what the other commands say.
func newSQLCommand() *cobra.Command {
	var file, dataDir string
	c := &cobra.Command{
		Use:   "sql STATEMENT",
		Short: "Read from ClickHouse with a statement of your own; columns are separated by tabs",
		Example: "  gnomon-collector sql 'SELECT asset_key, uniq(host_name) FROM gnomon.findings FINAL GROUP BY 1 ORDER BY 2 DESC'\n" +
			"  gnomon-collector sql 'SELECT verdict_current, count() FROM gnomon.verdicts FINAL GROUP BY 1'",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			cfg, err := loadOffline(file, dataDir)
			if err != nil {
				return err
			}
			var endpoint engine.Endpoint
			if cfg.ClickHouse == "" {
				if endpoint, err = engine.Attach(cfg.Engine.DataDir); err != nil {
					return fmt.Errorf("the embedded engine does not run: start the collector, or name its folder with --data-dir: %w", err)
				}
			}
			s, err := store.Open(c.Context(), storeOptions(cfg, endpoint))
			if err != nil {
				return err
			}
			err = s.SQL(c.Context(), arguments[0], func(_ []string, row []any) error {
				cells := make([]string, len(row))
				for i, value := range row {
					cells[i] = cell(value)
				}
				_, err := fmt.Fprintln(c.OutOrStdout(), strings.Join(cells, "\t"))
				return err
			})
			return errors.Join(err, s.Close())
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file")
	c.Flags().StringVar(&dataDir, "data-dir", "", "folder of the collector")
	return c
}

// cell keeps a value on one line and in one column.
func cell(value any) string {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && !v.IsNil() {
		value = v.Elem().Interface() // of a nullable column
	} else if !v.IsValid() || v.Kind() == reflect.Pointer {
		return `\N` // as ClickHouse writes NULL
	}
	if at, isTime := value.(time.Time); isTime {
		return at.Format(time.RFC3339Nano)
	}
	return strings.NewReplacer("\t", "\\t", "\n", "\\n", "\r", "\\r").Replace(fmt.Sprint(value))
}
