package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHeadline(t *testing.T) {
	f := func(order []Word, want Word, verdicts ...Word) {
		t.Helper()
		if got := Headline(order, verdicts); got != want {
			t.Errorf("headline of %v is %q, want %q", verdicts, got, want)
		}
	}
	f(DefaultOrder(), "")
	f(DefaultOrder(), Sanctioned, Sanctioned, Sanctioned)
	f(DefaultOrder(), Unknown, Sanctioned, Unknown)
	f(DefaultOrder(), Unsanctioned, Unknown, Unsanctioned, Sanctioned)
	f(DefaultOrder(), Expired, Unsanctioned, Expired)
	f(DefaultOrder(), OutOfScope, OutOfScope, Expired)
	f(DefaultOrder(), Prohibited, DefaultOrder()...)
	f([]Word{Sanctioned, Unknown}, Sanctioned, Unknown, Sanctioned)
	f([]Word{Sanctioned}, Expired, Sanctioned, Expired) // a forgotten word is seen
	f([]Word{Sanctioned}, OutOfScope, Expired, OutOfScope)
}

func TestSettings(t *testing.T) {
	f := func(want string, change func(*Settings)) {
		t.Helper()
		s := Default()
		change(&s)
		if err := s.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("", func(*Settings) {})
	f("min_confidence", func(s *Settings) { s.MinConfidence = 0 })
	f("min_confidence", func(s *Settings) { s.MinConfidence = 101 })
	f("review_grace", func(s *Settings) { s.ReviewGrace = -1 })
	f("headline_order", func(s *Settings) { s.HeadlineOrder = nil })
	f("headline_order", func(s *Settings) { s.HeadlineOrder[0] = Sanctioned })
	f("headline_order", func(s *Settings) { s.HeadlineOrder = append(s.HeadlineOrder, "x") })
}

func TestJudgeEntry(t *testing.T) {
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	coverage := func(good, bad int) []CoverageDay {
		var list []CoverageDay
		for range good {
			list = append(list, CoverageDay{HostsInScope: 10, HostsCovered: 8})
		}
		for range bad {
			list = append(list, CoverageDay{HostsInScope: 10, HostsCovered: 7})
		}
		return list
	}
	settings := DefaultEntrySettings()
	f := func(facts EntryFacts, want EntryState, reason EntryReason) {
		t.Helper()
		if state, why := JudgeEntry(&facts, &settings, judgedAt); state != want || why != reason {
			t.Errorf("%+v: %s %s, want %s %s", facts, state, why, want, reason)
		}
	}
	seen := func(age time.Duration) EntryFacts { return EntryFacts{Matchable: true, LastSeen: judgedAt.Add(-age)} }
	f(seen(0), EntryObserved, EntrySeenInWindow)
	f(seen(days(30)), EntryObserved, EntrySeenInWindow)
	f(seen(days(30)+1), EntryObserved, EntryQuiet)
	f(seen(days(90)), EntryObserved, EntryQuiet)
	f(seen(days(90)+1), EntryDormant, EntryLongUnseen)
	f(EntryFacts{LastSeen: judgedAt, Coverage: coverage(30, 0)}, EntryUnmatchable, EntryNoUsableMatch)
	f(EntryFacts{Matchable: true, Coverage: coverage(21, 9)}, EntryNeverObserved, EntryCovered)
	f(EntryFacts{Matchable: true, Coverage: coverage(20, 10)}, EntryNotObservable, EntryLowCoverage)
	f(EntryFacts{Matchable: true, Coverage: coverage(20, 0)}, EntryNotObservable, EntryLowCoverage) // missing days count
	f(EntryFacts{Matchable: true, Coverage: coverage(21, 0)}, EntryNeverObserved, EntryCovered)
	f(EntryFacts{Matchable: true, Coverage: make([]CoverageDay, 30)}, EntryNotObservable, EntryLowCoverage) // no host in scope is no coverage
	f(EntryFacts{Matchable: true}, EntryNotObservable, EntryLowCoverage)
	f(EntryFacts{Matchable: true, SensorOff: true, Coverage: coverage(30, 0)}, EntryNotObservable, EntrySensorOff)
}

func TestEntrySettings(t *testing.T) {
	f := func(want string, change func(*EntrySettings)) {
		t.Helper()
		s := DefaultEntrySettings()
		change(&s)
		if err := s.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("", func(*EntrySettings) {})
	f("window", func(s *EntrySettings) { s.Window = 0 })
	f("dormant", func(s *EntrySettings) { s.Dormant = time.Hour })
	f("host_share", func(s *EntrySettings) { s.HostShare = 1.1 })
	f("day_share", func(s *EntrySettings) { s.DayShare = 0 })
	f("coverage_days", func(s *EntrySettings) { s.CoverageDays = 0 })
}

func TestTransitions(t *testing.T) {
	key := func(asset string) AlertKey { return AlertKey{asset, "sales"} }
	previous := map[AlertKey]Word{key("same"): Unsanctioned, key("better"): Prohibited, key("worse"): Sanctioned, key("gone"): Sanctioned}
	current := map[AlertKey]Word{
		key("same"): Unsanctioned, key("better"): Sanctioned, key("worse"): Expired,
		key("new-bad"): Prohibited, key("new-good"): Sanctioned, {"worse", "engineering"}: Expired,
	}
	want := []Alert{
		{key("new-bad"), "", Prohibited},
		{AlertKey{"worse", "engineering"}, "", Expired},
		{key("worse"), Sanctioned, Expired},
	}
	got := Transitions(DefaultOrder(), previous, current)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if again := Transitions(DefaultOrder(), current, current); again != nil {
		t.Errorf("nothing changed, and yet %v", again)
	}
	kept, rest := LimitAlerts(got, 1)
	if diff := cmp.Diff(want[:1], kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Digest{2, map[Word]int{Expired: 2}}, rest); diff != "" {
		t.Errorf("digest (-want +got):\n%s", diff)
	}
	if kept, rest = LimitAlerts(got, 99); len(kept) != 3 || rest.Count != 0 {
		t.Errorf("below the limit: kept %d, digest %+v", len(kept), rest)
	}
	if kept, rest = LimitAlerts(got, -1); len(kept) != 0 || rest.Count != 3 {
		t.Errorf("limit below zero: kept %d, digest %+v", len(kept), rest)
	}
}
