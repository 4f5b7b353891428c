package deploy_test

import (
	"os"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
)

// The example of an organisation's signatures goes over the shipped catalogue,
// matches what it says and nothing else, and suppresses a signature that exists.
func TestOverlayExample(t *testing.T) {
	base, err := signatures.Load(catalogue.Files)
	if err != nil {
		t.Fatal(err)
	}
	own, err := signatures.LoadOverlay(os.DirFS("examples/signatures"), base)
	if err != nil {
		t.Fatal(err)
	}
	all := signatures.Merge(base, own.Signatures)
	for _, p := range sigtest.Run(all) {
		t.Error(p)
	}
	set, err := signatures.Compile(all, own.Suppressions...)
	if err != nil {
		t.Fatal(err)
	}
	if sig, _ := set.Family("example-org/example-org-coder:7b"); sig == nil || sig.ID != "example-org.tuned-models" {
		t.Errorf("the organisation's models are %v", sig)
	}
	if len(own.Suppressions) != 1 {
		t.Fatalf("%d suppressions", len(own.Suppressions))
	}
	sig, _ := set.Lookup(own.Suppressions[0].Signature)
	for day, want := range map[string]bool{"2027-01-30": true, "2027-01-31": false} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := set.Suppressed(sig, at); got != want {
			t.Errorf("suppressed on %s: %v", day, got)
		}
	}
}
