package reconcile

import (
	"fmt"
	"slices"
	"time"
)

// Settings of the verdicts.
type Settings struct {
	MinConfidence uint8         `yaml:"min_confidence"` // 1 to 100: usages below are unknown
	ReviewGrace   time.Duration `yaml:"review_grace"`   // how long after its due date a review is overdue; zero is at once
	HeadlineOrder []Word        `yaml:"headline_order"` // worst first; each verdict once
}

// Default returns the settings of the specification.
func Default() Settings {
	return Settings{MinConfidence: 50, ReviewGrace: 30 * 24 * time.Hour, HeadlineOrder: DefaultOrder()}
}

// Validate reports the first setting that cannot be used.
func (s *Settings) Validate() error {
	if s.MinConfidence < 1 || s.MinConfidence > 100 {
		return fmt.Errorf("min_confidence is %d: use 1 to 100", s.MinConfidence)
	}
	if s.ReviewGrace < 0 || s.ReviewGrace > 3650*24*time.Hour {
		return fmt.Errorf("review_grace is %s: use 0 to 3650 days", s.ReviewGrace)
	}
	for _, word := range DefaultOrder() {
		if count := len(slices.DeleteFunc(slices.Clone(s.HeadlineOrder), func(w Word) bool { return w != word })); count != 1 {
			return fmt.Errorf("headline_order names %s %d times: name each verdict once", word, count)
		}
	}
	if len(s.HeadlineOrder) != len(DefaultOrder()) {
		return fmt.Errorf("headline_order has %d names: it needs exactly the six verdicts", len(s.HeadlineOrder))
	}
	return nil
}
