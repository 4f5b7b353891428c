//go:build linux

package store

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func verdict(user string, change func(*VerdictRow)) VerdictRow {
	v := VerdictRow{
		AssetKey: "openai.api", Host: "host-a", User: user, Day: noon.Truncate(24 * time.Hour), Version: 1,
		AssetName: "OpenAI API", AssetKind: "service", Provider: "openai", Channel: "endpoint",
		Domains: []string{"api.openai.com"}, Processes: []string{"node", "python3"},
		FirstSeen: noon.Add(1), LastSeen: noon.Add(2), Count: 12, Confidence: 90,
		VerdictAtEvent: "unsanctioned", ReasonAtEvent: "not_in_inventory", Dimensions: []string{"group"}, EntryID: "entry-1",
		Walk: `[{"entry":"entry-1"}]`, InventoryRevision: 4, DirectorySnapshot: 2, Catalogue: "1", EvaluatedAt: noon.Add(time.Millisecond),
		VerdictCurrent: "unsanctioned", ReasonCurrent: "not_in_inventory", DimensionsCurrent: []string{"host"}, EntryCurrent: "entry-2",
		WalkCurrent: `[]`, RevisionCurrent: 4, ChangedAt: noon.Add(time.Second),
	}
	if change != nil {
		change(&v)
	}
	return v
}

func upsert(t *testing.T, s *Store, list ...VerdictRow) {
	t.Helper()
	if err := s.UpsertVerdicts(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

func verdicts(t *testing.T, s *Store, filter VerdictFilter) []VerdictRow {
	t.Helper()
	var list []VerdictRow
	if err := s.Verdicts(t.Context(), filter, func(v VerdictRow) error {
		list = append(list, v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestVerdictUpsert(t *testing.T) {
	s := open(t)
	first := verdict("alice", nil)
	checkFilled(t, reflect.ValueOf(first), "VerdictRow")
	upsert(t, s, first)
	if diff := cmp.Diff([]VerdictRow{first}, verdicts(t, s, VerdictFilter{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	now := verdict("alice", func(v *VerdictRow) {
		v.Version, v.VerdictCurrent, v.ReasonCurrent, v.RevisionCurrent = 2, "sanctioned", "ok", 5
	})
	upsert(t, s, now)
	upsert(t, s, first) // an older version comes late: it does not win
	if diff := cmp.Diff([]VerdictRow{now}, verdicts(t, s, VerdictFilter{})); diff != "" {
		t.Errorf("after the upsert (-want +got):\n%s", diff)
	}
	versionless := verdict("carol", func(v *VerdictRow) { v.Version = 0 })
	upsert(t, s, versionless)
	if got := verdicts(t, s, VerdictFilter{User: "carol"}); len(got) != 1 || got[0].Version != uint64(versionless.ChangedAt.UnixMilli()) {
		t.Errorf("version of a row without one: %+v", got)
	}
	var permanent *Permanent
	err := s.UpsertVerdicts(t.Context(), []VerdictRow{{}, verdict("dave", nil)})
	if !errors.As(err, &permanent) || len(permanent.Rows) != 1 || permanent.Rows[0].Index != 0 {
		t.Errorf("a row without a key: %v", err)
	}
	if got := verdicts(t, s, VerdictFilter{User: "dave"}); len(got) != 1 {
		t.Error("the row beside the bad one is lost")
	}
}

func TestVerdictFiltersAndCounts(t *testing.T) {
	s := open(t)
	day := noon.Truncate(24 * time.Hour)
	upsert(t, s,
		verdict("alice", nil),
		verdict("alice", func(v *VerdictRow) { v.Day = day.Add(24 * time.Hour) }),
		verdict("bob", func(v *VerdictRow) { v.VerdictCurrent, v.ReasonCurrent, v.RevisionCurrent = "sanctioned", "ok", 9 }),
		verdict("carol", func(v *VerdictRow) { v.VerdictCurrent, v.ReasonCurrent = "sanctioned", "scope_unverified" }),
		verdict("", func(v *VerdictRow) {
			v.AssetKey, v.AssetName, v.AssetKind, v.Provider, v.Host, v.Channel = "ollama", "Ollama", "runtime", "ollama", "host-b", "server"
			v.VerdictCurrent, v.ReasonCurrent, v.EntryCurrent, v.VerdictAtEvent = "prohibited", "entry_prohibited", "no-local", "prohibited"
		}),
	)
	f := func(name string, filter VerdictFilter, want ...string) {
		t.Helper()
		var got []string
		for _, v := range verdicts(t, s, filter) {
			got = append(got, v.Day.Format("02")+v.User)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("all", VerdictFilter{}, "15alice", "14", "14alice", "14bob", "14carol")
	f("oldest", VerdictFilter{OldestFirst: true, Limit: 2}, "14", "14alice")
	f("since", VerdictFilter{SinceDay: day.Add(24 * time.Hour)}, "15alice")
	f("until", VerdictFilter{UntilDay: day.Add(24 * time.Hour), User: "alice"}, "14alice")
	f("asset", VerdictFilter{AssetKey: "ollama"}, "14")
	f("host", VerdictFilter{Host: "host-b"}, "14")
	f("provider", VerdictFilter{Provider: "ollama"}, "14")
	f("kind", VerdictFilter{Kind: "runtime"}, "14")
	f("channel", VerdictFilter{Channel: "server"}, "14")
	f("verdicts", VerdictFilter{Verdicts: []string{"sanctioned", "prohibited"}}, "14", "14bob", "14carol")
	f("at event", VerdictFilter{AtEvent: "prohibited"}, "14")
	f("reason", VerdictFilter{Reason: "scope_unverified"}, "14carol")
	f("entry", VerdictFilter{EntryID: "no-local"}, "14")
	f("older revision", VerdictFilter{RevisionBelow: 9, UntilDay: day.Add(24 * time.Hour)}, "14", "14alice", "14carol")
	f("text", VerdictFilter{Text: "OLLA"}, "14")
	f("limit", VerdictFilter{Limit: 1, Offset: 3}, "14bob")

	counts, err := s.VerdictCounts(t.Context(), VerdictFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]VerdictCount{
		{"unsanctioned", "not_in_inventory", 2, 1, 1, 1, 24},
		{"prohibited", "entry_prohibited", 1, 1, 1, 0, 12},
		{"sanctioned", "ok", 1, 1, 1, 1, 12},
		{"sanctioned", "scope_unverified", 1, 1, 1, 1, 12},
	}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	totals, err := s.VerdictTotals(t.Context(), VerdictFilter{SinceDay: day, UntilDay: day.Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]VerdictCount{
		{"sanctioned", "", 2, 1, 1, 2, 24}, {"prohibited", "", 1, 1, 1, 0, 12}, {"unsanctioned", "", 1, 1, 1, 1, 12},
	}, totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

func TestVerdictChanges(t *testing.T) {
	s := open(t)
	change := func(at time.Duration, to string) VerdictChange {
		return VerdictChange{
			ChangedAt: noon.Add(at), AssetKey: "openai.api", Host: "host-a", User: "alice", Day: noon.Truncate(24 * time.Hour),
			FromVerdict: "unsanctioned", FromReason: "not_in_inventory", FromEntry: "e1", FromRevision: 4,
			ToVerdict: to, ToReason: "ok", ToEntry: "e2", ToRevision: 5, Cause: "inventory",
		}
	}
	first, second := change(0, "sanctioned"), change(time.Hour, "prohibited")
	other := change(2*time.Hour, "sanctioned")
	other.AssetKey, other.Host, other.User, other.Day = "x", "host-b", "bob", other.Day.Add(24*time.Hour)
	for range 2 { // written again: kept once
		if err := s.InsertVerdictChanges(t.Context(), []VerdictChange{first, second, other}); err != nil {
			t.Fatal(err)
		}
	}
	f := func(name string, filter ChangeFilter, want ...VerdictChange) {
		t.Helper()
		var got []VerdictChange
		if err := s.VerdictChanges(t.Context(), filter, func(c VerdictChange) error {
			got = append(got, c)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(VerdictChange{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("all, newest first", ChangeFilter{}, other, second, first)
	f("since", ChangeFilter{Since: second.ChangedAt}, other, second)
	f("until", ChangeFilter{Until: second.ChangedAt}, first)
	f("asset", ChangeFilter{AssetKey: "x"}, other)
	f("host", ChangeFilter{Host: "host-b"}, other)
	f("user", ChangeFilter{User: "alice"}, second, first)
	f("day", ChangeFilter{Day: other.Day}, other)
	f("limit", ChangeFilter{Limit: 1, Offset: 1}, second)
	var permanent *Permanent
	if err := s.InsertVerdictChanges(t.Context(), []VerdictChange{{}}); !errors.As(err, &permanent) {
		t.Errorf("an empty change: %v", err)
	}
}
