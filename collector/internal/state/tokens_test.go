package state

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokens(t *testing.T) {
	s := open(t)
	now := start.Add(time.Hour)
	token, plain, err := s.CreateToken(t.Context(), "laptop fleet", RoleAgent, now.Add(24*time.Hour), by("ana", 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) < 64 || !strings.HasPrefix(plain, "gnomon_"+token.ID+"_") {
		t.Errorf("the token %q has not the form gnomon_<id>_<secret>", plain)
	}
	f := func(given string, at time.Time, want error) {
		t.Helper()
		got, err := s.VerifyToken(t.Context(), given, at)
		if !errors.Is(err, want) {
			t.Errorf("verifying %q: %v, want %v", given, err, want)
		}
		if want == nil && got.ID != token.ID {
			t.Errorf("verified as %+v", got)
		}
	}
	f(plain, now, nil)
	f(plain, now.Add(24*time.Hour-1), nil)
	f(plain, now.Add(24*time.Hour), ErrTokenExpired)
	f(plain[:len(plain)-1]+"!", now, ErrTokenUnknown)
	f(plain[:len(plain)-1], now, ErrTokenUnknown)
	f("gnomon_"+token.ID+"_", now, ErrTokenUnknown)
	f("gnomon_aaaaaaaaaaaaaaaa_"+strings.Repeat("a", 52), now, ErrTokenUnknown)
	f("", now, ErrTokenUnknown)
	f(strings.Repeat("gnomon_", 1000), now, ErrTokenUnknown)
	f(strings.ToUpper(plain), now, ErrTokenUnknown)

	second, other, err := s.CreateToken(t.Context(), "ci", RoleReader, time.Time{}, by("ana", 0, 2))
	if err != nil || other == plain || second.ID == token.ID {
		t.Fatalf("second token %+v, %v", second, err)
	}
	list, err := s.ListTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Token{token, second}, list); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}

	for range 2 { // the second time changes nothing
		if err := s.RevokeToken(t.Context(), token.ID, by("leo", 0, 3)); err != nil {
			t.Fatal(err)
		}
	}
	f(plain, now, ErrTokenRevoked)
	if _, err := s.VerifyToken(t.Context(), other, now.AddDate(50, 0, 0)); err != nil {
		t.Errorf("a token without end: %v", err)
	}
	if err := s.RevokeToken(t.Context(), "nobody", by("leo", 0, 3)); !errors.Is(err, ErrTokenUnknown) {
		t.Errorf("revoking an unknown token: %v", err)
	}

	records, err := s.AuditRecords(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, r := range records {
		actions = append(actions, r.Actor+" "+r.Action+" "+r.Object)
	}
	want := []string{"ana token.create token/" + token.ID, "ana token.create token/" + second.ID, "leo token.revoke token/" + token.ID}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	checkNotStored(t, s, plain, other)
}

// checkNotStored asserts that no file of the database holds a secret.
func checkNotStored(t *testing.T, s *State, tokens ...string) {
	t.Helper()
	found := false
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(s.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(data, []byte("laptop fleet"))
		for _, token := range tokens {
			secret := token[strings.LastIndexByte(token, '_')+1:]
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("the file %s holds the secret of a token", suffix)
			}
		}
	}
	if !found {
		t.Error("the name of the token is in no file: the search looked in the wrong place")
	}
}

func TestCreateTokenRefuses(t *testing.T) {
	s := open(t)
	f := func(name string, role TokenRole, expires time.Time, change Change) {
		t.Helper()
		if _, _, err := s.CreateToken(t.Context(), name, role, expires, change); err == nil {
			t.Errorf("created %q, %q, %s", name, role, expires)
		}
	}
	f("", RoleAgent, time.Time{}, by("ana", 0, 1))
	f("x", "root", time.Time{}, by("ana", 0, 1))
	f("x", RoleAgent, start, by("ana", 0, 1))
	f("x", RoleAgent, time.Time{}, Change{Author: "ana"})
	f("x", RoleAgent, time.Time{}, Change{At: start})
	if list, err := s.ListTokens(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}
