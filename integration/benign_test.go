//go:build linux

package integration

import (
	"errors"
	"os"
	"testing"

	"github.com/gnomon-ai/gnomon/integration/benign"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
)

// TestBenignNames asks the built agent about every name that is no AI, as a user
// would. That the list has 100,000 names is part of it. Of a version of Firefox
// that nobody has reviewed, a few new names may be AI services; `make benign`
// tells those too.
func TestBenignNames(t *testing.T) {
	firefox, err := benign.Firefox(benign.Folders()...)
	if errors.Is(err, benign.ErrNoFirefox) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	exceptions, err := benign.Exceptions()
	if err != nil {
		t.Fatal(err)
	}
	names, _ := benign.Merge([]benign.Source{{Names: sigtest.BenignNames()}, firefox})
	left := benign.Left(names, exceptions)
	if left < 100_000 {
		t.Errorf("only %d benign names", left)
	}
	hits, err := benign.Ask(t.Context(), binaries.agent, names, []string{""})
	if err != nil {
		t.Fatal(err)
	}
	allowed := 0
	if firefox.Version != benign.Reviewed {
		allowed = len(names) / 10_000
		t.Logf("Firefox %s is not %s, which was reviewed: %d new hits are let pass", firefox.Version, benign.Reviewed, allowed)
	}
	v := benign.Judge(hits, exceptions)
	for _, h := range v.Unexcused {
		report := t.Errorf
		if len(v.Unexcused) <= allowed {
			report = t.Logf
		}
		report("%s matches %s by %q: narrow that rule, or add the name to integration/benign/exceptions.txt with a reason", h.Name, h.Signature, h.Rule)
	}
	t.Logf("%d benign names, %d hits, %d by reviewed exceptions", left, len(v.Unexcused), len(v.Excused))
}
