package pipeline

import (
	"fmt"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// unsuppressed leaves out the matches that the organisation does not want to
// see, by the time of the observation, and counts them.
func (p *Pipeline) unsuppressed(using *inUse, o *signatures.Observation, matches []signatures.Match) []signatures.Match {
	if len(using.hidden) == 0 {
		return matches
	}
	kept := 0
	for i := range matches {
		if index, suppressed := using.set.Suppressed(matches[i].Signature, o.Time); suppressed {
			using.hidden[index].Add(1)
			p.counters.suppressed.Add(1)
			continue
		}
		if kept != i {
			matches[kept] = matches[i]
		}
		kept++
	}
	return matches[:kept]
}

// suppressions lists what is left out on purpose, also where nothing was yet:
// whoever reads the coverage must know what findings cannot show.
func (p *Pipeline) suppressions() []finding.Blind {
	var out []finding.Blind
	now, using := p.clock.wall(), p.using.Load()
	for i, s := range using.set.Suppressions() {
		n := using.hidden[i].Load()
		if n == 0 && !now.Before(s.Ends()) {
			continue
		}
		out = append(out, finding.Blind{
			Reason: "suppressed", Count: n,
			Detail: fmt.Sprintf("matches of %s are left out until %s: %s", s.Signature, s.Until, cut(s.Reason)),
		})
	}
	return out
}
