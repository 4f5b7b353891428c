package reconcile

import (
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// linearValues is how many exact values are compared one by one; above it a
// map is faster.
const linearValues = 8

// textSet is a list of names and globs, lower case.
type textSet struct {
	exact []string
	index map[string]struct{} // exact, where there are many
	globs []string
}

func newTextSet[T ~string](values []T) textSet {
	var s textSet
	for _, value := range values {
		name := strings.ToLower(string(value))
		if inventory.IsGlob(name) {
			s.globs = append(s.globs, name)
		} else {
			s.exact = append(s.exact, name)
		}
	}
	slices.Sort(s.exact)
	s.exact = slices.Compact(s.exact)
	if len(s.exact) > linearValues {
		s.index = make(map[string]struct{}, len(s.exact))
		for _, name := range s.exact {
			s.index[name] = struct{}{}
		}
	}
	return s
}

func (s *textSet) empty() bool { return len(s.exact) == 0 && len(s.globs) == 0 }

func (s *textSet) hasExact(name string) bool {
	if s.index != nil {
		_, ok := s.index[name]
		return ok
	}
	return slices.Contains(s.exact, name)
}

// has reports whether name, lower case, is in s.
func (s *textSet) has(name string) bool {
	if s.hasExact(name) {
		return true
	}
	for _, glob := range s.globs {
		if inventory.MatchGlob(glob, name) {
			return true
		}
	}
	return false
}
