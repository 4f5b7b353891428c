package ingest

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics counts everything that moves along the line.
type metrics struct {
	accepted metric.Int64Counter   // findings and coverage reports stored, by kind
	rejected metric.Int64Counter   // records refused for good, by reason
	refused  metric.Int64Counter   // requests to be sent again, by reason
	inserts  metric.Int64Counter   // inserts, by outcome
	batch    metric.Int64Histogram // findings in an insert
	recovers metric.Int64Counter   // panics caught while decoding
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	var (
		m    metrics
		errs [6]error
	)
	m.accepted, errs[0] = meter.Int64Counter("gnomon.collector.accepted", metric.WithDescription("records stored durably"))
	m.rejected, errs[1] = meter.Int64Counter("gnomon.collector.rejected", metric.WithDescription("records refused for good"))
	m.refused, errs[2] = meter.Int64Counter("gnomon.collector.refused", metric.WithDescription("requests that the sender is to repeat"))
	m.inserts, errs[3] = meter.Int64Counter("gnomon.collector.inserts", metric.WithDescription("inserts into the store"))
	m.batch, errs[4] = meter.Int64Histogram("gnomon.collector.batch", metric.WithDescription("findings in one insert"))
	m.recovers, errs[5] = meter.Int64Counter("gnomon.collector.recovers", metric.WithDescription("panics caught while decoding"))
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
