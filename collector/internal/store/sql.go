package store

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// SQL runs one statement that may read and nothing else, and hands over the
// names of the columns and each row. Tables are those of the store's database,
// written with its name.
func (s *Store) SQL(ctx context.Context, statement string, each func(columns []string, row []any) error) error {
	// readonly=1 lets no setting be changed either, so a statement cannot
	// give itself more rights.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"readonly": 1}))
	return s.query(ctx, "running a statement", statement, nil, func(rows driver.Rows) error {
		types := rows.ColumnTypes()
		row := make([]any, len(types))
		for i, t := range types {
			row[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(row...); err != nil {
			return fmt.Errorf("store: reading the answer of a statement: %w", err)
		}
		for i := range row {
			row[i] = reflect.ValueOf(row[i]).Elem().Interface()
			if at, isTime := row[i].(time.Time); isTime {
				row[i] = at.UTC()
			}
		}
		return each(rows.Columns(), row)
	})
}
