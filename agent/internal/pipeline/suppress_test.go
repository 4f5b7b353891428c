package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// suppressing lays suppressions over the catalogue of these tests.
func suppressing(t *testing.T, list ...signatures.Suppression) func(*Config, *Deps) {
	t.Helper()
	set, err := signatures.Compile(catalogue(t).Signatures(), list...)
	if err != nil {
		t.Fatal(err)
	}
	return func(_ *Config, d *Deps) { d.Set = set }
}

func TestEmit_leavesOutWhatIsSuppressed(t *testing.T) {
	b := newBench(t, suppressing(t,
		signatures.Suppression{Signature: "acme.api", Reason: "known to all", Until: "2026-12-24"},
		signatures.Suppression{Signature: "acme.runner", Reason: "ended", Until: "2026-11-01"},
		signatures.Suppression{Signature: "acme.store", Reason: "not seen", Until: "2027-01-01"},
	))
	b.Emit(b.tls("api.acme.example"))
	b.Emit(b.tls("api.acme.example"))
	late := b.tls("api.acme.example")
	b.Emit(signatures.Observation{Sensor: "process", Kind: signatures.KindProcess, Time: late.Time, Process: signatures.Process{Name: "acme-runner"}})
	b.mustFlush(t)
	got := b.sink.all()
	if len(got) != 1 || got[0].Asset.Key != "acme.runner" {
		t.Errorf("findings %+v, want that of the suppression that has ended", got)
	}
	if n := b.Counters()["suppressed"]; n != 2 {
		t.Errorf("%d suppressed, want 2", n)
	}
	want := []finding.Blind{
		{Reason: "suppressed", Count: 2, Detail: "matches of acme.api are left out until 2026-12-24: known to all"},
		{Reason: "suppressed", Detail: "matches of acme.store are left out until 2027-01-01: not seen"},
	}
	if diff := cmp.Diff(want, b.Coverage().Blind); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

// familyBench knows a family by the names acme-3*.
func familyBench(t *testing.T) *bench {
	t.Helper()
	list := append(catalogue(t).Signatures(), signatures.Signature{
		ID: "acme.family", Name: "Acme models", Kind: signatures.AssetModelFamily, Status: "active", Confidence: 90, Family: "acme",
		Provider: signatures.Provider{ID: "acme", Name: "Acme", Country: "US"}, Models: []signatures.ModelRule{{Name: "acme-3*"}},
		Licence: &signatures.Licence{Class: "community", Name: "Acme Licence"},
	}, signatures.Signature{
		ID: "acme.tenants", Name: "Acme tenants", Kind: signatures.AssetService, Status: "active", Confidence: 90,
		Hosts: []signatures.HostRule{{Value: "*.tenants.example", Match: signatures.HostWildcard, Role: signatures.RoleAPI, Label: "tenant"}},
	})
	set, err := signatures.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, func(_ *Config, d *Deps) { d.Set = set })
}

func TestEmit_fillsInTheFamilyOfAModel(t *testing.T) {
	f := func(o signatures.Observation, family, publisher, license, said string) {
		t.Helper()
		b := familyBench(t)
		b.Emit(o)
		b.mustFlush(t)
		got := b.sink.all()
		if len(got) != 1 {
			t.Fatalf("%d findings", len(got))
		}
		m := got[0].Model
		if m.Family != family || m.Publisher != publisher || m.License != license || got[0].Attributes["model.catalogue"] != said {
			t.Errorf("family %q, publisher %q, license %q, attributes %v", m.Family, m.Publisher, m.License, got[0].Attributes)
		}
	}
	file := func(facts map[string]string, path string) signatures.Observation {
		return modelFile(func(f *signatures.File) { f.Facts, f.Path = facts, path })
	}
	const all = "family, publisher, license by acme.family (model acme-3*)"
	f(file(nil, "/m/Acme_3-8B.gguf"), "acme", "Acme", "Acme Licence", all)
	f(file(map[string]string{"name": "Acme 3 8B", "architecture": "llama"}, "/m/x.gguf"), "acme", "Acme", "Acme Licence", all)
	f(file(map[string]string{"name": "Acme 3 8B", "family": "own", "publisher": "Someone", "license": "mit"}, "/m/x.gguf"), "own", "Someone", "mit", "")
	f(file(map[string]string{"name": "Acme 3 8B", "license": "mit"}, "/m/x.gguf"), "acme", "Acme", "mit", "family, publisher by acme.family (model acme-3*)")
	f(file(map[string]string{"name": "Other 8B", "architecture": "llama"}, "/m/acme-3.gguf"), "llama", "", "", "")
	f(signatures.Observation{Sensor: "application", Kind: signatures.KindApplication, Application: signatures.Application{Provider: "acme", Model: "acme-3.1:8b"}},
		"acme", "Acme", "Acme Licence", all)
}

func TestEmit_namesTheTenant(t *testing.T) {
	b := familyBench(t)
	b.Emit(b.tls("contoso.tenants.example"))
	b.mustFlush(t)
	if got := b.sink.all(); len(got) != 1 || got[0].Attributes["asset.tenant"] != "contoso" {
		t.Errorf("%+v", got)
	}
}

func TestUse_keepsCountingWhatIsSuppressed(t *testing.T) {
	known := signatures.Suppression{Signature: "acme.api", Reason: "known to all", Until: "2026-12-24"}
	b := newBench(t, suppressing(t, known))
	b.Emit(b.tls("api.acme.example"))
	set, err := signatures.Compile(catalogue(t).Signatures(), signatures.Suppression{Signature: "acme.store", Reason: "new", Until: "2027-01-01"}, known)
	if err != nil {
		t.Fatal(err)
	}
	b.Use(set)
	b.Emit(b.tls("api.acme.example"))
	want := []finding.Blind{
		{Reason: "suppressed", Detail: "matches of acme.store are left out until 2027-01-01: new"},
		{Reason: "suppressed", Count: 2, Detail: "matches of acme.api are left out until 2026-12-24: known to all"},
	}
	if diff := cmp.Diff(want, b.Coverage().Blind); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}
