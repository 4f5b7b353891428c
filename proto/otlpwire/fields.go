package otlpwire

import (
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// The names of the log events (LogRecord.event_name).
const (
	EventFinding  = "gnomon.finding"
	EventCoverage = "gnomon.coverage"
)

// Prefixes of the attributes that carry maps.
const (
	prefixAttribute = "gnomon.attribute."
	prefixCounter   = "gnomon.counter."
)

// Keys of the evidence and blind lists: parallel arrays of equal length.
const (
	keyEvidenceKind     = "gnomon.evidence.kind"
	keyEvidenceValue    = "gnomon.evidence.value"
	keyEvidenceSelector = "gnomon.evidence.selector"
	keyEvidenceStrength = "gnomon.evidence.strength" // "strong" or "weak"
	keyBlindReason      = "gnomon.blind.reason"
	keyBlindDetail      = "gnomon.blind.detail"
	keyBlindCount       = "gnomon.blind.count" // decimal numbers
)

const (
	strong = "strong"
	weak   = "weak"
)

// resourceKeys are the attributes of the resource, for both events.
func resourceKeys() []string {
	return []string{
		"service.name", "service.instance.id", "service.version",
		"host.name", "host.id", "os.type", "gnomon.channel",
	}
}

// findingKeys are the attributes of a finding's record, in the order in which
// they are written.
func findingKeys() []string {
	return []string{
		"gnomon.finding.id", "gnomon.finding.fingerprint", "gnomon.finding.revision",
		"gnomon.sensor", "gnomon.retro",
		"gnomon.window.start", "gnomon.window.end", "gnomon.first_seen", "gnomon.last_seen", "gnomon.count",
		"gnomon.asset.key", "gnomon.asset.kind", "gnomon.asset.name", "gnomon.asset.signature", "gnomon.asset.provider",
		"gnomon.asset.country", "gnomon.asset.categories", "gnomon.asset.role", "gnomon.asset.status",
		"gnomon.confidence", "gnomon.catalogue",
		keyEvidenceKind, keyEvidenceValue, keyEvidenceSelector, keyEvidenceStrength,
		"user.name", "process.executable.name", "process.executable.path", "gnomon.process.parent.name",
		"container.id", "gnomon.owner.unknown",
		"network.protocol.name", "server.address", "network.peer.address", "network.peer.port", "client.address",
		"gnomon.bytes.up", "gnomon.bytes.down",
		"gnomon.model.path", "gnomon.model.format", "gnomon.model.name", "gnomon.model.family",
		"gnomon.model.architecture", "gnomon.model.publisher", "gnomon.model.license", "gnomon.model.quantization",
		"gnomon.model.parameters", "gnomon.model.sha256", "gnomon.model.size", "gnomon.model.store", "gnomon.model.problem",
	}
}

// coverageKeys are the attributes of a coverage record.
func coverageKeys() []string {
	return []string{
		"gnomon.sensor", "gnomon.state", "gnomon.reason", "gnomon.since", "gnomon.until",
		keyBlindReason, keyBlindDetail, keyBlindCount,
	}
}

// lists holds the parallel arrays while a record is read or written.
type lists struct {
	evidenceKind, evidenceValue, evidenceSelector, evidenceStrength []string
	blindReason, blindDetail, blindCount                            []string
}

// findingField returns the place of key in f (or in l), or nil for a key that
// is no field of a finding. It is the one mapping, used in both directions.
func findingField(f *finding.Finding, l *lists, key string) any {
	switch key {
	case "service.instance.id":
		return &f.AgentID
	case "host.name":
		return &f.HostName
	case "host.id":
		return &f.HostID
	case "os.type":
		return &f.OS
	case "gnomon.channel":
		return &f.Channel
	case "gnomon.finding.id":
		return &f.ID
	case "gnomon.finding.fingerprint":
		return &f.Fingerprint
	case "gnomon.finding.revision":
		return &f.Revision
	case "gnomon.sensor":
		return &f.Sensor
	case "gnomon.retro":
		return &f.Retro
	case "gnomon.window.start":
		return &f.WindowStart
	case "gnomon.window.end":
		return &f.WindowEnd
	case "gnomon.first_seen":
		return &f.FirstSeen
	case "gnomon.last_seen":
		return &f.LastSeen
	case "gnomon.count":
		return &f.Count
	case "gnomon.confidence":
		return &f.Confidence
	case "gnomon.catalogue":
		return &f.Catalogue
	case keyEvidenceKind:
		return &l.evidenceKind
	case keyEvidenceValue:
		return &l.evidenceValue
	case keyEvidenceSelector:
		return &l.evidenceSelector
	case keyEvidenceStrength:
		return &l.evidenceStrength
	}
	if p := ownerField(f, key); p != nil {
		return p
	}
	if p := assetField(&f.Asset, key); p != nil {
		return p
	}
	return modelField(&f.Model, key)
}

func assetField(a *finding.Asset, key string) any {
	switch key {
	case "gnomon.asset.key":
		return &a.Key
	case "gnomon.asset.kind":
		return &a.Kind
	case "gnomon.asset.name":
		return &a.Name
	case "gnomon.asset.signature":
		return &a.SignatureID
	case "gnomon.asset.provider":
		return &a.Provider
	case "gnomon.asset.country":
		return &a.Country
	case "gnomon.asset.categories":
		return &a.Categories
	case "gnomon.asset.role":
		return &a.Role
	case "gnomon.asset.status":
		return &a.Status
	}
	return nil
}

func ownerField(f *finding.Finding, key string) any {
	switch key {
	case "user.name":
		return &f.User
	case "process.executable.name":
		return &f.ProcessName
	case "process.executable.path":
		return &f.ProcessPath
	case "gnomon.process.parent.name":
		return &f.ParentName
	case "container.id":
		return &f.Container
	case "gnomon.owner.unknown":
		return &f.OwnerUnknown
	case "network.protocol.name":
		return &f.Protocol
	case "server.address":
		return &f.PeerName
	case "network.peer.address":
		return &f.PeerAddress
	case "network.peer.port":
		return &f.PeerPort
	case "client.address":
		return &f.ClientAddress
	case "gnomon.bytes.up":
		return &f.BytesUp
	case "gnomon.bytes.down":
		return &f.BytesDown
	}
	return nil
}

func modelField(m *finding.Model, key string) any {
	switch key {
	case "gnomon.model.path":
		return &m.Path
	case "gnomon.model.format":
		return &m.Format
	case "gnomon.model.name":
		return &m.Name
	case "gnomon.model.family":
		return &m.Family
	case "gnomon.model.architecture":
		return &m.Architecture
	case "gnomon.model.publisher":
		return &m.Publisher
	case "gnomon.model.license":
		return &m.License
	case "gnomon.model.quantization":
		return &m.Quantization
	case "gnomon.model.parameters":
		return &m.Parameters
	case "gnomon.model.sha256":
		return &m.SHA256
	case "gnomon.model.size":
		return &m.SizeBytes
	case "gnomon.model.store":
		return &m.Store
	case "gnomon.model.problem":
		return &m.Problem
	}
	return nil
}

// coverageField is findingField for a coverage report.
func coverageField(c *finding.Coverage, l *lists, key string) any {
	switch key {
	case "service.instance.id":
		return &c.AgentID
	case "service.version":
		return &c.Version
	case "host.name":
		return &c.HostName
	case "host.id":
		return &c.HostID
	case "os.type":
		return &c.OS
	case "gnomon.channel":
		return &c.Channel
	case "gnomon.sensor":
		return &c.Sensor
	case "gnomon.state":
		return &c.State
	case "gnomon.reason":
		return &c.Reason
	case "gnomon.since":
		return &c.Since
	case "gnomon.until":
		return &c.Until
	case keyBlindReason:
		return &l.blindReason
	case keyBlindDetail:
		return &l.blindDetail
	case keyBlindCount:
		return &l.blindCount
	}
	return nil
}

// unixNano is the wire form of a time: nanoseconds since 1970 in UTC, 0 for the
// zero time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
