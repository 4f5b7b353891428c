package inventory

// Kind says what an entry is.
type Kind string

// The kinds of entry.
const (
	KindAPIService Kind = "api_service"
	KindSaaSApp    Kind = "saas_app"
	KindModel      Kind = "model"
	KindRuntime    Kind = "runtime"
	KindAgent      Kind = "agent"
	KindExtension  Kind = "extension"
	KindMCPServer  Kind = "mcp_server"
	KindGateway    Kind = "gateway"
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindAPIService, KindSaaSApp, KindModel, KindRuntime, KindAgent, KindExtension, KindMCPServer, KindGateway}
}

// Status is what was decided about an entry.
type Status string

// The states of an entry.
const (
	StatusProposed   Status = "proposed"   // asked for, not decided
	StatusApproved   Status = "approved"   // allowed; a mismatch of its scope leaves room for broader approvals
	StatusRestricted Status = "restricted" // allowed in its scope only; needs one
	StatusProhibited Status = "prohibited" // banned everywhere: scope and validity of a ban are ignored
	StatusRetired    Status = "retired"    // no longer allowed
)

// Statuses lists every status.
func Statuses() []Status {
	return []Status{StatusProposed, StatusApproved, StatusRestricted, StatusProhibited, StatusRetired}
}

// Role is the organisation's own role (EU AI Act, article 3).
type Role string

// The roles.
const (
	RoleDeployer Role = "deployer"
	RoleProvider Role = "provider"
	RoleUser     Role = "user"
)

// Roles lists every role.
func Roles() []Role { return []Role{RoleDeployer, RoleProvider, RoleUser} }

// Tier is the organisation's own risk tier; due dates of cases depend on it.
type Tier string

// The risk tiers.
const (
	TierLow    Tier = "low"
	TierMedium Tier = "medium"
	TierHigh   Tier = "high"
)

// Tiers lists every tier.
func Tiers() []Tier { return []Tier{TierLow, TierMedium, TierHigh} }

// AIClass is the class of a system under the EU AI Act, Regulation (EU) 2024/1689.
type AIClass string

// The classes.
const (
	ClassMinimal       AIClass = "minimal"
	ClassLimited       AIClass = "limited"
	ClassHigh          AIClass = "high"
	ClassProhibited    AIClass = "prohibited"
	ClassNotApplicable AIClass = "not_applicable"
)

// AIClasses lists every class.
func AIClasses() []AIClass {
	return []AIClass{ClassMinimal, ClassLimited, ClassHigh, ClassProhibited, ClassNotApplicable}
}

// Channel is where a use was seen.
type Channel string

// The channels.
const (
	ChannelEndpoint Channel = "endpoint"
	ChannelServer   Channel = "server"
	ChannelGateway  Channel = "gateway"
	// ChannelApplication is what applications report to the collector themselves.
	ChannelApplication Channel = "application"
)

// Channels lists every channel.
func Channels() []Channel {
	return []Channel{ChannelEndpoint, ChannelServer, ChannelGateway, ChannelApplication}
}

// PaperState is the state of an agreement or a data processing agreement.
type PaperState string

// The states of a paper.
const (
	PaperSigned      PaperState = "signed"
	PaperPending     PaperState = "pending"
	PaperRequired    PaperState = "required" // needed, and not there
	PaperExpired     PaperState = "expired"
	PaperNotRequired PaperState = "not_required"
)

// PaperStates lists every state of a paper.
func PaperStates() []PaperState {
	return []PaperState{PaperSigned, PaperPending, PaperRequired, PaperExpired, PaperNotRequired}
}

// OnUnknown says what an unknown dimension of a scope does to a verdict.
type OnUnknown string

// The ways to treat an unknown dimension.
const (
	UnknownAllow OnUnknown = "allow" // passes
	UnknownFlag  OnUnknown = "flag"  // sanctioned, and marked scope_unverified
	UnknownDeny  OnUnknown = "deny"  // out of scope
)

// UnknownPolicies lists every way to treat an unknown dimension.
func UnknownPolicies() []OnUnknown { return []OnUnknown{UnknownAllow, UnknownFlag, UnknownDeny} }
