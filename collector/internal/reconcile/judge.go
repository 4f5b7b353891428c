package reconcile

import (
	"cmp"
	"slices"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// Sizes of the buffers that live on the stack; more of either is allocated.
const (
	usualItems      = 192
	usualCandidates = 64
)

// candidate is an entry that matches, with the level of its best item.
type candidate struct {
	level int32
	entry int32
}

// outcome is what one candidate does at its level. Lower ranks go first.
type outcome struct {
	rank              int
	entry             int32
	effect            Effect
	reason            Reason
	mismatch, unknown Dimensions
	ceiling           bool
}

// Judge returns the verdict on u, without its walk.
func (r *Rules) Judge(u *Usage) Verdict { return r.judge(u, nil) }

// JudgeExplain returns the same verdict with its walk; the walk of an unknown
// usage and of one that no entry matches is empty.
func (r *Rules) JudgeExplain(u *Usage) Verdict {
	var walk []Step
	verdict := r.judge(u, &walk)
	verdict.Walk = walk
	return verdict
}

func (r *Rules) judge(u *Usage, walk *[]Step) Verdict {
	if !u.identified() {
		return Verdict{Verdict: Unknown, Reason: ReasonUnidentified}
	}
	if u.Confidence < r.settings.MinConfidence {
		return Verdict{Verdict: Unknown, Reason: ReasonLowConfidence}
	}
	var s subject
	s.fill(u)
	var buffer [usualCandidates]candidate
	return r.walk(&s, r.candidates(&s, buffer[:0]), walk)
}

// candidates appends each entry that matches s, once, best level first and then
// in id order.
func (r *Rules) candidates(s *subject, into []candidate) []candidate {
	var buffer [usualItems]int32
	for _, number := range r.index.find(s, buffer[:0]) {
		it := &r.items[number]
		if level := it.level(s); level > 0 {
			into = append(into, candidate{level, it.entry})
		}
	}
	if len(into) < 2 {
		return r.withoutExcluded(s, into)
	}
	slices.SortFunc(into, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.entry, b.entry), cmp.Compare(b.level, a.level))
	})
	into = slices.CompactFunc(into, func(a, b candidate) bool { return a.entry == b.entry })
	slices.SortFunc(into, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.level, a.level), cmp.Compare(a.entry, b.entry))
	})
	return r.withoutExcluded(s, into)
}

func (r *Rules) withoutExcluded(s *subject, list []candidate) []candidate {
	return slices.DeleteFunc(list, func(c candidate) bool { return r.entries[c.entry].excluded(s) })
}

// walk takes the levels from high to low.
func (r *Rules) walk(s *subject, list []candidate, steps *[]Step) Verdict {
	var memory memory
	ceiling := false
	var buffer [usualCandidates]outcome
	for len(list) > 0 {
		level := list[0].level
		outcomes := buffer[:0]
		for len(list) > 0 && list[0].level == level {
			outcomes = append(outcomes, r.outcome(s, list[0].entry, ceiling))
			list = list[1:]
		}
		slices.SortFunc(outcomes, func(a, b outcome) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.entry, b.entry))
		})
		for i := range outcomes {
			o := &outcomes[i]
			if steps != nil {
				*steps = append(*steps, r.step(o, level))
			}
			if verdict, returned := memory.take(o, r.entries[o.entry].id, int(level)); returned {
				return verdict
			}
			ceiling = ceiling || o.ceiling
		}
	}
	return memory.verdict()
}

func (r *Rules) step(o *outcome, level int32) Step {
	e := &r.entries[o.entry]
	return Step{
		EntryID: e.id, Level: int(level), Status: e.status, Effect: o.effect, Reason: o.reason,
		Mismatch: o.mismatch, Unknown: o.unknown, Ceiling: o.ceiling,
	}
}

// Ranks of outcomes inside a level. A rank that depends on a number of
// dimensions, or on the reason of a lapse, adds it.
const (
	rankProhibited   = 0
	rankSanctioned   = 100 // plus unverified dimensions
	rankOutOfScope   = 200 // plus failing dimensions
	rankRetired      = 300
	rankLapsed       = 400 // plus place of the reason
	rankUnderCeiling = 500
	rankProposed     = 600
)

// outcome applies the table of the specification to one entry.
func (r *Rules) outcome(s *subject, number int32, ceiling bool) outcome {
	e := &r.entries[number]
	switch e.status {
	case inventory.StatusProhibited:
		return outcome{rank: rankProhibited, entry: number, effect: EffectProhibited, reason: ReasonEntryProhibited}
	case inventory.StatusRetired:
		return outcome{rank: rankRetired, entry: number, effect: EffectExpired, reason: ReasonRetired, ceiling: true}
	case inventory.StatusProposed:
		return outcome{rank: rankProposed, entry: number, effect: EffectProposed, reason: ReasonProposed}
	}
	if reason := e.validity.lapse(s.at); reason != "" {
		return outcome{rank: rankLapsed + lapsePlace(reason), entry: number, effect: EffectExpired, reason: reason}
	}
	mismatch, unknown := e.scope.judge(s)
	o := outcome{entry: number, mismatch: mismatch, unknown: unknown}
	switch {
	case mismatch != 0:
		o.reason = ReasonScopeMismatch
	case unknown != 0 && r.onUnknown == inventory.UnknownDeny:
		o.reason = ReasonScopeUnverified
	case ceiling:
		o.rank, o.effect = rankUnderCeiling, EffectUnderCeiling
		return o
	case unknown != 0 && r.onUnknown == inventory.UnknownFlag:
		o.rank, o.effect, o.reason = rankSanctioned+unknown.Len(), EffectSanctioned, ReasonScopeUnverified
		return o
	default:
		o.rank, o.effect, o.reason = rankSanctioned, EffectSanctioned, ReasonOK
		return o
	}
	o.rank, o.effect = rankOutOfScope+o.failing().Len(), EffectOutOfScope
	o.ceiling = e.status == inventory.StatusRestricted
	return o
}

func lapsePlace(reason Reason) int {
	switch reason {
	case ReasonValidityEnded:
		return 0
	case ReasonNotYetValid:
		return 1
	case ReasonReviewOverdue:
		return 2
	default: // contract_lapsed
		return 3
	}
}

// failing returns the dimensions behind the reason of o.
func (o *outcome) failing() Dimensions {
	switch o.reason {
	case ReasonScopeMismatch:
		return o.mismatch
	case ReasonScopeUnverified:
		return o.unknown
	}
	return 0
}

// memory is what a walk remembers: the first of each kind.
type memory struct {
	outOfScope, expired, proposed Verdict
}

// take applies o and reports whether the walk returns.
func (m *memory) take(o *outcome, id string, level int) (Verdict, bool) {
	v := Verdict{Reason: o.reason, Dimensions: o.failing(), EntryID: id, Level: level}
	switch o.effect {
	case EffectProhibited:
		v.Verdict = Prohibited
		return v, true
	case EffectSanctioned:
		v.Verdict = Sanctioned
		return v, true
	case EffectOutOfScope:
		v.Verdict = OutOfScope
		m.outOfScope = firstOf(m.outOfScope, v)
	case EffectExpired:
		v.Verdict = Expired
		m.expired = firstOf(m.expired, v)
	case EffectProposed:
		v.Verdict = Unsanctioned
		m.proposed = firstOf(m.proposed, v)
	}
	return Verdict{}, false
}

func firstOf(remembered, v Verdict) Verdict {
	if remembered.Verdict != "" {
		return remembered
	}
	return v
}

// verdict is that of a walk that returned nothing.
func (m *memory) verdict() Verdict {
	for _, v := range []*Verdict{&m.outOfScope, &m.expired, &m.proposed} {
		if v.Verdict != "" {
			return *v
		}
	}
	return Verdict{Verdict: Unsanctioned, Reason: ReasonNotInInventory}
}
