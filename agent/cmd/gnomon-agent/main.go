// Command gnomon-agent finds the AI in use on a host and streams findings to a
// collector.
//
// This file holds the wiring: the literal list of sensors, and what is started
// and stopped in which order. Each command has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/gnomon-ai/gnomon/agent/internal/application"
	"github.com/gnomon-ai/gnomon/agent/internal/export"
	"github.com/gnomon-ai/gnomon/agent/internal/files"
	"github.com/gnomon-ai/gnomon/agent/internal/heartbeat"
	"github.com/gnomon-ai/gnomon/agent/internal/identity"
	"github.com/gnomon-ai/gnomon/agent/internal/logs"
	"github.com/gnomon-ai/gnomon/agent/internal/network"
	"github.com/gnomon-ai/gnomon/agent/internal/outbox"
	"github.com/gnomon-ai/gnomon/agent/internal/owner"
	"github.com/gnomon-ai/gnomon/agent/internal/packs"
	"github.com/gnomon-ai/gnomon/agent/internal/pipeline"
	"github.com/gnomon-ai/gnomon/agent/internal/process"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/agent/internal/spool"
	"github.com/gnomon-ai/gnomon/agent/internal/telemetry"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// drainTime is how long the end of the process may take to send what is left.
// What is not sent then stays in the spool.
const drainTime = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// sensors is the list of all sensors. Adding one is a line here, and its
// configuration in tree. opened is told of connections as they begin; follows
// says of which the further bytes count, and may be nil.
func sensors(t *tree, opened func(signatures.Flow), follows func(signatures.Flow) bool, log *slog.Logger) []*runner {
	t.Network.Gateway = t.Channel == "gateway"
	wire := network.New(t.Network, log)
	wire.Follow(follows)
	if len(t.Network.CaptureFiles) == 0 {
		wire.OnOpen(opened)
	}
	told := application.New(t.Application, log)
	told.OnOpen(opened)
	return []*runner{
		{enabled: t.Network.Enabled, sensor: wire},
		{enabled: t.Process.Enabled, sensor: process.New(t.Process, log)},
		{enabled: t.File.Enabled, sensor: files.New(t.File, log)},
		{enabled: t.Application.Enabled, sensor: told},
		{enabled: t.Log.Enabled, sensor: logs.New(t.Log, t.StateDir, log)},
	}
}

// agent is everything that `run` starts.
type agent struct {
	log       *slog.Logger
	spool     *spool.Spool
	export    *export.Exporter
	outbox    *outbox.Outbox
	pipeline  *pipeline.Pipeline
	owner     *owner.Resolver
	sensors   []*runner
	packs     *packs.Watcher
	heartbeat *heartbeat.Heartbeat
	telemetry *telemetry.Telemetry // nil where switched off
	posters   []*export.Poster
}

// assemble makes every part and starts none.
func assemble(t *tree, signed *chosen, log *slog.Logger) (_ *agent, err error) {
	if err := os.MkdirAll(t.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("making state_dir: %w", err)
	}
	id, err := identity.Load(t.StateDir, t.HostName)
	if err != nil {
		return nil, err
	}
	a := &agent{log: log, owner: owner.New(t.Owner, log)}
	a.sensors = sensors(t, a.owner.Observe, func(f signatures.Flow) bool { return a.pipeline.Follows(f) }, log)
	a.spool, err = spool.Open(t.spool())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.spool.Close())
		}
	}()
	a.outbox = outbox.New(a.spool, version, log)
	a.pipeline, err = pipeline.New(t.Fold, pipeline.Deps{
		Set: signed.set, Sink: a.outbox.Findings, Log: log, Owner: a.ownerOf, Server: a.owner.LookupServer,
		Agent:      pipeline.Agent{ID: id.AgentID, HostName: id.HostName, HostID: id.HostID, OS: id.OS, Channel: t.Channel},
		Checkpoint: checkpointOf(a.sensors, t.Log.Checkpoint),
	})
	if err != nil {
		return nil, err
	}
	a.packs = signed.watcher(a, t, log)
	tracer, err := a.assembleTelemetry(t, id)
	if err != nil {
		return nil, err
	}
	a.export, err = export.New(t.Collector, export.Deps{Spool: a.spool, SpoolDir: t.spool().Dir, UserAgent: userAgent(), Tracer: tracer, Log: log})
	if err != nil {
		return nil, err
	}
	a.heartbeat, err = heartbeat.New(t.Heartbeat, heartbeat.Deps{
		Agent: finding.Coverage{AgentID: id.AgentID, HostName: id.HostName, HostID: id.HostID, OS: id.OS, Channel: t.Channel, Version: version},
		Store: a.outbox.Coverage, Pending: func() uint64 { return a.spool.Stats().PendingHeartbeats }, Sources: a.sources(), Log: log,
	})
	return a, err
}

// checkpointOf ties the positions of the sensor that has some to what is
// stored; nil where none is on.
func checkpointOf(all []*runner, every time.Duration) *pipeline.Checkpoint {
	for _, r := range all {
		if m, ok := r.sensor.(interface{ Mark(still func()) func() }); ok && r.enabled {
			return &pipeline.Checkpoint{Sensor: r.sensor.Name(), Every: every, Mark: m.Mark}
		}
	}
	return nil
}

// ownerOf is the owner in the pipeline's words.
func (a *agent) ownerOf(flow signatures.Flow) (signatures.Process, string) {
	p, reason := a.owner.Lookup(flow)
	return p, string(reason)
}

// sources are the parts that report with every heartbeat: the sensors, and the
// agent's own.
func (a *agent) sources() []heartbeat.Source {
	var all []heartbeat.Source
	for _, r := range a.sensors {
		all = append(all, heartbeat.Source{Name: r.sensor.Name(), Coverage: r.coverage})
	}
	return append(all,
		heartbeat.Source{Name: "owner", Coverage: a.ownerCoverage},
		heartbeat.Source{Name: "pipeline", Coverage: a.pipelineCoverage},
		heartbeat.Source{Name: "signatures", Coverage: a.packs.Coverage},
		heartbeat.Source{Name: "spool", Coverage: a.spool.Coverage},
		heartbeat.Source{Name: "export", Coverage: func() sensor.Report { return a.export.Coverage() }},
	)
}

// ownerCoverage tells how owners are found, and why not better. Only a method
// that was asked for and is not to be had is a fault.
func (a *agent) ownerCoverage() sensor.Report {
	status := a.owner.Status()
	r := sensor.Report{State: sensor.On, Since: a.spool.Opened(), Counters: a.owner.Counters()}
	r.Reason = "by " + string(status.Method)
	if status.Reason != "" {
		r.Reason += ": " + status.Reason
	}
	if status.Unmet {
		r.State = sensor.Degraded
	}
	return r
}

// pipelineCoverage adds what the outbox had to give up.
func (a *agent) pipelineCoverage() sensor.Report {
	r := a.pipeline.Coverage()
	r.Counters["refused"] = a.outbox.Refused()
	return r
}

// assembleTelemetry makes the agent's own metrics, where they have a place to go.
func (a *agent) assembleTelemetry(t *tree, id identity.Identity) (trace.Tracer, error) {
	if t.Telemetry.Endpoint == "" {
		return noop.NewTracerProvider().Tracer(""), nil
	}
	var posts [2]func(context.Context, []byte) error
	for i, path := range []string{export.MetricsPath, export.TracesPath} {
		poster, err := export.NewPoster(t.telemetryExport(), path, userAgent())
		if err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
		a.posters = append(a.posters, poster)
		posts[i] = func(ctx context.Context, data []byte) error { _, err := poster.Post(ctx, data); return err }
	}
	sources := []telemetry.Source{
		{Component: "pipeline", Counters: a.pipeline.Counters, Levels: []string{"folds_open", "folds_closing"}},
		{
			Component: "spool", Counters: func() map[string]uint64 { return a.spool.Coverage().Counters },
			Levels: []string{"bytes", "max_bytes", "segments", "pending_records", "pending_findings", "pending_heartbeats"},
		},
		{Component: "export", Counters: func() map[string]uint64 { return a.export.Counters() }},
		{Component: "owner", Counters: a.owner.Counters},
		{Component: "signatures", Counters: func() map[string]uint64 { return a.packs.Coverage().Counters }, Levels: []string{"signatures", "pack_version"}},
	}
	for _, r := range a.sensors {
		source := telemetry.Source{Component: r.sensor.Name(), Counters: func() map[string]uint64 { return r.coverage().Counters }}
		if l, ok := r.sensor.(interface{ Levels() []string }); ok {
			source.Levels = l.Levels()
		}
		sources = append(sources, source)
	}
	var err error
	a.telemetry, err = telemetry.New(t.Telemetry, telemetry.Deps{
		AgentID: id.AgentID, HostName: id.HostName, Version: version,
		Sources: sources, Metrics: posts[0], Traces: posts[1], Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	return a.telemetry.Tracer(), nil
}

// run starts downstream first and, when ctx ends, stops upstream first: the
// sensors, the pipeline with its last findings, the last heartbeat, the
// exporter with what it can still send.
func (a *agent) run(ctx context.Context, ready func(alive func())) error {
	exporting := start(a.log, "export", a.export.Run)
	var measuring *task
	if a.telemetry != nil {
		measuring = start(a.log, "telemetry", a.telemetry.Run)
	}
	folding := start(a.log, "pipeline", a.pipeline.Run)
	owning := start(a.log, "owner", a.owner.Run)
	var looking sync.WaitGroup
	for _, r := range a.sensors {
		looking.Go(func() { r.run(ctx, a.pipeline.Emit, a.log) })
	}
	beating := start(a.log, "heartbeat", a.heartbeat.Run)
	renewing := start(a.log, "signatures", a.packs.Run)
	ready(func() { a.pipeline.Counters() })

	<-ctx.Done()
	a.log.Info("stopping")
	looking.Wait()
	err := errors.Join(renewing.stop(), owning.stop(), folding.stop(), beating.stop())
	a.heartbeat.Beat()
	if measuring != nil {
		err = errors.Join(err, measuring.stop())
	}
	err = errors.Join(err, exporting.stop())
	a.drain()
	for _, p := range a.posters {
		p.Close()
	}
	return errors.Join(err, a.owner.Close(), a.spool.Close())
}

// drain sends what is left, as far as it goes.
func (a *agent) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if a.telemetry != nil {
		a.telemetry.Send(ctx)
	}
	if err := a.export.Drain(ctx); err != nil {
		a.log.Warn("what is left stays in the spool until the next start", "reason", err, "records", a.spool.Stats().PendingRecords)
	}
}
