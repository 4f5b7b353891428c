package reconcile

import (
	"math"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// validity is when a grant is live, in Unix seconds. The open ends are
// math.MinInt64 and math.MaxInt64.
type validity struct {
	from, until   int64 // [from, until)
	reviewUntil   int64 // grace included, exclusive
	contractUntil int64 // exclusive; math.MinInt64 where a required paper is not signed
}

const daySeconds = 24 * 60 * 60

// newValidity takes the review cadence of the entry or of the document. The
// period begins with the last review, else the approval, else the start of
// validity; without any of them no review can be overdue. The approval by itself
// sets no start of validity.
func newValidity(e *inventory.Entry, defaults inventory.Defaults, grace time.Duration) validity {
	v := validity{
		from: dateOr(e.Valid.From, math.MinInt64), until: dateOr(e.Valid.Until, math.MaxInt64),
		reviewUntil: math.MaxInt64, contractUntil: dateOr(e.Contract.DPAUntil, math.MaxInt64),
	}
	every := e.Review.Every
	if every == "" {
		every = defaults.ReviewEvery
	}
	days, _ := every.Days()
	for _, start := range []inventory.Date{e.Review.Last, e.Approval.At, e.Valid.From} {
		if at, ok := start.Time(); ok && days > 0 {
			v.reviewUntil = at.Unix() + int64(days)*daySeconds + int64(grace/time.Second)
			break
		}
	}
	if !paperInForce(e.Contract.Agreement) || !paperInForce(e.Contract.DPA) {
		v.contractUntil = math.MinInt64
	}
	return v
}

// paperInForce holds for a paper that is signed or not required.
func paperInForce(state inventory.PaperState) bool {
	return state == "" || state == inventory.PaperSigned || state == inventory.PaperNotRequired
}

func dateOr(date inventory.Date, otherwise int64) int64 {
	if at, ok := date.Time(); ok {
		return at.Unix()
	}
	return otherwise
}

// lapse returns why a grant is not live at the instant, "" where it is.
func (v *validity) lapse(at int64) Reason {
	switch {
	case at >= v.until:
		return ReasonValidityEnded
	case at < v.from:
		return ReasonNotYetValid
	case at >= v.reviewUntil:
		return ReasonReviewOverdue
	case at >= v.contractUntil:
		return ReasonContractLapsed
	}
	return ""
}
