package signatures

import (
	"strings"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// Check holds a list that comes from elsewhere than Load against the same rules.
// Problems are strictyaml.Errors without a place in a file; their keys begin with
// the id of the signature.
func Check(list []Signature) error {
	var problems strictyaml.Errors
	for i := range list {
		sig := &list[i]
		c := checker{}
		c.document(&Document{Schema: Schema, Provider: sig.Provider, Signatures: list[i : i+1 : i+1]}, false)
		for _, p := range c.problems {
			p.File, p.Line = sig.File, sig.Line
			p.Key = sig.ID + strings.TrimPrefix("."+p.Key, ".signatures[0]")
			problems = append(problems, p)
		}
	}
	problems = append(problems, across(list, 0)...)
	problems.Sort()
	return problems.Err()
}
