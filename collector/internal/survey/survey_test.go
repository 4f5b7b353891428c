package survey

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/signatures"
)

func source(checked, note string) signatures.Source {
	return signatures.Source{URL: "https://acme.example/" + checked, Checked: checked, Note: note}
}

// world has some of everything that is counted.
func world() []signatures.Signature {
	off := false
	acme := signatures.Provider{ID: "acme", Name: "Acme", Country: "US"}
	other := signatures.Provider{ID: "other", Name: "Other", Country: "unknown"}
	return []signatures.Signature{
		{
			ID: "acme.api", Kind: signatures.AssetService, Provider: acme, File: "acme.yaml", Line: 3,
			Hosts:   []signatures.HostRule{{Role: signatures.RoleAPI}, {Role: signatures.RoleAPI}, {Role: signatures.RoleCDN}},
			Sources: []signatures.Source{source("2026-01-01", ""), source("2026-11-01", "cited, not reopened")},
			Risk: &signatures.Risk{
				Retention: &signatures.TextFact{Value: "30d", Source: "https://acme.example/r", Checked: "2025-12-31"},
				Agentic:   &signatures.BoolFact{Source: "https://acme.example/a", Checked: "2026-11-01"},
			},
		},
		{ID: "acme.web", Kind: signatures.AssetService, Provider: acme, Sources: []signatures.Source{source("2026-11-02", "")}},
		{ID: "acme.off", Kind: signatures.AssetService, Provider: acme, Enabled: &off, Sources: []signatures.Source{source("2026-11-03", ""), source("2026-11-03", "")}},
		{
			ID: "acme.plugin", Kind: signatures.AssetExtension, Provider: acme, Extensions: []signatures.ExtensionRule{{Store: "vscode"}, {Store: "chrome"}},
			Sources: []signatures.Source{source("2026-11-03", ""), source("2026-11-03", "")},
		},
		{
			ID: "acme.old-plugin", Kind: signatures.AssetExtension, Provider: acme, Files: []signatures.FileRule{{Path: "Extensions/abc"}},
			Sources: []signatures.Source{source("2026-11-03", ""), source("2026-11-03", "")},
		},
		{
			ID: "other.sdk", Kind: signatures.AssetSDK, Provider: other, Unverified: true, Packages: []signatures.PackageRule{{Ecosystem: "npm"}, {Ecosystem: "npm"}, {Ecosystem: "pypi"}},
			Sources: []signatures.Source{source("2026-11-03", ""), source("2026-11-03", "")},
		},
		{
			ID: "other.family", Kind: signatures.AssetModelFamily, Provider: other, Models: []signatures.ModelRule{{}, {}},
			Licence: &signatures.Licence{Source: "https://other.example/l", Checked: "2026-02-01"}, Sources: []signatures.Source{source("2026-11-03", ""), source("2026-11-03", "")},
		},
	}
}

func TestStats(t *testing.T) {
	got := map[string]Row{}
	for _, r := range Stats(world()) {
		key := r.Group + "/" + r.Name
		if _, twice := got[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		r.Group, r.Name = "", ""
		got[key] = r
	}
	f := func(key string, enabled, off, unverified int, value string) {
		t.Helper()
		if diff := cmp.Diff(Row{Enabled: enabled, Off: off, Unverified: unverified, Value: value}, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	f("signatures/all", 5, 1, 1, "")
	f("signatures/service", 2, 1, 0, "")
	f("signatures/sdk", 0, 0, 1, "")
	f("signatures/model_family", 1, 0, 0, "")
	f("signatures/runtime", 0, 0, 0, "")
	f("extensions/ide plugins", 1, 0, 0, "")
	f("extensions/browser extensions", 2, 0, 0, "")
	f("extensions/other", 0, 0, 0, "")
	f("extension_ids/chrome", 1, 0, 0, "")
	f("sdk_packages/npm", 0, 0, 2, "")
	f("packages/pypi", 0, 0, 1, "")
	f("hosts/api", 2, 0, 0, "")
	f("hosts/cdn", 1, 0, 0, "")
	f("model_names/patterns", 2, 0, 0, "")
	f("providers/all", 2, 0, 0, "")
	f("providers/countries", 0, 0, 0, "1")
	f("countries/US", 1, 0, 0, "")
	f("countries/unknown", 1, 0, 0, "")
	f("service_sources/median", 0, 0, 0, "1")
	f("service_sources/5th percentile", 0, 0, 0, "1")
	f("service_facts/all", 0, 0, 0, "14.3%")
	f("service_facts/retention", 1, 0, 0, "50.0%")
	f("service_facts/residency", 0, 0, 0, "0.0%")
	for _, r := range Stats(nil) {
		if r.Enabled+r.Off+r.Unverified != 0 {
			t.Errorf("of nothing: %+v", r)
		}
	}
}

func TestPercentile(t *testing.T) {
	f := func(p, want int, list ...int) {
		t.Helper()
		if got := percentile(list, p); got != want {
			t.Errorf("%d of %v: %d, want %d", p, list, got, want)
		}
	}
	f(50, 0)
	f(50, 2, 1, 2, 3)
	f(50, 2, 1, 2, 3, 4)
	f(5, 1, 1, 2, 3, 4)
	f(100, 4, 1, 2, 3, 4)
}

func TestReview(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var got []string
	for _, i := range Review(world(), now, 180*24*time.Hour) {
		got = append(got, i.Checked+" "+i.Reason+" "+i.Signature+" "+i.What)
	}
	want := []string{
		"2025-12-31 old acme.api risk.retention",
		"2026-01-01 old acme.api sources[0]",
		"2026-02-01 old other.family licence",
		"2026-11-01 not reopened acme.api sources[1]",
		"2026-11-02 single source acme.web sources",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	first := Review(world(), now, 180*24*time.Hour)[0]
	if diff := cmp.Diff(Item{
		Reason: ReasonOld, Signature: "acme.api", File: "acme.yaml", Line: 3, What: "risk.retention", Source: "https://acme.example/r", Checked: "2025-12-31", Days: 327, Enabled: true,
	}, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
