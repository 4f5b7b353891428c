package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/gnomon-ai/gnomon/collector/internal/reconcile"
	"github.com/gnomon-ai/gnomon/collector/internal/store"
)

// judgement is the worst of the verdicts over the parts of a usage, with what
// was in force for it.
type judgement struct {
	reconcile.Verdict
	revision, snapshot int64
}

// judgeUsage judges one usage from its segments, oldest first. previous is its
// stored row: what it says of the event stands as long as no finding was added.
func (j *Judge) judgeUsage(ctx context.Context, f *inForce, segments []store.UsageSegment, previous store.VerdictRow, known bool) (store.VerdictRow, error) {
	row := fold(segments)
	row.EvaluatedAt = j.now().UTC().Truncate(time.Millisecond)
	current, err := j.worst(ctx, f, segments, func(store.UsageSegment) (int64, time.Time) {
		return f.newestInventory(), j.now()
	})
	if err != nil {
		return row, err
	}
	row.VerdictCurrent, row.ReasonCurrent, row.EntryCurrent = string(current.Verdict.Verdict), current.ReasonText(), current.EntryID
	row.DimensionsCurrent, row.WalkCurrent, row.RevisionCurrent = current.Dimensions.Names(), walkText(current.Walk), uint64(current.revision)
	if known && !grown(&row, &previous) {
		keepEvent(&row, &previous)
		return row, nil
	}
	event, err := j.worst(ctx, f, segments, func(s store.UsageSegment) (int64, time.Time) {
		if s.Revisions == 0 {
			return 0, s.FirstSeen
		}
		return f.revisions[s.Revisions-1].Number, s.FirstSeen
	})
	if err != nil {
		return row, err
	}
	row.VerdictAtEvent, row.ReasonAtEvent, row.EntryID = string(event.Verdict.Verdict), event.ReasonText(), event.EntryID
	row.Dimensions, row.Walk = event.Dimensions.Names(), walkText(event.Walk)
	row.InventoryRevision, row.DirectorySnapshot = uint64(event.revision), uint64(event.snapshot)
	return row, nil
}

// grown reports whether findings were added to a usage since it was judged.
func grown(now, before *store.VerdictRow) bool {
	return now.Count != before.Count || !now.FirstSeen.Equal(before.FirstSeen) || !now.LastSeen.Equal(before.LastSeen) ||
		now.Confidence != before.Confidence || !slices.Equal(now.Domains, before.Domains)
}

func keepEvent(row, previous *store.VerdictRow) {
	row.VerdictAtEvent, row.ReasonAtEvent, row.EntryID = previous.VerdictAtEvent, previous.ReasonAtEvent, previous.EntryID
	row.Dimensions, row.Walk = previous.Dimensions, previous.Walk
	row.InventoryRevision, row.DirectorySnapshot = previous.InventoryRevision, previous.DirectorySnapshot
	row.Catalogue, row.EvaluatedAt = previous.Catalogue, previous.EvaluatedAt
}

// worst judges every part of a usage and returns the worst verdict with its
// walk. inForceFor names, for a segment, the inventory revision and the instant
// whose directory counts. Of equally bad parts the first one stands.
func (j *Judge) worst(ctx context.Context, f *inForce, segments []store.UsageSegment,
	inForceFor func(store.UsageSegment) (revision int64, directoryAt time.Time),
) (judgement, error) {
	var chosen judgement
	var explain func() reconcile.Verdict
	for i := range segments {
		revision, at := inForceFor(segments[i])
		rules, err := f.rulesOf(ctx, revision)
		if err != nil {
			return chosen, err
		}
		snapshot, directory, err := f.directoryAt(ctx, at)
		if err != nil {
			return chosen, err
		}
		for _, usage := range parts(&segments[i], directory) {
			verdict := rules.Judge(&usage)
			words := []reconcile.Word{chosen.Verdict.Verdict, verdict.Verdict}
			if explain != nil && reconcile.Headline(j.config.Verdicts.HeadlineOrder, words) == chosen.Verdict.Verdict {
				continue
			}
			chosen = judgement{verdict, revision, snapshot}
			explain = func() reconcile.Verdict { return rules.JudgeExplain(&usage) }
		}
	}
	chosen.Verdict = explain()
	return chosen, nil
}

// parts returns the usages that a segment stands for: one for each host name
// and channel seen, because an entry may name one of them alone. Where more
// host names were seen than the store lists, one part has none.
func parts(s *store.UsageSegment, directory *inventory.DirectoryIndex) []reconcile.Usage {
	base := reconcile.Usage{
		AssetKey: s.AssetKey, SignatureID: s.SignatureID, Provider: s.Provider, Kind: s.AssetKind,
		Model: reconcile.Model{
			Name: s.ModelName, Family: s.ModelFamily, SHA256: s.ModelSHA256,
			Publisher: s.ModelPublisher, Format: s.ModelFormat, License: s.ModelLicense,
		},
		Confidence: s.Confidence, Host: s.Host, User: s.User,
		At: eventTime(s),
	}
	switch s.AssetKind {
	case "app", "agent", "runtime":
		base.Software = reconcile.Software{Publisher: s.Provider, Name: s.AssetName}
	}
	if directory != nil {
		base.HostLabels, base.Network = directory.Labels(s.Host), directory.Network(s.Host)
		if s.User != "" {
			base.Groups = directory.Groups(s.User)
		}
	}
	base.Addresses = addressesOf(s)
	domains := s.Domains
	if len(domains) == 0 || s.DomainCount > uint64(len(domains)) {
		domains = append([]string{""}, domains...)
	}
	channels := s.Channels
	if len(channels) == 0 {
		channels = []string{""}
	}
	list := make([]reconcile.Usage, 0, len(domains)*len(channels))
	for _, domain := range domains {
		for _, channel := range channels {
			usage := base
			usage.Domain, usage.Channel = domain, channel
			list = append(list, usage)
		}
	}
	return list
}

// addressesOf returns the client addresses seen. All of them must lie in a
// scope's networks, so where the store does not list all they are unknown.
func addressesOf(s *store.UsageSegment) []netip.Addr {
	if s.ClientAddressCount > uint64(len(s.ClientAddresses)) {
		return nil
	}
	var list []netip.Addr
	for _, text := range s.ClientAddresses {
		if address, err := netip.ParseAddr(text); err == nil {
			list = append(list, address)
		}
	}
	return list
}

// eventTime is the instant that validity is held against. Dates of an inventory
// begin at midnight UTC as days of usage do, so the last sighting stands for
// the day, kept inside it where a window reached over midnight.
func eventTime(s *store.UsageSegment) time.Time {
	if end := s.Day.Add(24*time.Hour - time.Nanosecond); s.LastSeen.After(end) {
		return end
	}
	return s.LastSeen
}

// fold makes one row of the segments of a usage.
func fold(segments []store.UsageSegment) store.VerdictRow {
	first := &segments[0]
	row := store.VerdictRow{
		AssetKey: first.AssetKey, Host: first.Host, User: first.User, Day: first.Day,
		FirstSeen: first.FirstSeen, LastSeen: first.LastSeen,
	}
	for i := range segments {
		s := &segments[i]
		if i == 0 || s.Confidence >= row.Confidence {
			row.Confidence = s.Confidence
			row.AssetName, row.AssetKind, row.Provider, row.Channel, row.Catalogue = s.AssetName, s.AssetKind, s.Provider, s.Channel, s.Catalogue
		}
		row.Count += s.Count
		row.Domains = append(row.Domains, s.Domains...)
		row.Processes = append(row.Processes, s.Processes...)
		if more := s.ProcessCount - uint64(len(s.Processes)); s.ProcessCount > uint64(len(s.Processes)) {
			row.Processes = append(row.Processes, fmt.Sprintf("(and %d more)", more))
		}
		if s.FirstSeen.Before(row.FirstSeen) {
			row.FirstSeen = s.FirstSeen
		}
		if s.LastSeen.After(row.LastSeen) {
			row.LastSeen = s.LastSeen
		}
	}
	for _, list := range []*[]string{&row.Domains, &row.Processes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return row
}

// WalkStep is one entry of a stored walk.
type WalkStep struct {
	Entry    string   `json:"entry"`
	Level    int      `json:"level"`
	Status   string   `json:"status"`
	Effect   string   `json:"effect"`
	Reason   string   `json:"reason,omitempty"`
	Mismatch []string `json:"mismatch,omitempty"`
	Unknown  []string `json:"unknown,omitempty"`
	Ceiling  bool     `json:"ceiling,omitempty"`
}

// walkText is a walk as it is stored: a JSON list of WalkStep.
func walkText(walk []reconcile.Step) string {
	steps := make([]WalkStep, len(walk))
	for i, s := range walk {
		steps[i] = WalkStep{
			Entry: s.EntryID, Level: s.Level, Status: string(s.Status), Effect: string(s.Effect), Reason: string(s.Reason),
			Mismatch: s.Mismatch.Names(), Unknown: s.Unknown.Names(), Ceiling: s.Ceiling,
		}
	}
	text, err := json.Marshal(steps)
	if err != nil {
		return "[]" // strings, numbers and booleans always marshal
	}
	return string(text)
}
