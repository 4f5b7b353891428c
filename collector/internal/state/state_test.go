package state

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

func TestOpenModes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data #1?%20")
	path := filepath.Join(folder, "state.db")
	s := openAt(t, path)
	apply(t, s, document("one", inventory.StatusApproved), by("ana", 0, 0))
	f := func(name string, want os.FileMode) {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
	f(folder, 0o700)
	f(path, 0o600)
	f(path+"-wal", 0o600)
	f(path+"-shm", 0o600)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path)
	f(path, 0o600)
	if _, _, err := again.CurrentInventory(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPragmas(t *testing.T) {
	s := open(t)
	f := func(db *sql.DB, pragma, want string) {
		t.Helper()
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
	for _, db := range []*sql.DB{s.writer, s.reader} {
		f(db, "journal_mode", "wal")
		f(db, "synchronous", "2")
		f(db, "foreign_keys", "1")
		f(db, "busy_timeout", "10000")
	}
	f(s.reader, "query_only", "1")
	if _, err := s.reader.ExecContext(t.Context(), "CREATE TABLE x (y)"); err == nil {
		t.Error("a reading connection wrote")
	}
}

func TestMigrateTwice(t *testing.T) {
	s := open(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("second time: %v", err)
	}
	if _, err := s.writer.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); !errors.Is(err, ErrNewer) {
		t.Errorf("a database of a newer collector: %v, want ErrNewer", err)
	}
}

func TestCorrupt(t *testing.T) {
	f := func(name string, damage func(t *testing.T, path string)) {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir() + "/state.db"
			s := openAt(t, path)
			big := document("one", inventory.StatusApproved)
			big.Entries[0].Description = strings.Repeat("x", 8000)
			apply(t, s, big, by("ana", 0, 0))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, path)
			broken, err := Open(context.Background(), path)
			if err == nil {
				_ = broken.Close()
			}
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("%v: want ErrCorrupt with the path and what to do", err)
			}
		})
	}
	overwrite := func(offset int64, data []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt(data, offset); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	f("header", overwrite(0, []byte("this was a database once, but is not one now")))
	f("pages", overwrite(4096, []byte(strings.Repeat("\xff", 16384))))
	f("another_file", func(t *testing.T, path string) {
		if err := os.WriteFile(path, []byte(strings.Repeat("hello\n", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	f("cut", func(t *testing.T, path string) {
		if err := os.Truncate(path, 8192); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOpenRefusesAFolder(t *testing.T) {
	if s, err := Open(t.Context(), t.TempDir()); err == nil {
		_ = s.Close()
		t.Error("a folder was opened as a database")
	}
}
