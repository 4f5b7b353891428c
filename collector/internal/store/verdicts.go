package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// VerdictRow is the verdict of one usage: as of the event, and now. What is
// "at event" is never rewritten; UpsertVerdicts stores what it is given, so a
// caller that re-evaluates reads the row first and keeps it.
type VerdictRow struct {
	AssetKey   string
	Host, User string
	Day        time.Time // UTC midnight
	// Version decides which row of a usage stays: the highest. 0 becomes
	// EvaluatedAt or ChangedAt, whichever is later, in milliseconds.
	Version uint64

	AssetName, AssetKind, Provider, Channel string
	Domains, Processes                      []string
	FirstSeen, LastSeen                     time.Time
	Count                                   uint64
	Confidence                              uint8

	VerdictAtEvent, ReasonAtEvent string
	Dimensions                    []string
	EntryID                       string
	Walk                          string // JSON
	InventoryRevision             uint64
	DirectorySnapshot             uint64
	Catalogue                     string
	EvaluatedAt                   time.Time // milliseconds

	VerdictCurrent, ReasonCurrent string
	DimensionsCurrent             []string
	EntryCurrent                  string
	WalkCurrent                   string // JSON
	RevisionCurrent               uint64
	ChangedAt                     time.Time // milliseconds
}

func verdictColumns() []column[VerdictRow] {
	type row = VerdictRow
	text := plain[row, string]
	number := plain[row, uint64]
	texts := plain[row, []string]
	return []column[row]{
		times("day", func(r *row) *time.Time { return &r.Day }),
		text("asset_key", func(r *row) *string { return &r.AssetKey }),
		text("host_name", func(r *row) *string { return &r.Host }),
		text("user_name", func(r *row) *string { return &r.User }),
		number("version", func(r *row) *uint64 { return &r.Version }),
		text("asset_name", func(r *row) *string { return &r.AssetName }),
		text("asset_kind", func(r *row) *string { return &r.AssetKind }),
		text("provider", func(r *row) *string { return &r.Provider }),
		text("channel", func(r *row) *string { return &r.Channel }),
		texts("domains", func(r *row) *[]string { return &r.Domains }),
		texts("processes", func(r *row) *[]string { return &r.Processes }),
		times("first_seen", func(r *row) *time.Time { return &r.FirstSeen }),
		times("last_seen", func(r *row) *time.Time { return &r.LastSeen }),
		number("count", func(r *row) *uint64 { return &r.Count }),
		plain("confidence", func(r *row) *uint8 { return &r.Confidence }),
		text("verdict_at_event", func(r *row) *string { return &r.VerdictAtEvent }),
		text("reason_at_event", func(r *row) *string { return &r.ReasonAtEvent }),
		texts("dimensions", func(r *row) *[]string { return &r.Dimensions }),
		text("entry_id", func(r *row) *string { return &r.EntryID }),
		text("walk", func(r *row) *string { return &r.Walk }),
		number("inventory_revision", func(r *row) *uint64 { return &r.InventoryRevision }),
		number("directory_snapshot", func(r *row) *uint64 { return &r.DirectorySnapshot }),
		text("catalogue", func(r *row) *string { return &r.Catalogue }),
		times("evaluated_at", func(r *row) *time.Time { return &r.EvaluatedAt }),
		text("verdict_current", func(r *row) *string { return &r.VerdictCurrent }),
		text("reason_current", func(r *row) *string { return &r.ReasonCurrent }),
		texts("dimensions_current", func(r *row) *[]string { return &r.DimensionsCurrent }),
		text("entry_current", func(r *row) *string { return &r.EntryCurrent }),
		text("walk_current", func(r *row) *string { return &r.WalkCurrent }),
		number("revision_current", func(r *row) *uint64 { return &r.RevisionCurrent }),
		times("changed_at", func(r *row) *time.Time { return &r.ChangedAt }),
	}
}

func (r *VerdictRow) finish() VerdictRow {
	for _, l := range []*[]string{&r.Domains, &r.Processes, &r.Dimensions, &r.DimensionsCurrent} {
		if len(*l) == 0 {
			*l = nil
		}
	}
	return *r
}

// UpsertVerdicts stores verdicts, durable when it returns nil. The row of a
// usage with the highest version stays.
func (s *Store) UpsertVerdicts(ctx context.Context, verdicts []VerdictRow) error {
	rows := make([]VerdictRow, 0, len(verdicts))
	var bad []BadRow
	for i, v := range verdicts {
		if v.AssetKey == "" || v.Day.IsZero() || !validTime(v.Day) {
			bad = append(bad, BadRow{Index: i, Reason: "asset or day is missing or not between 1970 and 2100"})
			continue
		}
		v.Day = v.Day.UTC().Truncate(24 * time.Hour)
		if v.Version == 0 {
			v.Version = uint64(max(v.EvaluatedAt.UnixMilli(), v.ChangedAt.UnixMilli(), 1))
		}
		rows = append(rows, v)
	}
	err := insert(ctx, s, "storing verdicts", "verdicts", verdictColumns(), pointers(rows), func(r *VerdictRow) time.Time { return r.Day })
	if err == nil && len(bad) > 0 {
		return &Permanent{Op: "storing verdicts", Rows: bad}
	}
	return err
}

// VerdictFilter chooses verdicts. The zero value chooses all, newest day
// first.
type VerdictFilter struct {
	SinceDay, UntilDay time.Time // day in [SinceDay, UntilDay)
	AssetKey           string
	Host, User         string
	Provider, Kind     string
	Channel            string
	Verdicts           []string // current verdict is one of these
	AtEvent            string   // verdict at the event
	Reason             string   // current reason
	EntryID            string   // current entry
	RevisionBelow      uint64   // judged now by an inventory revision below this; 0: any
	// FindingsSince chooses verdicts of usages of which a finding was stored
	// at or after it, as SegmentFilter.ChangedSince does.
	FindingsSince time.Time
	Text          string // part of asset, host or user name, in any case
	OldestFirst   bool
	Limit, Offset int
}

func (f VerdictFilter) where() *where {
	w := &where{}
	w.days("day", f.SinceDay, f.UntilDay)
	w.text("asset_key", f.AssetKey)
	w.text("host_name", f.Host)
	w.text("user_name", f.User)
	w.text("provider", f.Provider)
	w.text("asset_kind", f.Kind)
	w.text("channel", f.Channel)
	w.text("verdict_at_event", f.AtEvent)
	w.text("reason_current", f.Reason)
	w.text("entry_current", f.EntryID)
	if len(f.Verdicts) > 0 {
		w.add("has(?, verdict_current)", f.Verdicts)
	}
	if f.RevisionBelow > 0 {
		w.add("revision_current < ?", f.RevisionBelow)
	}
	if f.Text != "" {
		var parts []string
		var args []any
		for _, c := range []string{"asset_name", "asset_key", "host_name", "user_name"} {
			parts = append(parts, "positionCaseInsensitiveUTF8("+c+", ?) > 0")
			args = append(args, f.Text)
		}
		w.add("("+strings.Join(parts, " OR ")+")", args...)
	}
	return w
}

// Verdicts streams verdicts by day, asset, host and user.
func (s *Store) Verdicts(ctx context.Context, filter VerdictFilter, each func(VerdictRow) error) error {
	w := filter.where()
	if !filter.FindingsSince.IsZero() {
		changed := &where{}
		changed.days("toDate(window_start)", filter.SinceDay, filter.UntilDay)
		changed.add("inserted_at >= fromUnixTimestamp64Milli(?, 'UTC')", filter.FindingsSince.UnixMilli())
		w.add("(day, asset_key, host_name, user_name) IN (SELECT toDate(window_start), asset_key, host_name, user_name FROM "+
			s.table("findings")+changed.String()+")", changed.args...)
	}
	direction := " DESC"
	if filter.OldestFirst {
		direction = ""
	}
	columns := verdictColumns()
	statement := "SELECT " + names(columns) + " FROM " + s.table("verdicts") + " FINAL" + w.String() +
		" ORDER BY day" + direction + ", asset_key, host_name, user_name" + limit(filter.Limit, filter.Offset)
	return s.query(ctx, "reading verdicts", statement, w.args, func(rows driver.Rows) error {
		var row VerdictRow
		if err := rows.Scan(dests(columns, &row)...); err != nil {
			return fmt.Errorf("store: reading verdicts: %w", err)
		}
		return each(row.finish())
	})
}

// VerdictCount counts usages with one current verdict and reason.
type VerdictCount struct {
	Verdict, Reason string
	Usages          uint64
	Assets          uint64
	Hosts           uint64
	Users           uint64 // with a known name
	Observations    uint64
}

// VerdictCounts counts the verdicts the filter chooses, by current verdict and
// reason, most usages first; limit, offset and order of the filter do not
// matter. Assets, hosts and users of two rows may be the same ones: for a sum
// by verdict see VerdictTotals.
func (s *Store) VerdictCounts(ctx context.Context, filter VerdictFilter) ([]VerdictCount, error) {
	return s.verdictCounts(ctx, filter, "verdict_current, reason_current")
}

// VerdictTotals is VerdictCounts by verdict alone; Reason is empty.
func (s *Store) VerdictTotals(ctx context.Context, filter VerdictFilter) ([]VerdictCount, error) {
	return s.verdictCounts(ctx, filter, "verdict_current, ''")
}

func (s *Store) verdictCounts(ctx context.Context, filter VerdictFilter, by string) ([]VerdictCount, error) {
	w := filter.where()
	var counts []VerdictCount
	statement := "SELECT " + by + ", count() AS usages, uniqExact(asset_key), uniqExact(host_name), uniqExactIf(user_name, user_name != ''), sum(count) FROM " +
		s.table("verdicts") + " FINAL" + w.String() + " GROUP BY " + by + " ORDER BY usages DESC, " + by
	err := s.query(ctx, "counting verdicts", statement, w.args, func(rows driver.Rows) error {
		var c VerdictCount
		if err := rows.Scan(&c.Verdict, &c.Reason, &c.Usages, &c.Assets, &c.Hosts, &c.Users, &c.Observations); err != nil {
			return fmt.Errorf("store: counting verdicts: %w", err)
		}
		counts = append(counts, c)
		return nil
	})
	return counts, err
}
