package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// task is one part of the agent that runs until it is stopped.
type task struct {
	cancel context.CancelFunc
	done   chan error
}

// start runs f until stop. A task that ends before that with an error is logged
// then, because stop may be long in coming.
func start(log *slog.Logger, name string, f func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := f(ctx)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			if ctx.Err() == nil {
				log.Error("a part of the agent ended", "part", name, "error", err)
				err = nil
			}
		}
		t.done <- err
	}()
	return t
}

// stop ends the task and waits for it.
func (t *task) stop() error {
	t.cancel()
	return <-t.done
}

// runner runs one sensor and remembers how it ended.
type runner struct {
	enabled bool
	sensor  sensor.Sensor

	mu     sync.Mutex
	reason string // why the sensor is off although it was switched on
}

// run looks until ctx ends. A sensor that cannot go on, or fails, is reported
// as off; the others go on.
func (r *runner) run(ctx context.Context, emit sensor.Emit, log *slog.Logger) {
	if !r.enabled {
		return
	}
	err := r.survive(ctx, emit, log)
	if err == nil || ctx.Err() != nil {
		return
	}
	log.Error("a sensor is off", "sensor", r.sensor.Name(), "error", err)
	r.mu.Lock()
	r.reason = err.Error()
	r.mu.Unlock()
}

// survive turns a panic of the sensor's own goroutine into an error.
func (r *runner) survive(ctx context.Context, emit sensor.Emit, log *slog.Logger) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			log.Error("a sensor failed", "sensor", r.sensor.Name(), "fault", fault, "stack", string(debug.Stack()))
			err = fmt.Errorf("it failed (%v); restart the agent and report this", fault)
		}
	}()
	err = r.sensor.Run(ctx, emit)
	if err == nil && ctx.Err() == nil {
		err = errors.New("it ended by itself; restart the agent")
	}
	return err
}

// coverage is the sensor's report, or that it is off.
func (r *runner) coverage() sensor.Report {
	report := r.sensor.Coverage()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.enabled:
		report.State, report.Reason = sensor.Off, "switched off by the configuration; set "+r.sensor.Name()+".enabled to true"
	case r.reason != "":
		report.State, report.Reason = sensor.Off, r.reason
	}
	return report
}
