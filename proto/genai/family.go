package genai

import (
	"strings"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// AttributeFamily says what of a finding's model is the word of the catalogue,
// by which signature and rule, e.g. "family, license by meta.llama-3 (model llama-3*)".
const AttributeFamily = "model.catalogue"

// FillFamily fills in the family, publisher and licence of the model called name
// where f does not have them, from the family that the catalogue knows by that
// name. What f has is left alone.
func FillFamily(set *signatures.Set, f *finding.Finding, name string) {
	sig, selector := set.Family(name)
	if sig == nil {
		return
	}
	var filled []string
	fill := func(what string, into *string, value string) {
		if *into == "" && value != "" {
			*into = value
			filled = append(filled, what)
		}
	}
	fill("family", &f.Model.Family, sig.Family)
	fill("publisher", &f.Model.Publisher, sig.Provider.Name)
	if l := sig.Licence; l != nil && l.Class != "unknown" {
		fill("license", &f.Model.License, l.Name)
	}
	if len(filled) == 0 {
		return
	}
	if f.Attributes == nil {
		f.Attributes = make(map[string]string, 1)
	}
	f.Attributes[AttributeFamily] = strings.Join(filled, ", ") + " by " + sig.ID + " (" + selector + ")"
}

// AttributeLabel is the attribute of what a host name names in the label that
// stands for the "*" of a rule, e.g. "asset.tenant".
func AttributeLabel(kind string) string { return "asset." + kind }
