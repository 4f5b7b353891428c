package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// Role says what a caller may do.
type Role string

// The roles. An admin may do what a reader may.
const (
	RoleReader Role = "reader"
	RoleAdmin  Role = "admin"
)

// Principal is who calls.
type Principal struct {
	Name string
	Role Role
}

// ErrToken refuses a token for good.
var ErrToken = errors.New("the token is unknown, expired or revoked, or may not use the API")

// Authenticate returns who bears a token. An error that is no ErrToken means
// that nobody knows.
type Authenticate func(ctx context.Context, token string) (Principal, error)

type principalKey struct{}

// Caller returns who calls; the zero Principal where nobody was let in.
func Caller(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// RequireAdmin refuses callers that may only read.
func RequireAdmin(ctx context.Context) error {
	if p := Caller(ctx); p.Role != RoleAdmin {
		return connect.NewError(connect.CodePermissionDenied, errors.New("token "+p.Name+" may only read: use a token with role admin"))
	}
	return nil
}

// guard lets requests with a good token through, before their body is read.
func (s *Server) guard(next http.Handler) http.Handler {
	refuse := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, err := s.principal(r)
		if err == nil {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, principal)))
			return
		}
		code, status := connect.CodeUnauthenticated, http.StatusUnauthorized
		if !errors.Is(err, ErrToken) {
			s.log.Error("cannot check a token", "error", err)
			err, code, status = errors.New("tokens cannot be checked at the moment, try again"), connect.CodeUnavailable, http.StatusServiceUnavailable
		}
		s.count(r.Context(), code.String())
		if refuse.IsSupported(r) {
			_ = refuse.Write(w, r, connect.NewError(code, err)) // the caller may have left
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, err.Error(), status)
	})
}

func (s *Server) principal(r *http.Request) (Principal, error) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 512 {
		return Principal{}, ErrToken
	}
	return s.authenticate(r.Context(), strings.TrimSpace(token))
}
