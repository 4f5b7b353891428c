package signatures_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

const suppressionHead = "schema: signatures/v1\nsuppressions:\n"

func loadGood(t *testing.T) []signatures.Signature {
	t.Helper()
	list, err := signatures.Load(singleFile([]byte(schemaGood)))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestLoadOverlay(t *testing.T) {
	base := loadGood(t)
	own := strings.NewReplacer("name: Acme API", "name: Our Acme", "api.acme.example", "acme.corp.example").Replace(schemaGood)
	more := strings.NewReplacer("acme.api", "acme.more", "api.acme.example", "more.acme.example").Replace(schemaGood)
	o, err := signatures.LoadOverlay(fstest.MapFS{
		"a.yaml": {Data: []byte(own)}, "b.yaml": {Data: []byte(more)},
		"c.yaml": {Data: []byte(suppressionHead + "  - {signature: acme.api, reason: known, until: 2026-12-24}\n  - {signature: acme.more, reason: old, until: 2026-01-01}\n")},
	}, base)
	if err != nil {
		t.Fatal(err)
	}
	set, err := signatures.Compile(signatures.Merge(base, o.Signatures), o.Suppressions...)
	if err != nil {
		t.Fatal(err)
	}
	if sig, ok := set.Lookup("acme.api"); !ok || sig.Name != "Our Acme" || len(set.Signatures()) != 2 {
		t.Errorf("%+v of %d signatures", sig, len(set.Signatures()))
	}
	f := func(id, at string, want int) {
		t.Helper()
		sig, _ := set.Lookup(id)
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := set.Suppressed(sig, when)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%s at %s: %d, %v", id, at, got, ok)
		}
	}
	f("acme.api", "2026-12-23T23:59:59Z", 0)
	f("acme.api", "2026-12-24T00:00:00Z", -1)
	f("acme.more", "2026-11-23T00:00:00Z", -1)
	if s := set.Suppressions()[1]; s.File != "c.yaml" || s.Line != 4 || s.Reason != "old" {
		t.Errorf("%+v", s)
	}
}

func TestLoadOverlayRefuses(t *testing.T) {
	base := loadGood(t)
	f := func(name, data, want string) {
		t.Helper()
		_, err := signatures.LoadOverlay(fstest.MapFS{"own.yaml": {Data: []byte(data)}}, base)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	entry := func(text string) string { return suppressionHead + "  - {" + text + "}\n" }
	f("unknown id", entry("signature: acme.ap, reason: x, until: 2026-12-24"), `own.yaml:3:1: suppressions: there is no signature "acme.ap"`)
	f("no reason", entry(`signature: acme.api, reason: "", until: 2026-12-24`), "suppressions[0].reason: missing")
	f("no day", entry("signature: acme.api, reason: x, until: soon"), "suppressions[0].until")
	f("twice", entry("signature: acme.api, reason: x, until: 2026-12-24")+"  - {signature: acme.api, reason: y, until: 2027-12-24}\n", "own.yaml:4:1: suppressions: acme.api is suppressed twice, also in own.yaml:3")
	f("another's host", strings.ReplaceAll(schemaGood, "acme.api", "acme.other"), "is also one of acme.api")
	f("another's name", strings.NewReplacer("acme.api", "acme.other", "name: Acme,", "name: Emca,", "api.acme.example", "x.acme.example").Replace(schemaGood), "described otherwise")
	f("nothing", "schema: signatures/v1\n", "no signature")
	if _, err := signatures.Load(singleFile([]byte(entry("signature: acme.api, reason: x, until: 2026-12-24")))); err == nil || !strings.Contains(err.Error(), "organisation") {
		t.Errorf("the catalogue may hold suppressions: %v", err)
	}
	if _, err := signatures.Compile(base, signatures.Suppression{Signature: "acme.absent"}); err == nil {
		t.Error("a suppression of nothing compiles")
	}
}
