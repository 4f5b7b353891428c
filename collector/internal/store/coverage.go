package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// coverageRow is a coverage report beside the arrays its blind spots are kept
// as.
type coverageRow struct {
	finding.Coverage
	reasons, details []string
	counts           []uint64
}

func (r *coverageRow) finish() finding.Coverage {
	c := r.Coverage
	if len(c.Counters) == 0 {
		c.Counters = nil
	}
	for i := range r.reasons {
		c.Blind = append(c.Blind, finding.Blind{Reason: r.reasons[i], Detail: r.details[i], Count: r.counts[i]})
	}
	return c
}

func blind[V any](name string, part func(finding.Blind) V, dest func(*coverageRow) any) column[coverageRow] {
	return derived(name, func(r *coverageRow) []V {
		list := make([]V, len(r.Blind))
		for i, b := range r.Blind {
			list[i] = part(b)
		}
		return list
	}, dest)
}

func coverageColumns() []column[coverageRow] {
	type row = coverageRow
	return []column[row]{
		plain("agent_id", func(r *row) *string { return &r.AgentID }),
		plain("sensor", func(r *row) *string { return &r.Sensor }),
		times("until", func(r *row) *time.Time { return &r.Until }),
		times("since", func(r *row) *time.Time { return &r.Since }),
		plain("host_name", func(r *row) *string { return &r.HostName }),
		plain("host_id", func(r *row) *string { return &r.HostID }),
		plain("os", func(r *row) *string { return &r.OS }),
		plain("channel", func(r *row) *string { return &r.Channel }),
		plain("version", func(r *row) *string { return &r.Version }),
		plain("state", func(r *row) *string { return &r.State }),
		plain("reason", func(r *row) *string { return &r.Reason }),
		blind("blind_reason", func(b finding.Blind) string { return b.Reason }, func(r *row) any { return &r.reasons }),
		blind("blind_detail", func(b finding.Blind) string { return b.Detail }, func(r *row) any { return &r.details }),
		blind("blind_count", func(b finding.Blind) uint64 { return b.Count }, func(r *row) any { return &r.counts }),
		plain("counters", func(r *row) *map[string]uint64 { return &r.Counters }),
	}
}

// InsertCoverage stores coverage reports, durable when it returns nil; errors
// are those of InsertFindings. A report sent again replaces itself.
func (s *Store) InsertCoverage(ctx context.Context, reports []finding.Coverage) error {
	rows := make([]coverageRow, 0, len(reports))
	var bad []BadRow
	for i, c := range reports {
		switch {
		case c.AgentID == "" || c.Sensor == "" || c.Until.IsZero():
			bad = append(bad, BadRow{Index: i, Reason: "agent, sensor or until is missing"})
		case !validTime(c.Since) || !validTime(c.Until):
			bad = append(bad, BadRow{Index: i, Reason: "since or until is not between 1970 and 2100"})
		default:
			rows = append(rows, coverageRow{Coverage: c})
		}
	}
	err := insert(ctx, s, "inserting coverage", "coverage", coverageColumns(), pointers(rows),
		func(r *coverageRow) time.Time { return r.Until })
	if err == nil && len(bad) > 0 {
		return &Permanent{Op: "inserting coverage", Rows: bad}
	}
	return err
}

// CoverageFilter chooses coverage reports.
type CoverageFilter struct {
	Since, Until time.Time // the report's end in [Since, Until)
	AgentID      string
	Host         string
	Sensor       string
	State        string // of the report that is chosen
	History      bool   // every report; else the latest of each agent and sensor
	Limit        int
	Offset       int
}

// Coverage streams coverage reports, by agent and sensor, newest first.
func (s *Store) Coverage(ctx context.Context, filter CoverageFilter, each func(finding.Coverage) error) error {
	w := &where{}
	if !filter.Since.IsZero() {
		w.add("until >= fromUnixTimestamp64Nano(?, 'UTC')", filter.Since.UnixNano())
	}
	if !filter.Until.IsZero() {
		w.add("until < fromUnixTimestamp64Nano(?, 'UTC')", filter.Until.UnixNano())
	}
	w.text("agent_id", filter.AgentID)
	w.text("host_name", filter.Host)
	w.text("sensor", filter.Sensor)
	columns := coverageColumns()
	statement := "SELECT " + names(columns) + " FROM " + s.table("coverage") + " FINAL" + w.String() +
		" ORDER BY agent_id, sensor, until DESC"
	if !filter.History {
		statement += " LIMIT 1 BY agent_id, sensor"
	}
	args := w.args
	if filter.State != "" {
		statement = "SELECT " + names(columns) + " FROM (" + statement + ") WHERE state = ? ORDER BY agent_id, sensor, until DESC"
		args = append(args, filter.State)
	}
	statement += limit(filter.Limit, filter.Offset)
	return s.query(ctx, "reading coverage", statement, args, func(rows driver.Rows) error {
		var row coverageRow
		if err := rows.Scan(dests(columns, &row)...); err != nil {
			return fmt.Errorf("store: reading coverage: %w", err)
		}
		return each(row.finish())
	})
}

// CoverageDay says how much of the fleet a sensor looked at on a day.
type CoverageDay struct {
	Day    time.Time // UTC midnight
	Sensor string
	On     uint64 // hosts with a report of state on or degraded
	Hosts  uint64 // hosts with any report of any sensor that day
}

// CoverageDays lists, for each day in [since, until) and sensor, how many
// hosts it looked at. Days nobody reported on are absent.
func (s *Store) CoverageDays(ctx context.Context, since, until time.Time, each func(CoverageDay) error) error {
	statement := "WITH fleet AS (SELECT toDate(until) AS day, uniqExact(host_name) AS hosts FROM " + s.table("coverage") +
		" WHERE until >= toDateTime(?, 'UTC') AND until < toDateTime(?, 'UTC') GROUP BY day)" +
		" SELECT c.day, c.sensor, c.seeing, fleet.hosts FROM (SELECT toDate(until) AS day, sensor," +
		" uniqExactIf(host_name, state IN ('on', 'degraded')) AS seeing FROM " + s.table("coverage") +
		" WHERE until >= toDateTime(?, 'UTC') AND until < toDateTime(?, 'UTC') GROUP BY day, sensor) AS c" +
		" INNER JOIN fleet ON fleet.day = c.day ORDER BY c.day, c.sensor"
	args := []any{since.Unix(), until.Unix(), since.Unix(), until.Unix()}
	return s.query(ctx, "reading coverage", statement, args, func(rows driver.Rows) error {
		var d CoverageDay
		if err := rows.Scan(&d.Day, &d.Sensor, &d.On, &d.Hosts); err != nil {
			return fmt.Errorf("store: reading coverage: %w", err)
		}
		return each(d)
	})
}
