package reconcile

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// usagesEach is how many usages are judged against each generated inventory.
const usagesEach = 8

// compile fails the property where the inventory cannot be compiled.
func compile(t rapid.TB, d *inventory.Document) *Rules {
	t.Helper()
	rules, err := Compile(d, Default())
	if err != nil {
		t.Fatalf("compiling: %v", err)
	}
	return rules
}

// worse ranks a verdict; lower is worse.
func worse(v Verdict) int { return slices.Index(DefaultOrder(), v.Verdict) }

// TestProperties holds the properties of the specification over generated
// inventories. Choose how many with -rapid.checks (of each property): run with
// -rapid.checks=20000 it judges over 100,000 inventories.
func TestProperties(t *testing.T) {
	t.Run("reference", testReference)
	t.Run("order_does_not_matter", testOrder)
	t.Run("added_ban", testAddedBan)
	t.Run("wider_scope_is_never_worse", testWiderScope)
	t.Run("entry_that_does_not_match", testStranger)
	t.Run("same_inputs_same_verdict", testDeterminism)
}

// testReference compares with the naive reference, and asserts that the
// generators reach every verdict and every reason often enough to mean
// something.
func testReference(t *testing.T) {
	verdicts, reasons, total := map[Word]int{}, map[Reason]int{}, 0
	var ceilings, longWalks, inventories int
	rapid.Check(t, func(t *rapid.T) {
		d := drawInventory(t)
		rules := compile(t, d)
		inventories++
		for range usagesEach {
			u := drawUsage(t)
			got := rules.JudgeExplain(u)
			if diff := cmp.Diff(naiveJudge(d, Default(), u), got); diff != "" {
				t.Fatalf("verdict of %+v (-reference +got):\n%s", u, diff)
			}
			total++
			verdicts[got.Verdict]++
			reasons[got.Reason]++
			if len(got.Walk) > 2 {
				longWalks++
			}
			if slices.ContainsFunc(got.Walk, func(s Step) bool { return s.Effect == EffectUnderCeiling }) {
				ceilings++
			}
		}
	})
	if t.Failed() || total < 8000 {
		return // -rapid.checks below 1000 is for a quick look
	}
	t.Logf("%d inventories, %d verdicts: %v %v; %d walks over two steps, %d with a grant under a ceiling", inventories, total, verdicts, reasons, longWalks, ceilings)
	for _, word := range DefaultOrder() {
		if verdicts[word]*100 < total {
			t.Errorf("verdict %s: %d of %d, less than 1 %%", word, verdicts[word], total)
		}
	}
	floor := total / 100
	if total < 100000 {
		floor = total / 200 // a share truly above 1 % may fall below it in a small sample
	}
	for _, reason := range Reasons() {
		if reasons[reason] < floor {
			t.Errorf("reason %s: %d of %d, less than %d", reason, reasons[reason], total, floor)
		}
	}
	if longWalks*20 < total || ceilings*100 < total {
		t.Errorf("%d walks over two steps and %d grants under a ceiling in %d: the entries do not overlap", longWalks, ceilings, total)
	}
}

func testOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawInventory(t)
		rules := compile(t, d)
		shuffled := *d
		shuffled.Entries = slices.Clone(d.Entries)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		random.Shuffle(len(shuffled.Entries), func(i, j int) {
			shuffled.Entries[i], shuffled.Entries[j] = shuffled.Entries[j], shuffled.Entries[i]
		})
		other := compile(t, &shuffled)
		for range usagesEach {
			u := drawUsage(t)
			if diff := cmp.Diff(rules.JudgeExplain(u), other.JudgeExplain(u)); diff != "" {
				t.Fatalf("order of entries changed the verdict (-in order +shuffled):\n%s", diff)
			}
		}
	})
}

func testAddedBan(t *testing.T) {
	shielded, banned := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawInventory(t)
		before := compile(t, d)
		ban := drawEntry(t, pick(t, "id", "a-ban", "z-ban"))
		ban.Status = inventory.StatusProhibited
		with := *d
		with.Entries = append(slices.Clone(d.Entries), ban)
		after := compile(t, &with)
		for range usagesEach {
			u := drawUsage(t)
			was, now := before.Judge(u), after.JudgeExplain(u)
			level := naiveEntryLevel(&ban, u)
			switch {
			case now.Verdict == Prohibited:
				banned++
			case now.Verdict != was.Verdict || now.Reason != was.Reason || now.EntryID != was.EntryID:
				t.Fatalf("adding a ban turned %+v into %+v", was, now)
			case level > 0 && now.Verdict != Unknown:
				shielded++
				i := slices.IndexFunc(d.Entries, func(e inventory.Entry) bool { return e.ID == now.EntryID })
				if now.Verdict != Sanctioned || now.Level <= level || i < 0 || naiveLapse(d, Default(), &d.Entries[i], u.At) != "" {
					t.Fatalf("%+v shields from a ban at level %d: it is no live, more specific grant", now, level)
				}
			}
		}
	})
	if !t.Failed() && (shielded == 0 || banned == 0) {
		t.Errorf("%d shielded and %d banned: the generator reached only one side", shielded, banned)
	}
}

// widen adds values to a dimension of a scope or takes the dimension away.
func widen(t *rapid.T, s *inventory.Scope) {
	lists := []*[]string{&s.Groups, &s.Users, &s.Hosts, &s.Networks, &s.Regions, &s.Accounts, &s.Purposes, &s.DataClasses}
	more := [][]string{{"sales"}, {"eve"}, {"lab-*"}, {"0.0.0.0/0"}, {"us"}, {"private"}, {"any"}, {"secret"}}
	for i, list := range lists {
		if len(*list) == 0 {
			continue
		}
		switch between(t, "widening", 0, 2) {
		case 0:
			*list = nil
		case 1:
			*list = append(slices.Clone(*list), more[i]...)
		}
	}
	if len(s.Channels) > 0 && percent(t, 50, "all channels") {
		s.Channels = inventory.Channels()
	}
	if percent(t, 50, "no labels") {
		s.HostLabels = nil
	}
}

func testWiderScope(t *testing.T) {
	better := 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawInventory(t)
		before := compile(t, d)
		wide := *d
		wide.Entries = slices.Clone(d.Entries)
		for i := range wide.Entries {
			if percent(t, 40, "widened") {
				widen(t, &wide.Entries[i].Scope)
			}
		}
		after := compile(t, &wide)
		for range usagesEach {
			u := drawUsage(t)
			was, now := before.JudgeExplain(u), after.JudgeExplain(u)
			if worse(now) < worse(was) {
				t.Fatalf("widening made it worse: %+v, before %+v, on unknown %s", now, was, d.Defaults.ScopeOnUnknown)
			}
			if worse(now) > worse(was) {
				better++
			}
		}
	})
	if !t.Failed() && better == 0 {
		t.Error("no verdict got better: the generator widens nothing that matters")
	}
}

func testStranger(t *testing.T) {
	strangers := 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawInventory(t)
		before := compile(t, d)
		stranger := drawEntry(t, pick(t, "id", "a-stranger", "z-stranger"))
		with := *d
		with.Entries = append(slices.Clone(d.Entries), stranger)
		after := compile(t, &with)
		for range usagesEach {
			u := drawUsage(t)
			if naiveEntryLevel(&stranger, u) > 0 {
				continue
			}
			strangers++
			if diff := cmp.Diff(before.JudgeExplain(u), after.JudgeExplain(u)); diff != "" {
				t.Fatalf("an entry that does not match changed the verdict (-before +after):\n%s", diff)
			}
		}
	})
	if !t.Failed() && strangers == 0 {
		t.Error("every added entry matched")
	}
}

func testDeterminism(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawInventory(t)
		rules, again := compile(t, d), compile(t, d)
		for range usagesEach {
			u := drawUsage(t)
			first := rules.JudgeExplain(u)
			if diff := cmp.Diff(first, rules.JudgeExplain(u)); diff != "" {
				t.Fatalf("a second call differs:\n%s", diff)
			}
			if diff := cmp.Diff(first, again.JudgeExplain(u)); diff != "" {
				t.Fatalf("a second compilation differs:\n%s", diff)
			}
			first.Walk = nil
			if diff := cmp.Diff(first, rules.Judge(u)); diff != "" {
				t.Fatalf("Judge differs from JudgeExplain:\n%s", diff)
			}
		}
	})
}
