package telemetry

import (
	"context"
	"sync"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spanBuffer keeps ended spans until they are sent. It implements
// sdktrace.SpanProcessor without a goroutine of its own.
type spanBuffer struct {
	max     int
	dropped atomic.Uint64

	mu    sync.Mutex
	ended []sdktrace.ReadOnlySpan
}

// OnStart implements sdktrace.SpanProcessor.
func (b *spanBuffer) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (b *spanBuffer) OnEnd(s sdktrace.ReadOnlySpan) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ended) >= b.max {
		b.dropped.Add(1)
		return
	}
	b.ended = append(b.ended, s)
}

// Shutdown implements sdktrace.SpanProcessor.
func (b *spanBuffer) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (b *spanBuffer) ForceFlush(context.Context) error { return nil }

// take hands out the spans and forgets them.
func (b *spanBuffer) take() []sdktrace.ReadOnlySpan {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := b.ended
	b.ended = nil
	return ended
}
