// Package finding is the Go form of a finding: matched AI use folded over a
// window, with its fingerprint and id. It also holds the coverage report that
// travels beside findings.
//
// It is a leaf: it imports the standard library only. It does not know how a
// finding is encoded (proto/otlpwire) or stored (collector/internal/store).
package finding

import "time"

// SensorApplication is the sensor of findings that rest on what an application
// says about itself, whoever hears it.
const SensorApplication = "application"

// ChannelApplication is the channel of findings that a collector makes of what
// applications send to it, without an agent.
const ChannelApplication = "application"

// Finding is who used which AI, where, how often, and on which evidence. It
// carries no content: no prompt, no payload, no key, no command line beyond
// the executable and the argument that decided.
type Finding struct {
	ID          string // 32 hex digits, see ComputeID
	Fingerprint string // 32 hex digits, see ComputeFingerprint
	Revision    uint64 // grows with every flush of the same window; the highest wins

	AgentID  string // stable id of the agent that made it
	HostName string
	HostID   string // machine id where there is one
	OS       string // linux, darwin, windows
	Channel  string // endpoint, server, gateway, or application for what a collector hears itself
	Sensor   string // network, process, file, log, application
	Retro    bool   // found again in the local ring under a newer pack

	WindowStart time.Time // start of the folding window, UTC, whole seconds
	WindowEnd   time.Time
	FirstSeen   time.Time // first and last observation in the window
	LastSeen    time.Time
	Count       uint64 // observations folded

	Asset      Asset
	Confidence uint8 // 1 to 100
	Evidence   []Evidence
	Catalogue  string // version of the signature set that matched

	User        string
	ProcessName string
	ProcessPath string
	ParentName  string
	Container   string
	// OwnerUnknown is why no user and process are known, "" where they are:
	// no_socket, no_permission, exited, not_local, lost_event, unsupported, replay.
	OwnerUnknown string

	Protocol      string // tls, quic, dns, http, or "" off the wire
	PeerName      string // host name of the service
	PeerAddress   string
	PeerPort      uint16
	ClientAddress string // set by gateways and for what a log told
	BytesUp       uint64
	BytesDown     uint64

	Model Model

	Attributes map[string]string // few, low-cardinality facts without a field of their own
}

// Asset is the AI thing that was found. Key follows the order of the verdict
// specification: signature id; else model sha256; else publisher and name;
// else domain; else "unknown:<fingerprint>".
type Asset struct {
	Key         string
	Kind        string // service, runtime, app, agent, extension, mcp_server, model_format, model_store
	Name        string
	SignatureID string
	Provider    string // provider id of the catalogue
	Country     string // of the provider
	Categories  []string
	Role        string // role of the host: api, web_ui …; "" off the wire
	Status      string // active, retired or renamed
}

// Evidence is one thing seen, e.g. {"tls.sni", "api.openai.com"}.
type Evidence struct {
	Kind     string
	Value    string
	Selector string // the rule that hit
	Weak     bool
}

// Model is what a model file's header says.
type Model struct {
	Path         string
	Format       string
	Name         string
	Family       string
	Architecture string
	Publisher    string
	License      string
	Quantization string
	Parameters   uint64
	SHA256       string
	SizeBytes    uint64
	Store        string
	Problem      string
}

// Coverage says what one sensor looked at in a period and what it could not
// see. It is sent with every heartbeat, and for every sensor, also for one
// that is off.
type Coverage struct {
	AgentID  string
	HostName string
	HostID   string
	OS       string
	Channel  string
	Version  string // of the agent
	Sensor   string
	State    string // on, degraded or off
	Reason   string // why it is degraded or off, and what to do
	Since    time.Time
	Until    time.Time
	Blind    []Blind
	Counters map[string]uint64 // what moved and what was dropped, by name
}

// Blind is one thing that could not be seen: never reported as clean.
type Blind struct {
	Reason string // e.g. kernel_drop, permission_denied, ech, doh, watch_limit, spool_overflow
	Detail string
	Count  uint64
}
