package sigtest

import (
	"os"
	"testing"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/google/go-cmp/cmp"
)

// TestRecall fails where an endpoint that the catalogue documents is not matched
// by its own signature. Run it with -v for the figure.
func TestRecall(t *testing.T) {
	list, err := signatures.Load(os.DirFS("../catalogue"))
	if err != nil {
		t.Fatal("the catalogue does not load; TestCatalogue says why")
	}
	r, err := Recalled(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, missed := range r.Missed {
		t.Error(missed)
	}
	if r.Endpoints < r.Signatures {
		t.Errorf("%d endpoints of %d signatures", r.Endpoints, r.Signatures)
	}
	matched := r.Endpoints - len(r.Missed)
	t.Logf("%d of %d documented endpoints of %d enabled signatures match: %.2f %%", matched, r.Endpoints, r.Signatures, 100*float64(matched)/float64(r.Endpoints))
}

func TestRecalled(t *testing.T) {
	off := false
	site := good()
	site.ID, site.Hosts = "acme.site", []signatures.HostRule{{Value: "acme.test", Match: signatures.HostSuffix, Role: signatures.RoleWebUI}}
	site.Tests = signatures.Tests{Positive: []signatures.Example{{Host: "www.acme.test"}, {Host: "api.acme.test"}, {Process: "acme"}}}
	gone := good()
	gone.ID, gone.Enabled = "acme.gone", &off
	shared := good()
	shared.ID, shared.Hosts, shared.Paths = "acme.shared", []signatures.HostRule{{Value: "cloud.test", Match: signatures.HostExact, Shared: true}}, []signatures.PathRule{{Prefix: "/ai/*/chat"}}
	shared.Tests = signatures.Tests{}
	r, err := Recalled([]signatures.Signature{good(), site, gone, shared})
	if err != nil {
		t.Fatal(err)
	}
	want := Recall{Signatures: 3, Endpoints: 5, Missed: []string{`acme.site: {host: api.acme.test}: acme.api (tls.sni=api.acme.test by the rule "host exact api.acme.test")`}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Recalled([]signatures.Signature{good(), good()}); err == nil {
		t.Error("a catalogue that does not compile was recalled")
	}
}
