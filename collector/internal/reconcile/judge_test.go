package reconcile

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/google/go-cmp/cmp"
)

// rule is an entry in short: id, status, what it matches, and changes.
func rule(id string, status inventory.Status, match inventory.Match, changes ...func(*inventory.Entry)) inventory.Entry {
	e := inventory.Entry{ID: id, Name: id, Kind: inventory.KindAPIService, Status: status, Match: []inventory.Match{match}}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func scoped(s inventory.Scope) func(*inventory.Entry) {
	return func(e *inventory.Entry) { e.Scope = s }
}

func signature(ids ...string) inventory.Match { return inventory.Match{Signature: ids} }

func provider(ids ...string) inventory.Match { return inventory.Match{Provider: ids} }

// usual is a use of acme.api by ana, everything known.
func usual() *Usage {
	return &Usage{
		SignatureID: "acme.api", Provider: "acme", Domain: "api.acme.example", Account: "org-acme", Confidence: 90,
		Host: "pc-1", HostLabels: map[string]string{"managed": "true"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.2.3")},
		Channel: "endpoint", Region: "eu", User: "ana", Groups: []string{"engineering"}, At: judgedAt,
	}
}

func judgeWith(t *testing.T, policy inventory.OnUnknown, u *Usage, entries ...inventory.Entry) Verdict {
	t.Helper()
	d := &inventory.Document{Schema: inventory.Schema, Defaults: inventory.Default(), Entries: entries}
	d.Defaults.ScopeOnUnknown = policy
	return mustCompile(t, d).JudgeExplain(u)
}

const (
	approved   = inventory.StatusApproved
	restricted = inventory.StatusRestricted
	prohibited = inventory.StatusProhibited
	retired    = inventory.StatusRetired
	proposed   = inventory.StatusProposed
)

// TestReasons has one case for each reason of the specification and each row of
// the table of its algorithm.
func TestReasons(t *testing.T) {
	sales := scoped(inventory.Scope{Groups: []string{"sales"}})
	engineering := scoped(inventory.Scope{Groups: []string{"engineering"}})
	ended := func(e *inventory.Entry) { e.Valid.Until = "2026-10-15" }
	f := func(name string, u *Usage, want string, entries ...inventory.Entry) {
		t.Helper()
		v := judgeWith(t, inventory.UnknownFlag, u, entries...)
		got := string(v.Verdict) + " " + v.ReasonText() + " " + v.EntryID
		if strings.TrimSpace(got) != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	low := usual()
	low.Confidence = 49
	f("nothing known", &Usage{Confidence: 99, User: "ana", Account: "org-acme", At: judgedAt}, "unknown unidentified", rule("a1", approved, signature("acme.api")))
	f("weak hits only", low, "unknown low_confidence", rule("a1", prohibited, signature("acme.api")))

	f("no entry", usual(), "unsanctioned not_in_inventory")
	f("no entry matches", usual(), "unsanctioned not_in_inventory", rule("a1", prohibited, signature("globex.api")))
	f("proposed", usual(), "unsanctioned proposed a1", rule("a1", proposed, signature("acme.api")))
	f("approved", usual(), "sanctioned ok a1", rule("a1", approved, signature("acme.api")))
	f("restricted in scope", usual(), "sanctioned ok a1", rule("a1", restricted, signature("acme.api"), engineering))
	f("unknown dimension", &Usage{SignatureID: "acme.api", Confidence: 90, At: judgedAt}, "sanctioned scope_unverified:[group] a1", rule("a1", restricted, signature("acme.api"), engineering))
	f("ban", usual(), "prohibited entry_prohibited a1", rule("a1", prohibited, signature("acme.api")))
	f("ban beats approval at its level", usual(), "prohibited entry_prohibited b1", rule("a1", approved, signature("acme.api")), rule("b1", prohibited, signature("acme.api")))
	f("ban has no scope and no validity", usual(), "prohibited entry_prohibited a1", rule("a1", prohibited, signature("acme.api"), sales, ended))
	f("narrow approval shields from a broad ban", usual(), "sanctioned ok a1", rule("a1", approved, signature("acme.api")), rule("b1", prohibited, provider("acme")))
	f("narrow ban under a broad approval", usual(), "prohibited entry_prohibited b1", rule("a1", approved, provider("acme")), rule("b1", prohibited, signature("acme.api")))

	f("approved, mismatch", usual(), "out_of_scope scope_mismatch:[group] a1", rule("a1", approved, signature("acme.api"), sales))
	f("approved mismatch leaves broader approvals", usual(), "sanctioned ok b1", rule("a1", approved, signature("acme.api"), sales), rule("b1", approved, provider("acme")))
	f("restricted mismatch raises a ceiling", usual(), "out_of_scope scope_mismatch:[group] a1", rule("a1", restricted, signature("acme.api"), sales), rule("b1", approved, provider("acme")))
	f("broader bans count under a ceiling", usual(), "prohibited entry_prohibited b1", rule("a1", restricted, signature("acme.api"), sales), rule("b1", prohibited, provider("acme")))
	f("a ceiling does not act on its own level", usual(), "sanctioned ok b1", rule("a1", restricted, signature("acme.api"), sales), rule("b1", approved, signature("acme.*", "acme.api")))
	f("retired", usual(), "expired retired a1", rule("a1", retired, signature("acme.api")))
	f("retired raises a ceiling", usual(), "expired retired a1", rule("a1", retired, signature("acme.api")), rule("b1", approved, provider("acme")))
	f("broader ban under retired", usual(), "prohibited entry_prohibited b1", rule("a1", retired, signature("acme.api")), rule("b1", prohibited, provider("acme")))

	f("validity ended", usual(), "expired validity_ended a1", rule("a1", approved, signature("acme.api"), ended))
	f("not live leaves broader approvals", usual(), "sanctioned ok b1", rule("a1", restricted, signature("acme.api"), engineering, ended), rule("b1", approved, provider("acme")))
	f("not yet valid", usual(), "expired not_yet_valid a1", rule("a1", approved, signature("acme.api"), func(e *inventory.Entry) { e.Valid.From = "2026-10-16" }))
	f("review overdue", usual(), "expired review_overdue a1", rule("a1", approved, signature("acme.api"), func(e *inventory.Entry) { e.Review = inventory.Review{Every: "180d", Last: "2026-01-01"} }))
	f("contract pending", usual(), "expired contract_lapsed a1", rule("a1", approved, signature("acme.api"), func(e *inventory.Entry) { e.Contract.Agreement = inventory.PaperPending }))
	f("contract ended", usual(), "expired contract_lapsed a1", rule("a1", approved, signature("acme.api"), func(e *inventory.Entry) {
		e.Contract = inventory.Contract{DPA: inventory.PaperSigned, DPAUntil: "2026-10-15"}
	}))
	f("no contract required", usual(), "sanctioned ok a1", rule("a1", approved, signature("acme.api"), func(e *inventory.Entry) {
		e.Contract = inventory.Contract{VendorRef: "V-1", DPA: inventory.PaperNotRequired}
	}))

	f("out_of_scope before expired", usual(), "out_of_scope scope_mismatch:[group] b1", rule("a1", approved, signature("acme.api"), ended), rule("b1", approved, provider("acme"), sales))
	f("expired before proposed", usual(), "expired validity_ended b1", rule("a1", proposed, signature("acme.api")), rule("b1", approved, provider("acme"), ended))
	f("not_match", usual(), "unsanctioned not_in_inventory", rule("a1", approved, provider("acme"), func(e *inventory.Entry) { e.NotMatch = []inventory.Match{signature("acme.*")} }))
	f("not_match with an invisible account does not hold", &Usage{SignatureID: "acme.api", Confidence: 90, At: judgedAt}, "prohibited entry_prohibited a1",
		rule("a1", prohibited, signature("acme.api"), func(e *inventory.Entry) {
			e.NotMatch = []inventory.Match{{Signature: []string{"acme.api"}, Account: []string{"org-acme"}}}
		}))
}

// TestBoundaries holds the edges of the half-open periods.
func TestBoundaries(t *testing.T) {
	f := func(name string, change func(*inventory.Entry), edge time.Time, before, after Reason) {
		t.Helper()
		for at, want := range map[time.Time]Reason{edge.Add(-time.Second): before, edge: after} {
			u := usual()
			u.At = at
			if v := judgeWith(t, inventory.UnknownFlag, u, rule("a1", approved, signature("acme.api"), change)); v.Reason != want {
				t.Errorf("%s at %s: %s, want %s", name, at.Format(time.RFC3339), v.Reason, want)
			}
		}
	}
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	f("from", func(e *inventory.Entry) { e.Valid.From = "2026-10-01" }, day(10, 1), ReasonNotYetValid, ReasonOK)
	f("until", func(e *inventory.Entry) { e.Valid.Until = "2026-10-01" }, day(10, 1), ReasonOK, ReasonValidityEnded)
	f("contract", func(e *inventory.Entry) { e.Contract.DPAUntil = "2026-10-01" }, day(10, 1), ReasonOK, ReasonContractLapsed)
	f("review, with 30 days of grace", func(e *inventory.Entry) { e.Review = inventory.Review{Every: "10d", Last: "2026-03-01"} }, day(4, 10), ReasonOK, ReasonReviewOverdue)
	f("review of the approval, default cadence", func(e *inventory.Entry) { e.Approval.At = "2026-01-01" }, day(1, 1).AddDate(0, 0, 210), ReasonOK, ReasonReviewOverdue)
	f("the approval goes before the start", func(e *inventory.Entry) {
		e.Valid.From, e.Approval.At, e.Review.Every = "2026-01-01", "2026-02-01", "10d"
	}, day(2, 1).AddDate(0, 0, 40), ReasonOK, ReasonReviewOverdue)
	f("review of the start", func(e *inventory.Entry) { e.Valid.From, e.Review.Every = "2026-01-01", "2w" }, day(1, 1).AddDate(0, 0, 44), ReasonOK, ReasonReviewOverdue)
	f("no review", func(e *inventory.Entry) { e.Review = inventory.Review{Every: "0d", Last: "2020-01-01"} }, day(10, 1), ReasonOK, ReasonOK)
	f("no date to review from", func(*inventory.Entry) {}, day(10, 1), ReasonOK, ReasonOK)
}

// TestSpecificity holds the level of every kind of rule.
func TestSpecificity(t *testing.T) {
	u := usual()
	u.Model = Model{Name: "llama-3-8b", Family: "llama", SHA256: shaA, Publisher: "Meta", Format: "gguf", License: "llama3"}
	u.Software = Software{Publisher: "Anysphere, Inc.", Name: "Cursor", Version: "1.7.2"}
	u.Extension = Extension{Store: "vscode", ID: "github.copilot"}
	f := func(want int, m inventory.Match) {
		t.Helper()
		if v := judgeWith(t, inventory.UnknownFlag, u, rule("a1", approved, m)); v.Level != want {
			t.Errorf("%+v has level %d, want %d", m, v.Level, want)
		}
	}
	software := func(publisher, name, version string) inventory.Match {
		return inventory.Match{Software: inventory.SoftwareRule{Publisher: publisher, Name: name, Version: version}}
	}
	f(80, inventory.Match{Model: inventory.ModelRule{SHA256: []string{shaB, shaA}}})
	f(80, inventory.Match{Model: inventory.ModelRule{SHA256: []string{shaA}}, Account: []string{"ORG-acme"}})
	f(70, inventory.Match{Signature: []string{"acme.*"}, Account: []string{"org-acme"}})
	f(70, inventory.Match{Software: inventory.SoftwareRule{Publisher: "anysphere, inc.", Name: "cursor"}, Account: []string{"org-*"}})
	f(60, software("anysphere, inc.", "cursor", ""))
	f(60, software("Anysphere, Inc.", "Cursor", ">=1.7, <2"))
	f(0, software("Anysphere, Inc.", "Cursor", ">=1.8"))
	f(60, inventory.Match{Extension: inventory.ExtensionRule{Store: "vscode", ID: "GitHub.copilot"}})
	f(50, inventory.Match{Model: inventory.ModelRule{Name: "Llama-3-8B"}})
	f(50, inventory.Match{Model: inventory.ModelRule{Name: "llama-3-8b", Format: "gguf", Family: "llama"}})
	f(45, signature("acme.api"))
	f(45, signature("acme.*", "acme.api"))
	f(40, inventory.Match{Domain: []string{"api.acme.example"}})
	f(40, inventory.Match{Domain: []string{"*.acme.example", "api.acme.example"}})
	f(30, signature("acme.*"))
	f(30, signature("*.api"))
	f(30, signature("*me.a*"))
	f(30, software("", "Cursor", ""))
	f(30, software("Anysphere, Inc.", "Cur*", ""))
	f(30, inventory.Match{Extension: inventory.ExtensionRule{ID: "github.copilot"}})
	f(30, inventory.Match{Extension: inventory.ExtensionRule{Store: "vscode", ID: "github.*"}})
	f(30, inventory.Match{Model: inventory.ModelRule{Name: "llama-*"}})
	f(25, inventory.Match{Domain: []string{"*.acme.example"}})
	f(20, inventory.Match{Model: inventory.ModelRule{Family: "Llama"}})
	f(15, inventory.Match{Publisher: []string{"meta"}})
	f(15, inventory.Match{Publisher: []string{"anysphere, inc."}})
	f(15, software("Anysphere, Inc.", "", ""))
	f(15, inventory.Match{Model: inventory.ModelRule{Publisher: "meta"}})
	f(10, provider("acme"))
	f(5, inventory.Match{Model: inventory.ModelRule{Format: "gguf", License: "llama3"}})
	f(5, inventory.Match{Extension: inventory.ExtensionRule{Store: "vscode"}})
	f(0, inventory.Match{Account: []string{"org-acme"}})                             // qualifies nothing
	f(0, software("", "", ">=1.0"))                                                  // qualifies nothing
	f(0, inventory.Match{Domain: []string{"*.api.acme.example"}})                    // below it only
	f(0, inventory.Match{Signature: []string{"acme.api"}, Account: []string{"own"}}) // AND inside an item
	f(0, inventory.Match{Signature: []string{"acme.api"}, Domain: []string{"x.acme.example"}})
	f(0, inventory.Match{})
}

func TestAccountNotVisible(t *testing.T) {
	u := usual()
	u.Account = ""
	qualified := inventory.Match{Signature: []string{"acme.api"}, Account: []string{"org-acme"}}
	if v := judgeWith(t, inventory.UnknownFlag, u, rule("a1", approved, qualified)); v.Reason != ReasonNotInInventory {
		t.Errorf("an account rule matched a usage without account: %+v", v)
	}
	e := rule("a1", approved, qualified)
	e.Match = append(e.Match, provider("acme")) // OR between items
	if v := judgeWith(t, inventory.UnknownFlag, u, e); v.Level != LevelProvider {
		t.Errorf("the second item did not match: %+v", v)
	}
}

// TestDimensions holds match, mismatch and unknown of every dimension, under
// each way to treat the unknown.
func TestDimensions(t *testing.T) {
	known := func(change func(*Usage)) *Usage {
		u := usual()
		change(u)
		return u
	}
	nothing := &Usage{SignatureID: "acme.api", Confidence: 90, At: judgedAt}
	f := func(dimension string, s inventory.Scope, match, mismatch *Usage) {
		t.Helper()
		e := rule("a1", restricted, signature("acme.api"), scoped(s))
		check := func(policy inventory.OnUnknown, u *Usage, want string) {
			t.Helper()
			v := judgeWith(t, policy, u, e)
			if got := string(v.Verdict) + " " + v.ReasonText(); got != want {
				t.Errorf("%s under %s: %s, want %s", dimension, policy, got, want)
			}
		}
		for _, policy := range inventory.UnknownPolicies() {
			if match != nil {
				check(policy, match, "sanctioned ok")
			}
			if mismatch != nil {
				check(policy, mismatch, "out_of_scope scope_mismatch:["+dimension+"]")
			}
		}
		check(inventory.UnknownFlag, nothing, "sanctioned scope_unverified:["+dimension+"]")
		check(inventory.UnknownDeny, nothing, "out_of_scope scope_unverified:["+dimension+"]")
		check(inventory.UnknownAllow, nothing, "sanctioned ok")
	}
	f("group", inventory.Scope{Groups: []string{"Eng*"}}, usual(), known(func(u *Usage) { u.Groups = []string{} }))
	f("user", inventory.Scope{Users: []string{"ANA"}}, usual(), known(func(u *Usage) { u.User = "leo" }))
	f("host", inventory.Scope{Hosts: []string{"pc-*"}}, usual(), known(func(u *Usage) { u.Host = "lab-1" }))
	f("host_label", inventory.Scope{HostLabels: map[string]string{"managed": "true"}}, usual(), known(func(u *Usage) { u.HostLabels = map[string]string{} }))
	f("host_label", inventory.Scope{HostLabels: map[string]string{"managed": "true", "ring": "1"}}, nil, usual())
	f("network", inventory.Scope{Networks: []string{"192.168.0.0/16", "10.0.0.0/8"}}, usual(), known(func(u *Usage) { u.Addresses = append(u.Addresses, netip.MustParseAddr("8.8.8.8")) }))
	f("network", inventory.Scope{Networks: []string{"2001:db8::/32"}}, known(func(u *Usage) { u.Addresses = []netip.Addr{netip.MustParseAddr("2001:db8::1")} }), usual())
	f("network", inventory.Scope{Networks: []string{"10.0.0.0/8"}}, known(func(u *Usage) { u.Addresses, u.Network = nil, netip.MustParsePrefix("10.1.0.0/16") }),
		known(func(u *Usage) { u.Addresses, u.Network = nil, netip.MustParsePrefix("172.16.0.0/16") }))
	f("channel", inventory.Scope{Channels: []inventory.Channel{"endpoint"}}, usual(), known(func(u *Usage) { u.Channel = "server" }))
	f("region", inventory.Scope{Regions: []string{"eu"}}, usual(), known(func(u *Usage) { u.Region = "us" }))
	f("account", inventory.Scope{Accounts: []string{"org-*"}}, usual(), known(func(u *Usage) { u.Account = "private" }))
	f("purpose", inventory.Scope{Purposes: []string{"support"}}, nil, nil)
	f("data_class", inventory.Scope{DataClasses: []string{"public", "internal"}}, known(func(u *Usage) { u.DataClasses = []string{"public"} }),
		known(func(u *Usage) { u.DataClasses = []string{"public", "secret"} }))

	wide := known(func(u *Usage) { u.Addresses, u.Network = nil, netip.MustParsePrefix("10.0.0.0/7") })
	if v := judgeWith(t, inventory.UnknownFlag, wide, rule("a1", restricted, signature("acme.api"), scoped(inventory.Scope{Networks: []string{"10.0.0.0/8"}}))); v.Reason != ReasonScopeUnverified {
		t.Errorf("a network partly inside: %s, want scope_unverified", v.Reason)
	}
}

// TestWalk holds the walk, its order and the words for what each entry did.
func TestWalk(t *testing.T) {
	sales := scoped(inventory.Scope{Groups: []string{"sales"}, Purposes: []string{"x"}})
	v := judgeWith(t, inventory.UnknownFlag, usual(),
		rule("z-approved", approved, provider("acme")),
		rule("y-proposed", proposed, provider("acme")),
		rule("b-approved", approved, signature("acme.api"), sales),
		rule("a-restricted", restricted, signature("acme.api"), sales),
		rule("c-ended", approved, signature("acme.api"), func(e *inventory.Entry) { e.Valid.Until = "2020-01-01" }),
		rule("d-retired", retired, signature("acme.api")),
		rule("e-ban", prohibited, inventory.Match{Model: inventory.ModelRule{Format: "gguf"}}),
	)
	want := Verdict{
		Verdict: OutOfScope, Reason: ReasonScopeMismatch, Dimensions: DimensionGroup, EntryID: "a-restricted", Level: 45,
		Walk: []Step{
			{"a-restricted", 45, restricted, EffectOutOfScope, ReasonScopeMismatch, DimensionGroup, DimensionPurpose, true},
			{"b-approved", 45, approved, EffectOutOfScope, ReasonScopeMismatch, DimensionGroup, DimensionPurpose, false},
			{"d-retired", 45, retired, EffectExpired, ReasonRetired, 0, 0, true},
			{"c-ended", 45, approved, EffectExpired, ReasonValidityEnded, 0, 0, false},
			{"z-approved", 10, approved, EffectUnderCeiling, "", 0, 0, false},
			{"y-proposed", 10, proposed, EffectProposed, ReasonProposed, 0, 0, false},
		},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
}

// TestTies holds which of several grants of one level decides.
func TestTies(t *testing.T) {
	u := usual()
	u.Region, u.User = "", ""
	unverified := rule("a-two", restricted, signature("acme.api"), scoped(inventory.Scope{Regions: []string{"eu"}, Users: []string{"ana"}}))
	fewer := rule("b-one", restricted, signature("acme.api"), scoped(inventory.Scope{Regions: []string{"eu"}}))
	plain := rule("c-ok", approved, signature("acme.api"))
	second := rule("d-ok", approved, signature("acme.api"))
	for want, entries := range map[string][]inventory.Entry{
		"c-ok":  {unverified, second, fewer, plain},
		"b-one": {unverified, fewer},
		"a-two": {unverified},
	} {
		if v := judgeWith(t, inventory.UnknownFlag, u, entries...); v.EntryID != want {
			t.Errorf("%s decided, want %s", v.EntryID, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	f := func(name, want string, settings Settings, entries ...inventory.Entry) {
		t.Helper()
		_, err := Compile(&inventory.Document{Entries: entries}, settings)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", name, err, want)
		}
	}
	f("twice", "two entries have the id a1", Default(), rule("a1", approved, provider("x")), rule("a1", approved, provider("y")))
	f("status", "status", Default(), rule("a1", "allowed", provider("x")))
	f("network", "entry a1: scope.networks", Default(), rule("a1", approved, provider("x"), scoped(inventory.Scope{Networks: []string{"10/8"}})))
	f("version", "entry a1: match[0]: software.version", Default(), rule("a1", approved, inventory.Match{Software: inventory.SoftwareRule{Name: "x", Version: "~"}}, func(e *inventory.Entry) { e.Match[0].Software.Version = "new!" }))
	f("excluded version", "not_match[0]", Default(), rule("a1", approved, provider("x"), func(e *inventory.Entry) {
		e.NotMatch = []inventory.Match{{Software: inventory.SoftwareRule{Version: "new!"}}}
	}))
	f("settings", "min_confidence", Settings{})
}

// TestUsable holds the index and the inventory to one idea of a usable rule.
func TestUsable(t *testing.T) {
	for _, m := range []inventory.Match{
		{},
		{Account: []string{"x"}},
		{Software: inventory.SoftwareRule{Version: "1"}},
		{Signature: []string{"x"}},
		{Domain: []string{"x.y"}},
		{Publisher: []string{"x"}},
		{Provider: []string{"x"}},
		{Model: inventory.ModelRule{SHA256: []string{shaA}}},
		{Model: inventory.ModelRule{Name: "x"}},
		{Model: inventory.ModelRule{Family: "x"}},
		{Model: inventory.ModelRule{Publisher: "x"}},
		{Model: inventory.ModelRule{Format: "x"}},
		{Model: inventory.ModelRule{License: "x"}},
		{Software: inventory.SoftwareRule{Name: "x"}},
		{Software: inventory.SoftwareRule{Publisher: "x"}},
		{Extension: inventory.ExtensionRule{ID: "x"}},
		{Extension: inventory.ExtensionRule{Store: "x"}},
	} {
		if _, usable, err := newItem(0, &m); err != nil || usable != m.Usable() {
			t.Errorf("%+v: usable %v here, %v in the inventory (%v)", m, usable, m.Usable(), err)
		}
	}
}
