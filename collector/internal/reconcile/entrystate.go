package reconcile

import (
	"fmt"
	"time"
)

// EntryState says whether the world bears an entry out.
type EntryState string

// The states of an entry, seen from what was observed.
const (
	EntryObserved      EntryState = "observed"       // seen, and not dormant
	EntryDormant       EntryState = "dormant"        // seen before, not for Dormant
	EntryNeverObserved EntryState = "never_observed" // never, and coverage of its scope was adequate
	EntryNotObservable EntryState = "not_observable" // never, and nobody could have seen it
	EntryUnmatchable   EntryState = "unmatchable"    // no usable rule
)

// EntryReason says why an entry has its state.
type EntryReason string

// The reasons of an EntryState.
const (
	EntrySeenInWindow EntryReason = "seen_in_window" // observed
	// EntryQuiet is observed as well: last seen before the window, and not long
	// enough ago to be dormant.
	EntryQuiet         EntryReason = "quiet"
	EntryLongUnseen    EntryReason = "long_unseen"    // dormant
	EntryCovered       EntryReason = "covered"        // never_observed
	EntryLowCoverage   EntryReason = "low_coverage"   // not_observable
	EntrySensorOff     EntryReason = "sensor_off"     // not_observable
	EntryNoUsableMatch EntryReason = "no_usable_rule" // unmatchable
)

// EntrySettings are the bounds of the entry side.
type EntrySettings struct {
	Window       time.Duration `yaml:"window"`        // seen within it: observed
	Dormant      time.Duration `yaml:"dormant"`       // not seen for longer: dormant
	HostShare    float64       `yaml:"host_share"`    // of the hosts in scope that must be covered on a day, 0 to 1
	DayShare     float64       `yaml:"day_share"`     // of the days that must reach HostShare, 0 to 1
	CoverageDays int           `yaml:"coverage_days"` // how many days of coverage are judged
}

// DefaultEntrySettings returns the bounds of the specification.
func DefaultEntrySettings() EntrySettings {
	return EntrySettings{Window: 30 * 24 * time.Hour, Dormant: 90 * 24 * time.Hour, HostShare: 0.8, DayShare: 0.7, CoverageDays: 30}
}

// Validate reports the first bound that cannot be used.
func (s *EntrySettings) Validate() error {
	switch {
	case s.Window <= 0:
		return fmt.Errorf("window is %s: it must be positive", s.Window)
	case s.Dormant < s.Window:
		return fmt.Errorf("dormant is %s: it must not be shorter than window (%s)", s.Dormant, s.Window)
	case !(s.HostShare > 0 && s.HostShare <= 1):
		return fmt.Errorf("host_share is %g: use more than 0, up to 1", s.HostShare)
	case !(s.DayShare > 0 && s.DayShare <= 1):
		return fmt.Errorf("day_share is %g: use more than 0, up to 1", s.DayShare)
	case s.CoverageDays < 1:
		return fmt.Errorf("coverage_days is %d: use at least 1", s.CoverageDays)
	}
	return nil
}

// CoverageDay is how much of an entry's scope was covered on one day.
type CoverageDay struct {
	HostsInScope int
	HostsCovered int // by the sensors that the entry needs
}

// EntryFacts are what is known of one entry's use.
type EntryFacts struct {
	Matchable bool          // it has a usable rule, see (*inventory.Entry).Matchable
	LastSeen  time.Time     // last usage it matched, zero for never
	SensorOff bool          // a sensor without which it cannot be seen is off everywhere
	Coverage  []CoverageDay // of the CoverageDays days that are judged; a missing day counts as not covered
}

// JudgeEntry returns the state of an entry at the instant now.
func JudgeEntry(f *EntryFacts, s *EntrySettings, now time.Time) (EntryState, EntryReason) {
	switch age := now.Sub(f.LastSeen); {
	case !f.Matchable:
		return EntryUnmatchable, EntryNoUsableMatch
	case f.LastSeen.IsZero():
		return judgeUnseen(f, s)
	case age <= s.Window:
		return EntryObserved, EntrySeenInWindow
	case age <= s.Dormant:
		return EntryObserved, EntryQuiet
	default:
		return EntryDormant, EntryLongUnseen
	}
}

// shareSlack absorbs the rounding of a share such as 0.7 × 10.
const shareSlack = 1e-9

func judgeUnseen(f *EntryFacts, s *EntrySettings) (EntryState, EntryReason) {
	if f.SensorOff {
		return EntryNotObservable, EntrySensorOff
	}
	good := 0
	for _, day := range f.Coverage {
		if day.HostsInScope > 0 && float64(day.HostsCovered)+shareSlack >= s.HostShare*float64(day.HostsInScope) {
			good++
		}
	}
	if float64(good)+shareSlack >= s.DayShare*float64(max(s.CoverageDays, len(f.Coverage))) {
		return EntryNeverObserved, EntryCovered
	}
	return EntryNotObservable, EntryLowCoverage
}
