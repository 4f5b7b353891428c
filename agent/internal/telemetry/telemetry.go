// Package telemetry sends the agent's own metrics and traces over OTLP/HTTP:
// the OpenTelemetry SDK collects, this package turns what it collected into
// OTLP messages. The SDK's exporters would bring gRPC.
//
// It imports nothing of ours: what is measured and how it is sent are functions
// that main gives it. It is off unless an endpoint is configured; the heartbeat
// carries the same counters in any case. Nothing that is seen on the host goes
// into a metric or span, only numbers about the agent.
//
// Metrics: gnomon.agent.events (counter; component, event), gnomon.agent.level
// (gauge; component, level), gnomon.agent.memory (gauge; By). Spans are bounded:
// what does not fit is dropped and counted as the event spans_dropped.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
)

// scope is the instrumentation scope of all that is sent.
const scope = "github.com/gnomon-ai/gnomon/agent"

// maxSpans bounds the ended spans that wait for the next sending.
const maxSpans = 512

// Config says how often the agent's own metrics are sent, where they are.
type Config struct {
	Endpoint  string        `yaml:"endpoint"` // base URL of an OTLP/HTTP receiver; "" switches this off
	TokenFile string        `yaml:"token_file"`
	CAFile    string        `yaml:"ca_file"`
	Interval  time.Duration `yaml:"interval"`
}

// DefaultConfig is switched off.
func DefaultConfig() Config { return Config{Interval: time.Minute} }

// Validate checks c; errors name the key of the configuration. The endpoint is
// checked by who connects to it.
func (c Config) Validate() error {
	if c.Interval < time.Second || c.Interval > time.Hour {
		return fmt.Errorf("interval: %v is not between 1s and 1h", c.Interval)
	}
	return nil
}

// Source is a component whose counters are sent. Names in Levels are what is
// there now; every other name only grows.
type Source struct {
	Component string
	Counters  func() map[string]uint64
	Levels    []string
}

// Deps is what telemetry works with.
type Deps struct {
	AgentID, HostName, Version string
	Sources                    []Source
	Metrics, Traces            func(ctx context.Context, request []byte) error
	Log                        *slog.Logger
}

// Telemetry sends until its Run ends.
type Telemetry struct {
	config   Config
	deps     Deps
	reader   *sdkmetric.ManualReader
	meters   *sdkmetric.MeterProvider
	tracers  *sdktrace.TracerProvider
	spans    *spanBuffer
	sent     atomic.Uint64
	failures atomic.Uint64
	failed   bool // the last sending; owned by Run
}

// New returns telemetry that measures but sends nothing before Run.
func New(config Config, deps Deps) (*Telemetry, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	of := resource.NewSchemaless(attribute.String("service.name", "gnomon-agent"), attribute.String("service.version", deps.Version),
		attribute.String("service.instance.id", deps.AgentID), attribute.String("host.name", deps.HostName))
	t := &Telemetry{config: config, deps: deps, reader: sdkmetric.NewManualReader(), spans: &spanBuffer{max: maxSpans}}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(t.reader), sdkmetric.WithResource(of))
	t.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(t.spans), sdktrace.WithResource(of))
	if err := t.instruments(); err != nil {
		return nil, fmt.Errorf("making instruments: %w", err)
	}
	return t, nil
}

// Tracer returns the tracer of the agent's parts.
func (t *Telemetry) Tracer() trace.Tracer { return t.tracers.Tracer(scope) }

// instruments registers what is measured. Everything is read when it is sent.
func (t *Telemetry) instruments() error {
	meter := t.meters.Meter(scope)
	events, err := meter.Int64ObservableCounter("gnomon.agent.events", metric.WithUnit("{event}"),
		metric.WithDescription("what the agent's parts handled, dropped and failed at"))
	if err != nil {
		return err
	}
	level, err := meter.Int64ObservableGauge("gnomon.agent.level", metric.WithUnit("1"),
		metric.WithDescription("what the agent's parts hold now"))
	if err != nil {
		return err
	}
	memory, err := meter.Int64ObservableGauge("gnomon.agent.memory", metric.WithUnit("By"),
		metric.WithDescription("memory that the agent has from the system"))
	if err != nil {
		return err
	}
	sources := append(slices.Clone(t.deps.Sources), Source{Component: "telemetry", Counters: t.Counters})
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, s := range sources {
			component := attribute.String("component", s.Component)
			for name, value := range s.Counters() {
				if slices.Contains(s.Levels, name) {
					o.ObserveInt64(level, int64(value), metric.WithAttributes(component, attribute.String("level", name)))
				} else {
					o.ObserveInt64(events, int64(value), metric.WithAttributes(component, attribute.String("event", name)))
				}
			}
		}
		o.ObserveInt64(memory, int64(systemMemory()))
		return nil
	}, events, level, memory)
	return err
}

// systemMemory is what the Go runtime has mapped and not given back.
func systemMemory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// Counters returns the totals by name.
func (t *Telemetry) Counters() map[string]uint64 {
	return map[string]uint64{"requests": t.sent.Load(), "failures": t.failures.Load(), "spans_dropped": t.spans.dropped.Load()}
}

// Run sends at every interval until ctx ends.
func (t *Telemetry) Run(ctx context.Context) error {
	ticker := time.NewTicker(t.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.Send(ctx)
		}
	}
}

// Send sends what there is, once. Failures are counted; metrics are totals and
// come again with the next sending, the spans of a failed one are given up.
func (t *Telemetry) Send(ctx context.Context) {
	err := t.send(ctx)
	if err != nil && ctx.Err() == nil && !t.failed {
		t.deps.Log.Warn("own metrics cannot be sent, trying again at every interval", "error", err)
	}
	t.failed = err != nil
}

func (t *Telemetry) send(ctx context.Context) error {
	var collected metricdata.ResourceMetrics
	if err := t.reader.Collect(ctx, &collected); err != nil {
		t.failures.Add(1)
		return fmt.Errorf("collecting metrics: %w", err)
	}
	if err := t.post(ctx, t.deps.Metrics, metricsMessage(&collected)); err != nil {
		return fmt.Errorf("sending metrics: %w", err)
	}
	ended := t.spans.take()
	if len(ended) == 0 {
		return nil
	}
	if err := t.post(ctx, t.deps.Traces, tracesMessage(ended)); err != nil {
		t.spans.dropped.Add(uint64(len(ended)))
		return fmt.Errorf("sending traces: %w", err)
	}
	return nil
}

// post encodes and sends one message.
func (t *Telemetry) post(ctx context.Context, send func(context.Context, []byte) error, message proto.Message) error {
	data, err := proto.Marshal(message)
	if err == nil {
		err = send(ctx, data)
	}
	if err != nil {
		t.failures.Add(1)
		return err
	}
	t.sent.Add(1)
	return nil
}
