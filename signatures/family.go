package signatures

import (
	"fmt"
	"strings"
)

// ModelRule matches the name of a model in normal form (NormalizeModel); "*"
// stands for any run of characters. Of several the one with the most literal
// characters counts.
type ModelRule struct {
	Name string `yaml:"name"` // e.g. "llama-3*"
}

// Licence says under which terms a family of models is given away.
type Licence struct {
	Class   string `yaml:"class"`          // see LicenceClasses
	Name    string `yaml:"name,omitempty"` // as its author writes it
	Source  string `yaml:"source"`         // URL
	Checked string `yaml:"checked"`        // date, 2006-01-02
}

// maxModelName is the longest name of a model that is looked up.
const maxModelName = 256

// modelEndings are the file endings that names of models are given with.
func modelEnding(name []byte) int {
	dot := -1
	for i := len(name) - 1; i >= 0 && len(name)-i <= 12; i-- {
		if name[i] == '.' {
			dot = i
			break
		}
	}
	if dot <= 0 {
		return len(name)
	}
	switch string(name[dot+1:]) {
	case "gguf", "ggml", "safetensors", "bin", "onnx", "pt", "pth", "ckpt", "llamafile", "tflite", "h5", "hdf5", "keras",
		"mlmodel", "mlpackage", "npz", "pkl", "msgpack", "engine", "pb", "nemo", "tar", "zip", "json":
		return dot
	}
	return len(name)
}

// NormalizeModel brings the name of a model into the form that rules are written
// in: the part behind the last "/", without ":tag" and file ending, in lower
// case, runs of space and "_" written as "-".
func NormalizeModel(name string) string {
	var buffer [maxModelName]byte
	return string(normalizeModel(buffer[:0], name))
}

// normalizeModel appends the normal form to into, or nothing where it does not
// fit.
func normalizeModel(into []byte, name string) []byte {
	name = strings.TrimRight(strings.TrimSpace(name), `/\`)
	if at := strings.LastIndexAny(name, `/\`); at >= 0 {
		name = name[at+1:]
	}
	if at := strings.IndexByte(name, ':'); at >= 0 {
		name = name[:at]
	}
	if len(name) > cap(into)-len(into) {
		return into
	}
	start := len(into)
	run := false
	for i := range len(name) {
		c := lower(name[i])
		gap := c == ' ' || c == '_' || c == '\t'
		if gap {
			c = '-'
		}
		if !gap || !run {
			into = append(into, c)
		}
		run = gap
	}
	return into[:start+modelEnding(into[start:])]
}

// checkModel says what keeps a pattern from being a rule.
func checkModel(pattern string) error {
	literal := 0
	for i := range len(pattern) {
		c := pattern[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == '@':
			literal++
		case c != '*':
			return fmt.Errorf("%q is no name of a model in normal form: lower case, no \"/\", no \":\", \"-\" for space and \"_\"", pattern)
		}
	}
	switch {
	case literal == 0 || len(pattern) > maxModelName || literal < 2 && strings.Contains(pattern, "*"):
		return fmt.Errorf("%q matches too much: at least two characters must be given", pattern)
	case pattern[0] == '*' && literal < 4:
		return fmt.Errorf("%q matches too much: a pattern that begins with \"*\" has at least four further characters", pattern)
	}
	return nil
}

// modelRule is a compiled ModelRule.
type modelRule struct {
	signature int32
	pattern   string
	selector  string
	literal   int // characters that are not "*"
}

// modelIndex finds the rules for the name of a model.
type modelIndex struct {
	rules []modelRule
	names NameIndex
}

func newModelIndex() *modelIndex { return &modelIndex{} }

func (x *modelIndex) add(signature int32, sig *Signature) error {
	for i := range sig.Models {
		pattern := sig.Models[i].Name
		if err := checkModel(pattern); err != nil {
			return err
		}
		x.names.Add(pattern, int32(len(x.rules)))
		x.rules = append(x.rules, modelRule{signature, pattern, "model " + pattern, len(pattern) - strings.Count(pattern, "*")})
	}
	return nil
}

// Family returns the model family that a name belongs to and the rule that says
// so, as in Hit.Selector; nil where none does. Of rules with equally many
// characters the one of the first signature counts. It allocates nothing.
func (s *Set) Family(name string) (sig *Signature, selector string) {
	var buffer [maxModelName]byte
	normal := normalizeModel(buffer[:0], name)
	if len(normal) == 0 {
		return nil, ""
	}
	best := int32(-1)
	eachName(&s.models.names, normal, func(i int32) bool {
		r := &s.models.rules[i]
		worse := best >= 0 && (s.models.rules[best].literal > r.literal || s.models.rules[best].literal == r.literal && best < i)
		if !worse && matchRuns(r.pattern, normal, false) {
			best = i
		}
		return true
	})
	if best < 0 {
		return nil, ""
	}
	r := &s.models.rules[best]
	return &s.signatures[r.signature], r.selector
}
