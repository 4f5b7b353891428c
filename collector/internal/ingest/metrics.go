package ingest

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gnomon-ai/gnomon/proto/genai"
)

// metrics counts everything that moves along the line.
type metrics struct {
	accepted metric.Int64Counter   // findings and coverage reports stored, by kind
	rejected metric.Int64Counter   // records refused for good, by reason
	refused  metric.Int64Counter   // requests to be sent again, by reason
	inserts  metric.Int64Counter   // inserts, by outcome
	batch    metric.Int64Histogram // findings in an insert
	recovers metric.Int64Counter   // panics caught while decoding

	records    metric.Int64Counter // spans and log records of applications, by what they say
	dropped    metric.Int64Counter // parts of them that were not read, by kind
	oddTimes   metric.Int64Counter // uses whose time could not be
	foldsEarly metric.Int64Counter // windows that ended early
	doubtful   metric.Int64Counter // rows that may count sightings whose senders gave up
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	var (
		m    metrics
		errs [11]error
	)
	m.accepted, errs[0] = meter.Int64Counter("gnomon.collector.accepted", metric.WithDescription("records stored durably"))
	m.rejected, errs[1] = meter.Int64Counter("gnomon.collector.rejected", metric.WithDescription("records refused for good"))
	m.refused, errs[2] = meter.Int64Counter("gnomon.collector.refused", metric.WithDescription("requests that the sender is to repeat"))
	m.inserts, errs[3] = meter.Int64Counter("gnomon.collector.inserts", metric.WithDescription("inserts into the store"))
	m.batch, errs[4] = meter.Int64Histogram("gnomon.collector.batch", metric.WithDescription("findings in one insert"))
	m.recovers, errs[5] = meter.Int64Counter("gnomon.collector.recovers", metric.WithDescription("panics caught while decoding"))
	m.records, errs[6] = meter.Int64Counter("gnomon.collector.application_records", metric.WithDescription("spans and log records of applications, by what they say"))
	m.dropped, errs[7] = meter.Int64Counter("gnomon.collector.application_dropped", metric.WithDescription("values and attributes of applications that were not read"))
	m.oddTimes, errs[8] = meter.Int64Counter("gnomon.collector.application_odd_times", metric.WithDescription("uses whose time could not be, counted as of now"))
	m.foldsEarly, errs[9] = meter.Int64Counter("gnomon.collector.application_windows_early", metric.WithDescription("windows that ended early because too many uses were folded"))
	m.doubtful, errs[10] = meter.Int64Counter("gnomon.collector.application_doubtful", metric.WithDescription("rows of applications that may count sightings whose senders were told to repeat them and did not"))
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("making instruments: %w", err)
		}
	}
	return &m, nil
}

func (m *metrics) reject(ctx context.Context, reasons map[Reason]int) {
	for reason, n := range reasons {
		m.rejected.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", string(reason))))
	}
}

func (m *metrics) refuse(ctx context.Context, reason string) {
	m.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason)))
}

func (m *metrics) accept(ctx context.Context, findings, coverage int) {
	m.accepted.Add(ctx, int64(findings), metric.WithAttributes(attribute.String("kind", "finding")))
	m.accepted.Add(ctx, int64(coverage), metric.WithAttributes(attribute.String("kind", "coverage")))
}

func (m *metrics) insert(ctx context.Context, outcome string) {
	m.inserts.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// application counts what the records of a request say.
func (m *metrics) application(ctx context.Context, stats genai.Stats) {
	for says, n := range map[string]uint64{"gen_ai": stats.Named, "unnamed": stats.Unnamed, "foreign": stats.Foreign} {
		if n > 0 {
			m.records.Add(ctx, int64(n), metric.WithAttributes(attribute.String("says", says)))
		}
	}
	for kind, n := range map[string]uint64{"value": stats.DroppedValues, "attribute": stats.AttributesUnread} {
		if n > 0 {
			m.dropped.Add(ctx, int64(n), metric.WithAttributes(attribute.String("kind", kind)))
		}
	}
}
