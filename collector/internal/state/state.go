package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // registers the driver
)

//go:embed migrations/*.sql
var migrations embed.FS

// Result codes of SQLite, https://www.sqlite.org/rescode.html.
const (
	sqliteBusy    = 5
	sqliteCorrupt = 11
	sqliteNotADB  = 26
)

// busyTimeout is how long a write waits for another process.
const busyTimeout = 10 * time.Second

// readers is the number of reading connections.
const readers = 4

// ErrCorrupt says that the file is damaged, or no SQLite database.
var ErrCorrupt = errors.New("the state database is damaged or is no SQLite database: stop the collector and restore the file from a backup, together with its -wal file if there is one")

// ErrNewer says that a later version of the collector has migrated the database.
var ErrNewer = errors.New("the state database was written by a newer collector: run that version or a later one")

// State is an open state database. It is safe for concurrent use.
type State struct {
	path   string
	writer *sql.DB // one connection; transactions begin by taking the write lock
	reader *sql.DB
}

// Open opens the database file at path and checks it; a missing file is created
// with mode 0600, and a missing folder with mode 0700. A file that others may
// read is made private. Call Migrate before anything else, and Close in the end.
func Open(ctx context.Context, path string) (*State, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the state database: %w", err)
	}
	if err := prepareFile(absolute); err != nil {
		return nil, fmt.Errorf("opening the state database: %w", err)
	}
	s := &State{path: absolute}
	if s.writer, err = sql.Open("sqlite", dataSource(absolute, false)); err != nil {
		return nil, fmt.Errorf("opening the state database: %w", err)
	}
	if s.reader, err = sql.Open("sqlite", dataSource(absolute, true)); err != nil {
		_ = s.writer.Close()
		return nil, fmt.Errorf("opening the state database: %w", err)
	}
	s.writer.SetMaxOpenConns(1)
	s.reader.SetMaxOpenConns(readers)
	if err := s.check(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err == nil && info.Mode().Perm() != 0o600 {
		err = file.Chmod(0o600)
	}
	return errors.Join(err, file.Close())
}

func dataSource(path string, readOnly bool) string {
	query := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)",
	}}
	if readOnly {
		query["_pragma"] = append(query["_pragma"], "query_only(1)")
	} else {
		query.Set("_txlock", "immediate")
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: query.Encode()}).String()
}

// check reads every page once.
func (s *State) check(ctx context.Context) error {
	var verdict string
	if err := s.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return s.failure("checking", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("checking %s: %w (%s)", s.path, ErrCorrupt, verdict)
	}
	return nil
}

// Close closes the database. It may be called twice.
func (s *State) Close() error {
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// Path returns the absolute path of the database file.
func (s *State) Path() string { return s.path }

// migrateAttempts bounds how often Migrate tries again after another process
// migrated at the same time.
const migrateAttempts = 20

// Migrate brings the schema up to date; several processes may do so at once.
func (s *State) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrating the state database: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrating the state database: %w", err)
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	for attempt := 1; ; attempt++ {
		_, err = provider.Up(ctx)
		if err == nil || ctx.Err() != nil || attempt == migrateAttempts || errors.Is(s.failure("migrating", err), ErrCorrupt) {
			break
		}
		// Another process may have run the same step first: look again.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt) * 10 * time.Millisecond):
		}
	}
	if err != nil {
		return s.failure("migrating", err)
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return s.failure("migrating", err)
	}
	if version > newest {
		return fmt.Errorf("migrating %s: %w (it has schema %d, this one knows %d)", s.path, ErrNewer, version, newest)
	}
	return nil
}

// failure wraps an error of the database once, with the path and, for a damaged
// file, what to do.
func (s *State) failure(doing string, err error) error {
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		switch failed.Code() & 0xff {
		case sqliteCorrupt, sqliteNotADB:
			return fmt.Errorf("%s %s: %w (%w)", doing, s.path, ErrCorrupt, err)
		case sqliteBusy:
			return fmt.Errorf("%s %s: another process held the write lock for %s, try again: %w", doing, s.path, busyTimeout, err)
		}
	}
	return fmt.Errorf("%s %s: %w", doing, s.path, err)
}

// write runs do in one transaction that holds the write lock from its start.
func (s *State) write(ctx context.Context, doing string, do func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.failure(doing, err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error is the one that tells
		return err
	}
	if err := tx.Commit(); err != nil {
		return s.failure(doing, err)
	}
	return nil
}
