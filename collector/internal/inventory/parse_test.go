package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, files ...string) *Document {
	t.Helper()
	var list []File
	for i, text := range files {
		list = append(list, File{fmt.Sprintf("f%d.yaml", i+1), []byte(text)})
	}
	d, _, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseComplete(t *testing.T) {
	d, notices, err := Parse([]File{{"a.yaml", []byte(completeYAML)}})
	if err != nil {
		t.Fatal(err)
	}
	e := d.Entries[0]
	allowed := e.Contract.TrainingOnData
	if len(e.Match) != 7 || e.Match[0].Account[0] != "org-acme" || e.Scope.HostLabels["managed"] != "true" || e.Scope.Users != nil ||
		allowed == nil || *allowed || e.Valid.Until != "2027-03-31" || e.Assessments[0].Type != "impact" || e.Extra["cost_center"] != "4711" {
		t.Errorf("parsed as %+v", e)
	}
	if len(notices) != 1 || notices[0].Code != CodeNoAlternative || notices[0].Line != 43 || notices[0].Key != "entries[0].alternative" || notices[0].EntryID != "openai-api" {
		t.Errorf("notices %+v, want that the alternative is no entry", notices)
	}
}

// TestParseProblems holds that every problem names file, line, column and key.
func TestParseProblems(t *testing.T) {
	const head = "schema: inventory/v1\nentries:\n  - {id: a1, name: A, kind: model, status: approved, match: [{signature: [x.y]}]}\n"
	f := func(want string, texts ...string) {
		t.Helper()
		var files []File
		for i, text := range texts {
			files = append(files, File{fmt.Sprintf("f%d.yaml", i+1), []byte(text)})
		}
		d, _, err := Parse(files)
		if err == nil || d != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant an error that begins with\n%s", err, want)
		}
	}
	entry := func(line string) string { return head + "  - id: b1\n    name: B\n    kind: model\n" + line + "\n" }
	good := "    status: approved\n"
	f("f1.yaml:4:1: stats: unknown key", head+"stats: 3\n")
	f("f1.yaml:7:5: entries[1].sttus: unknown key", entry("    sttus: approved\n    status: approved"))
	f(`f1.yaml:7:13: entries[1].status: "allowed" is none of proposed, approved, restricted, prohibited, retired`, entry("    status: allowed"))
	f("f1.yaml:4:5: entries[1].status: is missing", entry("    vendor: x"))
	f("f1.yaml:4:5: entries[1].scope: is missing: restricted needs at least one dimension", entry("    status: restricted"))
	f(`f1.yaml:8:19: entries[1].valid.from: "02.09.2026" is no date`, entry(good+"    valid: {from: \"02.09.2026\"}"))
	f(`f1.yaml:8:38: entries[1].valid.until: "2026-09-02" must be after valid.from (2026-09-02)`, entry(good+"    valid: {from: 2026-09-02, until: 2026-09-02}"))
	f(`f1.yaml:8:21: entries[1].review.every: "6 months" is no duration`, entry(good+"    review: {every: 6 months}"))
	f(`f1.yaml:8:23: entries[1].owner.business: "ana" is no e-mail address`, entry(good+"    owner: {business: ana}"))
	f(`f1.yaml:8:24: entries[1].scope.networks[0]: "10.0.0.1/8" has bits set beyond its length: write 10.0.0.0/8`, entry(good+"    scope: {networks: [10.0.0.1/8]}"))
	f(`f1.yaml:8:22: entries[1].scope.groups[0]: "*" matches too much`, entry(good+"    scope: {groups: [\"*\"]}"))
	f(`f1.yaml:8:23: entries[1].match[0].domain[0]: "*.com" matches too much`, entry(good+"    match: [{domain: [\"*.com\"]}]"))
	f(`f1.yaml:8:23: entries[1].match[0].domain[0]: "a*.example.com" has a *`, entry(good+"    match: [{domain: [\"a*.example.com\"]}]"))
	f(`f1.yaml:8:23: entries[1].match[0].domain[0]: "API.example.com" must be lower case`, entry(good+"    match: [{domain: [API.example.com]}]"))
	f(`f1.yaml:8:26: entries[1].match[0].signature[0]: "*" matches too much`, entry(good+"    match: [{signature: [\"*\"]}]"))
	f(`f1.yaml:8:31: entries[1].match[0].model.sha256[0]: "9f2c" must be 64 lower-case hex digits`, entry(good+"    match: [{model: {sha256: [9f2c]}}]"))
	f(`f1.yaml:8:43: entries[1].match[0].software.version: "newest!" has no version`, entry(good+"    match: [{software: {name: x, version: newest!}}]"))
	f(`f1.yaml:8:16: entries[1].controls[0]: "A.4.2" must name framework and control`, entry(good+"    controls: [A.4.2]"))
	f(`f1.yaml:8:21: entries[1].links.policy: "javascript:x" must be an http or https URL`, entry(good+"    links: {policy: javascript:x}"))
	f(`f1.yaml:4:10: entries[1].id: "a1" is the id of entries[0] as well`, head+"  - {id: a1, name: B, kind: model, status: approved}\n")
	f(`f2.yaml:3:10: entries[0].id: the id a1 is taken in f1.yaml:3`, head, head)
	f(`f2.yaml:2:28: defaults.review_every: is "90d", and "180d" in f1.yaml`, head+"defaults: {review_every: 180d}\n", "schema: inventory/v1\ndefaults: {review_every:   90d}\nentries: []\n")
	f(`f1.yaml:1:9: schema: "inventory/v2" must be "inventory/v1"`, strings.Replace(head, "v1", "v2", 1))
	f("reading an inventory: 0 files given")
}

func TestParseNotices(t *testing.T) {
	f := func(want []Code, entries string) {
		t.Helper()
		_, notices, err := Parse([]File{{"a.yaml", []byte("schema: inventory/v1\ndefaults: {scope_on_unknown: deny}\nentries:\n" + entries)}})
		if err != nil {
			t.Fatal(err)
		}
		var got []Code
		for _, notice := range notices {
			got = append(got, notice.Code)
			if notice.Line < 4 || notice.Message == "" {
				t.Errorf("a notice without place or message: %+v", notice)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", entries, diff)
		}
	}
	const ok = "approval: {by: ciso, at: 2026-01-01}, match: [{signature: [x.y]}]"
	f(nil, "  - {id: a1, name: A, kind: model, status: approved, "+ok+"}\n")
	f([]Code{CodeUnmatchable}, "  - {id: a1, name: A, kind: model, status: prohibited}\n")
	f([]Code{CodeUnusableItem, CodeUnmatchable}, "  - {id: a1, name: A, kind: model, status: proposed, match: [{account: [x]}]}\n")
	f([]Code{CodeUnusableItem}, "  - {id: a1, name: A, kind: model, status: proposed, match: [{software: {version: \"1\"}}, {provider: [x]}]}\n")
	f([]Code{CodeScopeIgnored}, "  - {id: a1, name: A, kind: model, status: prohibited, scope: {groups: [x]}, "+ok+"}\n")
	f([]Code{CodeValidityIgnored}, "  - {id: a1, name: A, kind: model, status: prohibited, valid: {until: 2027-01-01}, "+ok+"}\n")
	f([]Code{CodeNeverInScope}, "  - {id: a1, name: A, kind: model, status: restricted, scope: {purposes: [x]}, "+ok+"}\n")
	f([]Code{CodeNoApproval, CodeNoReviewStart}, "  - {id: a1, name: A, kind: model, status: approved, match: [{signature: [x.y]}]}\n")
	f([]Code{CodeNoAlternative}, "  - {id: a1, name: A, kind: model, status: approved, alternative: b1, "+ok+"}\n  - {id: b1, name: B, kind: model, status: prohibited, match: [{signature: [x.z]}]}\n")
}

func TestParseSeveralFiles(t *testing.T) {
	a := "schema: inventory/v1\ndefaults: {review_every: 90d}\nentries:\n  - {id: b1, name: B, kind: model, status: approved, alternative: a1}\n"
	b := "schema: inventory/v1\ndefaults: {review_every: 90d, scope_on_unknown: deny}\nentries:\n  - {id: a1, name: A, kind: model, status: approved}\n"
	one, other := parse(t, a, b), parse(t, b, a)
	if one.Defaults != (Defaults{"90d", UnknownDeny}) || len(one.Entries) != 2 || one.Entries[0].ID != "a1" {
		t.Errorf("merged into %+v", one)
	}
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("the order of files matters:\n%s", diff)
	}
}

func TestCanonical(t *testing.T) {
	a := parse(t, "schema: inventory/v1\nentries:\n  - {id: b1, name: \"\\u00e9<\", kind: model, status: approved, tags: []}\n  - {id: a1, name: A, kind: model, status: proposed}\n")
	data, sum, err := a.Canonical()
	want := `{"defaults":{"review_every":"180d","scope_on_unknown":"flag"},"entries":[{"id":"a1","kind":"model","name":"A","status":"proposed"},` +
		`{"id":"b1","kind":"model","name":"é<","status":"approved"}],"schema":"inventory/v1"}`
	if err != nil || string(data) != want {
		t.Errorf("canonical form\n%s\nwant\n%s (%v)", data, want, err)
	}
	a.Entries[0], a.Entries[1] = a.Entries[1], a.Entries[0]
	if _, again, err := a.Canonical(); err != nil || again != sum {
		t.Errorf("the order of entries changed the sum (%v)", err)
	}
	if a.Entries[0].ID != "b1" {
		t.Error("Canonical changed the document")
	}
	if _, err := FromJSON([]byte(strings.Replace(want, `"tags"`, `"tag"`, 1) + "{}")); err == nil {
		t.Error("data after the document was read")
	}
	if _, err := FromJSON([]byte(strings.Replace(want, `"name":"A"`, `"nam":"A"`, 1))); err == nil {
		t.Error("an unknown key was read")
	}
}

func TestValues(t *testing.T) {
	days := func(d Duration, want int, ok bool) {
		t.Helper()
		if got, gotOK := d.Days(); got != want || gotOK != ok {
			t.Errorf("%q: %d %v, want %d %v", d, got, gotOK, want, ok)
		}
	}
	days("180d", 180, true)
	days("26w", 182, true)
	days("0d", 0, true)
	days("36525d", 36525, true)
	for _, bad := range []Duration{"", "d", "180", "-1d", "1.5d", "07d", "36526d", "99999w", "6m", "1 d", "999999999d"} {
		days(bad, 0, false)
	}
	for _, bad := range []Date{"", "2026-9-2", "2026-02-30", "0001-01-01", "1969-12-31", "2026-09-02T00:00:00Z"} {
		if at, ok := bad.Time(); ok {
			t.Errorf("%q is the date %s", bad, at)
		}
	}
	for text, want := range map[string]bool{
		"ana@example.com": true, "a.b+c@sub.example.org": true, "ana@localhost": false, "ana": false, "Ana <ana@example.com>": false,
		"ana@example.com ": false, "@example.com": false, "": false, "a@b@example.com": false, strings.Repeat("a", 250) + "@example.com": false,
	} {
		if got := isEmail(text); got != want {
			t.Errorf("e-mail %q: %v, want %v", text, got, want)
		}
	}
}

func TestConstraint(t *testing.T) {
	f := func(rule, version string, want bool) {
		t.Helper()
		c, err := ParseConstraint(rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Allows(version); got != want {
			t.Errorf("%q allows %q: %v, want %v", rule, version, got, want)
		}
	}
	f("", "", true)
	f(">=1.7", "", false)
	f(">=1.7", "1.7", true)
	f(">=1.7", "1.10", true)
	f(">=1.7", "1.6.99", false)
	f(">=1.7", "v1.7.0", true)
	f(">=1.7", "1.7.0-beta", false)
	f(">=1.7.0-alpha", "1.7.0-beta", true)
	f(">=1.7, <2", "2.0", false)
	f(">=1.7, <2", "1.99", true)
	f("1.7.*", "1.7.3", true)
	f("!=1.7.*", "1.7.3", false)
	f("=1.7", "1.7.0+build5", true)
	f("1.7", "1.8", false)
	f("<=2", "2.0.0", true)
	f(">2", "2.0.1", true)
	for _, bad := range []string{",", ">=", "new!", ">1.*", "1,2,3,4,5,6,7,8,9"} {
		if _, err := ParseConstraint(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}
