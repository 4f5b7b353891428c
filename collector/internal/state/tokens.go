package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TokenRole says what a token may do.
type TokenRole string

// The roles of tokens.
const (
	RoleAgent  TokenRole = "agent"  // enrol and send findings
	RoleAdmin  TokenRole = "admin"  // everything
	RoleReader TokenRole = "reader" // read
)

// Token is what is kept of a token; the token itself is not.
type Token struct {
	ID        string // part of the token, safe to show and to log
	Name      string
	Role      TokenRole
	CreatedAt time.Time
	ExpiresAt time.Time // zero is never
	RevokedAt time.Time // zero is not revoked
}

// Errors of VerifyToken. Answer a client alike for all of them; the difference
// is for the log of the collector.
var (
	ErrTokenUnknown = errors.New("the token is not known")
	ErrTokenExpired = errors.New("the token has expired: create a new one")
	ErrTokenRevoked = errors.New("the token was revoked")
)

// A token is "gnomon_<id>_<secret>": 10 and 32 random bytes in lower-case
// base32, so that it survives copying by hand and is found by secret scanners.
const (
	tokenPrefix     = "gnomon_"
	tokenIDBytes    = 10
	tokenSecretByte = 32
	maxTokenBytes   = 128
)

// CreateToken makes a token and returns it with its plain text, which is nowhere
// kept: show it once. A zero expires is never. The actor of change is written to
// the audit log.
func (s *State) CreateToken(ctx context.Context, name string, role TokenRole, expires time.Time, change Change) (Token, string, error) {
	if strings.TrimSpace(name) == "" || change.At.IsZero() {
		return Token{}, "", errors.New("creating a token: name and time must be given")
	}
	if role != RoleAgent && role != RoleAdmin && role != RoleReader {
		return Token{}, "", fmt.Errorf("creating a token: the role %q is none of agent, admin, reader", role)
	}
	if !expires.IsZero() && !expires.After(change.At) {
		return Token{}, "", fmt.Errorf("creating a token: it would expire at %s, which is not in the future", expires.UTC().Format(time.RFC3339))
	}
	token := Token{ID: randomText(tokenIDBytes), Name: name, Role: role, CreatedAt: change.At.UTC().Round(0)}
	if !expires.IsZero() {
		token.ExpiresAt = expires.UTC().Round(0)
	}
	plain := tokenPrefix + token.ID + "_" + randomText(tokenSecretByte)
	hash := sha256.Sum256([]byte(plain))
	err := s.write(ctx, "creating a token in", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO token (id, hash, name, role, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
			token.ID, hash[:], token.Name, string(token.Role), token.CreatedAt.UnixNano(), nullTime(token.ExpiresAt)); err != nil {
			return s.failure("creating a token in", err)
		}
		_, err := s.audit(ctx, tx, change.event("token.create", "token/"+token.ID,
			[]map[string]string{{"op": "add", "path": "/name", "value": name}, {"op": "add", "path": "/role", "value": string(role)}}))
		return err
	})
	if err != nil {
		return Token{}, "", err
	}
	return token, plain, nil
}

func (c *Change) event(action, object string, patch any) AuditEvent {
	return AuditEvent{Time: c.At, Actor: c.Author, Action: action, Object: object, Patch: patch, Reason: c.Reason, RequestID: c.RequestID, Address: c.Address}
}

func randomText(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

// VerifyToken returns what is kept of a token that is good at the instant, else
// one of ErrTokenUnknown, ErrTokenExpired and ErrTokenRevoked. The secret is
// compared in constant time.
func (s *State) VerifyToken(ctx context.Context, plain string, at time.Time) (Token, error) {
	rest, found := strings.CutPrefix(plain, tokenPrefix)
	id, _, complete := strings.Cut(rest, "_")
	if !found || !complete || len(plain) > maxTokenBytes {
		return Token{}, ErrTokenUnknown
	}
	given := sha256.Sum256([]byte(plain))
	token, hash, err := s.token(ctx, s.reader, id)
	if err != nil && !errors.Is(err, ErrTokenUnknown) {
		return Token{}, err
	}
	if len(hash) != sha256.Size { // compared all the same, with what nothing hashes to
		hash = make([]byte, sha256.Size)
	}
	same := subtle.ConstantTimeCompare(given[:], hash) == 1
	switch {
	case err != nil || !same:
		return Token{}, ErrTokenUnknown
	case !token.RevokedAt.IsZero():
		return Token{}, ErrTokenRevoked
	case !token.ExpiresAt.IsZero() && !at.Before(token.ExpiresAt):
		return Token{}, ErrTokenExpired
	}
	return token, nil
}

const tokenFields = "SELECT id, hash, name, role, created_at, expires_at, revoked_at FROM token "

func (s *State) token(ctx context.Context, q queryer, id string) (Token, []byte, error) {
	token, hash, err := scanToken(q.QueryRowContext(ctx, tokenFields+"WHERE id = ?", id))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Token{}, nil, ErrTokenUnknown
	case err != nil:
		return Token{}, nil, s.failure("reading a token of", err)
	}
	return token, hash, nil
}

func scanToken(row interface{ Scan(dest ...any) error }) (Token, []byte, error) {
	var token Token
	var hash []byte
	var created int64
	var expires, revoked sql.NullInt64
	if err := row.Scan(&token.ID, &hash, &token.Name, &token.Role, &created, &expires, &revoked); err != nil {
		return Token{}, nil, err
	}
	token.CreatedAt = time.Unix(0, created).UTC()
	if expires.Valid {
		token.ExpiresAt = time.Unix(0, expires.Int64).UTC()
	}
	if revoked.Valid {
		token.RevokedAt = time.Unix(0, revoked.Int64).UTC()
	}
	return token, hash, nil
}

func nullTime(at time.Time) sql.NullInt64 {
	if at.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: at.UnixNano(), Valid: true}
}

// RevokeToken ends a token for good. Revoking it again changes nothing.
// ErrTokenUnknown where there is none with that id.
func (s *State) RevokeToken(ctx context.Context, id string, change Change) error {
	return s.write(ctx, "revoking a token in", func(tx *sql.Tx) error {
		token, _, err := s.token(ctx, tx, id)
		if err != nil || !token.RevokedAt.IsZero() {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", change.At.UnixNano(), id); err != nil {
			return s.failure("revoking a token in", err)
		}
		_, err = s.audit(ctx, tx, change.event("token.revoke", "token/"+id, nil))
		return err
	})
}

// ListTokens returns every token, revoked and expired ones too, oldest first.
func (s *State) ListTokens(ctx context.Context) ([]Token, error) {
	rows, err := s.reader.QueryContext(ctx, tokenFields+"ORDER BY created_at, id")
	if err != nil {
		return nil, s.failure("listing the tokens of", err)
	}
	defer rows.Close()
	var tokens []Token
	for rows.Next() {
		token, _, err := scanToken(rows)
		if err != nil {
			return nil, s.failure("listing the tokens of", err)
		}
		tokens = append(tokens, token)
	}
	if err := rows.Err(); err != nil {
		return nil, s.failure("listing the tokens of", err)
	}
	return tokens, nil
}
