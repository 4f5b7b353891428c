//go:build linux

package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/proto/finding"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

func TestLimits(t *testing.T) {
	h := start(t)
	list := make([]finding.Finding, 1001)
	for i := range list {
		list[i] = use(i%24, func(f *finding.Finding) { f.AgentID, f.HostName = fmt.Sprint("agent-", i), fmt.Sprint("host-", i) })
	}
	h.insert(list[:1000]...)
	verdicts := make([]string, 1000)
	for i := range verdicts {
		verdicts[i] = "sanctioned ok"
	}
	h.judged(verdicts...)
	check := func(name string, limit uint32, rows int, truncated bool) {
		t.Helper()
		f := &gnomonv1.Filter{Limit: limit}
		a, err := h.findings.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{Filter: f})
		if err != nil || len(a.GetFindings()) != rows || a.GetTruncated() != truncated {
			t.Errorf("%s: %d findings, truncated %v, %v, want %d, %v", name, len(a.GetFindings()), a.GetTruncated(), err, rows, truncated)
		}
		b, err := h.usage.ListUsage(t.Context(), &gnomonv1.ListUsageRequest{Filter: f})
		if err != nil || len(b.GetUsage()) != rows || b.GetTruncated() != truncated {
			t.Errorf("%s: %d usages, truncated %v, %v, want %d, %v", name, len(b.GetUsage()), b.GetTruncated(), err, rows, truncated)
		}
		c, err := h.verdicts.ListVerdicts(t.Context(), &gnomonv1.ListVerdictsRequest{Filter: f})
		if err != nil || len(c.GetVerdicts()) != rows || c.GetTruncated() != truncated {
			t.Errorf("%s: %d verdicts, truncated %v, %v, want %d, %v", name, len(c.GetVerdicts()), c.GetTruncated(), err, rows, truncated)
		}
	}
	check("the default holds all", 0, 1000, false)
	check("all but one", 999, 999, true)
	check("all", 1000, 1000, false)
	check("the most", 100_000, 1000, false)
	check("one", 1, 1, true)
	h.insert(list[1000])
	h.judged(slices.Concat(verdicts, []string{"sanctioned ok"})...)
	check("the default cuts", 0, 1000, true)
	check("one more", 1001, 1001, false)

	over := &gnomonv1.Filter{Limit: 100_001}
	_, err1 := h.findings.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{Filter: over})
	_, err2 := h.findings.ListCoverage(t.Context(), &gnomonv1.ListCoverageRequest{Filter: over})
	_, err3 := h.usage.ListUsage(t.Context(), &gnomonv1.ListUsageRequest{Filter: over})
	_, err4 := h.verdicts.ListVerdicts(t.Context(), &gnomonv1.ListVerdictsRequest{Filter: over})
	for _, err := range []error{err1, err2, err3, err4} {
		if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "100000") {
			t.Errorf("over the most: %v", err)
		}
	}
}

func TestFilterFindings(t *testing.T) {
	h := start(t)
	h.insert(
		use(1, func(f *finding.Finding) { f.ProcessName = "a" }),
		use(2, func(f *finding.Finding) { f.ProcessName, f.HostName = "b", "laptop-2" }),
		use(3, func(f *finding.Finding) { f.ProcessName, f.User = "c", "leo" }),
		use(4, func(f *finding.Finding) { f.ProcessName, f.Asset.Key = "d", "groq.api" }),
		use(30, func(f *finding.Finding) { f.ProcessName, f.Sensor = "e", "file" }),
	)
	never := timestamppb.New(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	early := timestamppb.New(time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		name            string
		filter          *gnomonv1.Filter
		findings, usage string // processes; "-" for a filter that is refused
	}{
		{"none", nil, "abcde", "abcde"},
		{"since", &gnomonv1.Filter{Since: stampAt(3)}, "cde", "abcde"}, // usage is by day
		{"since the day after", &gnomonv1.Filter{Since: stampAt(24)}, "e", "e"},
		{"until", &gnomonv1.Filter{Until: stampAt(3)}, "ab", "abcd"},
		{"until midnight", &gnomonv1.Filter{Until: stampAt(24)}, "abcd", "abcd"},
		{"between", &gnomonv1.Filter{Since: stampAt(2), Until: stampAt(4)}, "bc", "abcd"},
		{"until never", &gnomonv1.Filter{Until: never}, "abcde", "abcde"},
		{"since ever", &gnomonv1.Filter{Since: early}, "abcde", "abcde"},
		{"host", &gnomonv1.Filter{Host: "laptop-2"}, "b", "b"},
		{"user", &gnomonv1.Filter{User: "leo"}, "c", "c"},
		{"asset", &gnomonv1.Filter{Asset: "groq.api"}, "d", "d"},
		{"nothing", &gnomonv1.Filter{Host: "laptop-1", User: "nobody"}, "", ""},
		{"no injection", &gnomonv1.Filter{Host: "' OR 1=1 --"}, "", ""},
		{"sensor", &gnomonv1.Filter{Sensor: "file"}, "e", "-"},
		{"verdict", &gnomonv1.Filter{Verdict: "unknown"}, "-", "-"},
	} {
		check := func(list string, err error, want, got string) {
			t.Helper()
			if want == "-" {
				if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "cannot be narrowed by") {
					t.Errorf("%s by %s: %v, want it refused", list, c.name, err)
				}
				return
			}
			letters := strings.Split(got, "")
			slices.Sort(letters)
			if got := strings.Join(letters, ""); err != nil || got != want {
				t.Errorf("%s by %s: %q, %v, want %q", list, c.name, got, err, want)
			}
		}
		a, err := h.findings.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{Filter: c.filter})
		got := ""
		for _, f := range a.GetFindings() {
			got += f.GetProcessName()
		}
		check("findings", err, c.findings, got)
		b, err := h.usage.ListUsage(t.Context(), &gnomonv1.ListUsageRequest{Filter: c.filter})
		got = ""
		for _, u := range b.GetUsage() {
			got += strings.Join(u.GetProcesses(), "")
		}
		check("usage", err, c.usage, got)
	}
	r, err := h.findings.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{})
	if err != nil || r.GetFindings()[0].GetProcessName() != "e" || r.GetFindings()[4].GetProcessName() != "a" {
		t.Errorf("not the newest first: %v, %v", r, err)
	}
}

func TestUsage(t *testing.T) {
	h := start(t)
	h.insert(use(1, nil), use(5, func(f *finding.Finding) { f.ProcessName, f.Confidence = "curl", 70 }))
	r, err := h.usage.ListUsage(t.Context(), &gnomonv1.ListUsageRequest{})
	if err != nil || len(r.GetUsage()) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	want := &gnomonv1.Usage{
		Asset: &gnomonv1.Asset{Key: "openai.api", Kind: "service", Name: "OpenAI API", Provider: "openai"},
		Host:  "laptop-1", User: "ana", Day: day().Format(time.DateOnly), Count: 4, Confidence: 90, Processes: []string{"curl", "node"},
		Sensors: []string{"network"}, Channels: []string{"endpoint"},
		FirstSeen: timestamppb.New(at(1).Add(time.Second)), LastSeen: timestamppb.New(at(5).Add(2 * time.Minute)),
	}
	if diff := cmp.Diff(want, r.GetUsage()[0], protocmp.Transform()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestCoverage(t *testing.T) {
	h := start(t)
	report := func(host, sensor string, hour int) finding.Coverage {
		return finding.Coverage{
			AgentID: "agent-" + host, HostName: host, HostID: "id", OS: "linux", Channel: "endpoint", Version: "v1", Sensor: sensor, State: "degraded",
			Reason: "why", Since: at(hour), Until: at(hour + 1), Blind: []finding.Blind{{Reason: "ech", Detail: "d", Count: 3}}, Counters: map[string]uint64{"packets": 9},
		}
	}
	if err := h.store.InsertCoverage(t.Context(), []finding.Coverage{report("laptop-1", "network", 1), report("laptop-1", "file", 1), report("laptop-2", "network", 5)}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		filter *gnomonv1.Filter
		want   int // -1 for refused
		cut    bool
	}{
		{"all", nil, 3, false},
		{"host", &gnomonv1.Filter{Host: "laptop-1"}, 2, false},
		{"sensor", &gnomonv1.Filter{Sensor: "network"}, 2, false},
		{"limit", &gnomonv1.Filter{Limit: 2}, 2, true},
		{"exactly", &gnomonv1.Filter{Limit: 3}, 3, false},
		{"user", &gnomonv1.Filter{User: "ana"}, -1, false},
		{"asset", &gnomonv1.Filter{Asset: "openai.api"}, -1, false},
		{"verdict", &gnomonv1.Filter{Verdict: "unknown"}, -1, false},
	} {
		r, err := h.findings.ListCoverage(t.Context(), &gnomonv1.ListCoverageRequest{Filter: c.filter})
		if c.want < 0 {
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("by %s: %v, want it refused", c.name, err)
			}
			continue
		}
		if err != nil || len(r.GetCoverage()) != c.want || r.GetTruncated() != c.cut {
			t.Errorf("by %s: %d reports, truncated %v, %v, want %d", c.name, len(r.GetCoverage()), r.GetTruncated(), err, c.want)
		}
	}
	r, err := h.findings.ListCoverage(t.Context(), &gnomonv1.ListCoverageRequest{Filter: &gnomonv1.Filter{Host: "laptop-2"}})
	if err != nil {
		t.Fatal(err)
	}
	want := report("laptop-2", "network", 5)
	if diff := cmp.Diff(newCoverage(&want), r.GetCoverage()[0], protocmp.Transform()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestVerdicts(t *testing.T) {
	h := start(t)
	h.judged("sanctioned ok", "unsanctioned not_in_inventory", "prohibited entry_prohibited")
	for _, c := range []struct {
		name   string
		filter *gnomonv1.Filter
		want   string // users
	}{
		{"none", nil, "u0 u1 u2"},
		{"verdict", &gnomonv1.Filter{Verdict: "prohibited"}, "u2"},
		{"user", &gnomonv1.Filter{User: "u1"}, "u1"},
		{"host", &gnomonv1.Filter{Host: "laptop-2"}, ""},
		{"asset", &gnomonv1.Filter{Asset: "openai.api", Verdict: "sanctioned"}, "u0"},
		{"since in the day", &gnomonv1.Filter{Since: stampAt(12)}, "u0 u1 u2"},
		{"since the day after", &gnomonv1.Filter{Since: stampAt(24)}, ""},
		{"until in the day", &gnomonv1.Filter{Until: stampAt(1)}, "u0 u1 u2"},
		{"until its midnight", &gnomonv1.Filter{Until: stampAt(0)}, ""},
		{"sensor", &gnomonv1.Filter{Sensor: "file"}, "refused"},
		{"no verdict", &gnomonv1.Filter{Verdict: "forbidden"}, "refused"},
	} {
		r, err := h.verdicts.ListVerdicts(t.Context(), &gnomonv1.ListVerdictsRequest{Filter: c.filter})
		var users []string
		for _, v := range r.GetVerdicts() {
			users = append(users, v.GetUsage().GetUser())
		}
		got := strings.Join(users, " ")
		if connect.CodeOf(err) == connect.CodeInvalidArgument && err != nil {
			got = "refused"
		}
		counts, err2 := h.verdicts.CountVerdicts(t.Context(), &gnomonv1.CountVerdictsRequest{Filter: c.filter})
		var counted uint64
		for _, n := range counts.GetCounts() {
			counted += n.GetUsages()
		}
		if got != c.want || (err == nil) != (err2 == nil) || counted != uint64(len(users)) {
			t.Errorf("by %s: %q (%v), %d counted (%v), want %q", c.name, got, err, counted, err2, c.want)
		}
	}
	r, err := h.verdicts.ListVerdicts(t.Context(), &gnomonv1.ListVerdictsRequest{Filter: &gnomonv1.Filter{User: "u0"}})
	if err != nil {
		t.Fatal(err)
	}
	want := &gnomonv1.UsageVerdict{
		Usage: &gnomonv1.Usage{
			Asset: &gnomonv1.Asset{Key: "openai.api", Kind: "service", Name: "OpenAI API", Provider: "openai"},
			Host:  "laptop-1", User: "u0", Day: day().Format(time.DateOnly), Count: 3, Confidence: 90, Processes: []string{"node"},
			FirstSeen: stampAt(1), LastSeen: stampAt(2),
		},
		AtEvent: &gnomonv1.Judgement{
			Verdict: "unsanctioned", Reason: "not_in_inventory", DirectorySnapshot: 4, Catalogue: "abc", EvaluatedAt: stampAt(2),
		},
		Current: &gnomonv1.Judgement{
			Verdict: "sanctioned", Reason: "ok", Dimensions: []string{"group"}, EntryId: "entry", InventoryRevision: 7, Catalogue: "abc", EvaluatedAt: stampAt(3),
		},
	}
	if diff := cmp.Diff(want, r.GetVerdicts()[0], protocmp.Transform()); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	h := start(t)
	count := func() *gnomonv1.CountVerdictsResponse {
		t.Helper()
		r, err := h.verdicts.CountVerdicts(t.Context(), &gnomonv1.CountVerdictsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := count(); len(r.GetCounts()) != 0 || r.GetHeadline() != "" {
		t.Errorf("of nothing: %v", r)
	}
	h.judged("sanctioned ok", "sanctioned ok", "sanctioned ok", "sanctioned ok", "sanctioned scope_unverified:[group]", "sanctioned scope_unverified:[host_label]",
		"unknown unidentified", "unknown low_confidence", "unsanctioned proposed")
	want := &gnomonv1.CountVerdictsResponse{Headline: "unsanctioned", Counts: []*gnomonv1.VerdictCount{
		{Verdict: "sanctioned", Usages: 6, ScopeUnverified: 2}, {Verdict: "unknown", Usages: 2}, {Verdict: "unsanctioned", Usages: 1},
	}}
	if diff := cmp.Diff(want, count(), protocmp.Transform(), protocmp.SortRepeated(func(a, b *gnomonv1.VerdictCount) bool { return a.GetVerdict() < b.GetVerdict() })); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestStoreDown(t *testing.T) {
	h := start(t)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err1 := h.findings.ListFindings(t.Context(), &gnomonv1.ListFindingsRequest{})
	_, err2 := h.findings.ListCoverage(t.Context(), &gnomonv1.ListCoverageRequest{})
	_, err3 := h.usage.ListUsage(t.Context(), &gnomonv1.ListUsageRequest{})
	_, err4 := h.verdicts.ListVerdicts(t.Context(), &gnomonv1.ListVerdictsRequest{})
	_, err5 := h.verdicts.CountVerdicts(t.Context(), &gnomonv1.CountVerdictsRequest{})
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "try again") {
			t.Errorf("list %d: %v, want unavailable", i+1, err)
		}
	}
}
