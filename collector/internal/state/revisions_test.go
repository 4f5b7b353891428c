package state

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/google/go-cmp/cmp"
)

func apply(t *testing.T, s *State, d *inventory.Document, c Change) Revision {
	t.Helper()
	r, err := s.ApplyInventory(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestInventoryAt(t *testing.T) {
	s := open(t)
	if _, _, err := s.InventoryAt(t.Context(), start); !errors.Is(err, ErrNone) {
		t.Fatalf("before anything: %v, want ErrNone", err)
	}
	first := document("one", inventory.StatusApproved)
	second := document("one", inventory.StatusProhibited)
	one := apply(t, s, first, by("ana", 0, 0))
	two := apply(t, s, second, by("leo", 1, 10))
	if one.Number != 1 || two.Number != 2 || two.Author != "leo" || two.Source != SourceUI || !two.AppliedAt.Equal(start.Add(10*time.Hour)) {
		t.Fatalf("revisions %+v and %+v", one, two)
	}
	f := func(hours int, nanoseconds time.Duration, want Revision, status inventory.Status) {
		t.Helper()
		r, d, err := s.InventoryAt(t.Context(), start.Add(time.Duration(hours)*time.Hour).Add(nanoseconds))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("revision (-want +got):\n%s", diff)
		}
		if d.Entries[0].Status != status {
			t.Errorf("status %s, want %s", d.Entries[0].Status, status)
		}
	}
	f(0, 0, one, inventory.StatusApproved)
	f(10, -1, one, inventory.StatusApproved)
	f(10, 0, two, inventory.StatusProhibited)
	f(1000, 0, two, inventory.StatusProhibited)
	if _, _, err := s.InventoryAt(t.Context(), start.Add(-1)); !errors.Is(err, ErrNone) {
		t.Errorf("before the first revision: %v, want ErrNone", err)
	}
	list, err := s.InventoryRevisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Revision{one, two}, list); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if r, _, err := s.InventoryRevision(t.Context(), 1); err != nil || r != one {
		t.Errorf("revision 1: %+v, %v", r, err)
	}
}

func TestApplyNoChange(t *testing.T) {
	s := open(t)
	d := document("one", inventory.StatusApproved)
	one := apply(t, s, d, by("ana", 0, 0))
	again := document("one", inventory.StatusApproved)
	again.Defaults = inventory.Default() // the normal form is the same
	again.Entries[0].Tags = []string{}
	if r := apply(t, s, again, by("leo", 0, 5)); r != one {
		t.Errorf("the same inventory made %+v, want %+v", r, one)
	}
	if head, err := s.VerifyAudit(t.Context()); err != nil || head.Seq != 1 {
		t.Errorf("audit head %+v, %v: a change of nothing is not logged", head, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	s := open(t)
	one := apply(t, s, document("one", inventory.StatusApproved), by("ana", 0, 1))

	var conflict *ConflictError
	_, err := s.ApplyInventory(t.Context(), document("two", inventory.StatusApproved), by("leo", 0, 2))
	if !errors.As(err, &conflict) || conflict.Current != one || conflict.Base != 0 {
		t.Errorf("stale base: %v", err)
	}
	if _, err = s.ApplyInventory(t.Context(), document("two", inventory.StatusApproved), by("leo", 1, 0)); !errors.Is(err, ErrStepBack) {
		t.Errorf("dated before the last: %v, want ErrStepBack", err)
	}
	var invalid *inventory.InvalidError
	if _, err = s.ApplyInventory(t.Context(), document("TWO", inventory.StatusApproved), by("leo", 1, 2)); !errors.As(err, &invalid) {
		t.Errorf("invalid id: %v, want an InvalidError", err)
	}
	if _, err = s.ApplyInventory(t.Context(), document("two", inventory.StatusApproved), Change{At: start, Base: 1}); err == nil {
		t.Error("no author: accepted")
	}
	if _, err = s.ApplyInventory(t.Context(), document("two", inventory.StatusApproved), Change{Author: "x", Source: "fax", At: start.Add(time.Hour), Base: 1}); err == nil {
		t.Error("unknown source: accepted")
	}
	if r := apply(t, s, document("two", inventory.StatusApproved), by("leo", AnyBase, 3)); r.Number != 2 {
		t.Errorf("AnyBase made revision %d, want 2: a refused change left something behind", r.Number)
	}
	if head, err := s.VerifyAudit(t.Context()); err != nil || head.Seq != 2 {
		t.Errorf("audit head %+v, %v", head, err)
	}
}

func TestIDsAreNotReused(t *testing.T) {
	s := open(t)
	with := func(id, provider string, status inventory.Status) *inventory.Document {
		d := document(id, status)
		d.Entries[0].Provider = provider
		return d
	}
	apply(t, s, with("one", "opneai", inventory.StatusApproved), by("ana", AnyBase, 1))
	apply(t, s, with("one", "openai", inventory.StatusApproved), by("ana", AnyBase, 2)) // a correction, while it is alive
	apply(t, s, with("other", "openai", inventory.StatusApproved), by("ana", AnyBase, 3))
	apply(t, s, with("zzz", "openai", inventory.StatusApproved), by("ana", AnyBase, 4)) // an unrelated revision
	_, err := s.ApplyInventory(t.Context(), with("one", "anthropic", inventory.StatusApproved), by("ana", AnyBase, 5))
	var invalid *inventory.InvalidError
	if !errors.As(err, &invalid) || invalid.Issues[0].Code != inventory.CodeReusedID || invalid.Issues[0].EntryID != "one" {
		t.Fatalf("a removed id came back for another provider: %v", err)
	}
	apply(t, s, with("one", "openai", inventory.StatusRetired), by("ana", AnyBase, 6))
	apply(t, s, with("one", "openai", inventory.StatusApproved), by("ana", AnyBase, 7)) // back from retirement as itself
	if _, err := s.ApplyInventory(t.Context(), with("one", "anthropic", inventory.StatusApproved), by("ana", AnyBase, 8)); !errors.As(err, &invalid) {
		t.Fatalf("an id that was retired once changed its provider: %v", err)
	}
}

func TestAppendOnly(t *testing.T) {
	s := open(t)
	apply(t, s, document("one", inventory.StatusApproved), by("ana", 0, 1))
	directory := &inventory.Directory{Schema: inventory.DirectorySchema, Users: []inventory.User{{Name: "ana"}}}
	if _, err := s.ApplyDirectory(t.Context(), directory, by("ana", 0, 1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.CreateToken(t.Context(), "x", RoleReader, time.Time{}, by("ana", 0, 1)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"UPDATE inventory_revision SET author = 'eve'", "DELETE FROM inventory_revision",
		"INSERT INTO inventory_revision SELECT 5, applied_at, author, source, sha256, document FROM inventory_revision",
		"INSERT INTO inventory_revision SELECT 2, applied_at - 1, author, source, sha256, document FROM inventory_revision",
		"INSERT OR REPLACE INTO inventory_revision SELECT * FROM inventory_revision",
		"UPDATE directory_snapshot SET author = 'eve'", "DELETE FROM directory_snapshot",
		"INSERT INTO directory_snapshot SELECT 5, applied_at, author, source, sha256, document FROM directory_snapshot",
		"UPDATE audit_log SET record = '{}'", "DELETE FROM audit_log", "INSERT INTO audit_log SELECT 9, record, prev_hash, hash FROM audit_log",
		"INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log LIMIT 1",
		"DELETE FROM inventory_id", "DELETE FROM token",
	} {
		if _, err := s.writer.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("the database allowed %s", statement)
		} else if strings.Contains(err.Error(), "syntax") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if _, err := s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDirectoryAt(t *testing.T) {
	s := open(t)
	directory := func(groups ...string) *inventory.Directory {
		return &inventory.Directory{Schema: inventory.DirectorySchema, Users: []inventory.User{{Name: "ana", Groups: groups}}}
	}
	for i, group := range []string{"sales", "engineering"} {
		if _, err := s.ApplyDirectory(t.Context(), directory(group), by("ana", int64(i), i*24)); err != nil {
			t.Fatal(err)
		}
	}
	f := func(hours int, want string) {
		t.Helper()
		_, d, err := s.DirectoryAt(t.Context(), start.Add(time.Duration(hours)*time.Hour))
		if want == "" {
			if !errors.Is(err, ErrNone) {
				t.Errorf("at %d h: %v, want ErrNone", hours, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Index().Groups("Ana"); len(got) != 1 || got[0] != want {
			t.Errorf("at %d h: groups %v, want %s", hours, got, want)
		}
	}
	f(-1, "")
	f(0, "sales")
	f(23, "sales")
	f(24, "engineering")
	f(9999, "engineering")
	if list, err := s.DirectorySnapshots(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("snapshots %v, %v", list, err)
	}
	var conflict *ConflictError
	if _, err := s.ApplyDirectory(t.Context(), directory("x"), by("leo", 1, 99)); !errors.As(err, &conflict) {
		t.Errorf("stale base: %v", err)
	}
	records, err := s.AuditRecords(t.Context(), 1, 10)
	if err != nil || len(records) != 1 {
		t.Fatalf("records %v, %v", records, err)
	}
	want := `[{"op":"test","path":"/users/ana/groups","value":["sales"]},{"op":"replace","path":"/users/ana/groups","value":["engineering"]}]`
	if string(records[0].Patch) != want || records[0].Action != "directory.apply" || records[0].Object != "directory_snapshot/2" {
		t.Errorf("audit record %+v, want the patch %s", records[0], want)
	}
}
