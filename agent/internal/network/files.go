package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// readFiles reads the configured capture files, one after the other. A file
// that cannot be read, or not to its end, degrades the sensor and says why;
// the others are read all the same.
func (s *Sensor) readFiles(ctx context.Context, emit sensor.Emit) {
	s.mu.Lock()
	s.since = time.Now()
	s.mu.Unlock()
	s.set(sensor.On, "")
	for _, name := range s.config.CaptureFiles {
		if err := s.readFile(ctx, name, emit); err != nil && ctx.Err() == nil {
			s.log.Warn("capture file is not read to its end", "file", name, "error", err)
			s.mu.Lock()
			s.failed[name] = err.Error()
			s.mu.Unlock()
			s.set(sensor.Degraded, err.Error())
		}
	}
	s.workers[0].do(emit, func(e *engine) { e.flush() })
}

func (s *Sensor) readFile(ctx context.Context, name string, emit sensor.Emit) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("opening a capture: %w", err)
	}
	defer file.Close()
	reader, err := capture.OpenFile(file)
	if err != nil {
		return fmt.Errorf("reading capture %s: %w", name, err)
	}
	var frame capture.Frame
	for ctx.Err() == nil {
		if err := reader.Next(&frame); err != nil {
			return ended(name, err)
		}
		s.workers[0].do(emit, func(e *engine) { e.frame(&frame) })
	}
	return ctx.Err()
}

// ended is the error of a file that gave one: none at its end.
func ended(name string, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("reading capture %s: %w", name, err)
}
