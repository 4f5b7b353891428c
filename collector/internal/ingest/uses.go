package ingest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Source is who sent a request.
type Source struct {
	ID      string // of the token that it bears
	Address string // that it came from, without a port
}

// AcceptUses is Accept for what applications say of their use of AI. It returns
// when the rows that count the uses are durable.
func (l *Line) AcceptUses(ctx context.Context, source Source, batch genai.Batch) (Result, error) {
	l.metrics.application(ctx, batch.Stats)
	result := Result{Accepted: int(batch.Stats.Records)}
	r := &request{told: l.tell(ctx, source, batch.Uses), done: make(chan error, 1)}
	if r.size() == 0 {
		return result, nil
	}
	if err := l.wait(ctx, r); err != nil {
		return Result{}, err
	}
	return result, nil
}

// tell makes findings of uses: what was used, by which application, on which
// host. Count, first and last sighting are what this request adds; window and id
// come with the fold.
func (l *Line) tell(ctx context.Context, source Source, uses []genai.Use) []finding.Finding {
	var list []finding.Finding
	now := l.now()
	for i := range uses {
		use := &uses[i]
		if use.Settle(now, l.config.Applications.MaxAge, l.config.ClockSkew) {
			l.metrics.oddTimes.Add(ctx, 1)
		}
		o := use.Observation()
		matches := genai.Match(l.catalogue, &o, nil)
		for m := range matches {
			f := finding.Finding{
				AgentID: "token:" + source.ID + "@" + l.run, Channel: finding.ChannelApplication, OwnerUnknown: "not_local",
				Catalogue: l.catalogue.Version(), FirstSeen: use.First, LastSeen: use.Last, Count: use.Count,
			}
			genai.Fill(&f, &o, &matches[m])
			genai.FillFamily(l.catalogue, &f, f.Model.Name)
			var how string
			f.HostName, how = hostOf(&o.Application, source)
			f.Attributes["host.source"] = how
			f.Fingerprint = finding.ComputeFingerprint(&f)
			list = append(list, f)
		}
	}
	return list
}

// hostOf is where an application runs by its own word, else the address that
// its telemetry came from; how says which. Many applications do not say: the SDKs
// tell service.name alone unless a resource detector is switched on.
func hostOf(a *signatures.Application, source Source) (name, how string) {
	for _, said := range []struct{ name, how string }{
		{a.Host, "host.name"},
		{a.Node, "k8s.node.name"},
		{a.Pod, "k8s.pod.name"},
		{a.Container, "container.id"},
		{source.Address, "sender"},
		{a.Instance, "service.instance.id"},
	} {
		if said.name != "" {
			return said.name, said.how
		}
	}
	return "unknown", "none"
}

// Applications says how uses are folded.
type Applications struct {
	// Window is how long sightings of one use are folded into one finding.
	Window time.Duration `yaml:"window"`
	// MaxFolds bounds the uses that are folded at a time; beyond it the window
	// ends early.
	MaxFolds int `yaml:"max_folds"`
	// MaxAge is how old a span may be; an older one counts as of now.
	MaxAge time.Duration `yaml:"max_age"`
}

// validate reports the first value that cannot work.
func (c Applications) validate() error {
	switch {
	case c.Window < time.Second || c.Window > 24*time.Hour:
		return errors.New("applications.window must lie between 1s and 24h")
	case c.MaxFolds < 1 || c.MaxFolds > 1_000_000:
		return errors.New("applications.max_folds must lie between 1 and 1000000")
	case c.MaxAge < time.Minute:
		return errors.New("applications.max_age must be at least 1m")
	}
	return nil
}

// newRun names one run of a collector. It is part of the agent id of what that
// run hears itself, so that no two collectors, and no collector that starts
// again within a window, ever write the same row.
func newRun() string {
	raw := make([]byte, 6)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw)
}
