package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// Source says which way a change came in.
type Source string

// The sources.
const (
	SourceGit Source = "git"
	SourceUI  Source = "ui"
	SourceAPI Source = "api"
	SourceCSV Source = "csv"
)

// Revision is one accepted state of the inventory or the directory.
type Revision struct {
	Number    int64 // 1, 2, 3 …; 0 is the state before the first
	AppliedAt time.Time
	Author    string
	Source    Source
	SHA256    string // hex, of the canonical JSON
}

// AnyBase as Change.Base applies on top of whatever is current.
const AnyBase int64 = -1

// Change says who changes something, when, and on top of what.
type Change struct {
	Author string
	Source Source
	At     time.Time
	// Base is the number of the revision that the author saw: 0 for none yet,
	// AnyBase to apply without looking. With another one current the change is
	// refused with a ConflictError.
	Base int64

	// For the audit log.
	Reason    string
	RequestID string
	Address   string
}

// ConflictError says that somebody else changed the same thing first.
type ConflictError struct {
	Base    int64 // as the author saw it
	Current Revision
}

// Error tells what to do.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("the change is based on revision %d, and %s made revision %d meanwhile: compare again and repeat", e.Base, e.Current.Author, e.Current.Number)
}

// ErrNone says that there was no revision or snapshot at the time asked for.
var ErrNone = errors.New("there is no revision that early")

// ErrStepBack says that a change is dated before the newest revision: history is
// not rewritten.
var ErrStepBack = errors.New("the change is dated before the newest revision: check the clock of this machine")

// series is one of the two append-only tables of documents.
type series struct {
	table, action string
}

func inventorySeries() series { return series{"inventory_revision", "inventory.apply"} }

func directorySeries() series { return series{"directory_snapshot", "directory.apply"} }

// ApplyInventory makes d the current inventory and returns its revision. Where d
// is what is current already nothing is written and the current revision comes
// back, whatever base was given. The error is an *inventory.InvalidError for a
// document that does not pass its checks or uses an id again, a *ConflictError,
// or ErrStepBack.
func (s *State) ApplyInventory(ctx context.Context, d *inventory.Document, change Change) (Revision, error) {
	if err := d.Check().Err(); err != nil {
		return Revision{}, fmt.Errorf("applying the inventory: %w", err)
	}
	data, sum, err := d.Canonical()
	if err != nil {
		return Revision{}, fmt.Errorf("applying the inventory: %w", err)
	}
	return s.apply(ctx, inventorySeries(), change, data, sum, func(tx *sql.Tx, before []byte, number int64) (any, error) {
		ledger, err := s.ledger(ctx, tx)
		if err != nil {
			return nil, err
		}
		if err := ledger.Check(d).Err(); err != nil {
			return nil, fmt.Errorf("applying the inventory: %w", err)
		}
		for _, id := range ledger.Add(number, d) {
			record := ledger.Records[id]
			if _, err := tx.ExecContext(ctx, `INSERT INTO inventory_id (id, kind, provider, revision, fixed) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, provider = excluded.provider, revision = excluded.revision, fixed = excluded.fixed`,
				id, string(record.Kind), record.Provider, record.Revision, record.Fixed); err != nil {
				return nil, s.failure("applying the inventory to", err)
			}
		}
		var old *inventory.Document
		if before != nil {
			if old, err = inventory.FromJSON(before); err != nil {
				return nil, err
			}
		}
		return inventory.Patch(old, d)
	})
}

func (s *State) ledger(ctx context.Context, tx *sql.Tx) (*inventory.Ledger, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, kind, provider, revision, fixed FROM inventory_id")
	if err != nil {
		return nil, s.failure("reading the ids of", err)
	}
	defer rows.Close()
	ledger := &inventory.Ledger{Records: map[string]inventory.LedgerRecord{}}
	for rows.Next() {
		var id string
		var record inventory.LedgerRecord
		if err := rows.Scan(&id, &record.Kind, &record.Provider, &record.Revision, &record.Fixed); err != nil {
			return nil, s.failure("reading the ids of", err)
		}
		ledger.Records[id] = record
	}
	if err := rows.Err(); err != nil {
		return nil, s.failure("reading the ids of", err)
	}
	return ledger, nil
}

// ApplyDirectory makes d the current directory, as ApplyInventory does for the
// inventory.
func (s *State) ApplyDirectory(ctx context.Context, d *inventory.Directory, change Change) (Revision, error) {
	if err := d.Check().Err(); err != nil {
		return Revision{}, fmt.Errorf("applying the directory: %w", err)
	}
	data, sum, err := d.Canonical()
	if err != nil {
		return Revision{}, fmt.Errorf("applying the directory: %w", err)
	}
	return s.apply(ctx, directorySeries(), change, data, sum, func(_ *sql.Tx, before []byte, _ int64) (any, error) {
		var old *inventory.Directory
		if before != nil {
			if old, err = inventory.DirectoryFromJSON(before); err != nil {
				return nil, err
			}
		}
		return inventory.PatchDirectories(old, d)
	})
}

// apply writes one document with its audit record. accept makes further changes
// in the same transaction and returns the patch for the audit log; before is the
// current document, nil for none.
func (s *State) apply(ctx context.Context, in series, change Change, data []byte, sum string,
	accept func(tx *sql.Tx, before []byte, number int64) (any, error),
) (Revision, error) {
	doing := "writing to " + in.table + " of"
	if change.Author == "" || change.At.IsZero() {
		return Revision{}, errors.New("applying a change: author and time must be given")
	}
	next := Revision{AppliedAt: change.At.UTC().Round(0), Author: change.Author, Source: change.Source, SHA256: sum}
	err := s.write(ctx, doing, func(tx *sql.Tx) error {
		current, before, err := s.last(ctx, tx, in)
		if err != nil && !errors.Is(err, ErrNone) {
			return err
		}
		switch {
		case current.SHA256 == sum:
			next = current
			return nil
		case change.Base != AnyBase && change.Base != current.Number:
			return &ConflictError{Base: change.Base, Current: current}
		case current.Number > 0 && next.AppliedAt.Before(current.AppliedAt):
			return fmt.Errorf("%s %s: %w (%s is before %s)", doing, s.path, ErrStepBack,
				next.AppliedAt.Format(time.RFC3339), current.AppliedAt.Format(time.RFC3339))
		}
		next.Number = current.Number + 1
		if _, err := tx.ExecContext(ctx, "INSERT INTO "+in.table+" (number, applied_at, author, source, sha256, document) VALUES (?, ?, ?, ?, ?, ?)",
			next.Number, next.AppliedAt.UnixNano(), next.Author, string(next.Source), sum, string(data)); err != nil {
			return s.failure(doing, err)
		}
		patch, err := accept(tx, before, next.Number)
		if err != nil {
			return err
		}
		_, err = s.audit(ctx, tx, AuditEvent{
			Time: change.At, Actor: change.Author, Action: in.action, Object: fmt.Sprintf("%s/%d", in.table, next.Number),
			Patch: patch, Reason: change.Reason, RequestID: change.RequestID, Address: change.Address,
		})
		return err
	})
	if err != nil {
		return Revision{}, err
	}
	return next, nil
}

// queryer is a database or a transaction.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *State) last(ctx context.Context, q queryer, in series) (Revision, []byte, error) {
	return s.one(ctx, q, in, "ORDER BY number DESC LIMIT 1")
}

// one returns the revision that a clause selects, with its document.
func (s *State) one(ctx context.Context, q queryer, in series, clause string, args ...any) (Revision, []byte, error) {
	var r Revision
	var nanoseconds int64
	var document []byte
	err := q.QueryRowContext(ctx, "SELECT number, applied_at, author, source, sha256, document FROM "+in.table+" "+clause, args...).
		Scan(&r.Number, &nanoseconds, &r.Author, &r.Source, &r.SHA256, &document)
	if errors.Is(err, sql.ErrNoRows) {
		return Revision{}, nil, ErrNone
	}
	if err != nil {
		return Revision{}, nil, s.failure("reading "+in.table+" of", err)
	}
	r.AppliedAt = time.Unix(0, nanoseconds).UTC()
	return r, document, nil
}

// at returns what was in force at an instant: the last revision applied then or
// before, so also the nearest earlier snapshot.
func (s *State) at(ctx context.Context, in series, at time.Time) (Revision, []byte, error) {
	return s.one(ctx, s.reader, in, "WHERE applied_at <= ? ORDER BY number DESC LIMIT 1", at.UnixNano())
}

// InventoryAt returns the inventory in force at an instant; ErrNone before the
// first revision.
func (s *State) InventoryAt(ctx context.Context, at time.Time) (Revision, *inventory.Document, error) {
	revision, data, err := s.at(ctx, inventorySeries(), at)
	return documentOf(revision, data, err, inventory.FromJSON)
}

// InventoryRevision returns one revision by its number; ErrNone where there is
// none.
func (s *State) InventoryRevision(ctx context.Context, number int64) (Revision, *inventory.Document, error) {
	revision, data, err := s.one(ctx, s.reader, inventorySeries(), "WHERE number = ?", number)
	return documentOf(revision, data, err, inventory.FromJSON)
}

// CurrentInventory returns the newest revision; ErrNone where there is none.
func (s *State) CurrentInventory(ctx context.Context) (Revision, *inventory.Document, error) {
	revision, data, err := s.last(ctx, s.reader, inventorySeries())
	return documentOf(revision, data, err, inventory.FromJSON)
}

// InventoryRevisions lists every revision, oldest first, without documents.
func (s *State) InventoryRevisions(ctx context.Context) ([]Revision, error) {
	return s.list(ctx, inventorySeries())
}

// DirectoryAt returns the directory in force at an instant, which is the nearest
// earlier snapshot; ErrNone before the first.
func (s *State) DirectoryAt(ctx context.Context, at time.Time) (Revision, *inventory.Directory, error) {
	revision, data, err := s.at(ctx, directorySeries(), at)
	return documentOf(revision, data, err, inventory.DirectoryFromJSON)
}

// CurrentDirectory returns the newest snapshot; ErrNone where there is none.
func (s *State) CurrentDirectory(ctx context.Context) (Revision, *inventory.Directory, error) {
	revision, data, err := s.last(ctx, s.reader, directorySeries())
	return documentOf(revision, data, err, inventory.DirectoryFromJSON)
}

// DirectorySnapshots lists every snapshot, oldest first, without documents.
func (s *State) DirectorySnapshots(ctx context.Context) ([]Revision, error) {
	return s.list(ctx, directorySeries())
}

func documentOf[T any](revision Revision, data []byte, err error, read func([]byte) (*T, error)) (Revision, *T, error) {
	if err != nil {
		return Revision{}, nil, err
	}
	document, err := read(data)
	if err != nil {
		return Revision{}, nil, fmt.Errorf("reading revision %d: %w", revision.Number, err)
	}
	return revision, document, nil
}

func (s *State) list(ctx context.Context, in series) ([]Revision, error) {
	doing := "listing " + in.table + " of"
	rows, err := s.reader.QueryContext(ctx, "SELECT number, applied_at, author, source, sha256 FROM "+in.table+" ORDER BY number")
	if err != nil {
		return nil, s.failure(doing, err)
	}
	defer rows.Close()
	var revisions []Revision
	for rows.Next() {
		var r Revision
		var nanoseconds int64
		if err := rows.Scan(&r.Number, &nanoseconds, &r.Author, &r.Source, &r.SHA256); err != nil {
			return nil, s.failure(doing, err)
		}
		r.AppliedAt = time.Unix(0, nanoseconds).UTC()
		revisions = append(revisions, r)
	}
	if err := rows.Err(); err != nil {
		return nil, s.failure(doing, err)
	}
	return revisions, nil
}
