package network

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gnomon-ai/gnomon/agent/internal/capture"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// ReplayStats says what one capture file held.
type ReplayStats struct {
	Packets      uint64
	Bytes        uint64 // on the wire
	Observations uint64
	Panics       uint64            // frames that the decoder failed on
	Skipped      uint64            // blocks of the file that hold no frame
	Truncated    bool              // the file ends inside a record
	Blind        []finding.Blind   // what could not be seen
	Counters     map[string]uint64 // all counters, by name
}

// Replay reads a capture file and emits what is in it, with the times of the
// file. name is for error messages. It returns what it read in any case: a
// file that is not sound brings a *capture.FormatError besides, the end of ctx
// brings ctx's error, and a failing r brings r's.
func Replay(ctx context.Context, r io.Reader, name string, emit sensor.Emit) (ReplayStats, error) {
	return ReplayWith(ctx, r, name, DefaultReplayLimits(), emit)
}

// DefaultReplayLimits returns limits for captures of a busy network.
func DefaultReplayLimits() Limits {
	limits := DefaultLimits()
	limits.Flows, limits.BufferBytes, limits.Answers, limits.FragmentBytes = 131072, 16<<20, 32768, 8<<20
	return limits
}

// ReplayWith is Replay within given limits.
func ReplayWith(ctx context.Context, r io.Reader, name string, limits Limits, emit sensor.Emit) (ReplayStats, error) {
	return ReplayFollowing(ctx, r, name, limits, nil, emit)
}

// ReplayFollowing is ReplayWith where follow, unless it is nil, has the bytes
// of observed connections told to their end, see Sensor.Follow.
func ReplayFollowing(ctx context.Context, r io.Reader, name string, limits Limits, follow func(signatures.Flow) bool, emit sensor.Emit) (ReplayStats, error) {
	e := newEngine(limits)
	e.follow, e.letting = follow, follow != nil
	file, err := capture.OpenFile(r)
	if err == nil {
		err = e.replay(ctx, file, emit)
	}
	e.flush()
	for _, o := range e.take() {
		emit(o)
	}
	stats := ReplayStats{
		Packets: e.tally[packets], Bytes: e.tally[packetBytes], Observations: e.tally[observations],
		Panics: e.tally[panics], Blind: e.blindSpots(), Counters: e.export(),
	}
	if file != nil {
		stats.Skipped = file.Skipped()
	}
	if err != nil {
		var format *capture.FormatError
		stats.Truncated = errors.As(err, &format) && format.Truncated
		return stats, fmt.Errorf("reading capture %s: %w", name, err)
	}
	return stats, nil
}

// replay runs to the end of the file; nil is a sound one.
func (e *engine) replay(ctx context.Context, file *capture.FileReader, emit sensor.Emit) error {
	const pollEvery = 1024 // frames between two looks at ctx
	var frame capture.Frame
	for n := 0; ; n++ {
		if n%pollEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := file.Next(&frame); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		e.frame(&frame)
		for _, o := range e.take() {
			emit(o)
		}
		e.let()
	}
}
