package signatures

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/gnomon-ai/gnomon/signatures/compact"
)

// Part is a share of what the catalogue knows, kept apart because few need all
// of it.
type Part string

// The parts of a catalogue. Together they are all of it.
const (
	PartRules    Part = "rules"    // what matching needs and findings carry
	PartFacts    Part = "facts"    // where it was read, notes, risks, where it was loaded from
	PartExamples Part = "examples" // the signatures' own tests
)

// Parts lists the parts in the order in which they are put together: rules come
// first, the others are laid over them.
func Parts() []Part { return []Part{PartRules, PartFacts, PartExamples} }

// keep says which fields of the catalogue's structs are in p. A field that is
// new is in the rules until it is named here.
func (p Part) keep() compact.Keep {
	return func(record, field string) bool {
		switch record {
		case "Tests":
			// Load needs to know what may overlap when more is laid over the list.
			return (field == "Shares") == (p == PartRules)
		case "Signature":
		default:
			// Where a single fact was read is no rule.
			return p != PartRules || field != "Source" && field != "Checked" && field != "Note"
		}
		switch field {
		case "Sources", "Notes", "Risk", "File", "Line":
			return p == PartFacts
		case "Licence":
			return p == PartFacts || p == PartRules
		case "Tests":
			return p == PartExamples || p == PartRules
		default:
			return p == PartRules
		}
	}
}

// Encode writes one part of list in the compact form. The same list gives the
// same bytes.
func (p Part) Encode(list []Signature) ([]byte, error) {
	data, err := compact.Marshal(list, p.keep())
	if err != nil {
		return nil, fmt.Errorf("writing the %s of signatures: %w", p, err)
	}
	return data, nil
}

// Decode reads a part into list: the rules into an empty one, other parts into
// the one that the rules gave. The form is checked, what it says is not: see
// [Check]. Errors are those of package compact, wrapped.
func (p Part) Decode(data []byte, list *[]Signature) error {
	if p == PartRules {
		*list = nil
	}
	if err := compact.Unmarshal(data, list, compact.DefaultLimits()); err != nil {
		return fmt.Errorf("reading the %s of signatures: %w", p, err)
	}
	return nil
}

// ShapeDigest identifies the structs that parts are made from; a compiled
// catalogue of other structs is not for this program.
func ShapeDigest() (string, error) { return compact.ShapeDigest([]Signature{}, nil) }

// Version identifies what matching depends on: the first 12 hex digits of the
// SHA-256 over the rules of every enabled signature, in id order. Sources, notes,
// risks and examples do not change it, nor where the list was loaded from.
func Version(list []Signature) (string, error) {
	enabled := make([]Signature, 0, len(list))
	for i := range list {
		if list[i].IsEnabled() {
			enabled = append(enabled, list[i])
		}
	}
	slices.SortStableFunc(enabled, byID)
	keep := PartRules.keep()
	data, err := compact.Marshal(enabled, func(record, field string) bool { return keep(record, field) && (record != "Signature" || field != "Tests") })
	if err != nil {
		return "", fmt.Errorf("computing the version of signatures: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6]), nil
}

func byID(a, b Signature) int { return cmp.Compare(a.ID, b.ID) }

// origin says where a signature was loaded from.
func origin(sig *Signature) string {
	return cmp.Or(sig.File, "the compiled catalogue")
}
