-- +goose Up
CREATE TABLE inventory_revision (
    number     INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL, -- Unix nanoseconds
    author     TEXT    NOT NULL CHECK (author <> ''),
    source     TEXT    NOT NULL CHECK (source IN ('git', 'ui', 'api', 'csv')),
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64),
    document   TEXT    NOT NULL  -- canonical JSON, RFC 8785
) STRICT;
CREATE INDEX inventory_revision_time ON inventory_revision (applied_at);

-- What each inventory id was last used for; see inventory.Ledger.
CREATE TABLE inventory_id (
    id       TEXT PRIMARY KEY,
    kind     TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    revision INTEGER NOT NULL REFERENCES inventory_revision (number),
    fixed    INTEGER NOT NULL CHECK (fixed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE directory_snapshot (
    number     INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL,
    author     TEXT    NOT NULL CHECK (author <> ''),
    source     TEXT    NOT NULL CHECK (source IN ('git', 'ui', 'api', 'csv')),
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64),
    document   TEXT    NOT NULL
) STRICT;
CREATE INDEX directory_snapshot_time ON directory_snapshot (applied_at);

CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the whole token
    name       TEXT    NOT NULL CHECK (name <> ''),
    role       TEXT    NOT NULL CHECK (role IN ('agent', 'admin', 'reader')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    seq       INTEGER PRIMARY KEY,
    record    TEXT NOT NULL,                            -- canonical JSON, RFC 8785
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash      BLOB NOT NULL CHECK (length(hash) = 32)   -- SHA-256(prev_hash || record)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER inventory_revision_next BEFORE INSERT ON inventory_revision
WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM inventory_revision)
  OR NEW.applied_at < (SELECT COALESCE(MAX(applied_at), NEW.applied_at) FROM inventory_revision)
BEGIN SELECT RAISE(ABORT, 'inventory revisions are numbered and dated without gaps or steps back'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inventory_revision_update BEFORE UPDATE ON inventory_revision
BEGIN SELECT RAISE(ABORT, 'inventory revisions are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inventory_revision_delete BEFORE DELETE ON inventory_revision
BEGIN SELECT RAISE(ABORT, 'inventory revisions are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inventory_id_delete BEFORE DELETE ON inventory_id
BEGIN SELECT RAISE(ABORT, 'inventory ids are remembered for ever'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER directory_snapshot_next BEFORE INSERT ON directory_snapshot
WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM directory_snapshot)
  OR NEW.applied_at < (SELECT COALESCE(MAX(applied_at), NEW.applied_at) FROM directory_snapshot)
BEGIN SELECT RAISE(ABORT, 'directory snapshots are numbered and dated without gaps or steps back'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER directory_snapshot_update BEFORE UPDATE ON directory_snapshot
BEGIN SELECT RAISE(ABORT, 'directory snapshots are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER directory_snapshot_delete BEFORE DELETE ON directory_snapshot
BEGIN SELECT RAISE(ABORT, 'directory snapshots are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_log_next BEFORE INSERT ON audit_log
WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit_log)
BEGIN SELECT RAISE(ABORT, 'audit records are numbered without gaps'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_log_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_log_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER token_delete BEFORE DELETE ON token
BEGIN SELECT RAISE(ABORT, 'tokens are revoked, not deleted'); END;
-- +goose StatementEnd
