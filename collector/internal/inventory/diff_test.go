package inventory

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	entry := func(id string, change func(*Entry)) Entry {
		e := Entry{ID: id, Name: id, Kind: KindModel, Status: StatusApproved, Approval: Approval{By: "ciso", At: "2026-01-01"}, Match: []Match{{Provider: []string{"acme"}}}}
		if change != nil {
			change(&e)
		}
		return e
	}
	before := &Document{Entries: []Entry{entry("gone", nil), entry("same", nil), entry("edited", func(e *Entry) { e.Tags = []string{"x"}; e.Links = map[string]string{"a.b": "https://x.example"} })}}
	after := &Document{Entries: []Entry{entry("new", nil), entry("same", nil), entry("edited", func(e *Entry) { e.Status = StatusRetired; e.Valid.Until = "2027-01-01" })}}
	before.Normalize()
	after.Normalize()
	after.Defaults.ScopeOnUnknown = UnknownDeny
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	want := &Diff{
		Created: []string{"new"}, Removed: []string{"gone"}, Unchanged: []string{"same"},
		Defaults: []Field{{"scope_on_unknown", raw(`"flag"`), raw(`"deny"`)}},
		Changed: []Changed{{"edited", []Field{
			{`links["a.b"]`, raw(`"https://x.example"`), nil},
			{"status", raw(`"approved"`), raw(`"retired"`)},
			{"tags", raw(`["x"]`), nil},
			{"valid.until", nil, raw(`"2027-01-01"`)},
		}}},
	}
	got, err := Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
	if got, err = Compare(after, after); err != nil || !got.IsEmpty() || len(got.Unchanged) != 3 {
		t.Errorf("compared with itself: %+v, %v", got, err)
	}
	if got, err = Compare(nil, after); err != nil || len(got.Created) != 3 {
		t.Errorf("compared with nothing: %+v, %v", got, err)
	}
	patch, err := Patch(before, after)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	const wantPatch = `[{"op":"test","path":"/defaults/scope_on_unknown","value":"flag"},{"op":"replace","path":"/defaults/scope_on_unknown","value":"deny"},` +
		`{"op":"test","path":"/entries/edited/links","value":{"a.b":"https://x.example"}},{"op":"remove","path":"/entries/edited/links"},` +
		`{"op":"test","path":"/entries/edited/status","value":"approved"},{"op":"replace","path":"/entries/edited/status","value":"retired"},` +
		`{"op":"test","path":"/entries/edited/tags","value":["x"]},{"op":"remove","path":"/entries/edited/tags"},` +
		`{"op":"add","path":"/entries/edited/valid","value":{"until":"2027-01-01"}},` +
		`{"op":"test","path":"/entries/gone","value":{"approval":{"at":"2026-01-01","by":"ciso"},"id":"gone","kind":"model","match":[{"provider":["acme"]}],"name":"gone","status":"approved"}},{"op":"remove","path":"/entries/gone"},` +
		`{"op":"add","path":"/entries/new","value":{"approval":{"at":"2026-01-01","by":"ciso"},"id":"new","kind":"model","match":[{"provider":["acme"]}],"name":"new","status":"approved"}}]`
	if diff := cmp.Diff(wantPatch, string(text)); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}

func TestLedger(t *testing.T) {
	doc := func(kind Kind, provider string, status Status) *Document {
		return &Document{Entries: []Entry{{ID: "one", Kind: kind, Provider: provider, Status: status}}}
	}
	var l Ledger
	step := func(revision int64, d *Document, accepted bool, changed ...string) {
		t.Helper()
		issues := l.Check(d)
		if (len(issues) == 0) != accepted {
			t.Fatalf("revision %d: %v, want accepted %v", revision, issues, accepted)
		}
		if !accepted {
			return
		}
		got := l.Add(revision, d)
		slices.Sort(got)
		if diff := cmp.Diff(changed, got); diff != "" {
			t.Errorf("revision %d changed (-want +got):\n%s", revision, diff)
		}
	}
	step(1, doc(KindModel, "acme", StatusApproved), true, "one")
	step(2, doc(KindModel, "acme", StatusProhibited), true)        // nothing that the ledger keeps
	step(3, doc(KindAgent, "globex", StatusApproved), true, "one") // corrected while alive
	step(4, &Document{}, true, "one")                              // removed
	step(5, &Document{}, true)
	step(6, doc(KindModel, "globex", StatusApproved), false)
	step(6, doc(KindAgent, "acme", StatusApproved), false)
	step(6, doc(KindAgent, "globex", StatusApproved), true)
	step(7, doc(KindAgent, "acme", StatusApproved), false) // fixed for good
	if r := l.Records["one"]; r != (LedgerRecord{KindAgent, "globex", 4, true}) {
		t.Errorf("record %+v", r)
	}
}
