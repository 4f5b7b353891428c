package signatures

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// Suppression leaves the matches of one signature out until a day: what an
// organisation knows of and does not want to see. It is for the files of the
// organisation alone, see LoadOverlay.
type Suppression struct {
	Signature string `yaml:"signature"` // id
	Reason    string `yaml:"reason"`
	Until     string `yaml:"until"` // the first day on which it is seen again, 2006-01-02, UTC

	File string `yaml:"-"` // where it was loaded from, set by LoadOverlay
	Line int    `yaml:"-"`
}

// Ends is when the suppression ends: the beginning of its day, UTC. It is the
// zero time, which is always past, where Until is no date.
func (s *Suppression) Ends() time.Time {
	t, err := time.Parse(time.DateOnly, s.Until)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Overlay is what an organisation adds to the catalogue: signatures of its own
// AI hosts and models, others in place of those that ship, and suppressions.
type Overlay struct {
	Signatures   []Signature
	Suppressions []Suppression
}

// LoadOverlay reads the files of an organisation as Load does, and holds them
// against the catalogue that they are laid over, of which the rules are enough: an
// id of base stands in its place, a reference to an id that is in neither is an error with file and line.
func LoadOverlay(files fs.FS, base []Signature) (Overlay, error) {
	read, problems, err := loadFiles(files, true)
	if err != nil {
		return Overlay{}, err
	}
	replaced := make(map[string]bool, len(read.Signatures))
	for i := range read.Signatures {
		replaced[read.Signatures[i].ID] = true
	}
	// Those of the organisation come last, so that problems between two are its.
	all := make([]Signature, 0, len(base)+len(read.Signatures))
	for i := range base {
		if !replaced[base[i].ID] {
			all = append(all, base[i])
		}
	}
	known := len(all)
	all = append(all, read.Signatures...)
	problems = append(problems, across(all, known)...)
	problems = append(problems, checkSuppressions(read.Suppressions, all)...)
	problems.Sort()
	if err := problems.Err(); err != nil {
		return Overlay{}, err
	}
	return read, nil
}

// checkSuppressions checks what only the whole catalogue shows.
func checkSuppressions(suppressions []Suppression, all []Signature) strictyaml.Errors {
	known := make(map[string]bool, len(all))
	for i := range all {
		known[all[i].ID] = true
	}
	var problems strictyaml.Errors
	first := map[string]*Suppression{}
	for i := range suppressions {
		s := &suppressions[i]
		at := func(format string, args ...any) {
			problems = append(problems, strictyaml.Problem{File: s.File, Line: s.Line, Column: 1, Key: "suppressions", Message: fmt.Sprintf(format, args...)})
		}
		switch other := first[s.Signature]; {
		case s.Signature == "":
			// reported by the check of the file
		case !known[s.Signature]:
			at("there is no signature %q", s.Signature)
		case other != nil:
			at("%s is suppressed twice, also in %s:%d", s.Signature, other.File, other.Line)
		default:
			first[s.Signature] = s
		}
	}
	return problems
}

// suppressed is a compiled Suppression.
type suppressed struct {
	index int
	until time.Time
}

// addSuppressions indexes the suppressions of an organisation.
func (s *Set) addSuppressions(list []Suppression) error {
	s.suppressions = list
	s.suppressed = make(map[*Signature]suppressed, len(list))
	for i := range list {
		sig, known := s.Lookup(list[i].Signature)
		if !known {
			return fmt.Errorf("compiling suppressions: there is no signature %q", list[i].Signature)
		}
		s.suppressed[sig] = suppressed{i, list[i].Ends()}
	}
	return nil
}

// Suppressions lists what Compile was given; the caller must not change it.
func (s *Set) Suppressions() []Suppression { return s.suppressions }

// Suppressed says which of Suppressions leaves a match of sig out that was seen
// at a time; ok is false where none does, for one that has ended has no effect.
func (s *Set) Suppressed(sig *Signature, at time.Time) (index int, ok bool) {
	found, ok := s.suppressed[sig]
	return found.index, ok && at.Before(found.until)
}
