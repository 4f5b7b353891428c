package reconcile

import (
	"math/bits"
	"strings"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// Word is the verdict itself.
type Word string

// The verdicts.
const (
	Sanctioned   Word = "sanctioned"
	OutOfScope   Word = "out_of_scope"
	Expired      Word = "expired"
	Prohibited   Word = "prohibited"
	Unsanctioned Word = "unsanctioned"
	Unknown      Word = "unknown"
)

// DefaultOrder lists the verdicts from worst to best, for Headline.
func DefaultOrder() []Word {
	return []Word{Prohibited, OutOfScope, Expired, Unsanctioned, Unknown, Sanctioned}
}

// Reason says why a verdict is what it is.
type Reason string

// The reasons.
const (
	ReasonUnidentified    Reason = "unidentified"     // unknown: nothing is known that an inventory could name
	ReasonLowConfidence   Reason = "low_confidence"   // unknown: only hits below the minimum
	ReasonEntryProhibited Reason = "entry_prohibited" // prohibited
	ReasonOK              Reason = "ok"               // sanctioned
	ReasonScopeUnverified Reason = "scope_unverified" // sanctioned under flag, out_of_scope under deny; Dimensions are unknown
	ReasonScopeMismatch   Reason = "scope_mismatch"   // out_of_scope; Dimensions do not match
	ReasonRetired         Reason = "retired"          // expired
	ReasonValidityEnded   Reason = "validity_ended"   // expired
	ReasonNotYetValid     Reason = "not_yet_valid"    // expired
	ReasonReviewOverdue   Reason = "review_overdue"   // expired: past the grace
	ReasonContractLapsed  Reason = "contract_lapsed"  // expired
	ReasonProposed        Reason = "proposed"         // unsanctioned
	ReasonNotInInventory  Reason = "not_in_inventory" // unsanctioned
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{
		ReasonUnidentified, ReasonLowConfidence, ReasonEntryProhibited, ReasonOK, ReasonScopeUnverified, ReasonScopeMismatch,
		ReasonRetired, ReasonValidityEnded, ReasonNotYetValid, ReasonReviewOverdue, ReasonContractLapsed, ReasonProposed, ReasonNotInInventory,
	}
}

// Dimensions is a set of dimensions of a scope.
type Dimensions uint16

// The dimensions.
const (
	DimensionGroup Dimensions = 1 << iota
	DimensionUser
	DimensionHost
	DimensionHostLabel
	DimensionNetwork
	DimensionChannel
	DimensionRegion
	DimensionAccount
	DimensionPurpose
	DimensionDataClass
)

// dimensionCount is the number of dimensions.
const dimensionCount = 10

func dimensionName(i int) string {
	return [dimensionCount]string{"group", "user", "host", "host_label", "network", "channel", "region", "account", "purpose", "data_class"}[i]
}

// Len returns how many dimensions d holds.
func (d Dimensions) Len() int { return bits.OnesCount16(uint16(d)) }

// Names lists the dimensions in d, always in the same order; nil for none.
func (d Dimensions) Names() []string {
	var names []string
	for i := range dimensionCount {
		if d&(1<<i) != 0 {
			names = append(names, dimensionName(i))
		}
	}
	return names
}

// String returns the names of d as "[group,channel]", "" for none.
func (d Dimensions) String() string {
	if d == 0 {
		return ""
	}
	return "[" + strings.Join(d.Names(), ",") + "]"
}

// Verdict is what the inventory says about one usage.
type Verdict struct {
	Verdict    Word
	Reason     Reason
	Dimensions Dimensions // for scope_mismatch and scope_unverified
	EntryID    string     // the entry that decided, "" where none did
	Level      int        // its specificity, 0 where none did
	Walk       []Step     // every entry touched, in order; only JudgeExplain fills it
}

// ReasonText returns the reason with its dimensions:
// "scope_unverified:[channel,group]".
func (v *Verdict) ReasonText() string {
	if v.Dimensions == 0 {
		return string(v.Reason)
	}
	return string(v.Reason) + ":" + v.Dimensions.String()
}

// Effect says what an entry did to a walk.
type Effect string

// The effects. The first two end the walk.
const (
	EffectProhibited   Effect = "prohibited"    // returned prohibited
	EffectSanctioned   Effect = "sanctioned"    // returned sanctioned
	EffectOutOfScope   Effect = "out_of_scope"  // remembered out_of_scope, went on
	EffectExpired      Effect = "expired"       // remembered expired, went on
	EffectUnderCeiling Effect = "under_ceiling" // a grant in scope that a ceiling above keeps from counting
	EffectProposed     Effect = "proposed"      // remembered proposed, went on
)

// Step is one entry of a walk and what it did.
type Step struct {
	EntryID  string
	Level    int
	Status   inventory.Status
	Effect   Effect
	Reason   Reason     // "" for under_ceiling
	Mismatch Dimensions // of the scope, where it was looked at
	Unknown  Dimensions
	Ceiling  bool // broader approvals below no longer count
}

// Headline returns the worst of the verdicts: the first in order that occurs.
// A verdict that order does not name is worse than all it names, so that a
// forgotten word is seen and not hidden; of several, the first in DefaultOrder.
// It returns "" for no verdicts.
func Headline(order []Word, verdicts []Word) Word {
	var headline Word
	best := len(order) + len(DefaultOrder())
	for _, verdict := range verdicts {
		if rank := wordRank(order, verdict); headline == "" || rank < best {
			headline, best = verdict, rank
		}
	}
	return headline
}

// wordRank returns the place of word in order, 0 or more; a word that order does
// not name gets a negative rank.
func wordRank(order []Word, word Word) int {
	for i, candidate := range order {
		if candidate == word {
			return i
		}
	}
	defaults := DefaultOrder()
	for i, candidate := range defaults {
		if candidate == word {
			return i - len(defaults)
		}
	}
	return -len(defaults) - 1
}
