//go:build linux

package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// TestEveryFieldSurvives: the sample has no zero field, so a column that is
// forgotten shows as a difference.
func TestEveryFieldSurvives(t *testing.T) {
	want := sample(1)
	checkFilled(t, reflect.ValueOf(want), "Finding")
	s := open(t)
	insertFindings(t, s, want)
	if diff := cmp.Diff([]finding.Finding{want}, findings(t, s, FindingFilter{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// The least a finding can be: everything else stays empty.
	least := finding.Finding{ID: strings.Repeat("0", 32), Fingerprint: strings.Repeat("f", 32), WindowStart: noon}
	insertFindings(t, s, least)
	if diff := cmp.Diff([]finding.Finding{least}, findings(t, s, FindingFilter{ID: least.ID})); diff != "" {
		t.Errorf("least (-want +got):\n%s", diff)
	}

	// Bytes that are not text, and text that is not ASCII.
	odd := sample(2)
	odd.ProcessPath = "/tmp/\xff\xfe'\\\" \x00\n"
	odd.User = "Ünï-❤"
	odd = identify(odd)
	insertFindings(t, s, odd)
	if diff := cmp.Diff([]finding.Finding{odd}, findings(t, s, FindingFilter{User: odd.User})); diff != "" {
		t.Errorf("odd (-want +got):\n%s", diff)
	}
}

// checkFilled fails for every field that has its zero value.
func checkFilled(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if _, ok := v.Interface().(time.Time); !ok && v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			checkFilled(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
		return
	}
	if v.IsZero() {
		t.Errorf("%s is not filled", path)
	}
}

func TestSentAgainCountsOnce(t *testing.T) {
	s := open(t)
	list := samples(0, 500)
	insertFindings(t, s, list...)
	insertFindings(t, s, list...)          // the same call again
	insertFindings(t, s, list[100:300]...) // part of it in another batch
	insertFindings(t, s, list[0], list[0]) // twice in one call
	if got := findingCount(t, s); got != 500 {
		t.Errorf("%d findings, want 500", got)
	}
	var observations uint64
	for _, u := range usages(t, s, UsageFilter{}) {
		observations += u.Count
	}
	if want := uint64(500 * 7); observations != want {
		t.Errorf("%d observations in usages, want %d", observations, want)
	}

	// A higher revision wins, whatever the order; a lower one never does.
	higher, lower := list[0], list[0]
	higher.Revision, higher.Count, higher.HostName = 9, 70, "renamed"
	lower.Revision, lower.Count = 1, 1
	insertFindings(t, s, higher)
	insertFindings(t, s, lower)
	if diff := cmp.Diff([]finding.Finding{higher}, findings(t, s, FindingFilter{ID: higher.ID})); diff != "" {
		t.Errorf("revision (-want +got):\n%s", diff)
	}
	if got := findings(t, s, FindingFilter{ID: higher.ID, Host: list[0].HostName}); len(got) != 0 {
		t.Errorf("the replaced revision is still found by its host: %v", got)
	}
	if got := findingCount(t, s); got != 500 {
		t.Errorf("%d findings after revisions, want 500", got)
	}
	if got := usages(t, s, UsageFilter{User: "user-0", Host: list[0].HostName}); len(got) != 0 {
		t.Errorf("the usage stayed at the old host: %+v", got)
	}
	if got := usages(t, s, UsageFilter{User: "user-0"}); len(got) != 1 || got[0].Count != 70 || got[0].Host != "renamed" {
		t.Errorf("usage after the revision: %+v", got)
	}
	if err := s.exec(t.Context(), "test", "OPTIMIZE TABLE "+s.table("findings")+" FINAL"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.number(t.Context(), "test", "SELECT count() FROM "+s.table("findings")); err != nil || n != 500 {
		t.Errorf("%d rows after merging, %v, want 500", n, err)
	}
}

func TestBadRowLosesNothingElse(t *testing.T) {
	s := open(t)
	list := samples(0, 10)
	list[2].ID = "not an id"
	list[4].Fingerprint = strings.Repeat("G", 32)
	list[5].WindowStart = time.Time{}
	list[6].LastSeen = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	list[7].WindowStart = time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)
	err := s.InsertFindings(t.Context(), list)
	var permanent *Permanent
	if !errors.As(err, &permanent) {
		t.Fatalf("%v, want *Permanent", err)
	}
	var bad []int
	for _, r := range permanent.Rows {
		bad = append(bad, r.Index)
	}
	if diff := cmp.Diff([]int{2, 4, 5, 6, 7}, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s\n%v", diff, err)
	}
	if got := findingCount(t, s); got != 5 {
		t.Errorf("%d findings are stored, want the other 5", got)
	}
}

func TestFindingFilters(t *testing.T) {
	s := open(t)
	var list []finding.Finding
	for n := range 6 {
		f := sample(n)
		f.WindowStart = noon.Add(time.Duration(n) * 12 * time.Hour)
		f.Sensor = []string{"network", "process"}[n%2]
		f.PeerName = fmt.Sprintf("p%d.example.com", n)
		f.Asset.Provider = fmt.Sprintf("prov%d", n/3)
		list = append(list, identify(f))
	}
	insertFindings(t, s, list...)
	f := func(name string, filter FindingFilter, want ...int) {
		t.Helper()
		var got []int
		for _, found := range findings(t, s, filter) {
			for n := range list {
				if list[n].ID == found.ID {
					got = append(got, n)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		filter.Limit, filter.Offset = 0, 0
		if n, err := s.FindingCount(t.Context(), filter); err != nil || int(n) < len(want) {
			t.Errorf("%s: count %d, %v", name, n, err)
		}
	}
	f("all, newest first", FindingFilter{}, 5, 4, 3, 2, 1, 0)
	f("oldest first", FindingFilter{OldestFirst: true}, 0, 1, 2, 3, 4, 5)
	f("since", FindingFilter{Since: list[4].WindowStart}, 5, 4)
	f("until", FindingFilter{Until: list[2].WindowStart}, 1, 0)
	f("id", FindingFilter{ID: list[3].ID}, 3)
	f("fingerprint", FindingFilter{Fingerprint: list[3].Fingerprint}, 3)
	f("agent", FindingFilter{AgentID: "agent-2"}, 2)
	f("host", FindingFilter{Host: "host-2"}, 2)
	f("user", FindingFilter{User: "user-5"}, 5)
	f("asset", FindingFilter{AssetKey: "provider.api1"}, 1)
	f("sensor", FindingFilter{Sensor: "process"}, 5, 3, 1)
	f("provider", FindingFilter{Provider: "prov1"}, 5, 4, 3)
	f("peer", FindingFilter{PeerName: "p4.example.com"}, 4)
	f("text", FindingFilter{Text: "P4.EXAMPLE"}, 4)
	f("kind and channel", FindingFilter{Kind: "service", Channel: "endpoint", Limit: 1}, 5)
	f("limit", FindingFilter{Limit: 2}, 5, 4)
	f("limit and offset", FindingFilter{Limit: 2, Offset: 3}, 2, 1)
	f("offset", FindingFilter{Offset: 4}, 1, 0)
	f("none", FindingFilter{User: "x' OR 1=1 --"})
}

func TestCallersErrorStopsTheStream(t *testing.T) {
	s := open(t)
	insertFindings(t, s, samples(0, 100)...)
	stop := errors.New("enough")
	n := 0
	err := s.Findings(t.Context(), FindingFilter{}, func(finding.Finding) error {
		n++
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d rows, want the caller's error after 1", err, n)
	}
	var r *Retryable
	if errors.As(err, &r) {
		t.Error("the caller's error is wrapped as retryable")
	}
	if got := findingCount(t, s); got != 100 {
		t.Errorf("after the stop: %d findings", got)
	}
}

func TestManyMonthsInOneCall(t *testing.T) {
	s := open(t)
	var list []finding.Finding
	for n := range 24 {
		f := sample(n)
		f.WindowStart = time.Date(2025, time.Month(1+n), 15, 0, 0, 0, 0, time.UTC)
		list = append(list, identify(f))
	}
	insertFindings(t, s, list...)
	if got := findingCount(t, s); got != 24 {
		t.Errorf("%d findings, want 24", got)
	}
}

func TestEmptyCall(t *testing.T) {
	s := open(t)
	if err := s.InsertFindings(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestCoverage(t *testing.T) {
	s := open(t)
	report := func(agent, sensor, state string, until time.Time) finding.Coverage {
		return finding.Coverage{
			AgentID: agent, HostName: "host-" + agent, HostID: "id", OS: "linux", Channel: "endpoint", Version: "1.2", Sensor: sensor, State: state,
			Reason: "no right: run as root", Since: until.Add(-time.Minute), Until: until,
			Blind:    []finding.Blind{{Reason: "kernel_drop", Detail: "eth0", Count: 4}, {Reason: "ech", Count: 1}},
			Counters: map[string]uint64{"packets": 1 << 40, "dropped": 4},
		}
	}
	checkFilled(t, reflect.ValueOf(report("a", "network", "on", noon)), "Coverage")
	old := report("a", "network", "off", noon)
	latest := report("a", "network", "on", noon.Add(time.Minute))
	files := report("a", "file", "degraded", noon)
	other := report("b", "network", "off", noon.Add(24*time.Hour))
	other.Blind, other.Counters = nil, nil
	all := []finding.Coverage{old, latest, files, other}
	for range 2 { // sent again: once
		if err := s.InsertCoverage(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	f := func(name string, filter CoverageFilter, want ...finding.Coverage) {
		t.Helper()
		var got []finding.Coverage
		if err := s.Coverage(t.Context(), filter, func(c finding.Coverage) error {
			got = append(got, c)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("latest", CoverageFilter{}, files, latest, other)
	f("history", CoverageFilter{History: true}, files, latest, old, other)
	f("state of the latest", CoverageFilter{State: "off"}, other)
	f("agent", CoverageFilter{AgentID: "b"}, other)
	f("host", CoverageFilter{Host: "host-b"}, other)
	f("sensor", CoverageFilter{Sensor: "file"}, files)
	f("until", CoverageFilter{Until: noon.Add(time.Second), Sensor: "network"}, old)
	f("since", CoverageFilter{Since: noon.Add(time.Hour)}, other)
	f("limit", CoverageFilter{Limit: 1, Offset: 1}, latest)

	var days []CoverageDay
	if err := s.CoverageDays(t.Context(), noon.Add(-24*time.Hour), noon.Add(48*time.Hour), func(d CoverageDay) error {
		days = append(days, d)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	day := noon.Truncate(24 * time.Hour)
	if diff := cmp.Diff([]CoverageDay{
		{Day: day, Sensor: "file", On: 1, Hosts: 1},
		{Day: day, Sensor: "network", On: 1, Hosts: 1},
		{Day: day.Add(24 * time.Hour), Sensor: "network", On: 0, Hosts: 1},
	}, days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}

	bad := []finding.Coverage{report("c", "network", "on", noon), {Sensor: "x", Until: noon}, report("d", "x", "on", time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))}
	var permanent *Permanent
	if err := s.InsertCoverage(t.Context(), bad); !errors.As(err, &permanent) || len(permanent.Rows) != 2 {
		t.Errorf("bad reports: %v", err)
	}
	f("the good one beside bad ones", CoverageFilter{AgentID: "c"}, bad[0])
}

func TestCancelledCallIsRetryable(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var r *Retryable
	if err := s.InsertFindings(ctx, samples(0, 1)); !errors.As(err, &r) {
		t.Errorf("%v, want *Retryable", err)
	}
	if got := s.Reconnects(); got != 0 {
		t.Errorf("a cancelled call was attempted %d times more", got)
	}
}
