package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Limits of one document. What is beyond them is an error that names the limit.
const (
	MaxEntries   = 50_000
	MaxItems     = 10_000 // values in one list
	MaxTextBytes = 8 << 10
	maxNameBytes = 256
)

// checker collects the issues of one document or directory.
type checker struct {
	issues   Issues
	entry    string // id of the entry at hand
	defaults Defaults
}

// Check looks for what strict decoding cannot see and returns every issue in the
// order of the document. A document without errors compiles in package
// reconcile.
func (d *Document) Check() Issues {
	c := &checker{defaults: d.Defaults.orDefault()}
	if d.Schema != Schema {
		c.fail("schema", d.Schema, "must be %q", Schema)
	}
	c.duration("defaults.review_every", d.Defaults.ReviewEvery)
	word(c, "defaults.scope_on_unknown", d.Defaults.ScopeOnUnknown, UnknownPolicies(), false)
	if len(d.Entries) > MaxEntries {
		c.add(SeverityError, CodeTooMany, "entries", "", "%d entries are more than the limit of %d", len(d.Entries), MaxEntries)
	}
	first := make(map[string]int, len(d.Entries))
	for i := range d.Entries {
		e := &d.Entries[i]
		c.entry = e.ID
		key := fmt.Sprintf("entries[%d]", i)
		if at, taken := first[e.ID]; taken {
			c.add(SeverityError, CodeDuplicateID, key+".id", e.ID, "is the id of entries[%d] as well: every entry needs its own", at)
		} else {
			first[e.ID] = i
		}
		c.checkEntry(key, e)
	}
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Alternative == "" || !isID(e.Alternative) {
			continue
		}
		c.entry = e.ID
		key := fmt.Sprintf("entries[%d].alternative", i)
		at, found := first[e.Alternative]
		if !found {
			c.warn(CodeNoAlternative, key, e.Alternative, "names no entry of this inventory")
		} else if s := d.Entries[at].Status; s != StatusApproved && s != StatusRestricted {
			c.warn(CodeNoAlternative, key, e.Alternative, "names an entry that is %s: people would be sent to something they may not use", s)
		}
	}
	return c.issues
}

// CheckEntry checks one entry by itself, with the keys of the issues below it.
func CheckEntry(e *Entry, defaults Defaults) Issues {
	c := &checker{entry: e.ID, defaults: defaults.orDefault()}
	c.checkEntry("", e)
	return c.issues
}

func (c *checker) checkEntry(key string, e *Entry) {
	at := func(name string) string { return join(key, name) }
	if !isID(e.ID) {
		c.fail(at("id"), e.ID, "must be 2 to 63 lower-case letters, digits and hyphens, the first no hyphen")
	}
	if strings.TrimSpace(e.Name) == "" {
		c.fail(at("name"), "", "is missing")
	}
	c.text(at("name"), e.Name, maxNameBytes)
	word(c, at("kind"), e.Kind, Kinds(), true)
	word(c, at("status"), e.Status, Statuses(), true)
	word(c, at("role"), e.Role, Roles(), false)
	c.slug(at("provider"), e.Provider)
	c.text(at("vendor"), e.Vendor, maxNameBytes)
	c.text(at("description"), e.Description, MaxTextBytes)
	c.text(at("notes"), e.Notes, MaxTextBytes)
	c.email(at("owner.business"), e.Owner.Business)
	c.email(at("owner.technical"), e.Owner.Technical)
	c.email(at("owner.delegate"), e.Owner.Delegate)
	c.checkRisk(at("risk"), &e.Risk)
	c.checkMatching(key, e)
	c.checkScope(at("scope"), e)
	c.checkDecision(key, e)
	c.checkPapers(key, e)
	if e.Alternative != "" && (!isID(e.Alternative) || e.Alternative == e.ID) {
		c.fail(at("alternative"), e.Alternative, "must be the id of another entry")
	}
	c.texts(at("intended_use"), e.IntendedUse)
	c.texts(at("tags"), e.Tags)
	c.texts(at("controls"), e.Controls)
	for i, control := range e.Controls {
		if framework, number, found := strings.Cut(control, ":"); !found || framework == "" || number == "" {
			c.fail(fmt.Sprintf("%s[%d]", at("controls"), i), control, "must name framework and control, such as iso42001:A.4.2")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Links)) {
		if u, err := url.Parse(e.Links[name]); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			c.fail(child(at("links"), name), e.Links[name], "must be an http or https URL")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extra)) {
		if name == "" || name != strings.TrimSpace(name) || hasControl(name) || len(name) > maxNameBytes {
			c.fail(child(at("extra"), name), name, "must be a name of at most 256 bytes without control characters and without space at its ends")
		}
		c.text(child(at("extra"), name), e.Extra[name], MaxTextBytes)
	}
}

func (c *checker) checkRisk(key string, r *Risk) {
	word(c, key+".tier", r.Tier, Tiers(), false)
	word(c, key+".eu_ai_act", r.EUAIAct, AIClasses(), false)
	c.text(key+".rationale", r.Rationale, MaxTextBytes)
	c.date(key+".assessed", r.Assessed)
}

func (c *checker) checkMatching(key string, e *Entry) {
	for i := range e.Match {
		c.checkItem(fmt.Sprintf("%s[%d]", join(key, "match"), i), &e.Match[i])
	}
	for i := range e.NotMatch {
		c.checkItem(fmt.Sprintf("%s[%d]", join(key, "not_match"), i), &e.NotMatch[i])
	}
	if !e.Matchable() {
		c.warn(CodeUnmatchable, join(key, "match"), "", "has no usable rule, so this entry never matches: name a signature, domain, model, software, extension, publisher or provider")
	}
}

func (c *checker) checkItem(key string, m *Match) {
	for _, list := range []struct {
		name   string
		values []string
	}{{"signature", m.Signature}, {"account", m.Account}, {"publisher", m.Publisher}, {"provider", m.Provider}} {
		c.patterns(join(key, list.name), list.values)
	}
	c.each(key+".domain", m.Domain, checkDomain)
	c.each(key+".model.sha256", m.Model.SHA256, checkSHA256)
	for _, value := range []struct{ name, value string }{
		{"model.name", m.Model.Name},
		{"model.family", m.Model.Family},
		{"model.publisher", m.Model.Publisher},
		{"model.format", m.Model.Format},
		{"model.license", m.Model.License},
		{"software.publisher", m.Software.Publisher},
		{"software.name", m.Software.Name},
		{"extension.store", m.Extension.Store},
		{"extension.id", m.Extension.ID},
	} {
		if value.value == "" {
			continue
		}
		if err := checkPattern(value.value); err != nil {
			c.fail(join(key, value.name), value.value, "%s", err)
		}
	}
	if _, err := ParseConstraint(m.Software.Version); err != nil {
		c.fail(join(key, "software.version"), m.Software.Version, "%s", err)
	}
	if !m.Usable() {
		c.warn(CodeUnusableItem, key, "", "never matches: an account or a version only qualifies another key; add a signature, domain, model, software, extension, publisher or provider")
	}
}

func (c *checker) checkScope(key string, e *Entry) {
	s := &e.Scope
	for _, list := range []struct {
		name   string
		values []string
	}{
		{"groups", s.Groups},
		{"users", s.Users},
		{"hosts", s.Hosts},
		{"regions", s.Regions},
		{"accounts", s.Accounts},
		{"purposes", s.Purposes},
		{"data_classes", s.DataClasses},
	} {
		c.patterns(join(key, list.name), list.values)
	}
	c.each(join(key, "networks"), s.Networks, checkNetwork)
	for i, channel := range s.Channels {
		word(c, fmt.Sprintf("%s[%d]", join(key, "channels"), i), channel, Channels(), true)
	}
	for _, name := range slices.Sorted(maps.Keys(s.HostLabels)) {
		if strings.TrimSpace(name) == "" {
			c.fail(join(key, "host_labels"), name, "has a label without a name")
		}
		c.text(child(join(key, "host_labels"), name), s.HostLabels[name], maxNameBytes)
	}
	switch {
	case e.Status == StatusRestricted && s.IsEmpty():
		c.fail(key, "", "is missing: restricted needs at least one dimension; use approved for everyone")
	case e.Status == StatusProhibited && !s.IsEmpty():
		c.warn(CodeScopeIgnored, key, "", "does nothing here: prohibited bans everywhere; to ban only outside a scope use restricted")
	case len(s.Purposes) > 0 && c.defaults.ScopeOnUnknown == UnknownDeny:
		c.warn(CodeNeverInScope, join(key, "purposes"), "", "can never be verified from metadata, and scope_on_unknown is deny: every use will be out of scope")
	}
}

// checkDecision checks approval, validity and review.
func (c *checker) checkDecision(key string, e *Entry) {
	c.text(join(key, "approval.by"), e.Approval.By, maxNameBytes)
	c.date(join(key, "approval.at"), e.Approval.At)
	c.text(join(key, "approval.ref"), e.Approval.Ref, maxNameBytes)
	c.text(join(key, "approval.conditions"), e.Approval.Conditions, MaxTextBytes)
	c.date(join(key, "valid.from"), e.Valid.From)
	c.date(join(key, "valid.until"), e.Valid.Until)
	from, hasFrom := e.Valid.From.Time()
	until, hasUntil := e.Valid.Until.Time()
	if hasFrom && hasUntil && !until.After(from) {
		c.fail(join(key, "valid.until"), string(e.Valid.Until), "must be after valid.from (%s): the period ends as the day of valid.until begins", e.Valid.From)
	}
	c.duration(join(key, "review.every"), e.Review.Every)
	c.date(join(key, "review.last"), e.Review.Last)

	granted := e.Status == StatusApproved || e.Status == StatusRestricted
	if granted && e.Approval.By == "" {
		c.warn(CodeNoApproval, join(key, "approval.by"), "", "is missing: name who approved it")
	}
	every := e.Review.Every
	if every == "" {
		every = c.defaults.ReviewEvery
	}
	if days, _ := every.Days(); granted && days > 0 && e.Review.Last == "" && e.Approval.At == "" && e.Valid.From == "" {
		c.warn(CodeNoReviewStart, join(key, "review.last"), "", "is missing, as are approval.at and valid.from: no review will ever become due")
	}
	if e.Status == StatusProhibited && (hasFrom || hasUntil) {
		c.warn(CodeValidityIgnored, join(key, "valid"), "", "does nothing here: prohibited bans at all times")
	}
}

// checkPapers checks contract and assessments.
func (c *checker) checkPapers(key string, e *Entry) {
	word(c, join(key, "contract.agreement"), e.Contract.Agreement, PaperStates(), false)
	word(c, join(key, "contract.dpa"), e.Contract.DPA, PaperStates(), false)
	c.date(join(key, "contract.dpa_until"), e.Contract.DPAUntil)
	c.text(join(key, "contract.vendor_ref"), e.Contract.VendorRef, maxNameBytes)
	c.text(join(key, "contract.residency"), e.Contract.Residency, maxNameBytes)
	if e.Contract.DPA == PaperNotRequired && e.Contract.DPAUntil != "" {
		c.fail(join(key, "contract.dpa_until"), string(e.Contract.DPAUntil), "contradicts dpa: not_required; remove one of them")
	}
	for i := range e.Assessments {
		a, at := &e.Assessments[i], fmt.Sprintf("%s[%d]", join(key, "assessments"), i)
		if a.Type == "" {
			c.fail(at+".type", "", "is missing: name the kind of assessment, such as impact")
		}
		c.text(at+".type", a.Type, maxNameBytes)
		c.text(at+".ref", a.Ref, maxNameBytes)
		c.date(at+".at", a.At)
		c.date(at+".next", a.Next)
		if a.SHA256 != "" && !isSHA256(a.SHA256) {
			c.fail(at+".sha256", a.SHA256, "must be 64 lower-case hex digits")
		}
	}
}

func checkSHA256(value string) error {
	if !isSHA256(value) {
		return fmt.Errorf("must be 64 lower-case hex digits")
	}
	return nil
}

func checkNetwork(value string) error {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil:
		return fmt.Errorf("is no CIDR prefix: write it such as 10.0.0.0/8 or 192.0.2.7/32")
	case prefix.Masked() != prefix:
		return fmt.Errorf("has bits set beyond its length: write %s", prefix.Masked())
	case prefix.Addr().Is4In6():
		return fmt.Errorf("is an IPv4 address in IPv6 form: write it as IPv4")
	}
	return nil
}
