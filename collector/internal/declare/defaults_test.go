package declare

import (
	"strings"
	"testing"
)

// TestDefaultsStayWhereAnImportGivesNone holds that adding one entry from a
// file without defaults does not loosen those that are in force.
func TestDefaultsStayWhereAnImportGivesNone(t *testing.T) {
	h := start(t)
	h.apply(nil, "strict.yaml", "schema: inventory/v1\ndefaults: {review_every: 90d, scope_on_unknown: deny}\n"+
		"entries: [{id: openai-api, name: OpenAI, kind: api_service, status: approved, match: [{signature: [openai.api]}]}]\n")
	h.apply(nil, "one.yaml", "schema: inventory/v1\n"+
		"entries: [{id: groq-api, name: Groq, kind: api_service, status: proposed, match: [{signature: [groq.api]}]}]\n")
	got := h.export("yaml")
	for _, want := range []string{"review_every: 90d", "scope_on_unknown: deny", "openai-api", "groq-api"} {
		if !strings.Contains(got, want) {
			t.Errorf("the inventory lacks %q:\n%s", want, got)
		}
	}
	h.apply(nil, "looser.yaml", "schema: inventory/v1\ndefaults: {scope_on_unknown: flag}\nentries: []\n")
	if got = h.export("yaml"); !strings.Contains(got, "scope_on_unknown: flag") || !strings.Contains(got, "review_every: 90d") {
		t.Errorf("a default that was given did not count, or took another along:\n%s", got)
	}
}
