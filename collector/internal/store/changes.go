package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// VerdictChange records that a verdict already given became another.
type VerdictChange struct {
	ChangedAt               time.Time // milliseconds
	AssetKey, Host, User    string
	Day                     time.Time // UTC midnight
	FromVerdict, FromReason string
	FromEntry               string
	FromRevision            uint64
	ToVerdict, ToReason     string
	ToEntry                 string
	ToRevision              uint64
	Cause                   string // inventory, findings, directory, time

	id string
}

// computeID is the same for the same change, so writing it twice keeps one.
func (c *VerdictChange) computeID() string {
	h := sha256.New()
	for _, field := range []string{
		c.AssetKey, c.Host, c.User, c.Day.UTC().Format(time.DateOnly),
		c.FromVerdict, c.FromReason, c.FromEntry, c.ToVerdict, c.ToReason, c.ToEntry, c.Cause,
	} {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(field)))
		h.Write(length[:])
		h.Write([]byte(field))
	}
	var numbers [24]byte
	binary.BigEndian.PutUint64(numbers[:], c.FromRevision)
	binary.BigEndian.PutUint64(numbers[8:], c.ToRevision)
	binary.BigEndian.PutUint64(numbers[16:], uint64(c.ChangedAt.UnixMilli()))
	h.Write(numbers[:])
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func changeColumns() []column[VerdictChange] {
	type row = VerdictChange
	return []column[row]{
		hexID("change_id", func(r *row) *string { return &r.id }),
		times("changed_at", func(r *row) *time.Time { return &r.ChangedAt }),
		times("day", func(r *row) *time.Time { return &r.Day }),
		plain("asset_key", func(r *row) *string { return &r.AssetKey }),
		plain("host_name", func(r *row) *string { return &r.Host }),
		plain("user_name", func(r *row) *string { return &r.User }),
		plain("from_verdict", func(r *row) *string { return &r.FromVerdict }),
		plain("from_reason", func(r *row) *string { return &r.FromReason }),
		plain("from_entry", func(r *row) *string { return &r.FromEntry }),
		plain("from_revision", func(r *row) *uint64 { return &r.FromRevision }),
		plain("to_verdict", func(r *row) *string { return &r.ToVerdict }),
		plain("to_reason", func(r *row) *string { return &r.ToReason }),
		plain("to_entry", func(r *row) *string { return &r.ToEntry }),
		plain("to_revision", func(r *row) *uint64 { return &r.ToRevision }),
		plain("cause", func(r *row) *string { return &r.Cause }),
	}
}

// InsertVerdictChanges adds change records. One that was stored before is not
// stored twice.
func (s *Store) InsertVerdictChanges(ctx context.Context, changes []VerdictChange) error {
	rows := make([]VerdictChange, 0, len(changes))
	var bad []BadRow
	for i, c := range changes {
		if c.AssetKey == "" || c.Day.IsZero() || c.ChangedAt.IsZero() || !validTime(c.Day) || !validTime(c.ChangedAt) {
			bad = append(bad, BadRow{Index: i, Reason: "asset, day or changed_at is missing or not between 1970 and 2100"})
			continue
		}
		c.Day = c.Day.UTC().Truncate(24 * time.Hour)
		c.id = c.computeID()
		rows = append(rows, c)
	}
	err := insert(ctx, s, "storing verdict changes", "verdict_changes", changeColumns(), pointers(rows),
		func(r *VerdictChange) time.Time { return r.Day })
	if err == nil && len(bad) > 0 {
		return &Permanent{Op: "storing verdict changes", Rows: bad}
	}
	return err
}

// ChangeFilter chooses change records.
type ChangeFilter struct {
	Since, Until time.Time // changed_at in [Since, Until)
	AssetKey     string
	Host, User   string
	Day          time.Time // of the usage
	Limit        int
	Offset       int
}

// VerdictChanges streams change records, newest first.
func (s *Store) VerdictChanges(ctx context.Context, filter ChangeFilter, each func(VerdictChange) error) error {
	w := &where{}
	if !filter.Since.IsZero() {
		w.add("changed_at >= fromUnixTimestamp64Milli(?, 'UTC')", filter.Since.UnixMilli())
	}
	if !filter.Until.IsZero() {
		w.add("changed_at < fromUnixTimestamp64Milli(?, 'UTC')", filter.Until.UnixMilli())
	}
	if !filter.Day.IsZero() {
		w.days("day", filter.Day, filter.Day.Add(24*time.Hour))
	}
	w.text("asset_key", filter.AssetKey)
	w.text("host_name", filter.Host)
	w.text("user_name", filter.User)
	columns := changeColumns()
	statement := "SELECT " + names(columns) + " FROM " + s.table("verdict_changes") + " FINAL" + w.String() +
		" ORDER BY changed_at DESC, day DESC, asset_key, host_name, user_name, change_id" + limit(filter.Limit, filter.Offset)
	return s.query(ctx, "reading verdict changes", statement, w.args, func(rows driver.Rows) error {
		var row VerdictChange
		if err := rows.Scan(dests(columns, &row)...); err != nil {
			return fmt.Errorf("store: reading verdict changes: %w", err)
		}
		row.id = ""
		return each(row)
	})
}
