package inventory

// Schema is the value of the schema key of an inventory file.
const Schema = "inventory/v1"

// Document is a whole inventory. Files are merged into one Document by Parse.
type Document struct {
	Schema   string   `yaml:"schema" json:"schema"`
	Defaults Defaults `yaml:"defaults,omitempty" json:"defaults"`
	Entries  []Entry  `yaml:"entries" json:"entries"`
}

// Defaults apply to every entry that does not say otherwise.
type Defaults struct {
	// ReviewEvery is the review cadence of entries without one; "0d" means no
	// periodic review.
	ReviewEvery Duration `yaml:"review_every,omitempty" json:"review_every,omitempty"`
	// ScopeOnUnknown says what an unknown dimension of a scope does.
	ScopeOnUnknown OnUnknown `yaml:"scope_on_unknown,omitempty" json:"scope_on_unknown,omitempty"`
}

// Default returns the defaults of a document that names none.
func Default() Defaults {
	return Defaults{ReviewEvery: "180d", ScopeOnUnknown: UnknownFlag}
}

// orDefault fills in what d does not say.
func (d Defaults) orDefault() Defaults {
	if d.ReviewEvery == "" {
		d.ReviewEvery = Default().ReviewEvery
	}
	if d.ScopeOnUnknown == "" {
		d.ScopeOnUnknown = Default().ScopeOnUnknown
	}
	return d
}

// Entry is one item of the inventory: an AI service, application, model … and
// what was decided about it.
type Entry struct {
	ID          string            `yaml:"id" json:"id"` // ^[a-z0-9][a-z0-9-]{1,62}$; never changes, never reused
	Name        string            `yaml:"name" json:"name"`
	Kind        Kind              `yaml:"kind" json:"kind"`
	Provider    string            `yaml:"provider,omitempty" json:"provider,omitempty"` // who builds or runs it: slug of the catalogue
	Vendor      string            `yaml:"vendor,omitempty" json:"vendor,omitempty"`     // who sells it, if another
	Role        Role              `yaml:"role,omitempty" json:"role,omitempty"`         // the organisation's own role
	Description string            `yaml:"description,omitempty" json:"description,omitempty"`
	IntendedUse []string          `yaml:"intended_use,omitempty" json:"intended_use,omitempty"`
	Status      Status            `yaml:"status" json:"status"`
	Owner       Owner             `yaml:"owner,omitempty" json:"owner,omitzero"`
	Risk        Risk              `yaml:"risk,omitempty" json:"risk,omitzero"`
	Match       []Match           `yaml:"match,omitempty" json:"match,omitempty"`         // OR between items, AND inside one
	NotMatch    []Match           `yaml:"not_match,omitempty" json:"not_match,omitempty"` // any that holds takes the entry out
	Scope       Scope             `yaml:"scope,omitempty" json:"scope,omitzero"`
	Approval    Approval          `yaml:"approval,omitempty" json:"approval,omitzero"`
	Valid       Validity          `yaml:"valid,omitempty" json:"valid,omitzero"`
	Review      Review            `yaml:"review,omitempty" json:"review,omitzero"`
	Contract    Contract          `yaml:"contract,omitempty" json:"contract,omitzero"`
	Assessments []Assessment      `yaml:"assessments,omitempty" json:"assessments,omitempty"`
	Alternative string            `yaml:"alternative,omitempty" json:"alternative,omitempty"` // id of the entry to use instead
	Controls    []string          `yaml:"controls,omitempty" json:"controls,omitempty"`       // "<framework>:<control>"
	Links       map[string]string `yaml:"links,omitempty" json:"links,omitempty"`             // name -> https URL
	Tags        []string          `yaml:"tags,omitempty" json:"tags,omitempty"`
	Notes       string            `yaml:"notes,omitempty" json:"notes,omitempty"`
	Extra       map[string]string `yaml:"extra,omitempty" json:"extra,omitempty"` // columns of an imported CSV that have no field
}

// Owner names the people that answer for an entry, by e-mail address.
type Owner struct {
	Business  string `yaml:"business,omitempty" json:"business,omitempty"`
	Technical string `yaml:"technical,omitempty" json:"technical,omitempty"`
	Delegate  string `yaml:"delegate,omitempty" json:"delegate,omitempty"`
}

// Risk is the outcome of the organisation's own assessment.
type Risk struct {
	Tier      Tier    `yaml:"tier,omitempty" json:"tier,omitempty"`
	EUAIAct   AIClass `yaml:"eu_ai_act,omitempty" json:"eu_ai_act,omitempty"`
	Rationale string  `yaml:"rationale,omitempty" json:"rationale,omitempty"`
	Assessed  Date    `yaml:"assessed,omitempty" json:"assessed,omitempty"`
}

// Match is one rule by which an entry recognises a usage. Every key that is set
// must hold; inside a list one value is enough. What a usage does not tell does
// not hold: an account rule never matches a usage without a visible account.
// Text compares without regard to case.
type Match struct {
	Signature []string      `yaml:"signature,omitempty" json:"signature,omitempty"` // signature ids or globs
	Account   []string      `yaml:"account,omitempty" json:"account,omitempty"`     // tenant or organisation; qualifies another key, never stands alone
	Domain    []string      `yaml:"domain,omitempty" json:"domain,omitempty"`       // host name, or "*." and at least two labels
	Model     ModelRule     `yaml:"model,omitempty" json:"model,omitzero"`
	Software  SoftwareRule  `yaml:"software,omitempty" json:"software,omitzero"`
	Extension ExtensionRule `yaml:"extension,omitempty" json:"extension,omitzero"`
	Publisher []string      `yaml:"publisher,omitempty" json:"publisher,omitempty"` // of the software or of the model
	Provider  []string      `yaml:"provider,omitempty" json:"provider,omitempty"`   // slug of the catalogue
}

// ModelRule recognises a model. Every key that is set must hold.
type ModelRule struct {
	SHA256    []string `yaml:"sha256,omitempty" json:"sha256,omitempty"` // 64 lower-case hex digits
	Name      string   `yaml:"name,omitempty" json:"name,omitempty"`     // name or glob
	Family    string   `yaml:"family,omitempty" json:"family,omitempty"`
	Publisher string   `yaml:"publisher,omitempty" json:"publisher,omitempty"`
	Format    string   `yaml:"format,omitempty" json:"format,omitempty"`
	License   string   `yaml:"license,omitempty" json:"license,omitempty"`
}

// SoftwareRule recognises an installed program. Every key that is set must hold.
type SoftwareRule struct {
	Publisher string `yaml:"publisher,omitempty" json:"publisher,omitempty"`
	Name      string `yaml:"name,omitempty" json:"name,omitempty"`       // name or glob
	Version   string `yaml:"version,omitempty" json:"version,omitempty"` // see ParseConstraint
}

// ExtensionRule recognises an extension of an editor or browser.
type ExtensionRule struct {
	Store string `yaml:"store,omitempty" json:"store,omitempty"`
	ID    string `yaml:"id,omitempty" json:"id,omitempty"` // id or glob
}

// Scope limits an approval. An absent dimension does not restrict. Users,
// groups, hosts, accounts, regions, purposes and data classes are names or
// globs and compare without regard to case.
type Scope struct {
	Groups      []string          `yaml:"groups,omitempty" json:"groups,omitempty"`
	Users       []string          `yaml:"users,omitempty" json:"users,omitempty"`
	Hosts       []string          `yaml:"hosts,omitempty" json:"hosts,omitempty"`
	HostLabels  map[string]string `yaml:"host_labels,omitempty" json:"host_labels,omitempty"` // all of them
	Networks    []string          `yaml:"networks,omitempty" json:"networks,omitempty"`       // CIDR prefixes
	Channels    []Channel         `yaml:"channels,omitempty" json:"channels,omitempty"`
	Regions     []string          `yaml:"regions,omitempty" json:"regions,omitempty"`
	Accounts    []string          `yaml:"accounts,omitempty" json:"accounts,omitempty"`
	Purposes    []string          `yaml:"purposes,omitempty" json:"purposes,omitempty"` // never visible in metadata, so always unverified
	DataClasses []string          `yaml:"data_classes,omitempty" json:"data_classes,omitempty"`
}

// IsEmpty reports whether s restricts nothing.
func (s *Scope) IsEmpty() bool {
	return len(s.Groups) == 0 && len(s.Users) == 0 && len(s.Hosts) == 0 && len(s.HostLabels) == 0 &&
		len(s.Networks) == 0 && len(s.Channels) == 0 && len(s.Regions) == 0 && len(s.Accounts) == 0 &&
		len(s.Purposes) == 0 && len(s.DataClasses) == 0
}

// Approval records who decided, when and under which conditions.
type Approval struct {
	By         string `yaml:"by,omitempty" json:"by,omitempty"`
	At         Date   `yaml:"at,omitempty" json:"at,omitempty"`
	Ref        string `yaml:"ref,omitempty" json:"ref,omitempty"`
	Conditions string `yaml:"conditions,omitempty" json:"conditions,omitempty"`
}

// Validity is the half-open period [From, Until), each at 00:00 UTC of its
// date. An absent end is open.
type Validity struct {
	From  Date `yaml:"from,omitempty" json:"from,omitempty"`
	Until Date `yaml:"until,omitempty" json:"until,omitempty"`
}

// Review says how often an entry is looked at again and when it last was.
type Review struct {
	Every Duration `yaml:"every,omitempty" json:"every,omitempty"`
	Last  Date     `yaml:"last,omitempty" json:"last,omitempty"`
}

// Contract is the state of the papers. A contract is required where agreement
// or dpa has any value but not_required, or dpa_until is set; it is in force
// while each required paper is signed and dpa_until (00:00 UTC) has not come.
type Contract struct {
	VendorRef      string     `yaml:"vendor_ref,omitempty" json:"vendor_ref,omitempty"`
	Agreement      PaperState `yaml:"agreement,omitempty" json:"agreement,omitempty"`
	DPA            PaperState `yaml:"dpa,omitempty" json:"dpa,omitempty"`
	DPAUntil       Date       `yaml:"dpa_until,omitempty" json:"dpa_until,omitempty"`
	TrainingOnData *bool      `yaml:"training_on_data,omitempty" json:"training_on_data,omitempty"` // may the vendor train on the data; nil is unknown
	Residency      string     `yaml:"residency,omitempty" json:"residency,omitempty"`
}

// Assessment refers to an assessment kept elsewhere.
type Assessment struct {
	Type   string `yaml:"type" json:"type"`
	Ref    string `yaml:"ref,omitempty" json:"ref,omitempty"`
	At     Date   `yaml:"at,omitempty" json:"at,omitempty"`
	Next   Date   `yaml:"next,omitempty" json:"next,omitempty"`
	SHA256 string `yaml:"sha256,omitempty" json:"sha256,omitempty"` // of the document
}

// Usable reports whether m names something that a usage can be known by. An
// account, and a software version, only qualify another key.
func (m *Match) Usable() bool {
	return len(m.Signature) > 0 || len(m.Domain) > 0 || len(m.Publisher) > 0 || len(m.Provider) > 0 ||
		len(m.Model.SHA256) > 0 || m.Model.Name != "" || m.Model.Family != "" || m.Model.Publisher != "" ||
		m.Model.Format != "" || m.Model.License != "" ||
		m.Software.Publisher != "" || m.Software.Name != "" || m.Extension.ID != "" || m.Extension.Store != ""
}

// Matchable reports whether e has a usable match item.
func (e *Entry) Matchable() bool {
	for i := range e.Match {
		if e.Match[i].Usable() {
			return true
		}
	}
	return false
}
