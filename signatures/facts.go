package signatures

import (
	"regexp"
	"slices"
	"strings"
)

var (
	retentionForm = regexp.MustCompile(`^([1-9][0-9]{0,4}d|none|until_deleted|indefinite)$`)
	familyForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)
)

// facts checks what a signature says beside its rules.
func (c *checker) facts(key string, sig *Signature) {
	if sig.Unverified && sig.Enabled != nil && *sig.Enabled {
		c.errorf(key+".enabled", "what is unverified is never enabled: drop one of the two")
	}
	c.family(key, sig)
	if sig.Risk != nil {
		c.risk(key+".risk", sig.Risk)
	}
}

func (c *checker) family(key string, sig *Signature) {
	isFamily := sig.Kind == AssetModelFamily
	if isFamily != (len(sig.Models) > 0) {
		c.errorf(key+".models", "goes together with kind model_family")
	}
	switch {
	case isFamily != (sig.Family != ""):
		c.errorf(key+".family", "goes together with kind model_family")
	case isFamily && !familyForm.MatchString(sig.Family):
		c.errorf(key+".family", "%q is no slug (lower-case letters, digits, . and -, at most 63)", sig.Family)
	}
	l := sig.Licence
	if l == nil {
		return
	}
	if !isFamily {
		c.errorf(key+".licence", "goes together with kind model_family")
	}
	if !oneOf(l.Class, LicenceClasses()) {
		c.errorf(key+".licence.class", "%q is none of %s", l.Class, strings.Join(LicenceClasses(), ", "))
	}
	if l.Class != "unknown" {
		c.required(key+".licence.name", l.Name)
	}
	c.cited(key+".licence", "source", l.Source, l.Checked)
}

func (c *checker) risk(key string, r *Risk) {
	if len(r.Facts()) == 0 {
		c.errorf(key, "no fact is given; leave the key out where nothing is known")
	}
	for _, f := range r.Facts() {
		c.cited(key+"."+f.Name, "source", f.Source, f.Checked)
	}
	if f := r.TrainsOnInput; f != nil && !oneOf(f.Value, Trainings()) {
		c.errorf(key+".trains_on_input.value", "%q is none of %s", f.Value, strings.Join(Trainings(), ", "))
	}
	if f := r.Retention; f != nil && !retentionForm.MatchString(f.Value) {
		c.errorf(key+".retention.value", "%q is none of none, until_deleted, indefinite, and no number of days such as 30d", f.Value)
	}
	if f := r.Residency; f != nil {
		c.items(key+".residency.value", f.Value, func(v string) bool {
			return v == "EU" || v == "global" && len(f.Value) == 1 || v != "unknown" && isCountry(v)
		}, "an ISO 3166-1 alpha-2 code, EU, or global alone")
	}
	if f := r.Certifications; f != nil {
		c.items(key+".certifications.value", f.Value, func(v string) bool { return oneOf(v, Certifications()) }, "one of "+strings.Join(Certifications(), ", "))
	}
}

// items checks the items of a list fact.
func (c *checker) items(key string, values []string, good func(string) bool, want string) {
	if len(values) == 0 {
		c.errorf(key, "want at least one")
	}
	for i, v := range values {
		switch {
		case !good(v):
			c.errorf(index1(key, i), "%q is not %s", v, want)
		case slices.Index(values, v) < i:
			c.errorf(index1(key, i), "%q is given twice", v)
		}
	}
}
