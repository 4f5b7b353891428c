package signatures

import (
	"cmp"
	"slices"
)

// MaxHits bounds the hits that one Match carries: one for each kind of
// evidence that an observation can bring.
const MaxHits = 5

// MaxMatches bounds the matches that one observation can bring; Set.Match
// never appends more.
const MaxMatches = 8

// Limits of Match.Confidence, see the package comment.
const (
	confidenceOfRole = 30 // only hosts of role auth, cdn or telemetry were hit
	confidenceOfWeak = 60 // only weak hits
)

// Hit is one selector that one piece of evidence satisfied.
type Hit struct {
	Evidence Evidence
	Value    string   // what was seen: a part of the observation, never a copy
	Selector string   // the rule as written in the catalogue
	Role     HostRole // for host rules
	Weak     bool
	// Label is what stood for the "*" of a host rule that says what that names,
	// a part of Value; LabelKind is what it names, see HostLabels.
	Label, LabelKind string
}

// Match says which signature an observation bears out, and why.
type Match struct {
	Signature  *Signature
	Hits       [MaxHits]Hit
	HitCount   int
	Confidence uint8 // 1 to 100
}

// Evidence returns the hits of m, strongest first.
func (m *Match) Evidence() []Hit { return m.Hits[:m.HitCount] }

// Role returns the role of the host that was hit, or "" where none was. A match
// whose role is no use (HostRole.IsUse) says that something spoke to the
// service, not that anybody used it.
func (m *Match) Role() HostRole {
	for i := range m.HitCount {
		if m.Hits[i].Role != "" {
			return m.Hits[i].Role
		}
	}
	return ""
}

// add notes a hit. Each kind of evidence is kept once, the strong hit before a
// weak one, so that MaxHits always suffice.
func (m *Match) add(h Hit) {
	for i := range m.HitCount {
		if m.Hits[i].Evidence == h.Evidence {
			if m.Hits[i].Weak && !h.Weak {
				m.Hits[i] = h
			}
			return
		}
	}
	if m.HitCount < MaxHits {
		m.Hits[m.HitCount] = h
		m.HitCount++
	}
}

// conclude sorts the hits and works out the confidence, which was that of the
// signature till now. It says false where the
// hits are no match: fewer than one strong or two weak ones.
func (m *Match) conclude() bool {
	strong, used := 0, false
	for i := range m.HitCount {
		if h := &m.Hits[i]; !h.Weak {
			strong++
			used = used || h.Role == "" && h.Evidence != EvidenceHTTPPath || h.Role != "" && h.Role.IsUse()
		}
	}
	switch {
	case strong > 0 && !used && m.Role() != "":
		m.Confidence = min(m.Confidence, confidenceOfRole)
	case strong == 0 && m.HitCount < 2:
		return false
	case strong == 0:
		m.Confidence = min(m.Confidence, confidenceOfWeak)
	}
	if m.HitCount > 1 {
		slices.SortStableFunc(m.Hits[:m.HitCount], func(a, b Hit) int { return -boolOrder(!a.Weak, !b.Weak) })
	}
	return true
}

// sortMatches puts the best first; equals keep the order of their ids.
func sortMatches(list []Match) {
	if len(list) < 2 {
		return
	}
	slices.SortStableFunc(list, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Signature.ID, b.Signature.ID))
	})
}
