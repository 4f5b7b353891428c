package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// migrations hold one idempotent statement a file; a released one never
// changes.
//
//go:embed migrations/*.sql
var migrations embed.FS

// enginePlaceholder is {replacing(version)}: the engine clause, the only part
// of a statement that differs between one server and a cluster.
var enginePlaceholder = regexp.MustCompile(`\{replacing\(([a-z_]+)\)\}`)

// Migrate brings the database to the newest schema. It may be run again, and
// by several collectors at once: every statement is idempotent.
func (s *Store) Migrate(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS " + s.opt.Database,
		"CREATE TABLE IF NOT EXISTS " + s.table("schema_migrations") +
			" (version UInt32, name String, sha256 String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) ENGINE = " +
			s.engine("applied_at") + " ORDER BY version",
	} {
		if err := s.exec(ctx, "migrate", statement); err != nil {
			return err
		}
	}
	applied := map[uint32]string{}
	err := s.query(ctx, "migrate", "SELECT version, sha256 FROM "+s.table("schema_migrations")+" FINAL", nil, func(rows driver.Rows) error {
		var version uint32
		var sum string
		if err := rows.Scan(&version, &sum); err != nil {
			return err
		}
		applied[version] = sum
		return nil
	})
	if err != nil {
		return err
	}
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	for _, file := range files {
		if err := s.apply(ctx, file, applied); err != nil {
			return err
		}
	}
	return s.settle(ctx)
}

func (s *Store) apply(ctx context.Context, file string, applied map[uint32]string) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
	number, _, _ := strings.Cut(name, "_")
	version, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return fmt.Errorf("store: migrate: %s has no number: %w", file, err)
	}
	hash := sha256.Sum256(text)
	sum := hex.EncodeToString(hash[:])
	if was, ok := applied[uint32(version)]; ok {
		if was != sum {
			return fmt.Errorf("store: migrate: %s was applied with another text: a released migration never changes, "+
				"install the version of the collector that made this database or a newer one", name)
		}
		return nil
	}
	if err := s.exec(ctx, "migrate "+name, s.expand(string(text))); err != nil {
		return err
	}
	return s.exec(ctx, "migrate "+name, "INSERT INTO "+s.table("schema_migrations")+" (version, name, sha256) VALUES (?, ?, ?)",
		uint32(version), name, sum)
}

func (s *Store) expand(text string) string {
	text = strings.ReplaceAll(text, "{database}", s.opt.Database)
	return enginePlaceholder.ReplaceAllStringFunc(text, func(m string) string {
		return s.engine(enginePlaceholder.FindStringSubmatch(m)[1])
	})
}

// engine is the engine clause of a table whose highest version stays.
func (s *Store) engine(version string) string {
	if s.opt.Replicated {
		return "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', " + version + ")"
	}
	return "ReplacingMergeTree(" + version + ")"
}

// settle brings the settings of the tables that are configured, not migrated,
// in line: retention and durability. It changes nothing that is so already.
func (s *Store) settle(ctx context.Context) error {
	for _, t := range []struct{ name, column string }{
		{"findings", "window_start"}, {"coverage", "toDateTime(until)"}, {"verdicts", "day"}, {"verdict_changes", "day"},
	} {
		var now string
		err := s.do(ctx, "settle", func() error {
			return s.conn.QueryRow(ctx, "SELECT create_table_query FROM system.tables WHERE database = ? AND name = ?",
				s.opt.Database, t.name).Scan(&now)
		})
		if err != nil {
			return err
		}
		for _, change := range []string{s.retention(now, t.column), s.durability(now)} {
			if change == "" {
				continue
			}
			if err := s.exec(ctx, "settle", "ALTER TABLE "+s.table(t.name)+" "+change); err != nil {
				return err
			}
		}
	}
	return nil
}

// retention is the change that makes the configured retention the TTL of a
// table, "" where it is. Old rows go as their parts are merged.
func (s *Store) retention(now, column string) string {
	hours := int64(s.opt.Retention.Hours())
	want := fmt.Sprintf("%s + toIntervalHour(%d)", column, hours)
	if column == "day" {
		want = fmt.Sprintf("%s + toIntervalDay(%d)", column, (hours+23)/24)
	}
	switch {
	case hours == 0 && strings.Contains(now, " TTL "):
		return "REMOVE TTL"
	case hours != 0 && !strings.Contains(now, "TTL "+want):
		return "MODIFY TTL " + want
	}
	return ""
}

// durability is the change that makes inserts wait for the disk or not.
func (s *Store) durability(now string) string {
	is := strings.Contains(now, "fsync_after_insert = 1")
	switch {
	case s.opt.Fsync && !is:
		return "MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1"
	case !s.opt.Fsync && is:
		return "RESET SETTING fsync_after_insert, fsync_part_directory"
	}
	return ""
}

func (s *Store) exec(ctx context.Context, op, statement string, args ...any) error {
	return s.do(ctx, op, func() error { return s.conn.Exec(ctx, statement, args...) })
}
