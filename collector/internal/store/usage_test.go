//go:build linux

package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// use is one window of alice on host-a using one asset.
func use(start time.Time, change func(*finding.Finding)) finding.Finding {
	f := finding.Finding{
		Revision: 1, AgentID: "agent-a", HostName: "host-a", Channel: "endpoint", Sensor: "network", OS: "linux",
		WindowStart: start, WindowEnd: start.Add(5 * time.Minute), FirstSeen: start.Add(time.Second), LastSeen: start.Add(time.Minute), Count: 10,
		Asset:      finding.Asset{Key: "openai.api", Kind: "service", Name: "OpenAI API", SignatureID: "openai.api", Provider: "openai", Country: "US", Role: "api"},
		Confidence: 80, Catalogue: "1", Evidence: []finding.Evidence{{Kind: "tls.sni", Value: "api.openai.com"}},
		User: "alice", ProcessName: "python3", ProcessPath: "/usr/bin/python3", PeerName: "api.openai.com", PeerAddress: "203.0.113.1",
		BytesUp: 5, BytesDown: 6,
	}
	if change != nil {
		change(&f)
	}
	return identify(f)
}

func TestUsage(t *testing.T) {
	s := open(t)
	second := func(f *finding.Finding) { f.ProcessName, f.ProcessPath, f.Confidence = "node", "/usr/bin/node", 95 }
	list := []finding.Finding{
		use(noon, nil),
		use(noon.Add(time.Hour), nil),
		use(noon.Add(time.Hour), second),
		use(noon.Add(24*time.Hour), nil), // the next day
		use(noon, func(f *finding.Finding) { f.User = "bob" }),
		use(noon, func(f *finding.Finding) { f.Asset.Key, f.Asset.Provider, f.Asset.Kind = "ollama", "ollama", "runtime" }),
	}
	for range 2 { // sent again: the same usage
		insertFindings(t, s, list...)
	}
	day := noon.Truncate(24 * time.Hour)
	want := UsageRow{
		AssetKey: "openai.api", AssetKind: "service", AssetName: "OpenAI API", Provider: "openai", Host: "host-a", User: "alice", Day: day,
		FirstSeen: noon.Add(time.Second), LastSeen: noon.Add(time.Hour + time.Minute), Count: 30, Windows: 3, Confidence: 95,
		BytesUp: 15, BytesDown: 18, Processes: []string{"node", "python3"}, ProcessCount: 2,
		Sensors: []string{"network"}, Channels: []string{"endpoint"},
	}
	if diff := cmp.Diff([]UsageRow{want}, usages(t, s, UsageFilter{UntilDay: day.Add(24 * time.Hour), User: "alice", AssetKey: "openai.api"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f := func(name string, filter UsageFilter, want ...string) {
		t.Helper()
		var got []string
		for _, u := range usages(t, s, filter) {
			got = append(got, fmt.Sprintf("%s %s %s", u.Day.Format("02"), u.AssetKey, u.User))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("all", UsageFilter{}, "15 openai.api alice", "14 ollama alice", "14 openai.api alice", "14 openai.api bob")
	f("since", UsageFilter{SinceDay: day.Add(24 * time.Hour)}, "15 openai.api alice")
	f("until", UsageFilter{UntilDay: day.Add(24 * time.Hour), Kind: "runtime"}, "14 ollama alice")
	f("provider", UsageFilter{Provider: "ollama"}, "14 ollama alice")
	f("user", UsageFilter{User: "bob"}, "14 openai.api bob")
	f("host", UsageFilter{Host: "host-b"})
	f("limit", UsageFilter{Limit: 1, Offset: 1}, "14 ollama alice")
	if n, err := s.UsageCount(t.Context(), UsageFilter{}); err != nil || n != 4 {
		t.Errorf("%d usages, %v, want 4", n, err)
	}
}

func TestUsageSegmentsFollowTheRevisionInForce(t *testing.T) {
	s := open(t)
	weak := func(f *finding.Finding) {
		f.PeerName, f.PeerAddress, f.Confidence, f.Asset.Name, f.Channel = "eu.api.openai.com", "203.0.113.2", 60, "OpenAI", "gateway"
		f.ClientAddress = "192.0.2.1"
	}
	insertFindings(t, s,
		use(noon, nil),
		use(noon.Add(10*time.Minute), weak),
		use(noon.Add(20*time.Minute), nil),
		use(noon.Add(time.Hour), func(f *finding.Finding) {
			f.Model = finding.Model{Name: "m", Family: "llama", SHA256: "ab", Publisher: "p", Format: "gguf", License: "mit"}
		}),
	)
	type part struct {
		Revisions int
		Windows   uint64
	}
	f := func(name string, want []part, times ...time.Time) {
		t.Helper()
		var got []part
		for _, u := range segments(t, s, SegmentFilter{}, times...) {
			got = append(got, part{u.Revisions, u.Windows})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("no revision", []part{{0, 4}})
	f("one before", []part{{1, 4}}, noon.Add(-time.Hour))
	f("one after", []part{{0, 4}}, noon.Add(5*time.Hour))
	f("at a window's start it is in force", []part{{0, 2}, {1, 2}}, noon.Add(20*time.Minute))
	f("a moment after it is not", []part{{0, 3}, {1, 1}}, noon.Add(20*time.Minute+1))
	f("several", []part{{1, 1}, {3, 2}, {4, 1}}, noon.Add(-time.Hour), noon.Add(time.Minute), noon.Add(2*time.Minute), noon.Add(30*time.Minute))

	got := segments(t, s, SegmentFilter{}, noon.Add(15*time.Minute))
	if len(got) != 2 {
		t.Fatalf("%d segments", len(got))
	}
	for i := range got {
		if time.Since(got[i].InsertedAt).Abs() > time.Hour {
			t.Errorf("inserted at %v", got[i].InsertedAt)
		}
		got[i].InsertedAt = time.Time{}
	}
	day := noon.Truncate(24 * time.Hour)
	if diff := cmp.Diff([]UsageSegment{
		{
			AssetKey: "openai.api", Host: "host-a", User: "alice", Day: day, Revisions: 0,
			AssetKind: "service", AssetName: "OpenAI API", SignatureID: "openai.api", Provider: "openai", Country: "US", Role: "api", Catalogue: "1",
			Domain: "api.openai.com", PeerAddress: "203.0.113.1", Channel: "endpoint", Sensor: "network", OS: "linux", AgentID: "agent-a",
			EvidenceKinds: []string{"tls.sni"}, EvidenceValues: []string{"api.openai.com"},
			Domains: []string{"api.openai.com", "eu.api.openai.com"}, DomainCount: 2, Channels: []string{"endpoint", "gateway"},
			ClientAddresses: []string{"192.0.2.1"}, ClientAddressCount: 1, ProcessCount: 1,
			Processes:  []string{"python3"},
			Confidence: 80, FirstSeen: noon.Add(time.Second), LastSeen: noon.Add(11 * time.Minute), Count: 20, Windows: 2,
		},
		{
			AssetKey: "openai.api", Host: "host-a", User: "alice", Day: day, Revisions: 1,
			AssetKind: "service", AssetName: "OpenAI API", SignatureID: "openai.api", Provider: "openai", Country: "US", Role: "api", Catalogue: "1",
			ModelName: "m", ModelFamily: "llama", ModelSHA256: "ab", ModelPublisher: "p", ModelFormat: "gguf", ModelLicense: "mit",
			Domain: "api.openai.com", PeerAddress: "203.0.113.1", Channel: "endpoint", Sensor: "network", OS: "linux", AgentID: "agent-a",
			EvidenceKinds: []string{"tls.sni"}, EvidenceValues: []string{"api.openai.com"},
			Domains: []string{"api.openai.com"}, DomainCount: 1, Channels: []string{"endpoint"},
			ClientAddresses: []string{}, ProcessCount: 1,
			Processes:  []string{"python3"},
			Confidence: 80, FirstSeen: noon.Add(20*time.Minute + time.Second), LastSeen: noon.Add(time.Hour + time.Minute), Count: 20, Windows: 2,
		},
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyChangedUsagesAreReadAgain(t *testing.T) {
	s := open(t)
	insertFindings(t, s, use(noon, nil), use(noon.Add(time.Hour), nil), use(noon.Add(48*time.Hour), nil))
	// The server's clock itself, without the safety overlap, so that the test
	// need not wait for it.
	var mark time.Time
	eventually(t, "the clock moves on", func() bool {
		w, err := s.Watermark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if mark.IsZero() {
			mark = w.Add(overlap)
			return false
		}
		return w.Add(overlap).After(mark)
	})
	if got := segments(t, s, SegmentFilter{ChangedSince: mark.Add(time.Millisecond)}); len(got) != 0 {
		t.Fatalf("%d segments changed, want none", len(got))
	}
	later := use(noon.Add(2*time.Hour), nil)
	insertFindings(t, s, later)
	got := segments(t, s, SegmentFilter{ChangedSince: mark.Add(time.Millisecond)})
	if len(got) != 1 || got[0].Windows != 3 || !got[0].Day.Equal(noon.Truncate(24*time.Hour)) {
		t.Errorf("changed segments: %+v, want the whole usage of one day", got)
	}
	if got := segments(t, s, SegmentFilter{ChangedSince: mark.Add(time.Millisecond), SinceDay: noon.Add(24 * time.Hour)}); len(got) != 0 {
		t.Errorf("changed segments of a later day: %+v", got)
	}
	var days []ChangedDay
	each := func(d ChangedDay) error {
		days = append(days, d)
		return nil
	}
	if err := s.ChangedUsageDays(t.Context(), mark.Add(time.Millisecond), each); err != nil {
		t.Fatal(err)
	}
	day := noon.Truncate(24 * time.Hour)
	if diff := cmp.Diff([]ChangedDay{{day, 1}}, days); diff != "" {
		t.Errorf("changed days (-want +got):\n%s", diff)
	}
	days = nil
	if err := s.ChangedUsageDays(t.Context(), time.Time{}, each); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ChangedDay{{day, 3}, {day.Add(48 * time.Hour), 1}}, days); diff != "" {
		t.Errorf("all days (-want +got):\n%s", diff)
	}
	w, err := s.Watermark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := segments(t, s, SegmentFilter{ChangedSince: w}); len(got) != 2 {
		t.Errorf("a watermark leaves out what was just stored: %d segments, want 2", len(got))
	}
	if got := segments(t, s, SegmentFilter{AssetKey: "openai.api", Host: "host-a", User: "alice", UntilDay: day.Add(24 * time.Hour)}); len(got) != 1 {
		t.Errorf("filtered segments: %d, want 1", len(got))
	}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 60 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
