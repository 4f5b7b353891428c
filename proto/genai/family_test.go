package genai

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

func TestFillFamily(t *testing.T) {
	list := []signatures.Signature{
		{ID: "acme.three", Kind: signatures.AssetModelFamily, Family: "acme", Provider: signatures.Provider{Name: "Acme"}, Models: []signatures.ModelRule{{Name: "acme-3*"}},
			Licence: &signatures.Licence{Class: "community", Name: "Acme Licence"}},
		{ID: "acme.two", Kind: signatures.AssetModelFamily, Family: "acme", Provider: signatures.Provider{Name: "Acme"}, Models: []signatures.ModelRule{{Name: "acme-2*"}},
			Licence: &signatures.Licence{Class: "unknown", Name: "?"}},
	}
	set, err := signatures.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, before, after finding.Model, said string) {
		t.Helper()
		got := finding.Finding{Model: before}
		FillFamily(set, &got, name)
		if diff := cmp.Diff(after, got.Model); diff != "" || got.Attributes[AttributeFamily] != said {
			t.Errorf("%s says %q, want %q (-want +got):\n%s", name, got.Attributes[AttributeFamily], said, diff)
		}
	}
	f("acme/Acme-3:8b", finding.Model{}, finding.Model{Family: "acme", Publisher: "Acme", License: "Acme Licence"}, "family, publisher, license by acme.three (model acme-3*)")
	f("acme-3", finding.Model{Family: "own", License: "mit"}, finding.Model{Family: "own", Publisher: "Acme", License: "mit"}, "publisher by acme.three (model acme-3*)")
	f("acme-3", finding.Model{Family: "own", Publisher: "own", License: "mit"}, finding.Model{Family: "own", Publisher: "own", License: "mit"}, "")
	f("acme-2", finding.Model{}, finding.Model{Family: "acme", Publisher: "Acme"}, "family, publisher by acme.two (model acme-2*)")
	f("other", finding.Model{}, finding.Model{}, "")
	f("", finding.Model{}, finding.Model{}, "")
}
