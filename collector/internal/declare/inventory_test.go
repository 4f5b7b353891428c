package declare

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

const (
	openai    = "openai approved signature: [openai.api]"
	anthropic = "anthropic approved signature: [anthropic.api]"
	banned    = "openai prohibited signature: [openai.api]"
)

func TestDiffChangesNothing(t *testing.T) {
	h := start(t)
	r, err := h.reader.DiffInventory(t.Context(), &gnomonv1.DiffInventoryRequest{Files: files("a.yaml", document(openai, anthropic))})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, r.GetChanges(), r.GetUnchanged(), 0, "created anthropic", "created openai")
	if h.changed.Load() != 0 || len(h.audits()) != 0 {
		t.Errorf("a diff told %d changes and wrote %d audit records", h.changed.Load(), len(h.audits()))
	}
	h.apply(nil, "a.yaml", document(openai))
	r, err = h.reader.DiffInventory(t.Context(), &gnomonv1.DiffInventoryRequest{Files: files("a.yaml", document(banned))})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, r.GetChanges(), r.GetUnchanged(), 0, "changed openai")
	want := []string{`status "approved" "prohibited"`}
	var got []string
	for _, f := range r.GetChanges()[0].GetFields() {
		got = append(got, f.GetPath()+" "+f.GetBefore()+" "+f.GetAfter())
	}
	if diff := cmp.Diff(want, got); diff != "" || r.GetBaseRevision() != 1 {
		t.Errorf("against revision %d (-want +got):\n%s", r.GetBaseRevision(), diff)
	}
	if !strings.Contains(h.export("yaml"), "approved") {
		t.Error("a diff changed the inventory")
	}
}

func TestApply(t *testing.T) {
	h := start(t)
	r := h.apply(nil, "a.yaml", document(openai), "b.yaml", strings.Replace(document(anthropic), "defaults: {review_every: 0d, scope_on_unknown: flag}\n", "", 1))
	expect(t, r.GetChanges(), r.GetUnchanged(), 0, "created anthropic", "created openai")
	if v := r.GetRevision(); v.GetNumber() != 1 || v.GetEntries() != 2 || v.GetAuthor() != "ana" || v.GetSource() != "api" || len(v.GetSha256()) != 64 || !v.GetAt().AsTime().Equal(h.clock) {
		t.Errorf("revision %v", v)
	}
	// The same again is no change: no revision, no word to the judge.
	r = h.apply(nil, "a.yaml", document(openai, anthropic))
	expect(t, r.GetChanges(), r.GetUnchanged(), 2)
	if r.GetRevision().GetNumber() != 1 || h.changed.Load() != 1 || len(h.audits()) != 1 {
		t.Errorf("revision %d, %d changes told, %d audit records", r.GetRevision().GetNumber(), h.changed.Load(), len(h.audits()))
	}
	// An entry that the import does not hold stays …
	r = h.apply(nil, "a.yaml", document(banned))
	expect(t, r.GetChanges(), r.GetUnchanged(), 1, "changed openai")
	if r.GetRevision().GetEntries() != 2 {
		t.Errorf("%d entries, want 2", r.GetRevision().GetEntries())
	}
	// … unless the import replaces.
	r = h.apply(func(r *gnomonv1.ApplyInventoryRequest) { r.Replace, r.Source = true, "git" }, "a.yaml", document(banned))
	expect(t, r.GetChanges(), r.GetUnchanged(), 1, "removed anthropic")
	if r.GetRevision().GetNumber() != 3 || r.GetRevision().GetSource() != "git" || h.changed.Load() != 3 {
		t.Errorf("revision %v, %d changes told", r.GetRevision(), h.changed.Load())
	}
	var actions []string
	for _, a := range h.audits() {
		actions = append(actions, fmt.Sprintf("%s %s %s from %s", a.Actor, a.Action, a.Object, a.Address))
		if len(a.Patch) == 0 {
			t.Errorf("audit record %d has no patch", a.Seq)
		}
	}
	want := []string{
		"ana inventory.apply inventory_revision/1 from 127.0.0.1",
		"ana inventory.apply inventory_revision/2 from 127.0.0.1",
		"ana inventory.apply inventory_revision/3 from 127.0.0.1",
	}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	if _, err := h.state.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCSVOverYAML(t *testing.T) {
	h := start(t)
	h.apply(nil, "a.yaml", document(openai, anthropic))
	r := h.apply(func(r *gnomonv1.ApplyInventoryRequest) { r.Source = "csv" },
		"rows.CSV", "ID,Name,Kind,Status,Signatures\nopenai,OPENAI,api_service,Prohibited,openai.api\nmistral,Mistral,api_service,approved,mistral.api\n")
	expect(t, r.GetChanges(), r.GetUnchanged(), 1, "changed openai", "created mistral")
	if r.GetRevision().GetSource() != "csv" || r.GetRevision().GetEntries() != 3 {
		t.Errorf("revision %v", r.GetRevision())
	}
	if diff := cmp.Diff([]string{"rows.CSV:2:Status:Prohibited"}, notices(r.GetNotices(), "coerced")); diff != "" {
		t.Errorf("coercions (-want +got):\n%s", diff)
	}
	// Files of both kinds at a time: rows are laid over the documents.
	r = h.apply(nil, "rows.csv", "id,status\ngroq,prohibited\n", "b.yaml", document("groq approved signature: [groq.api]"))
	expect(t, r.GetChanges(), r.GetUnchanged(), 3, "created groq")
	if text := h.export("csv"); !strings.Contains(text, "groq,GROQ,api_service,,,prohibited") {
		t.Errorf("groq is not prohibited:\n%s", text)
	}
}

func TestRejectedRowAppliesNothing(t *testing.T) {
	h := start(t)
	h.apply(nil, "a.yaml", document(openai))
	rows := "id,name,kind,status,signatures\nmistral,Mistral,api_service,approved,mistral.api\ngroq,Groq,api_service,perhaps,groq.api\n"
	r := h.apply(nil, "rows.csv", rows)
	if diff := cmp.Diff([]string{"rows.csv:3:status:perhaps"}, notices(r.GetNotices(), "rejected")); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	if r.GetRevision().GetNumber() != 1 || r.GetRevision().GetEntries() != 1 || h.changed.Load() != 1 || strings.Contains(h.export("yaml"), "mistral") {
		t.Errorf("something was applied: %v, %d changes told", r.GetRevision(), h.changed.Load())
	}
	d, err := h.reader.DiffInventory(t.Context(), &gnomonv1.DiffInventoryRequest{Files: files("rows.csv", rows)})
	if err != nil || len(notices(d.GetNotices(), "rejected")) != 1 {
		t.Errorf("the diff does not foresee it: %v, %v", d, err)
	}
	// Before the first revision, too.
	if r := start(t).apply(nil, "rows.csv", rows); r.GetRevision().GetNumber() != 0 {
		t.Errorf("applied to nothing as %v", r.GetRevision())
	}
}

func TestRefusals(t *testing.T) {
	h := start(t)
	h.apply(nil, "a.yaml", document(openai))
	const old = "old retired domain: [old.example]"
	h.apply(nil, "a.yaml", document(openai, anthropic, old))
	for _, c := range []struct {
		name  string
		base  uint64
		files []*gnomonv1.SourceFile
		code  connect.Code
		says  string
	}{
		{"no file", 0, nil, connect.CodeInvalidArgument, "no file"},
		{"an unknown key", 0, files("teams/a.yaml", "schema: inventory/v1\nentries:\n  - id: groq\n    nmae: Groq\n"), connect.CodeInvalidArgument, "teams/a.yaml:4:5: entries[0].nmae: unknown key"},
		{"no YAML", 0, files("a.yaml", "{"), connect.CodeInvalidArgument, "a.yaml:2:1: not valid YAML"},
		{"an id twice", 0, files("a.yaml", document(openai), "b.yaml", document(openai)), connect.CodeInvalidArgument, "b.yaml:4"},
		{"CSV without id", 0, files("a.csv", "name\nGroq\n"), connect.CodeInvalidArgument, "no column id"},
		{"a base that is gone", 1, files("a.yaml", document(banned)), connect.CodeAborted, "revision 1, and ana made revision 2"},
		{"a base that never was", 9, files("a.yaml", document(banned)), connect.CodeAborted, "revision 9"},
		{"a retired id for something else", 0, files("a.yaml", strings.Replace(document(old), "api_service", "agent", 1)), connect.CodeInvalidArgument, "never used again"},
	} {
		_, err := h.admin.ApplyInventory(t.Context(), &gnomonv1.ApplyInventoryRequest{Files: c.files, BaseRevision: c.base})
		if connect.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s with %q", c.name, err, c.code, c.says)
		}
	}
	_, err := h.reader.ApplyInventory(t.Context(), &gnomonv1.ApplyInventoryRequest{Files: files("a.yaml", document(banned))})
	if connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a reader applied: %v", err)
	}
	_, err = h.reader.ApplyDirectory(t.Context(), &gnomonv1.ApplyDirectoryRequest{Files: files("d.yaml", "schema: directory/v1\n")})
	if connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a reader applied a directory: %v", err)
	}
	// A clock that went back does not rewrite history.
	h.clock = base
	_, err = h.admin.ApplyInventory(t.Context(), &gnomonv1.ApplyInventoryRequest{Files: files("a.yaml", document(banned))})
	if connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), "clock") {
		t.Errorf("dated before the newest revision: %v", err)
	}
	if h.changed.Load() != 2 {
		t.Errorf("%d changes told, want 2", h.changed.Load())
	}
	r := h.apply(func(r *gnomonv1.ApplyInventoryRequest) { r.BaseRevision = 2; h.clock = base.AddDate(0, 0, 1) }, "a.yaml", document(banned))
	if r.GetRevision().GetNumber() != 3 {
		t.Errorf("the right base made %v", r.GetRevision())
	}
}

// TestImportsAtATime: no import loses what another added meanwhile.
func TestImportsAtATime(t *testing.T) {
	h := start(t)
	const imports = 12
	var all sync.WaitGroup
	for i := range imports {
		all.Go(func() {
			entry := fmt.Sprintf("entry-%d approved domain: [host-%d.example]", i, i)
			if _, err := h.admin.ApplyInventory(t.Context(), &gnomonv1.ApplyInventoryRequest{Files: files("a.yaml", document(entry))}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r, err := h.reader.ListRevisions(t.Context(), &gnomonv1.ListRevisionsRequest{})
	if err != nil || len(r.GetInventory()) != imports {
		t.Fatalf("%d revisions, %v", len(r.GetInventory()), err)
	}
	if n := strings.Count(h.export("yaml"), "- id: entry-"); n != imports {
		t.Errorf("%d entries are left of %d", n, imports)
	}
	if h.changed.Load() != imports {
		t.Errorf("%d changes told, want %d", h.changed.Load(), imports)
	}
}

func TestExport(t *testing.T) {
	h := start(t)
	if text := h.export(""); !strings.Contains(text, "schema: inventory/v1") {
		t.Errorf("before the first revision: %q", text)
	}
	h.apply(nil, "a.yaml", document(openai, anthropic))
	h.apply(nil, "a.yaml", document(banned, "plus approved domain: [plus.example]"))
	for _, c := range []struct {
		format string
		name   string
	}{{"", "export.yaml"}, {"yaml", "export.yaml"}, {"csv", "export.csv"}} {
		text := h.export(c.format)
		d, err := h.reader.DiffInventory(t.Context(), &gnomonv1.DiffInventoryRequest{Files: files(c.name, text)})
		if err != nil {
			t.Fatalf("%q: %v", c.format, err)
		}
		expect(t, d.GetChanges(), d.GetUnchanged(), 3)
	}
	r, err := h.reader.ExportInventory(t.Context(), &gnomonv1.ExportInventoryRequest{Revision: 1})
	if err != nil || strings.Contains(string(r.GetContent()), "plus") || r.GetRevision().GetNumber() != 1 || r.GetRevision().GetEntries() != 2 {
		t.Errorf("revision 1: %v, %v", r, err)
	}
	_, err = h.reader.ExportInventory(t.Context(), &gnomonv1.ExportInventoryRequest{Revision: 9})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a revision that never was: %v", err)
	}
	_, err = h.reader.ExportInventory(t.Context(), &gnomonv1.ExportInventoryRequest{Format: "xlsx"})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "yaml or csv") {
		t.Errorf("an unknown format: %v", err)
	}
}
