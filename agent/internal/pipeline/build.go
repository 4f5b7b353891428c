package pipeline

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

// supportingConfidence caps findings that rest on a host for signing in,
// static content or telemetry: traffic to it is no use of the service by itself.
const supportingConfidence = 20

// damagedConfidence caps findings of files whose content is not sound.
const damagedConfidence = 40

// maxText bounds a seen value in a finding, in bytes. Longer ones are cut and
// end with an ellipsis.
const maxText = 512

// maxPorts bounds the listening ports that a finding of a process lists.
const maxPorts = 8

// isNetwork reports whether an observation of kind k has a flow to attribute.
func isNetwork(k signatures.Kind) bool {
	switch k {
	case signatures.KindTLS, signatures.KindQUIC, signatures.KindDNS, signatures.KindHTTP, signatures.KindFlow:
		return true
	}
	return false
}

// build makes the finding of one match, without its counts, window and id.
func (p *Pipeline) build(set *signatures.Set, o *signatures.Observation, m *signatures.Match, whose attribution) finding.Finding {
	agent := &p.deps.Agent
	f := finding.Finding{
		AgentID: agent.ID, HostName: agent.HostName, HostID: agent.HostID, OS: agent.OS, Channel: agent.Channel,
		Sensor: o.Sensor, Catalogue: set.Version(), Confidence: m.Confidence,
		Asset: asset(m), OwnerUnknown: whose.unknown,
		User: cut(o.Process.User), ProcessName: cut(o.Process.Name), ProcessPath: o.Process.Executable,
		Container: cut(o.Process.Container), Count: o.Count,
	}
	if o.Kind == signatures.KindApplication {
		p.buildApplication(&f, o, m)
		return f
	}
	for _, hit := range m.Evidence() {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Kind: string(hit.Evidence), Value: cut(hit.Value), Selector: cut(hit.Selector), Weak: hit.Weak,
		})
		if hit.Label != "" {
			setAttribute(&f, genai.AttributeLabel(hit.LabelKind), hit.Label)
		}
	}
	buildProcess(&f, &o.Process)
	switch {
	case isNetwork(o.Kind):
		p.buildNetwork(&f, o)
		setAttribute(&f, attributeProxy, cut(whose.via))
		setAttribute(&f, attributeClients, cut(whose.clients))
	case o.Kind == signatures.KindProcess:
		if len(o.Ports) > 0 {
			setAttribute(&f, "listening_ports", portList(o.Ports))
		}
	case o.Kind == signatures.KindModelFile:
		f.User = cut(o.File.Owner)
		f.Model = Model(&o.File)
		f.Asset.Key = ModelKey(&o.File)
		f.Asset.Name = ModelName(&f.Model)
		p.family(&f, &o.File)
		if o.File.Problem != "" {
			f.Confidence = min(f.Confidence, damagedConfidence)
		}
	case o.Kind == signatures.KindFile:
		f.User = cut(o.File.Owner)
	}
	switch m.Role() {
	case signatures.RoleAuth, signatures.RoleCDN, signatures.RoleTelemetry:
		f.Confidence = min(f.Confidence, supportingConfidence)
	}
	return f
}

// buildProcess adds what stands around the process: its parents, its pod.
func buildProcess(f *finding.Finding, process *signatures.Process) {
	if len(process.Parents) > 0 {
		f.ParentName = cut(process.Parents[0])
		chain := slices.Clone(process.Parents)
		slices.Reverse(chain)
		setAttribute(f, "process.parents", cut(strings.Join(chain, " > ")))
	}
	// The names are those of the OpenTelemetry conventions
	// (https://opentelemetry.io/docs/specs/semconv/registry/attributes/k8s/).
	setAttribute(f, "k8s.pod.uid", process.PodUID)
	setAttribute(f, "k8s.pod.name", cut(process.PodName))
	setAttribute(f, "k8s.namespace.name", cut(process.PodNamespace))
}

// setAttribute sets what is not empty.
func setAttribute(f *finding.Finding, key, value string) {
	if value == "" {
		return
	}
	if f.Attributes == nil {
		f.Attributes = make(map[string]string)
	}
	f.Attributes[key] = value
}

// asset describes the signature's asset.
func asset(m *signatures.Match) finding.Asset {
	s := m.Signature
	return finding.Asset{
		Key: s.ID, Kind: string(s.Kind), Name: s.Name, SignatureID: s.ID,
		Provider: s.Provider.ID, Country: s.Provider.Country, Categories: slices.Clone(s.Categories),
		Role: string(m.Role()), Status: s.Status,
	}
}

// buildNetwork adds the peer. The server of a DNS lookup is the resolver, not
// the peer, and is left out. Whose connection it is follows from the client
// address where the agent looks at other hosts' traffic, or reads of it.
func (p *Pipeline) buildNetwork(f *finding.Finding, o *signatures.Observation) {
	if o.Kind != signatures.KindFlow {
		f.Protocol = string(o.Kind)
	}
	f.PeerName = o.Name
	f.BytesUp, f.BytesDown = o.Flow.BytesUp, o.Flow.BytesDown
	if o.Kind != signatures.KindDNS && o.Flow.Server.IsValid() {
		f.PeerAddress = o.Flow.Server.Addr().Unmap().String()
		f.PeerPort = o.Flow.Server.Port()
	}
	if (o.Remote || p.deps.Agent.Channel == "gateway" || p.config.Offline) && o.Flow.Client.IsValid() {
		f.ClientAddress = o.Flow.Client.Addr().Unmap().String()
	}
}

// applicationMatch is match for what an application says.
func (p *Pipeline) applicationMatch(set *signatures.Set, o *signatures.Observation, room *[signatures.MaxMatches]signatures.Match) []signatures.Match {
	matches := genai.Match(set, o, room[:0])
	if matches[0].Signature.ID == "" {
		p.counters.unknownApplications.Add(1)
	}
	p.counters.matches.Add(uint64(len(matches)))
	return matches
}

// buildApplication adds what the application says. The host is the agent's: an
// application on another host shows by its address, as at a gateway, and by the
// name that it gives its host.
func (p *Pipeline) buildApplication(f *finding.Finding, o *signatures.Observation, m *signatures.Match) {
	genai.Fill(f, o, m)
	genai.FillFamily(p.deps.Set, f, f.Model.Name)
	if client := o.Flow.Client.Addr().Unmap(); client.IsValid() && !client.IsLoopback() {
		f.ClientAddress = client.String()
	}
}

// modelMatch picks the one match that stands for a model file: its format's.
// A format that no signature describes is a match all the same, because the
// content proved it. A file that no format was proved of matches by its place only.
func (p *Pipeline) modelMatch(o *signatures.Observation, matches []signatures.Match, room *[signatures.MaxMatches]signatures.Match) []signatures.Match {
	if o.File.Format == "" {
		return matches
	}
	for i := range matches {
		if matches[i].Signature.Kind == signatures.AssetModelFormat {
			p.counters.modelPlaces.Add(uint64(len(matches) - 1))
			return matches[i : i+1]
		}
	}
	p.counters.modelPlaces.Add(uint64(len(matches)))
	p.counters.formatsWithoutSignature.Add(1)
	room[0] = signatures.Match{Signature: unknownFormat(), HitCount: 1, Confidence: 50}
	room[0].Hits[0] = signatures.Hit{Evidence: signatures.EvidenceFileFormat, Value: o.File.Format, Selector: o.File.Format}
	return room[:1]
}

// unknownFormat stands in for the signature of a format that has none.
func unknownFormat() *signatures.Signature {
	return &signatures.Signature{Kind: signatures.AssetModelFormat, Status: "active"}
}

func portList(ports []uint16) string {
	var list []string
	for _, port := range ports[:min(len(ports), maxPorts)] {
		list = append(list, strconv.Itoa(int(port)))
	}
	if len(ports) > maxPorts {
		list = append(list, "…")
	}
	return strings.Join(list, ",")
}

// cut bounds s to maxText bytes, at a character's end.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText-len("…")], "") + "…"
}

// base is the last element of a path of any system.
func base(p string) string { return path.Base(strings.ReplaceAll(p, `\`, "/")) }
