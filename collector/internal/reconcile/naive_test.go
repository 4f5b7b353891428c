package reconcile

import (
	"net/netip"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// naiveJudge is the reference: the specification read top to bottom, every
// entry looked at, nothing compiled and nothing shared with the code under
// test but the types.
func naiveJudge(d *inventory.Document, s Settings, u *Usage) Verdict {
	known := u.SignatureID + u.Domain + u.Provider + u.Model.Name + u.Model.Family + u.Model.SHA256 + u.Model.Publisher +
		u.Model.Format + u.Model.License + u.Software.Publisher + u.Software.Name + u.Software.Version + u.Extension.Store + u.Extension.ID
	if known == u.Software.Version {
		return Verdict{Verdict: Unknown, Reason: ReasonUnidentified}
	}
	if u.Confidence < s.MinConfidence {
		return Verdict{Verdict: Unknown, Reason: ReasonLowConfidence}
	}
	levels := map[int][]*inventory.Entry{}
	for i := range d.Entries {
		if level := naiveEntryLevel(&d.Entries[i], u); level > 0 {
			levels[level] = append(levels[level], &d.Entries[i])
		}
	}
	var order []int
	for level := range levels {
		order = append(order, level)
	}
	sort.Sort(sort.Reverse(sort.IntSlice(order)))

	var walk []Step
	remembered := map[Word]Verdict{}
	ceilingAbove := false
	for _, level := range order {
		steps := naiveLevel(d, s, u, level, levels[level], ceilingAbove)
		for _, step := range steps {
			walk = append(walk, step)
			v := Verdict{Reason: step.Reason, EntryID: step.EntryID, Level: level}
			if step.Reason == ReasonScopeMismatch {
				v.Dimensions = step.Mismatch
			}
			if step.Reason == ReasonScopeUnverified {
				v.Dimensions = step.Unknown
			}
			switch step.Effect {
			case EffectProhibited, EffectSanctioned:
				v.Verdict, v.Walk = Word(step.Effect), walk
				return v
			case EffectOutOfScope:
				v.Verdict = OutOfScope
			case EffectExpired:
				v.Verdict = Expired
			case EffectProposed:
				v.Verdict = Unsanctioned
			default:
				continue
			}
			if _, have := remembered[v.Verdict]; !have {
				remembered[v.Verdict] = v
			}
		}
		for _, step := range steps {
			ceilingAbove = ceilingAbove || step.Ceiling
		}
	}
	for _, word := range []Word{OutOfScope, Expired, Unsanctioned} {
		if v, have := remembered[word]; have {
			v.Walk = walk
			return v
		}
	}
	return Verdict{Verdict: Unsanctioned, Reason: ReasonNotInInventory, Walk: walk}
}

// naiveLevel orders the entries of one level as the package comment says.
func naiveLevel(d *inventory.Document, s Settings, u *Usage, level int, entries []*inventory.Entry, ceilingAbove bool) []Step {
	type placed struct {
		place int
		step  Step
	}
	var list []placed
	for _, e := range entries {
		step := Step{EntryID: e.ID, Level: level, Status: e.Status}
		place := 0
		switch {
		case e.Status == inventory.StatusProhibited:
			step.Effect, step.Reason = EffectProhibited, ReasonEntryProhibited
		case e.Status == inventory.StatusRetired:
			place, step.Effect, step.Reason, step.Ceiling = 3000, EffectExpired, ReasonRetired, true
		case e.Status == inventory.StatusProposed:
			place, step.Effect, step.Reason = 6000, EffectProposed, ReasonProposed
		default:
			if lapse := naiveLapse(d, s, e, u.At); lapse != "" {
				place = 4000 + slices.Index([]Reason{ReasonValidityEnded, ReasonNotYetValid, ReasonReviewOverdue, ReasonContractLapsed}, lapse)
				step.Effect, step.Reason = EffectExpired, lapse
				break
			}
			step.Mismatch, step.Unknown = naiveScope(&e.Scope, u)
			mismatches, unknowns := len(step.Mismatch.Names()), len(step.Unknown.Names())
			switch policy := d.Defaults.ScopeOnUnknown; {
			case mismatches > 0:
				place, step.Effect, step.Reason = 2000+mismatches, EffectOutOfScope, ReasonScopeMismatch
				step.Ceiling = e.Status == inventory.StatusRestricted
			case unknowns > 0 && policy == inventory.UnknownDeny:
				place, step.Effect, step.Reason = 2000+unknowns, EffectOutOfScope, ReasonScopeUnverified
				step.Ceiling = e.Status == inventory.StatusRestricted
			case ceilingAbove:
				place, step.Effect = 5000, EffectUnderCeiling
			case unknowns > 0 && policy == inventory.UnknownFlag:
				place, step.Effect, step.Reason = 1000+unknowns, EffectSanctioned, ReasonScopeUnverified
			default:
				place, step.Effect, step.Reason = 1000, EffectSanctioned, ReasonOK
			}
		}
		list = append(list, placed{place, step})
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].place != list[j].place {
			return list[i].place < list[j].place
		}
		return list[i].step.EntryID < list[j].step.EntryID
	})
	var steps []Step
	for _, p := range list {
		steps = append(steps, p.step)
	}
	return steps
}

func naiveEntryLevel(e *inventory.Entry, u *Usage) int {
	for i := range e.NotMatch {
		if naiveMatch(&e.NotMatch[i], u) > 0 {
			return 0
		}
	}
	best := 0
	for i := range e.Match {
		best = max(best, naiveMatch(&e.Match[i], u))
	}
	return best
}

// naiveMatch returns the specificity of one item, 0 for no match.
func naiveMatch(m *inventory.Match, u *Usage) int {
	usable, level := false, 0
	key := func(wants []string, gots []string, exactLevel, globLevel int, alone bool) bool {
		if len(wants) == 0 {
			return true
		}
		usable = usable || alone
		best := 0
		for _, want := range wants {
			for _, got := range gots {
				want, got := strings.ToLower(want), strings.ToLower(got)
				if got == "" {
					continue
				}
				if want == got {
					best = max(best, exactLevel)
				} else if held, _ := path.Match(want, strings.ReplaceAll(got, "/", "|")); held && strings.Contains(want, "*") {
					best = max(best, globLevel)
				}
			}
		}
		level = max(level, best)
		return best > 0
	}
	text := func(want, got string, exactLevel, globLevel int) bool {
		if want == "" {
			return true
		}
		return key([]string{want}, []string{got}, exactLevel, globLevel, true)
	}
	softwareLevel, extensionLevel := 30, 30
	if m.Software.Publisher != "" {
		softwareLevel = 60
	}
	if m.Extension.Store != "" {
		extensionLevel = 60
	}
	held := key(m.Signature, []string{u.SignatureID}, 45, 30, true) &&
		key(m.Account, []string{u.Account}, 70, 70, false) &&
		naiveDomain(m.Domain, u.Domain, &level, &usable) &&
		key(m.Model.SHA256, []string{u.Model.SHA256}, 80, 80, true) &&
		text(m.Model.Name, u.Model.Name, 50, 30) &&
		text(m.Model.Family, u.Model.Family, 20, 20) &&
		text(m.Model.Publisher, u.Model.Publisher, 15, 15) &&
		text(m.Model.Format, u.Model.Format, 5, 5) &&
		text(m.Model.License, u.Model.License, 5, 5) &&
		text(m.Software.Publisher, u.Software.Publisher, 15, 15) &&
		text(m.Software.Name, u.Software.Name, softwareLevel, 30) &&
		text(m.Extension.Store, u.Extension.Store, 5, 5) &&
		text(m.Extension.ID, u.Extension.ID, extensionLevel, 30) &&
		key(m.Publisher, []string{u.Software.Publisher, u.Model.Publisher}, 15, 15, true) &&
		key(m.Provider, []string{u.Provider}, 10, 10, true)
	if m.Software.Version != "" {
		constraint, err := inventory.ParseConstraint(m.Software.Version)
		held = held && err == nil && constraint.Allows(u.Software.Version)
	}
	if !held || !usable {
		return 0
	}
	return level
}

func naiveDomain(wants []string, got string, level *int, usable *bool) bool {
	if len(wants) == 0 {
		return true
	}
	*usable = true
	best := 0
	labels := strings.Split(strings.ToLower(got), ".")
	for _, want := range wants {
		wantLabels := strings.Split(want, ".")
		if want == strings.ToLower(got) {
			best = max(best, 40)
		}
		if wantLabels[0] == "*" && len(labels) >= len(wantLabels) && slices.Equal(labels[len(labels)-len(wantLabels)+1:], wantLabels[1:]) {
			best = max(best, 25)
		}
	}
	*level = max(*level, best)
	return best > 0
}

func naiveLapse(d *inventory.Document, s Settings, e *inventory.Entry, at time.Time) Reason {
	if until, ok := e.Valid.Until.Time(); ok && !at.Before(until) {
		return ReasonValidityEnded
	}
	if from, ok := e.Valid.From.Time(); ok && at.Before(from) {
		return ReasonNotYetValid
	}
	every := e.Review.Every
	if every == "" {
		every = d.Defaults.ReviewEvery
	}
	days, _ := every.Days()
	start, ok := e.Review.Last.Time()
	if !ok {
		start, ok = e.Approval.At.Time()
	}
	if !ok {
		start, ok = e.Valid.From.Time()
	}
	if ok && days > 0 && !at.Before(start.AddDate(0, 0, days).Add(s.ReviewGrace)) {
		return ReasonReviewOverdue
	}
	for _, paper := range []inventory.PaperState{e.Contract.Agreement, e.Contract.DPA} {
		if paper == inventory.PaperPending || paper == inventory.PaperRequired || paper == inventory.PaperExpired {
			return ReasonContractLapsed
		}
	}
	if until, ok := e.Contract.DPAUntil.Time(); ok && !at.Before(until) {
		return ReasonContractLapsed
	}
	return ""
}

func naiveScope(s *inventory.Scope, u *Usage) (mismatch, unknown Dimensions) {
	check := func(dimension Dimensions, present, known, match bool) {
		switch {
		case !present:
		case !known:
			unknown |= dimension
		case !match:
			mismatch |= dimension
		}
	}
	in := func(list []string, value string) bool {
		return slices.ContainsFunc(list, func(want string) bool {
			held, _ := path.Match(strings.ToLower(want), strings.ToLower(value))
			return held
		})
	}
	channels := make([]string, 0, len(s.Channels))
	for _, channel := range s.Channels {
		channels = append(channels, string(channel))
	}
	check(DimensionGroup, len(s.Groups) > 0, u.Groups != nil, slices.ContainsFunc(u.Groups, func(g string) bool { return in(s.Groups, g) }))
	check(DimensionUser, len(s.Users) > 0, u.User != "", in(s.Users, u.User))
	check(DimensionHost, len(s.Hosts) > 0, u.Host != "", in(s.Hosts, u.Host))
	check(DimensionChannel, len(s.Channels) > 0, u.Channel != "", in(channels, u.Channel))
	check(DimensionRegion, len(s.Regions) > 0, u.Region != "", in(s.Regions, u.Region))
	check(DimensionAccount, len(s.Accounts) > 0, u.Account != "", in(s.Accounts, u.Account))
	check(DimensionPurpose, len(s.Purposes) > 0, false, false)
	check(DimensionDataClass, len(s.DataClasses) > 0, len(u.DataClasses) > 0,
		!slices.ContainsFunc(u.DataClasses, func(c string) bool { return !in(s.DataClasses, c) }))
	labels := true
	for key, want := range s.HostLabels {
		labels = labels && u.HostLabels[key] == want
	}
	check(DimensionHostLabel, len(s.HostLabels) > 0, u.HostLabels != nil, labels)
	outside := false
	for _, address := range u.Addresses {
		inside := false
		for _, network := range s.Networks {
			inside = inside || netip.MustParsePrefix(network).Contains(address)
		}
		outside = outside || !inside
	}
	check(DimensionNetwork, len(s.Networks) > 0, len(u.Addresses) > 0, !outside)
	return mismatch, unknown
}
