package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/spool"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

func newOutbox(t *testing.T) (*Outbox, *spool.Spool) {
	t.Helper()
	config := spool.DefaultConfig()
	config.Dir = t.TempDir()
	s, err := spool.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s, "1.2.3", slog.New(slog.DiscardHandler)), s
}

// stored reads everything in the spool back as findings and reports.
func stored(t *testing.T, s *spool.Spool) (ids []string, sensors []string, records int) {
	t.Helper()
	for {
		r, _, ok, err := s.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return ids, sensors, records
		}
		records++
		if len(r.Data) > MaxBytes {
			t.Errorf("a request of %d bytes", len(r.Data))
		}
		findings, coverage, rejected, err := otlpwire.Decode(r.Data)
		if err != nil || len(rejected) > 0 {
			t.Fatal(err, rejected)
		}
		if int(r.Items) != len(findings)+len(coverage) || (r.Kind == spool.Findings) != (len(findings) > 0) {
			t.Errorf("a record of kind %d with %d items holds %d findings and %d reports", r.Kind, r.Items, len(findings), len(coverage))
		}
		for _, f := range findings {
			ids = append(ids, f.ID)
		}
		for _, c := range coverage {
			sensors = append(sensors, c.Sensor)
		}
	}
}

func list(n int, text string) (all []finding.Finding, ids []string) {
	for i := range n {
		id := fmt.Sprintf("%032x", i)
		all = append(all, finding.Finding{ID: id, AgentID: "a", ProcessPath: text})
		ids = append(ids, id)
	}
	return all, ids
}

func TestFindings_areCutIntoBoundedRequests(t *testing.T) {
	f := func(n int, text string, wantRecords int) {
		t.Helper()
		o, s := newOutbox(t)
		all, want := list(n, text)
		done, err := o.Findings(all)
		if err != nil || done != n {
			t.Fatalf("%d of %d stored: %v", done, n, err)
		}
		got, _, records := stored(t, s)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if records != wantRecords {
			t.Errorf("%d findings of %d bytes in %d requests, want %d", n, len(text), records, wantRecords)
		}
	}
	f(1, "x", 1)
	f(MaxItems, "x", 1)
	f(MaxItems+1, "x", 2)
	f(256, strings.Repeat("x", 4000), 8)
}

func TestFindings_giveUpWhatNoRequestHolds(t *testing.T) {
	o, s := newOutbox(t)
	all, ids := list(3, "x")
	all[1].ProcessPath = strings.Repeat("x", MaxBytes+1)
	done, err := o.Findings(all)
	if err != nil || done != 3 {
		t.Fatalf("%d stored: %v", done, err)
	}
	got, _, _ := stored(t, s)
	if diff := cmp.Diff([]string{ids[0], ids[2]}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if o.Refused() != 1 {
		t.Errorf("%d refused, want 1", o.Refused())
	}
}

func TestFindings_sayHowFarTheyCame(t *testing.T) {
	o, s := newOutbox(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	all, _ := list(3, "x")
	if done, err := o.Findings(all); err == nil || done != 0 {
		t.Errorf("%d stored in a closed spool: %v", done, err)
	}
}

func TestCoverage(t *testing.T) {
	o, s := newOutbox(t)
	done, err := o.Coverage([]finding.Coverage{{AgentID: "a", Sensor: "network", State: "on"}, {AgentID: "a", Sensor: "spool", State: "on"}})
	if err != nil || done != 2 {
		t.Fatal(done, err)
	}
	_, got, records := stored(t, s)
	if diff := cmp.Diff([]string{"network", "spool"}, got); diff != "" || records != 1 {
		t.Errorf("%d records (-want +got):\n%s", records, diff)
	}
	if _, _, err := s.Next(cancelled()); err == nil {
		t.Error("more than was stored")
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
