package query

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/proto/finding"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

// stamp converts a time; the zero time is absent.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// moment converts back; absent is the zero time.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// NewFinding converts a finding to its message.
func NewFinding(f *finding.Finding) *gnomonv1.Finding {
	return &gnomonv1.Finding{
		Id: f.ID, Fingerprint: f.Fingerprint, Revision: f.Revision,
		AgentId: f.AgentID, HostName: f.HostName, HostId: f.HostID, Os: f.OS, Channel: f.Channel, Sensor: f.Sensor, Retro: f.Retro,
		WindowStart: stamp(f.WindowStart), WindowEnd: stamp(f.WindowEnd), FirstSeen: stamp(f.FirstSeen), LastSeen: stamp(f.LastSeen),
		Count: f.Count, Asset: newAsset(&f.Asset), Confidence: uint32(f.Confidence), Evidence: newEvidence(f.Evidence), Catalogue: f.Catalogue,
		User: f.User, ProcessName: f.ProcessName, ProcessPath: f.ProcessPath, ParentName: f.ParentName, Container: f.Container, OwnerUnknown: f.OwnerUnknown,
		Protocol: f.Protocol, PeerName: f.PeerName, PeerAddress: f.PeerAddress, PeerPort: uint32(f.PeerPort), ClientAddress: f.ClientAddress,
		BytesUp: f.BytesUp, BytesDown: f.BytesDown, Model: newModel(&f.Model), Attributes: f.Attributes,
	}
}

func newAsset(a *finding.Asset) *gnomonv1.Asset {
	return &gnomonv1.Asset{
		Key: a.Key, Kind: a.Kind, Name: a.Name, SignatureId: a.SignatureID, Provider: a.Provider, Country: a.Country,
		Categories: a.Categories, Role: a.Role, Status: a.Status,
	}
}

func newEvidence(list []finding.Evidence) []*gnomonv1.Evidence {
	out := make([]*gnomonv1.Evidence, len(list))
	for i, e := range list {
		out[i] = &gnomonv1.Evidence{Kind: e.Kind, Value: e.Value, Selector: e.Selector, Weak: e.Weak}
	}
	return out
}

// newModel converts a model; nil where nothing is known of one.
func newModel(m *finding.Model) *gnomonv1.Model {
	if *m == (finding.Model{}) {
		return nil
	}
	return &gnomonv1.Model{
		Path: m.Path, Format: m.Format, Name: m.Name, Family: m.Family, Architecture: m.Architecture, Publisher: m.Publisher,
		License: m.License, Quantization: m.Quantization, Parameters: m.Parameters, Sha256: m.SHA256, SizeBytes: m.SizeBytes,
		Store: m.Store, Problem: m.Problem,
	}
}

// newCoverage converts a coverage report.
func newCoverage(c *finding.Coverage) *gnomonv1.Coverage {
	blind := make([]*gnomonv1.Blind, len(c.Blind))
	for i, b := range c.Blind {
		blind[i] = &gnomonv1.Blind{Reason: b.Reason, Detail: b.Detail, Count: b.Count}
	}
	return &gnomonv1.Coverage{
		AgentId: c.AgentID, HostName: c.HostName, HostId: c.HostID, Os: c.OS, Channel: c.Channel, Version: c.Version,
		Sensor: c.Sensor, State: c.State, Reason: c.Reason, Since: stamp(c.Since), Until: stamp(c.Until), Blind: blind, Counters: c.Counters,
	}
}
