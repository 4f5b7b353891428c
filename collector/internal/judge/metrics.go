package judge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// metrics counts what the judge does.
type metrics struct {
	passes   metric.Int64Counter     // complete ones
	failed   metric.Int64Counter     // passes that ended early
	judged   metric.Int64Counter     // usages judged
	written  metric.Int64Counter     // verdicts that were new or differed
	changes  metric.Int64Counter     // current verdicts that became another
	duration metric.Float64Histogram // of complete passes, in seconds
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	var (
		m    metrics
		errs [6]error
	)
	m.passes, errs[0] = meter.Int64Counter("gnomon.collector.judge_passes", metric.WithDescription("complete passes over changed usage"))
	m.failed, errs[1] = meter.Int64Counter("gnomon.collector.judge_failures", metric.WithDescription("passes that ended early"))
	m.judged, errs[2] = meter.Int64Counter("gnomon.collector.usages_judged", metric.WithDescription("usages judged"))
	m.written, errs[3] = meter.Int64Counter("gnomon.collector.verdicts_written", metric.WithDescription("verdicts that were new or differed"))
	m.changes, errs[4] = meter.Int64Counter("gnomon.collector.verdict_changes", metric.WithDescription("current verdicts that became another"))
	m.duration, errs[5] = meter.Float64Histogram("gnomon.collector.judge_duration", metric.WithUnit("s"), metric.WithDescription("time of a complete pass"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("making instruments: %w", err)
	}
	return &m, nil
}

func (m *metrics) pass(ctx context.Context, took time.Duration) {
	m.passes.Add(ctx, 1)
	m.duration.Record(ctx, took.Seconds())
}
