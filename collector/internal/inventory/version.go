package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Constraint is a parsed version rule of a software match. The zero value
// allows every version, also an unknown one.
type Constraint struct {
	terms []versionTerm
}

type versionTerm struct {
	operator string
	version  string
}

// maxVersionTerms bounds one constraint.
const maxVersionTerms = 8

// ParseConstraint reads a version rule: comparisons joined by commas, all of
// which must hold, with the operators >=, >, <=, <, = and != (none is =), or a
// glob: ">=1.7, <2", "1.7.*".
func ParseConstraint(s string) (Constraint, error) {
	var c Constraint
	if strings.TrimSpace(s) == "" {
		return c, nil
	}
	if len(s) > maxPatternBytes {
		return c, errors.New("is longer than 256 bytes")
	}
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		term := versionTerm{operator: "=", version: part}
		for _, operator := range []string{">=", "<=", "!=", ">", "<", "="} {
			if rest, found := strings.CutPrefix(part, operator); found {
				term = versionTerm{operator, strings.TrimSpace(rest)}
				break
			}
		}
		if !isVersion(term.version) {
			return Constraint{}, fmt.Errorf("has no version in %q: write comparisons such as >=1.7, <2", part)
		}
		if IsGlob(term.version) && term.operator != "=" && term.operator != "!=" {
			return Constraint{}, fmt.Errorf("compares with a glob in %q: use = or != with a *", part)
		}
		if c.terms = append(c.terms, term); len(c.terms) > maxVersionTerms {
			return Constraint{}, errors.New("has more than 8 comparisons")
		}
	}
	return c, nil
}

func isVersion(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(".-+_~*", c) < 0 {
			return false
		}
	}
	return true
}

// Allows reports whether version satisfies c. An empty version satisfies only
// the zero Constraint: what is not known does not hold.
func (c Constraint) Allows(version string) bool {
	if len(c.terms) == 0 {
		return true
	}
	if version == "" {
		return false
	}
	for i := range c.terms {
		if !c.terms[i].allows(version) {
			return false
		}
	}
	return true
}

func (t *versionTerm) allows(version string) bool {
	if IsGlob(t.version) {
		return MatchGlob(t.version, version) == (t.operator == "=")
	}
	order := compareVersions(version, t.version)
	switch t.operator {
	case ">=":
		return order >= 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	case "<":
		return order < 0
	case "!=":
		return order != 0
	default:
		return order == 0
	}
}

// compareVersions orders dotted versions: numbers by value, a missing segment
// as 0, a pre-release ("-beta") before its release. A leading "v" and build
// data after "+" do not count.
func compareVersions(a, b string) int {
	aMain, aPre := splitVersion(a)
	bMain, bPre := splitVersion(b)
	if order := compareSegments(aMain, bMain); order != 0 {
		return order
	}
	switch {
	case aPre == "" && bPre == "":
		return 0
	case aPre == "":
		return 1
	case bPre == "":
		return -1
	}
	return compareSegments(aPre, bPre)
}

func splitVersion(v string) (main, pre string) {
	if len(v) > 1 && (v[0] == 'v' || v[0] == 'V') && v[1] >= '0' && v[1] <= '9' {
		v = v[1:]
	}
	v, _, _ = strings.Cut(v, "+")
	main, pre, _ = strings.Cut(v, "-")
	return main, pre
}

func compareSegments(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if order := compareSegment(x, y); order != 0 {
			return order
		}
	}
	return 0
}

// compareSegment orders numbers by value and before words; words by bytes.
func compareSegment(x, y string) int {
	xNumber, yNumber := isNumber(x), isNumber(y)
	switch {
	case xNumber && yNumber:
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if order := cmp.Compare(len(x), len(y)); order != 0 {
			return order
		}
		return cmp.Compare(x, y)
	case xNumber:
		return -1
	case yNumber:
		return 1
	}
	return cmp.Compare(x, y)
}

// isNumber takes the empty segment for 0.
func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
