package declare

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

const people = "schema: directory/v1\nusers: [{name: ana, groups: [engineering]}, {name: leo, groups: [sales]}]\nhosts: [{name: laptop-1, labels: {managed: \"true\"}}]\n"

func TestDirectory(t *testing.T) {
	h := start(t)
	r := h.directory("d.yaml", people)
	expect(t, r.GetChanges(), 0, 0, "created host laptop-1", "created user ana", "created user leo")
	if r.GetRevision().GetNumber() != 1 || h.changed.Load() != 1 {
		t.Errorf("snapshot %v, %d changes told", r.GetRevision(), h.changed.Load())
	}
	// The same again.
	if r := h.directory("d.yaml", people); r.GetRevision().GetNumber() != 1 || h.changed.Load() != 1 {
		t.Errorf("no change made snapshot %v, %d changes told", r.GetRevision(), h.changed.Load())
	}
	// A table of users replaces the users; the hosts stay.
	r = h.directory("users.csv", "name,groups\nana,engineering;research\n")
	expect(t, r.GetChanges(), 0, 0, "changed user ana", "removed user leo")
	// A rejected row applies nothing.
	r = h.directory("hosts.csv", "name,labels\nlaptop-2,managed\n")
	if len(notices(r.GetNotices(), "rejected")) != 1 || r.GetRevision().GetNumber() != 2 || h.changed.Load() != 2 {
		t.Errorf("a rejected row: %v, %d changes told", r, h.changed.Load())
	}
	// A document is a whole snapshot.
	r = h.directory("d.yaml", "schema: directory/v1\nusers: [{name: ana, groups: [engineering, research]}]\n")
	expect(t, r.GetChanges(), 0, 0, "removed host laptop-1")
	for name, content := range map[string]string{
		"d.yaml":    "schema: directory/v1\nusers:\n  - nmae: ana\n",
		"users.csv": "name,groups,shoe_size\nana,engineering,38\n",
	} {
		_, err := h.admin.ApplyDirectory(t.Context(), &gnomonv1.ApplyDirectoryRequest{Files: files(name, content)})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	records := h.audits()
	if len(records) != 3 || records[2].Actor != "ana" || records[2].Action != "directory.apply" || records[2].Address != "127.0.0.1" {
		t.Errorf("audit log %+v", records)
	}
}

func TestRevisionsNewestFirst(t *testing.T) {
	h := start(t)
	h.apply(nil, "a.yaml", document(openai))
	h.directory("d.yaml", people)
	h.apply(nil, "a.yaml", document(banned))
	r, err := h.reader.ListRevisions(t.Context(), &gnomonv1.ListRevisionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.GetInventory()) != 2 || r.GetInventory()[0].GetNumber() != 2 || r.GetInventory()[1].GetNumber() != 1 || len(r.GetDirectory()) != 1 {
		t.Errorf("revisions %v", r)
	}
}

func TestTest(t *testing.T) {
	h := start(t)
	h.apply(nil, "a.yaml", strings.ReplaceAll(document(
		openai,
		"deepseek prohibited signature: [\"deepseek.*\"]",
		"internal approved domain: [\"*.corp.example\"]",
		"internal-eu prohibited domain: [eu.corp.example]",
		"llama approved model: {name: \"llama-3*\"}",
		"groq proposed signature: [groq.api]",
		"mistral retired signature: [mistral.api]",
		"anthropic restricted signature: [anthropic.api]",
	), "match: [{signature: [anthropic.api]}]", "match: [{signature: [anthropic.api]}], scope: {groups: [engineering], host_labels: {managed: \"true\"}}"))
	h.directory("d.yaml", people)
	for _, c := range []struct {
		name, user, host string
		want             string // verdict reason entry signature
		walk             []string
	}{
		{"openai.api", "", "", "sanctioned ok openai openai.api", []string{"level 45: openai (approved): sanctioned, ok"}},
		{"api.openai.com", "", "", "sanctioned ok openai openai.api", nil},
		{"API.OpenAI.com.", "", "", "sanctioned ok openai openai.api", nil},
		{"deepseek.api", "", "", "prohibited entry_prohibited deepseek deepseek.api", nil},
		{"de.corp.example", "", "", "sanctioned ok internal -", nil},
		{"eu.corp.example", "", "", "prohibited entry_prohibited internal-eu -", nil},
		{"nobody.example", "", "", "unsanctioned not_in_inventory - -", []string{}},
		{"model:llama-3-8b", "", "", "sanctioned ok llama -", nil},
		{"model:qwen", "", "", "unsanctioned not_in_inventory - -", nil},
		{"groq.api", "", "", "unsanctioned proposed groq groq.api", nil},
		{"mistral.api", "", "", "expired retired mistral mistral.api", nil},
		{"anthropic.api", "ana", "laptop-1", "sanctioned ok anthropic anthropic.api", nil},
		{
			"anthropic.api", "leo", "laptop-1", "out_of_scope scope_mismatch:[group] anthropic anthropic.api",
			[]string{"level 45: anthropic (restricted): out_of_scope, scope_mismatch, does not match [group], broader approvals no longer count"},
		},
		{"anthropic.api", "ana", "elsewhere", "sanctioned scope_unverified:[host_label] anthropic anthropic.api", nil},
		{"anthropic.api", "", "laptop-1", "sanctioned scope_unverified:[group] anthropic anthropic.api", nil},
	} {
		r, err := h.reader.TestInventory(t.Context(), &gnomonv1.TestInventoryRequest{Name: c.name, User: c.user, Host: c.host})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		j := r.GetJudgement()
		or := func(s string) string {
			if s == "" {
				return "-"
			}
			return s
		}
		got := strings.Join([]string{j.GetVerdict(), j.GetReason(), or(j.GetEntryId()), or(r.GetSignatureId())}, " ")
		if got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.name, c.user, c.host, got, c.want)
		}
		if j.GetInventoryRevision() != 1 || j.GetDirectorySnapshot() != 1 || !j.GetEvaluatedAt().AsTime().Equal(h.clock) {
			t.Errorf("%s: judged by %v", c.name, j)
		}
		if c.walk != nil {
			if diff := cmp.Diff(strings.Join(c.walk, "\n"), strings.Join(r.GetWalk(), "\n")); diff != "" {
				t.Errorf("%s: walk (-want +got):\n%s", c.name, diff)
			}
		}
	}
}

func TestTestAtAPastTime(t *testing.T) {
	h := start(t)
	h.apply(nil, "a.yaml", document(openai))
	approved := h.clock
	h.clock = h.clock.AddDate(0, 1, 0)
	h.apply(nil, "a.yaml", document(banned))
	for _, c := range []struct {
		at   *timestamppb.Timestamp
		want string
	}{
		{nil, "prohibited"},
		{timestamppb.New(approved.AddDate(0, 0, 7)), "sanctioned"},
		{timestamppb.New(approved.Add(-time.Second)), "unsanctioned"},
	} {
		r, err := h.reader.TestInventory(t.Context(), &gnomonv1.TestInventoryRequest{Name: "openai.api", At: c.at})
		if err != nil || r.GetJudgement().GetVerdict() != c.want {
			t.Errorf("at %v: %v, %v, want %s", c.at.AsTime(), r, err, c.want)
		}
	}
}

func TestTestNeedsAName(t *testing.T) {
	h := start(t)
	for _, name := range []string{"", "no host name, nothing", "model:", strings.Repeat("a", 300)} {
		_, err := h.reader.TestInventory(t.Context(), &gnomonv1.TestInventoryRequest{Name: name})
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%q: %v, want it refused", name, err)
		}
	}
}
