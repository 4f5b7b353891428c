package main

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gnomon-ai/gnomon/agent/internal/packs"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/pack"
)

// packedTree is a configuration that names a pack of one signature.
func packedTree(t *testing.T) *tree {
	t.Helper()
	dir := t.TempDir()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	data, err := pack.Build([]signatures.Signature{{
		ID: "acme.api", Name: "Acme", Kind: signatures.AssetService, Categories: []string{"api_llm"}, Status: "active", Confidence: 90,
		Provider: signatures.Provider{ID: "acme", Name: "Acme", Country: "unknown"},
		Sources:  []signatures.Source{{URL: "https://acme.test", Checked: "2026-01-02"}},
		Hosts:    []signatures.HostRule{{Value: "api.acme.test", Match: signatures.HostExact, Role: signatures.RoleAPI}},
		Tests:    signatures.Tests{Positive: []signatures.Example{{Host: "api.acme.test"}}, Negative: []signatures.Example{{Host: "acme.test"}}},
	}}, pack.Options{ID: "test", Version: 7})
	if err != nil {
		t.Fatal(err)
	}
	if data, err = pack.Sign(data, key); err != nil {
		t.Fatal(err)
	}
	tree := defaults()
	tree.StateDir, tree.SignaturesPack = filepath.Join(dir, "state"), filepath.Join(dir, "signatures.pack")
	tree.SignaturesKeys = []string{pack.FormatKey(key.Public().(ed25519.PublicKey))}
	if err := pack.WriteFile(tree.SignaturesPack, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return tree
}

// overlay has the tree lay a signature with that id over its pack.
func overlay(t *testing.T, tree *tree, id string) {
	t.Helper()
	provider, _, _ := strings.Cut(id, ".")
	tree.SignaturesDir = t.TempDir()
	text := fmt.Sprintf("schema: signatures/v1\nprovider: {id: %[1]s, name: %[1]s, country: unknown}\nsignatures:\n  - id: %[2]s\n    name: Own\n    kind: service\n"+
		"    categories: [api_llm]\n    status: active\n    confidence: 90\n    sources: [{url: \"https://own.test\", checked: 2026-01-02}]\n"+
		"    hosts: [{value: ai.own.test, match: exact, role: api}]\n    tests: {positive: [{host: ai.own.test}], negative: [{host: own.test}]}\n", provider, id)
	if err := os.WriteFile(filepath.Join(tree.SignaturesDir, "own.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestChooseCatalogue_packWithAFolderOverIt(t *testing.T) {
	t.Parallel()
	tree := packedTree(t)
	overlay(t, tree, "own.ai")
	got, err := chooseCatalogue(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"acme.api", "own.ai"} {
		if _, ok := got.set.Lookup(id); !ok {
			t.Errorf("%s is missing", id)
		}
	}
	if n := len(got.set.Signatures()); n != 2 || got.choice.Origin != packs.FromPack {
		t.Errorf("%d signatures from %s, want the pack's and the folder's", n, got.choice.Origin)
	}
	if got.set.Version() == got.choice.Version {
		t.Error("with a folder over it the catalogue has the version of the pack alone")
	}
	got.keep(slog.New(slog.DiscardHandler))
	if state, err := pack.LoadState(filepath.Join(tree.StateDir, "signatures", "state.json")); err != nil || state.Highest != 7 {
		t.Errorf("kept %+v, %v", state, err)
	}
}

func TestCheckCatalogue_saysWhatIsUsedAndWhy(t *testing.T) {
	t.Parallel()
	tree := packedTree(t)
	if c := checkCatalogue(tree); c.Status != "ok" || !strings.Contains(c.Detail, "pack test version 7") {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat(tree.StateDir); err == nil {
		t.Error("a check wrote into the state directory")
	}
	if err := os.Remove(tree.SignaturesPack); err != nil {
		t.Fatal(err)
	}
	if c := checkCatalogue(tree); c.Status != "failed" || !strings.Contains(c.Detail, "the signatures of the program itself") || !strings.Contains(c.Detail, "there is no file") {
		t.Errorf("%+v", c)
	}
}
