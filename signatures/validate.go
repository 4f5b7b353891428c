package signatures

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// Least sizes of rules that stand alone; anything shorter matches too much.
const (
	minProcessName  = 3 // characters of a process name
	minProcessStart = 4 // of the beginning of a process name
	minArgument     = 4 // of an argument rule
)

var (
	slugForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	formatForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)
	magicForm    = regexp.MustCompile(`^[0-9a-f]{2}( ?[0-9a-f]{2}){1,63}$`)
	methodForm   = regexp.MustCompile(`^[A-Z]{3,10}$`)
	providerForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._/ -]{0,61}[a-z0-9]$`)
	moduleForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
)

// checker collects what is wrong with one file.
type checker struct {
	positions *strictyaml.Positions
	problems  strictyaml.Errors
}

// errorf notes a problem at key.
func (c *checker) errorf(key, format string, args ...any) {
	c.problems = append(c.problems, c.positions.Errorf(key, format, args...))
}

// document checks a file; overlay says that it is one of an organisation.
func (c *checker) document(d *Document, overlay bool) {
	if d.Schema != Schema {
		c.errorf("schema", "want %s, got %q", Schema, d.Schema)
	}
	for i := range d.Suppressions {
		c.suppression(index1("suppressions", i), &d.Suppressions[i], overlay)
	}
	if len(d.Signatures) > 0 || len(d.Suppressions) == 0 || d.Provider != (Provider{}) {
		c.provider(&d.Provider)
	}
	if len(d.Signatures) == 0 && len(d.Suppressions) == 0 {
		c.errorf("signatures", "the file has no signature")
	}
	for i := range d.Signatures {
		c.signature(fmt.Sprintf("signatures[%d]", i), &d.Signatures[i])
	}
}

func (c *checker) suppression(key string, s *Suppression, overlay bool) {
	if !overlay {
		c.errorf(key, "suppressions are for the files of an organisation alone (signatures_dir of the agent)")
	}
	c.required(key+".signature", s.Signature)
	c.required(key+".reason", s.Reason)
	c.date(key+".until", s.Until)
}

func (c *checker) provider(p *Provider) {
	if !slugForm.MatchString(p.ID) {
		c.errorf("provider.id", "%q is no slug (lower-case letters, digits and -, at most 63)", p.ID)
	}
	c.required("provider.name", p.Name)
	if !isCountry(p.Country) {
		c.errorf("provider.country", "%q is no ISO 3166-1 alpha-2 code; use unknown where the country is not known", p.Country)
	}
	if p.Parent != "" && (!slugForm.MatchString(p.Parent) || p.Parent == p.ID) {
		c.errorf("provider.parent", "%q is not the id of another provider", p.Parent)
	}
}

func (c *checker) signature(key string, sig *Signature) {
	provider, product, _ := strings.Cut(sig.ID, ".")
	if provider != sig.Provider.ID || !slugForm.MatchString(product) {
		c.errorf(key+".id", "%q is not %s.<product> with a slug for the product", sig.ID, sig.Provider.ID)
	}
	c.required(key+".name", sig.Name)
	if !oneOf(sig.Kind, AssetKinds()) {
		c.errorf(key+".kind", "%q is none of %s", sig.Kind, list(AssetKinds()))
	}
	if len(sig.Categories) == 0 {
		c.errorf(key+".categories", "want at least one")
	}
	for i, category := range sig.Categories {
		if !oneOf(category, Categories()) {
			c.errorf(index1(key+".categories", i), "%q is none of %s", category, list(Categories()))
		} else if slices.Index(sig.Categories, category) < i {
			c.errorf(index1(key+".categories", i), "%q is given twice", category)
		}
	}
	switch {
	case !oneOf(sig.Status, []string{StatusActive, StatusRetired, StatusRenamed}):
		c.errorf(key+".status", "%q is none of active, retired, renamed", sig.Status)
	case (sig.Status == StatusRenamed) != (sig.ReplacedBy != ""):
		c.errorf(key+".replaced_by", "goes together with status renamed")
	case sig.ReplacedBy == sig.ID && sig.ID != "":
		c.errorf(key+".replaced_by", "the signature replaces itself")
	}
	if sig.Confidence < 1 || sig.Confidence > 100 {
		c.errorf(key+".confidence", "want 1 to 100, got %d", sig.Confidence)
	}
	if len(sig.Sources) == 0 {
		c.errorf(key+".sources", "want at least one: where the facts were read, and when")
	}
	for i := range sig.Sources {
		c.source(index1(key+".sources", i), &sig.Sources[i])
	}
	c.facts(key, sig)
	before := len(c.problems)
	c.rules(key, sig)
	c.tests(key+".tests", sig, len(c.problems) == before)
}

func (c *checker) source(key string, s *Source) {
	c.cited(key, "url", s.URL, s.Checked)
}

// cited checks where and when a fact was read; name is the key of the URL.
func (c *checker) cited(key, name, address, checked string) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		c.errorf(key+"."+name, "%q is no http or https URL", address)
	}
	c.date(key+".checked", checked)
}

func (c *checker) date(key, text string) {
	if t, err := time.Parse(time.DateOnly, text); err != nil || t.Year() < 2020 {
		c.errorf(key, "%q is no date such as 2026-01-31", text)
	}
}

func (c *checker) required(key, value string) {
	if strings.TrimSpace(value) == "" {
		c.errorf(key, "missing")
	}
}

func index1(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

func list[T ~string](values []T) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = string(v)
	}
	return strings.Join(parts, ", ")
}
