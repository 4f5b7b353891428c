// Package telemetry carries the collector's own metrics and traces through
// OpenTelemetry: metrics are read as Prometheus text, traces are sent to an
// OTLP/HTTP endpoint where one is configured.
//
// It may import the OpenTelemetry SDK and its exporters. It names no
// instrument: each package makes its own on the meter it is given.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Config says where traces go.
type Config struct {
	// TracesEndpoint is the URL of an OTLP/HTTP traces receiver, e.g.
	// https://otel.example:4318/v1/traces; empty sends none.
	TracesEndpoint string `yaml:"traces_endpoint"`
	// TraceShare is the share of requests traced, 0 to 1.
	TraceShare float64 `yaml:"trace_share"`
}

// Default sends no traces.
func Default() Config { return Config{TraceShare: 0.01} }

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	if c.TracesEndpoint != "" {
		u, err := url.Parse(c.TracesEndpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("traces_endpoint must be an http or https URL, is %q", c.TracesEndpoint)
		}
	}
	if c.TraceShare < 0 || c.TraceShare > 1 {
		return fmt.Errorf("trace_share must lie between 0 and 1, is %g", c.TraceShare)
	}
	return nil
}

// Telemetry owns the providers of one daemon.
type Telemetry struct {
	metrics  *sdkmetric.MeterProvider
	traces   *sdktrace.TracerProvider
	registry *prometheus.Registry
}

// New makes the providers. Nothing is sent before the first span ends.
func New(ctx context.Context, config Config, version string) (*Telemetry, error) {
	identity := resource.NewSchemaless(semconv.ServiceName("gnomon-collector"), semconv.ServiceVersion(version))
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("making the metrics exporter: %w", err)
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(identity),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(config.TraceShare))),
	}
	if config.TracesEndpoint != "" {
		sender, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(config.TracesEndpoint))
		if err != nil {
			return nil, fmt.Errorf("making the trace exporter: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(sender))
	}
	return &Telemetry{
		metrics:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(identity)),
		traces:   sdktrace.NewTracerProvider(options...),
		registry: registry,
	}, nil
}

// Meter returns the meter that packages make their instruments on.
func (t *Telemetry) Meter() metric.Meter {
	return t.metrics.Meter("github.com/gnomon-ai/gnomon/collector")
}

// Tracer returns the tracer of the daemon.
func (t *Telemetry) Tracer() trace.Tracer {
	return t.traces.Tracer("github.com/gnomon-ai/gnomon/collector")
}

// Handler serves the metrics as Prometheus text.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}

// Shutdown sends what is left and ends both providers.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if err := errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx)); err != nil {
		return fmt.Errorf("ending telemetry: %w", err)
	}
	return nil
}
