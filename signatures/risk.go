package signatures

import (
	"strconv"
	"strings"
)

// Risk is what is publicly known of how an asset treats what it is given. Every
// fact has a source of its own; one that is absent is unknown, which is not the
// same as no.
type Risk struct {
	TrainsOnInput  *TextFact `yaml:"trains_on_input,omitempty"` // see Trainings
	Retention      *TextFact `yaml:"retention,omitempty"`       // "30d" (days), none, until_deleted or indefinite
	Residency      *ListFact `yaml:"residency,omitempty"`       // where data is kept: ISO 3166-1 alpha-2 codes, EU, or global
	Certifications *ListFact `yaml:"certifications,omitempty"`  // see Certifications
	Aggregator     *BoolFact `yaml:"aggregator,omitempty"`      // passes requests on to models of other providers
	Agentic        *BoolFact `yaml:"agentic,omitempty"`         // acts by itself: runs tools, edits files, drives a browser
	AnonymousUse   *BoolFact `yaml:"anonymous_use,omitempty"`   // usable without an account
}

// TextFact is a fact that one word tells.
type TextFact struct {
	Value   string `yaml:"value"`
	Source  string `yaml:"source"`  // URL
	Checked string `yaml:"checked"` // date, 2006-01-02
	Note    string `yaml:"note,omitempty"`
}

// ListFact is a fact that several words tell.
type ListFact struct {
	Value   []string `yaml:"value"`
	Source  string   `yaml:"source"`
	Checked string   `yaml:"checked"`
	Note    string   `yaml:"note,omitempty"`
}

// BoolFact is a fact that holds or does not.
type BoolFact struct {
	Value   bool   `yaml:"value"`
	Source  string `yaml:"source"`
	Checked string `yaml:"checked"`
	Note    string `yaml:"note,omitempty"`
}

// Fact is one known fact of a Risk as text.
type Fact struct {
	Name                  string // as in the catalogue, see FactNames
	Value                 string // items of a list are joined by ", "
	Source, Checked, Note string
}

// FactNames lists the facts of a Risk in their order.
func FactNames() []string {
	return []string{"trains_on_input", "retention", "residency", "certifications", "aggregator", "agentic", "anonymous_use"}
}

// Facts lists what is known, in the order of FactNames. A nil Risk knows
// nothing.
func (r *Risk) Facts() []Fact {
	if r == nil {
		return nil
	}
	var out []Fact
	text := func(name string, f *TextFact) {
		if f != nil {
			out = append(out, Fact{name, f.Value, f.Source, f.Checked, f.Note})
		}
	}
	list := func(name string, f *ListFact) {
		if f != nil {
			out = append(out, Fact{name, strings.Join(f.Value, ", "), f.Source, f.Checked, f.Note})
		}
	}
	truth := func(name string, f *BoolFact) {
		if f != nil {
			out = append(out, Fact{name, strconv.FormatBool(f.Value), f.Source, f.Checked, f.Note})
		}
	}
	text("trains_on_input", r.TrainsOnInput)
	text("retention", r.Retention)
	list("residency", r.Residency)
	list("certifications", r.Certifications)
	truth("aggregator", r.Aggregator)
	truth("agentic", r.Agentic)
	truth("anonymous_use", r.AnonymousUse)
	return out
}

// Unknown lists the facts that nobody says, in the order of FactNames.
func (r *Risk) Unknown() []string {
	known := r.Facts()
	var out []string
	for _, name := range FactNames() {
		if len(known) > 0 && known[0].Name == name {
			known = known[1:]
			continue
		}
		out = append(out, name)
	}
	return out
}
