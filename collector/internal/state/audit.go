package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"
)

// AuditEvent is something that somebody did.
type AuditEvent struct {
	Time      time.Time
	Actor     string // who: account, token or "system"
	Action    string // what, e.g. inventory.apply
	Object    string // to what, e.g. inventory/12
	Patch     any    // before and after as a JSON patch (RFC 6902), nil where nothing changed; encoded with encoding/json
	Reason    string
	RequestID string
	Address   string // where the request came from
}

// AuditRecord is an event in the log.
type AuditRecord struct {
	Seq       int64           `json:"seq"` // 1, 2, 3 …
	Time      time.Time       `json:"time"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	Object    string          `json:"object"`
	Patch     json.RawMessage `json:"patch,omitempty"`
	Reason    string          `json:"reason"`
	RequestID string          `json:"request_id"`
	Address   string          `json:"address"`
	PrevHash  string          `json:"prev_hash"`      // hex, of the record before; zeros for the first
	Hash      string          `json:"hash,omitempty"` // hex, SHA-256(prev_hash || canonical JSON of the record without hash)
}

// ErrAuditBroken says that the audit log was tampered with or damaged.
var ErrAuditBroken = errors.New("the audit log does not verify: it was changed outside the collector or is damaged; compare with the copy in ClickHouse and the last checkpoint")

// MaxAuditRecordBytes bounds the canonical form of one record. The patch of a
// larger event is replaced by its SHA-256 and length, so that what was left out
// can still be proven.
const MaxAuditRecordBytes = 1 << 20

// Audit appends one event and returns its record.
func (s *State) Audit(ctx context.Context, event AuditEvent) (AuditRecord, error) {
	var record AuditRecord
	err := s.write(ctx, "appending to the audit log of", func(tx *sql.Tx) (err error) {
		record, err = s.audit(ctx, tx, event)
		return err
	})
	return record, err
}

func (s *State) audit(ctx context.Context, tx *sql.Tx, event AuditEvent) (AuditRecord, error) {
	if event.Actor == "" || event.Action == "" || event.Time.IsZero() {
		return AuditRecord{}, errors.New("appending to the audit log: actor, action and time must be given")
	}
	var seq int64
	prevHash := make([]byte, sha256.Size)
	err := tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1").Scan(&seq, &prevHash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return AuditRecord{}, s.failure("reading the audit log of", err)
	}
	record := AuditRecord{
		Seq: seq + 1, Time: event.Time.UTC().Round(0), Actor: event.Actor, Action: event.Action, Object: event.Object,
		Reason: event.Reason, RequestID: event.RequestID, Address: event.Address, PrevHash: hex.EncodeToString(prevHash),
	}
	if record.Patch, err = encodePatch(event.Patch); err != nil {
		return AuditRecord{}, fmt.Errorf("appending to the audit log: encoding the patch: %w", err)
	}
	canonical, err := record.canonical()
	if err != nil {
		return AuditRecord{}, err
	}
	hash := chainHash(prevHash, canonical)
	record.Hash = hex.EncodeToString(hash)
	if _, err := tx.ExecContext(ctx, "INSERT INTO audit_log (seq, record, prev_hash, hash) VALUES (?, ?, ?, ?)",
		record.Seq, string(canonical), prevHash, hash); err != nil {
		return AuditRecord{}, s.failure("appending to the audit log of", err)
	}
	return record, nil
}

func encodePatch(patch any) (json.RawMessage, error) {
	if patch == nil {
		return nil, nil
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxAuditRecordBytes {
		sum := sha256.Sum256(data)
		return json.Marshal(map[string]any{"omitted_bytes": len(data), "sha256": hex.EncodeToString(sum[:])})
	}
	return data, nil
}

// canonical returns what is hashed: the record without its own hash.
func (r *AuditRecord) canonical() ([]byte, error) {
	open := *r
	open.Hash = ""
	plain, err := json.Marshal(open)
	if err != nil {
		return nil, fmt.Errorf("encoding an audit record: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("encoding an audit record: %w", err)
	}
	return canonical, nil
}

func chainHash(prevHash, canonical []byte) []byte {
	h := sha256.New()
	h.Write(prevHash)
	h.Write(canonical)
	return h.Sum(nil)
}

// AuditRecords returns up to limit records with seq above after, in order.
func (s *State) AuditRecords(ctx context.Context, after int64, limit int) ([]AuditRecord, error) {
	var records []AuditRecord
	err := s.eachAudit(ctx, after, limit, func(row auditRow) error {
		record, err := row.decode()
		records = append(records, record)
		return err
	})
	return records, err
}

// AuditHead is the end of the log, for checkpoints: whoever holds an older head
// can prove that nothing before it was changed or cut off.
type AuditHead struct {
	Seq  int64  // number of records
	Hash string // hex, of the last one; zeros for an empty log
}

// VerifyAudit recomputes every hash from the first record on and returns the
// head. The error is ErrAuditBroken with the first record that does not fit.
// Records cut off at the end show only against an older head: the caller
// compares.
func (s *State) VerifyAudit(ctx context.Context) (AuditHead, error) {
	var seq int64
	prevHash := make([]byte, sha256.Size)
	err := s.eachAudit(ctx, 0, -1, func(row auditRow) error {
		broken := func(what string) error {
			return fmt.Errorf("verifying %s: %w (record %d: %s)", s.path, ErrAuditBroken, row.seq, what)
		}
		switch {
		case row.seq != seq+1:
			return broken(fmt.Sprintf("%d records are missing before it", row.seq-seq-1))
		case !bytes.Equal(row.prevHash, prevHash):
			return broken("it does not follow the record before")
		case !bytes.Equal(row.hash, chainHash(row.prevHash, row.record)):
			return broken("its content does not have its hash")
		}
		if _, err := row.decode(); err != nil {
			return broken(err.Error())
		}
		seq, prevHash = row.seq, bytes.Clone(row.hash)
		return nil
	})
	return AuditHead{Seq: seq, Hash: hex.EncodeToString(prevHash)}, err
}

type auditRow struct {
	seq                    int64
	record, prevHash, hash []byte
}

// decode reads the record and checks that what it says of itself is so.
func (r *auditRow) decode() (AuditRecord, error) {
	record := AuditRecord{}
	if err := json.Unmarshal(r.record, &record); err != nil {
		return record, fmt.Errorf("reading audit record %d: %w", r.seq, err)
	}
	if record.Seq != r.seq || record.PrevHash != hex.EncodeToString(r.prevHash) {
		return record, fmt.Errorf("reading audit record %d: it names itself %d", r.seq, record.Seq)
	}
	record.Hash = hex.EncodeToString(r.hash)
	return record, nil
}

func (s *State) eachAudit(ctx context.Context, after int64, limit int, do func(auditRow) error) error {
	rows, err := s.reader.QueryContext(ctx, "SELECT seq, record, prev_hash, hash FROM audit_log WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
	if err != nil {
		return s.failure("reading the audit log of", err)
	}
	defer rows.Close()
	for rows.Next() {
		var row auditRow
		if err := rows.Scan(&row.seq, &row.record, &row.prevHash, &row.hash); err != nil {
			return s.failure("reading the audit log of", err)
		}
		if err := do(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.failure("reading the audit log of", err)
	}
	return nil
}
