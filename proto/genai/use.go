package genai

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// confidenceOfUnknown is what an application's own word is worth where the
// catalogue does not know what it names: it is AI, but nobody knows which.
const confidenceOfUnknown = 60

// Settle replaces times that cannot be: before now-past or after now+future.
// Senders keep spans while they cannot send, but not for longer than that.
func (u *Use) Settle(now time.Time, past, future time.Duration) (settled bool) {
	for _, t := range []*time.Time{&u.First, &u.Last} {
		if t.Before(now.Add(-past)) || t.After(now.Add(future)) {
			settled = settled || !t.IsZero()
			*t = now.UTC().Round(0)
		}
	}
	return settled
}

// Observation is the use as matching and folding take it.
func (u *Use) Observation() signatures.Observation {
	return signatures.Observation{
		Sensor: finding.SensorApplication, Kind: signatures.KindApplication, Time: u.Last, Count: u.Count,
		Name: u.Server, NameEvidence: signatures.EvidenceGenAIServer, Application: u.Application,
	}
}

// Match is Set.Match, except that it always finds something: what an application
// names is AI by its own word, so a name that no signature knows makes a match
// with a signature that has no id.
func Match(set *signatures.Set, o *signatures.Observation, into []signatures.Match) []signatures.Match {
	before := len(into)
	if into = set.Match(o, into); len(into) > before {
		return into
	}
	unknown := signatures.Match{Signature: unknownSignature(&o.Application), Confidence: confidenceOfUnknown, HitCount: 1}
	unknown.Hits[0] = subject(o)
	return append(into, unknown)
}

// unknownSignature stands in for the signature of something that has none.
func unknownSignature(a *signatures.Application) *signatures.Signature {
	kind := signatures.AssetService
	switch {
	case a.Provider != "" || a.Model != "" || a.AskedModel != "":
	case a.MCPMethod != "":
		kind = signatures.AssetMCPServer
	case a.Agent != "":
		kind = signatures.AssetAgent
	}
	return &signatures.Signature{Kind: kind, Status: signatures.StatusActive}
}

// subject is the most telling thing that was said.
func subject(o *signatures.Observation) signatures.Hit {
	a := &o.Application
	switch {
	case a.Provider != "":
		return signatures.Hit{Evidence: signatures.EvidenceGenAIProvider, Value: a.Provider}
	case a.MCPMethod != "":
		return signatures.Hit{Evidence: signatures.EvidenceMCPMethod, Value: a.MCPMethod}
	case model(a) != "":
		return signatures.Hit{Evidence: signatures.EvidenceGenAIModel, Value: model(a)}
	}
	return signatures.Hit{Evidence: signatures.EvidenceGenAIAgent, Value: a.Agent}
}

// model is the model that answered, else the one that was asked.
func model(a *signatures.Application) string {
	if a.Model != "" {
		return a.Model
	}
	return a.AskedModel
}

// Fill writes what was used, on which evidence and by which application into f.
// m is a match of o. Host, user, window, counts and identity are the caller's,
// and so is ProcessName where it knows the process; else it is the service.
func Fill(f *finding.Finding, o *signatures.Observation, m *signatures.Match) {
	a, s := &o.Application, m.Signature
	f.Sensor, f.Confidence = o.Sensor, m.Confidence
	f.PeerName, f.PeerPort = o.Name, a.Port
	f.Model = finding.Model{Name: model(a)}
	f.Evidence = nil
	for _, hit := range m.Evidence() {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: string(hit.Evidence), Value: hit.Value, Selector: hit.Selector, Weak: hit.Weak})
	}
	f.Asset = finding.Asset{
		Key: s.ID, Kind: string(s.Kind), Name: s.Name, SignatureID: s.ID, Provider: s.Provider.ID, Country: s.Provider.Country,
		Categories: slices.Clone(s.Categories), Role: string(m.Role()), Status: s.Status,
	}
	if s.ID == "" {
		f.Asset.Key, f.Asset.Name = unknownKey(f, o), unknownName(o)
	}
	// What was said beside what decided, in the order of its worth.
	for _, more := range []finding.Evidence{
		{Kind: string(signatures.EvidenceGenAIProvider), Value: a.Provider},
		{Kind: string(signatures.EvidenceGenAIServer), Value: o.Name},
		{Kind: string(signatures.EvidenceGenAIModel), Value: f.Model.Name},
		{Kind: string(signatures.EvidenceMCPMethod), Value: a.MCPMethod},
		{Kind: string(signatures.EvidenceGenAIAgent), Value: a.Agent},
	} {
		told := slices.ContainsFunc(f.Evidence, func(e finding.Evidence) bool { return e.Kind == more.Kind })
		if more.Value != "" && !told {
			more.Weak = true
			f.Evidence = append(f.Evidence, more)
		}
	}
	f.Attributes = attributes(a)
	for _, hit := range m.Evidence() {
		if hit.Label != "" {
			f.Attributes[AttributeLabel(hit.LabelKind)] = hit.Label
		}
	}
	if f.ProcessName == "" {
		f.ProcessName = a.Service
	}
	if f.Container == "" {
		f.Container = a.Container
	}
}

// unknownKey follows the order of finding.Asset: the domain of the server, else
// "unknown:<fingerprint>" over what was named, which is the same on every host
// and for every application.
func unknownKey(f *finding.Finding, o *signatures.Observation) string {
	if isDomain(o.Name) {
		return o.Name
	}
	same := finding.Finding{Evidence: f.Evidence[:1], PeerName: o.Name}
	return "unknown:" + finding.ComputeFingerprint(&same)
}

// isDomain says whether name means the same everywhere.
func isDomain(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return false
	}
	return !strings.HasSuffix(name, ".localhost") && !strings.HasSuffix(name, ".local") && name != "localhost.localdomain"
}

func unknownName(o *signatures.Observation) string {
	name := subject(o).Value
	switch {
	case o.Application.Provider == "" && o.Application.MCPMethod != "":
		name = "MCP server"
	case o.Application.Provider == "" && model(&o.Application) != "":
		name = "unknown service with model " + name
	}
	if o.Name != "" {
		name += " at " + o.Name
	}
	return name
}

// attributes are the few facts without a field of their own.
func attributes(a *signatures.Application) map[string]string {
	all := map[string]string{}
	for _, entry := range []struct{ key, value string }{
		{"service.name", a.Service},
		{"service.namespace", a.ServiceNamespace},
		{"host.name", a.Host},
		{"k8s.namespace.name", a.Namespace},
		{"k8s.pod.name", a.Pod},
		{"k8s.node.name", a.Node},
		{"gen_ai.operation.name", a.Operation},
		{"gen_ai.agent.name", a.Agent},
		{"gen_ai.tool.type", a.ToolType},
	} {
		if entry.value != "" {
			all[entry.key] = entry.value
		}
	}
	if a.AskedModel != "" && a.AskedModel != model(a) {
		all["gen_ai.request.model"] = a.AskedModel
	}
	return all
}
