package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
	"github.com/gnomon-ai/gnomon/agent/internal/logs/listen"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

// Stats says what became of the lines of a log that was read once.
type Stats struct {
	Lines, Used, Failed, Cut, Panics uint64
	Reason                           string // of most of the lines that could not be read
}

// Replay reads one log to its end, as a source with the given configuration
// would, and hands observations to emit. Name and the way in which lines come
// are not looked at.
func Replay(ctx context.Context, in io.Reader, config Source, emit sensor.Emit) (Stats, error) {
	f, ok := format.Find(config.Format)
	if !ok {
		return Stats{}, fmt.Errorf("%q is not one of the formats %s", config.Format, strings.Join(formatNames(), ", "))
	}
	if f.Mapped && len(config.Keys) == 0 {
		return Stats{}, fmt.Errorf("%s needs a configuration that says where its fields are: run it as a source of the log sensor", config.Format)
	}
	s := &source{config: &config, format: f, emit: emit}
	for i := range s.told {
		s.told[i].Store(true) // there is no log to tell
	}
	r := replayer{consumer: s.open(), most: f.MaxLine, frames: f.Framing == format.Frames}
	err := r.run(ctx, in)
	stats := Stats{Lines: s.count.lines(), Used: s.count.results[format.Use].Load(), Cut: r.cut, Panics: s.count.panics.Load()}
	var most format.Result
	if stats.Failed, most = s.count.failures(); stats.Failed > 0 {
		stats.Reason = most.String()
	}
	return stats, err
}

// replayer cuts a stream into lines or frames.
type replayer struct {
	consumer *consumer
	most     int
	frames   bool
	skipping bool
	cut      uint64
}

func (r *replayer) run(ctx context.Context, in io.Reader) error {
	buffer := make([]byte, r.most+256<<10)
	filled := 0
	for ctx.Err() == nil {
		n, err := in.Read(buffer[filled:])
		filled += n
		used, broken := r.take(buffer[:filled], errors.Is(err, io.EOF))
		filled = copy(buffer, buffer[used:filled])
		switch {
		case broken != nil:
			return broken
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return ctx.Err()
}

// take hands over what is complete in b.
func (r *replayer) take(b []byte, last bool) (used int, err error) {
	for used < len(b) {
		if r.frames {
			record, size, err := listen.SplitFrames(b[used:], r.most)
			if err != nil || size == 0 {
				return used, err
			}
			used += size
			if record != nil {
				r.consumer.Record(record, false)
			}
			continue
		}
		line := b[used:]
		end := bytes.IndexByte(line, '\n')
		if end < 0 {
			return used + r.unended(line, last), nil
		}
		used += end + 1
		if r.skipping {
			r.skipping = false
			continue
		}
		r.line(line[:end])
	}
	return used, nil
}

func (r *replayer) unended(line []byte, last bool) (used int) {
	switch {
	case r.skipping:
		return len(line)
	case len(line) > r.most:
		r.skipping = true
	case !last:
		return 0
	}
	r.line(line)
	return len(line)
}

func (r *replayer) line(line []byte) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) > r.most {
		line, r.cut = line[:r.most], r.cut+1
	}
	r.consumer.Record(line, false)
}
