package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/collector/internal/output"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
	"github.com/gnomon-ai/gnomon/proto/gnomon/v1/gnomonv1connect"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// listFlags are the flags of every list.
type listFlags struct {
	connection
	since, until, host, user, asset, sensor, verdict, output string
	limit                                                    uint32
}

func (l *listFlags) addFlags(c *cobra.Command) {
	l.connection.addFlags(c)
	f := c.Flags()
	f.StringVar(&l.since, "since", "", "from this date or time on, or this long ago (2026-11-01, 24h, 30d)")
	f.StringVar(&l.until, "until", "", "before this date or time")
	f.StringVar(&l.host, "host", "", "of this host")
	f.StringVar(&l.output, "output", string(output.Table), "table, jsonl or csv")
	f.Uint32Var(&l.limit, "limit", 0, "at most so many rows (default 1000)")
}

func (l *listFlags) filter() (*gnomonv1.Filter, error) {
	since, err := parseMoment(l.since, time.Now())
	if err != nil {
		return nil, usageError{fmt.Errorf("--since: %w", err)}
	}
	until, err := parseMoment(l.until, time.Now())
	if err != nil {
		return nil, usageError{fmt.Errorf("--until: %w", err)}
	}
	return &gnomonv1.Filter{
		Since: since, Until: until, Host: l.host, User: l.user, Asset: l.asset, Sensor: l.sensor, Verdict: l.verdict, Limit: l.limit,
	}, nil
}

// parseMoment reads a date, a time or a duration before now; "" is absent.
func parseMoment(text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // absent is a legal value of a filter
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return timestamppb.New(at), nil
		}
	}
	if ago, err := strictyaml.ParseDuration(text); err == nil {
		return timestamppb.New(now.Add(-ago)), nil
	}
	return nil, fmt.Errorf("%q is neither a date (2026-11-01), a time (2026-11-01T09:00:00Z) nor a duration (24h, 30d)", text)
}

// newListCommand makes a command that asks for rows and writes them.
func newListCommand[T any](c *cobra.Command, extra func(*cobra.Command, *listFlags), columns []output.Column[T],
	ask func(context.Context, *listFlags, *gnomonv1.Filter) ([]T, bool, error),
) *cobra.Command {
	flags := &listFlags{}
	flags.addFlags(c)
	if extra != nil {
		extra(c, flags)
	}
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		format, err := output.ParseFormat(flags.output)
		if err != nil {
			return usageError{fmt.Errorf("--output: %w", err)}
		}
		filter, err := flags.filter()
		if err != nil {
			return err
		}
		rows, truncated, err := ask(c.Context(), flags, filter)
		if err != nil {
			return complaint(err)
		}
		if err := output.Write(c.OutOrStdout(), format, columns, rows); err != nil {
			return err
		}
		if truncated {
			fmt.Fprintf(c.ErrOrStderr(), "the list was cut at %d rows: narrow it or raise --limit\n", len(rows))
		}
		return nil
	}
	return c
}

func userAssetFlags(c *cobra.Command, l *listFlags) {
	c.Flags().StringVar(&l.user, "user", "", "of this user")
	c.Flags().StringVar(&l.asset, "asset", "", "of this asset key, e.g. openai.api")
}

func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func newVerdictsCommand() *cobra.Command {
	type row = *gnomonv1.UsageVerdict
	columns := []output.Column[row]{
		{Name: "day", Value: func(r row) any { return r.GetUsage().GetDay() }},
		{Name: "verdict", Value: func(r row) any { return r.GetCurrent().GetVerdict() }},
		{Name: "reason", Value: func(r row) any { return r.GetCurrent().GetReason() }},
		{Name: "entry", Value: func(r row) any { return r.GetCurrent().GetEntryId() }},
		{Name: "asset", Max: 36, Value: func(r row) any { return r.GetUsage().GetAsset().GetKey() }},
		{Name: "asset_name", Wide: true, Value: func(r row) any { return r.GetUsage().GetAsset().GetName() }},
		{Name: "kind", Value: func(r row) any { return r.GetUsage().GetAsset().GetKind() }},
		{Name: "provider", Wide: true, Value: func(r row) any { return r.GetUsage().GetAsset().GetProvider() }},
		{Name: "host", Value: func(r row) any { return r.GetUsage().GetHost() }},
		{Name: "user", Value: func(r row) any { return r.GetUsage().GetUser() }},
		{Name: "processes", Max: 30, Value: func(r row) any { return r.GetUsage().GetProcesses() }},
		{Name: "count", Value: func(r row) any { return r.GetUsage().GetCount() }},
		{Name: "confidence", Wide: true, Value: func(r row) any { return r.GetUsage().GetConfidence() }},
		{Name: "first_seen", Wide: true, Value: func(r row) any { return moment(r.GetUsage().GetFirstSeen()) }},
		{Name: "last_seen", Wide: true, Value: func(r row) any { return moment(r.GetUsage().GetLastSeen()) }},
		{Name: "dimensions", Wide: true, Value: func(r row) any { return r.GetCurrent().GetDimensions() }},
		{Name: "inventory_revision", Wide: true, Value: func(r row) any { return r.GetCurrent().GetInventoryRevision() }},
		{Name: "verdict_at_event", Wide: true, Value: func(r row) any { return r.GetAtEvent().GetVerdict() }},
		{Name: "reason_at_event", Wide: true, Value: func(r row) any { return r.GetAtEvent().GetReason() }},
		{Name: "entry_at_event", Wide: true, Value: func(r row) any { return r.GetAtEvent().GetEntryId() }},
		{Name: "inventory_revision_at_event", Wide: true, Value: func(r row) any { return r.GetAtEvent().GetInventoryRevision() }},
		{Name: "directory_snapshot_at_event", Wide: true, Value: func(r row) any { return r.GetAtEvent().GetDirectorySnapshot() }},
		{Name: "catalogue", Wide: true, Value: func(r row) any { return r.GetAtEvent().GetCatalogue() }},
	}
	return newListCommand(&cobra.Command{
		Use:     "verdicts",
		Short:   "List each use of AI with its verdict and reason",
		Example: "  gnomon-collector verdicts --since 7d\n  gnomon-collector verdicts --verdict unsanctioned --output jsonl",
	}, func(c *cobra.Command, l *listFlags) {
		userAssetFlags(c, l)
		c.Flags().StringVar(&l.verdict, "verdict", "", "sanctioned, out_of_scope, expired, prohibited, unsanctioned or unknown")
	}, columns, func(ctx context.Context, l *listFlags, f *gnomonv1.Filter) ([]row, bool, error) {
		client, url, err := l.client()
		if err != nil {
			return nil, false, err
		}
		r, err := gnomonv1connect.NewVerdictServiceClient(client, url).ListVerdicts(ctx, &gnomonv1.ListVerdictsRequest{Filter: f})
		return r.GetVerdicts(), r.GetTruncated(), err
	})
}

func newUsageCommand() *cobra.Command {
	type row = *gnomonv1.Usage
	columns := []output.Column[row]{
		{Name: "day", Value: func(r row) any { return r.GetDay() }},
		{Name: "asset", Max: 36, Value: func(r row) any { return r.GetAsset().GetKey() }},
		{Name: "asset_name", Value: func(r row) any { return r.GetAsset().GetName() }},
		{Name: "kind", Value: func(r row) any { return r.GetAsset().GetKind() }},
		{Name: "provider", Wide: true, Value: func(r row) any { return r.GetAsset().GetProvider() }},
		{Name: "host", Value: func(r row) any { return r.GetHost() }},
		{Name: "user", Value: func(r row) any { return r.GetUser() }},
		{Name: "processes", Max: 30, Value: func(r row) any { return r.GetProcesses() }},
		{Name: "sensors", Max: 30, Value: func(r row) any { return r.GetSensors() }},
		{Name: "channels", Wide: true, Value: func(r row) any { return r.GetChannels() }},
		{Name: "count", Value: func(r row) any { return r.GetCount() }},
		{Name: "confidence", Value: func(r row) any { return r.GetConfidence() }},
		{Name: "first_seen", Wide: true, Value: func(r row) any { return moment(r.GetFirstSeen()) }},
		{Name: "last_seen", Wide: true, Value: func(r row) any { return moment(r.GetLastSeen()) }},
	}
	return newListCommand(&cobra.Command{
		Use:     "usage",
		Short:   "List use of AI: asset, host, user and day",
		Example: "  gnomon-collector usage --since 24h --host laptop-7",
	}, userAssetFlags, columns, func(ctx context.Context, l *listFlags, f *gnomonv1.Filter) ([]row, bool, error) {
		client, url, err := l.client()
		if err != nil {
			return nil, false, err
		}
		r, err := gnomonv1connect.NewUsageServiceClient(client, url).ListUsage(ctx, &gnomonv1.ListUsageRequest{Filter: f})
		return r.GetUsage(), r.GetTruncated(), err
	})
}

func newFindingsCommand() *cobra.Command {
	type row = *gnomonv1.Finding
	columns := []output.Column[row]{
		{Name: "last_seen", Value: func(r row) any { return moment(r.GetLastSeen()) }},
		{Name: "asset", Max: 36, Value: func(r row) any { return r.GetAsset().GetKey() }},
		{Name: "kind", Value: func(r row) any { return r.GetAsset().GetKind() }},
		{Name: "host", Value: func(r row) any { return r.GetHostName() }},
		{Name: "user", Value: func(r row) any { return r.GetUser() }},
		{Name: "process", Value: func(r row) any { return r.GetProcessName() }},
		{Name: "evidence", Max: 60, Value: evidenceText},
		{Name: "count", Value: func(r row) any { return r.GetCount() }},
		{Name: "confidence", Value: func(r row) any { return r.GetConfidence() }},
		{Name: "id", Wide: true, Value: func(r row) any { return r.GetId() }},
		{Name: "fingerprint", Wide: true, Value: func(r row) any { return r.GetFingerprint() }},
		{Name: "revision", Wide: true, Value: func(r row) any { return r.GetRevision() }},
		{Name: "agent_id", Wide: true, Value: func(r row) any { return r.GetAgentId() }},
		{Name: "channel", Wide: true, Value: func(r row) any { return r.GetChannel() }},
		{Name: "sensor", Wide: true, Value: func(r row) any { return r.GetSensor() }},
		{Name: "window_start", Wide: true, Value: func(r row) any { return moment(r.GetWindowStart()) }},
		{Name: "window_end", Wide: true, Value: func(r row) any { return moment(r.GetWindowEnd()) }},
		{Name: "first_seen", Wide: true, Value: func(r row) any { return moment(r.GetFirstSeen()) }},
		{Name: "asset_name", Wide: true, Value: func(r row) any { return r.GetAsset().GetName() }},
		{Name: "signature", Wide: true, Value: func(r row) any { return r.GetAsset().GetSignatureId() }},
		{Name: "provider", Wide: true, Value: func(r row) any { return r.GetAsset().GetProvider() }},
		{Name: "country", Wide: true, Value: func(r row) any { return r.GetAsset().GetCountry() }},
		{Name: "role", Wide: true, Value: func(r row) any { return r.GetAsset().GetRole() }},
		{Name: "process_path", Wide: true, Value: func(r row) any { return r.GetProcessPath() }},
		{Name: "owner_unknown", Wide: true, Value: func(r row) any { return r.GetOwnerUnknown() }},
		{Name: "peer_name", Wide: true, Value: func(r row) any { return r.GetPeerName() }},
		{Name: "peer_address", Wide: true, Value: func(r row) any { return r.GetPeerAddress() }},
		{Name: "peer_port", Wide: true, Value: func(r row) any { return r.GetPeerPort() }},
		{Name: "model_path", Wide: true, Value: func(r row) any { return r.GetModel().GetPath() }},
		{Name: "model_format", Wide: true, Value: func(r row) any { return r.GetModel().GetFormat() }},
		{Name: "model_name", Wide: true, Value: func(r row) any { return r.GetModel().GetName() }},
		{Name: "catalogue", Wide: true, Value: func(r row) any { return r.GetCatalogue() }},
	}
	return newListCommand(&cobra.Command{
		Use:     "findings",
		Short:   "List findings with their evidence",
		Example: "  gnomon-collector findings --since 1h --sensor network",
	}, func(c *cobra.Command, l *listFlags) {
		userAssetFlags(c, l)
		c.Flags().StringVar(&l.sensor, "sensor", "", "of this sensor: network, process, file or application")
	}, columns, func(ctx context.Context, l *listFlags, f *gnomonv1.Filter) ([]row, bool, error) {
		client, url, err := l.client()
		if err != nil {
			return nil, false, err
		}
		r, err := gnomonv1connect.NewFindingServiceClient(client, url).ListFindings(ctx, &gnomonv1.ListFindingsRequest{Filter: f})
		return r.GetFindings(), r.GetTruncated(), err
	})
}

// evidenceText is all evidence of a finding, strongest first.
func evidenceText(f *gnomonv1.Finding) any {
	var list []string
	for _, e := range f.GetEvidence() {
		list = append(list, e.GetKind()+"="+e.GetValue())
	}
	return list
}

func newCoverageCommand() *cobra.Command {
	type row = *gnomonv1.Coverage
	columns := []output.Column[row]{
		{Name: "host", Value: func(r row) any { return r.GetHostName() }},
		{Name: "sensor", Value: func(r row) any { return r.GetSensor() }},
		{Name: "state", Value: func(r row) any { return r.GetState() }},
		{Name: "until", Value: func(r row) any { return moment(r.GetUntil()) }},
		{Name: "blind", Value: func(r row) any {
			var list []string
			for _, b := range r.GetBlind() {
				list = append(list, fmt.Sprintf("%s:%d", b.GetReason(), b.GetCount()))
			}
			return list
		}},
		{Name: "reason", Value: func(r row) any { return strings.TrimSpace(r.GetReason()) }},
		{Name: "since", Wide: true, Value: func(r row) any { return moment(r.GetSince()) }},
		{Name: "agent_id", Wide: true, Value: func(r row) any { return r.GetAgentId() }},
		{Name: "version", Wide: true, Value: func(r row) any { return r.GetVersion() }},
		{Name: "channel", Wide: true, Value: func(r row) any { return r.GetChannel() }},
		{Name: "counters", Wide: true, Value: func(r row) any { return r.GetCounters() }},
	}
	return newListCommand(&cobra.Command{
		Use:     "coverage",
		Short:   "List what each agent's sensors looked at and could not see",
		Example: "  gnomon-collector coverage --host laptop-7",
	}, func(c *cobra.Command, l *listFlags) {
		c.Flags().StringVar(&l.sensor, "sensor", "", "of this sensor")
	}, columns, func(ctx context.Context, l *listFlags, f *gnomonv1.Filter) ([]row, bool, error) {
		client, url, err := l.client()
		if err != nil {
			return nil, false, err
		}
		r, err := gnomonv1connect.NewFindingServiceClient(client, url).ListCoverage(ctx, &gnomonv1.ListCoverageRequest{Filter: f})
		return r.GetCoverage(), r.GetTruncated(), err
	})
}
