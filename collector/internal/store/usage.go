package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// listLimit is the most values a list of one usage holds. The counts beside
// the lists are of all values, so a cut list shows.
const listLimit = 64

// UsageRow is one usage: asset x host x user x day.
type UsageRow struct {
	AssetKey   string
	AssetKind  string
	AssetName  string
	Provider   string
	Host, User string
	Day        time.Time // UTC midnight of the windows' start
	FirstSeen  time.Time
	LastSeen   time.Time
	Count      uint64 // observations
	Windows    uint64 // findings
	Confidence uint8  // the highest
	BytesUp    uint64
	BytesDown  uint64
	Processes  []string // names, sorted, at most 64; ProcessCount is of all

	ProcessCount uint64

	Sensors, Channels []string // sorted
}

// UsageFilter chooses usages. The zero value chooses all.
type UsageFilter struct {
	SinceDay, UntilDay time.Time // day in [SinceDay, UntilDay)
	AssetKey           string
	Kind               string
	Provider           string
	Host, User         string
	Limit, Offset      int
}

func (f UsageFilter) where() *where {
	w := &where{}
	w.days("toDate(window_start)", f.SinceDay, f.UntilDay)
	w.text("asset_key", f.AssetKey)
	w.text("asset_kind", f.Kind)
	w.text("provider", f.Provider)
	w.text("host_name", f.Host)
	w.text("user_name", f.User)
	return w
}

// days adds since <= column < until, by calendar day in UTC.
func (w *where) days(column string, since, until time.Time) {
	if !since.IsZero() {
		w.add(column+" >= toDate(?)", since.UTC().Format(time.DateOnly))
	}
	if !until.IsZero() {
		w.add(column+" < toDate(?)", until.UTC().Format(time.DateOnly))
	}
}

// aggregate is one column of a grouped usage and where it is read to.
type aggregate[T any] struct {
	sql  string
	dest func(*T) any
}

// best is a column's value in the finding of the usage that tells most: the
// one with the highest confidence, of these the latest.
func best[T, V any](column string, field func(*T) *V) aggregate[T] {
	return aggregate[T]{"argMax(f." + column + ", (f.confidence, f.last_seen, f.finding_id))", func(r *T) any { return field(r) }}
}

// list is the sorted distinct values of a column that are not empty.
func list[T any](column string, field func(*T) *[]string) aggregate[T] {
	return aggregate[T]{
		"arraySort(groupUniqArrayIf(" + strconv.Itoa(listLimit) + ")(f." + column + ", f." + column + " != ''))",
		func(r *T) any { return field(r) },
	}
}

// distinct counts what list lists, without its limit.
func distinct[T any](column string, field func(*T) *uint64) aggregate[T] {
	return total("uniqExactIf(f."+column+", f."+column+" != '')", field)
}

// total is any other aggregate.
func total[T, V any](sql string, field func(*T) *V) aggregate[T] {
	return aggregate[T]{sql, func(r *T) any { return field(r) }}
}

func seen[T any](sql string, field func(*T) *time.Time) aggregate[T] {
	return aggregate[T]{sql, func(r *T) any { return &timeDest{field(r)} }}
}

func join[T any](aggregates []aggregate[T]) string {
	parts := make([]string, len(aggregates))
	for i, a := range aggregates {
		parts[i] = a.sql
	}
	return strings.Join(parts, ", ")
}

func usageAggregates() []aggregate[UsageRow] {
	type row = UsageRow
	return []aggregate[row]{
		best("asset_kind", func(r *row) *string { return &r.AssetKind }),
		best("asset_name", func(r *row) *string { return &r.AssetName }),
		best("provider", func(r *row) *string { return &r.Provider }),
		seen("min(f.first_seen)", func(r *row) *time.Time { return &r.FirstSeen }),
		seen("max(f.last_seen)", func(r *row) *time.Time { return &r.LastSeen }),
		total("sum(f.count)", func(r *row) *uint64 { return &r.Count }),
		total("count()", func(r *row) *uint64 { return &r.Windows }),
		total("max(f.confidence)", func(r *row) *uint8 { return &r.Confidence }),
		total("sum(f.bytes_up)", func(r *row) *uint64 { return &r.BytesUp }),
		total("sum(f.bytes_down)", func(r *row) *uint64 { return &r.BytesDown }),
		list("process_name", func(r *row) *[]string { return &r.Processes }),
		distinct("process_name", func(r *row) *uint64 { return &r.ProcessCount }),
		list("sensor", func(r *row) *[]string { return &r.Sensors }),
		list("channel", func(r *row) *[]string { return &r.Channels }),
	}
}

// Usages streams usages by day (newest first), asset, host and user.
func (s *Store) Usages(ctx context.Context, filter UsageFilter, each func(UsageRow) error) error {
	w := filter.where()
	aggregates := usageAggregates()
	statement := "SELECT toDate(f.window_start) AS usage_day, f.asset_key, f.host_name, f.user_name, " + join(aggregates) +
		" FROM " + s.table("findings") + " AS f FINAL" + w.String() +
		" GROUP BY usage_day, f.asset_key, f.host_name, f.user_name" +
		" ORDER BY usage_day DESC, f.asset_key, f.host_name, f.user_name" + limit(filter.Limit, filter.Offset)
	return s.query(ctx, "reading usages", statement, w.args, func(rows driver.Rows) error {
		var u UsageRow
		dest := []any{&u.Day, &u.AssetKey, &u.Host, &u.User}
		for _, a := range aggregates {
			dest = append(dest, a.dest(&u))
		}
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("store: reading usages: %w", err)
		}
		return each(u)
	})
}

// UsageCount is the number of usages the filter chooses.
func (s *Store) UsageCount(ctx context.Context, filter UsageFilter) (uint64, error) {
	w := filter.where()
	return s.number(ctx, "counting usages", "SELECT uniqExact(toDate(window_start), asset_key, host_name, user_name) FROM "+
		s.table("findings")+" FINAL"+w.String(), w.args...)
}
