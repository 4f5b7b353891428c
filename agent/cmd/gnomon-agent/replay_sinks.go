package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/pipeline"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// maxNames bounds the distinct names that are kept of one capture.
const maxNames = 2_000_000

// replaySink takes the observations of one capture after the other.
type replaySink interface {
	begin(file string) (sensor.Emit, error)
	// follow says which connections' further bytes matter, nil for none. It is
	// asked for after begin.
	follow() func(signatures.Flow) bool
	end() error    // of the capture
	finish() error // of all; tells what it had to leave out as *incomplete
}

// nameKey tells names apart in the output.
type nameKey struct {
	kind signatures.Kind
	name string
}

// nameLine is one line of `replay --emit observations`.
type nameLine struct {
	File       string            `json:"file"`
	Kind       string            `json:"kind"`
	Name       string            `json:"name"`
	FirstSeen  time.Time         `json:"first_seen"`
	Count      uint64            `json:"count"`
	Client     string            `json:"client,omitempty"`
	Server     string            `json:"server,omitempty"`
	ServerPort uint16            `json:"server_port,omitempty"`
	Attributes map[string]string `json:"attrs,omitempty"`
}

// nameSink prints each distinct name of a capture once.
type nameSink struct {
	json  *jsonLines
	table table
	file  string
	names map[nameKey]*nameLine
	order []*nameLine
	left  uint64 // observations of names beyond maxNames
}

func newNameSink(w io.Writer, asJSON bool) *nameSink {
	if asJSON {
		lines := newJSONLines(w)
		return &nameSink{json: &lines}
	}
	return &nameSink{table: newTable(w, "KIND", "NAME", "COUNT", "FIRST SEEN", "CLIENT", "SERVER", "FILE")}
}

func (n *nameSink) begin(file string) (sensor.Emit, error) {
	n.file, n.names, n.order = file, map[nameKey]*nameLine{}, nil
	return n.emit, nil
}

func (n *nameSink) follow() func(signatures.Flow) bool { return nil }

func (n *nameSink) emit(o signatures.Observation) {
	if o.Name == "" {
		return
	}
	key := nameKey{o.Kind, o.Name}
	if line, ok := n.names[key]; ok {
		line.Count++
		if o.Time.Before(line.FirstSeen) {
			line.FirstSeen = o.Time.UTC()
		}
		return
	}
	if len(n.names) >= maxNames {
		n.left++
		return
	}
	line := &nameLine{File: n.file, Kind: string(o.Kind), Name: o.Name, FirstSeen: o.Time.UTC(), Count: 1, Attributes: o.Attributes}
	if o.Flow.Client.IsValid() {
		line.Client = o.Flow.Client.Addr().Unmap().String()
	}
	if o.Flow.Server.IsValid() {
		line.Server, line.ServerPort = o.Flow.Server.Addr().Unmap().String(), o.Flow.Server.Port()
	}
	n.names[key] = line
	n.order = append(n.order, line)
}

func (n *nameSink) end() error {
	slices.SortStableFunc(n.order, func(a, b *nameLine) int {
		return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	for _, line := range n.order {
		if n.json != nil {
			if err := n.json.write(line); err != nil {
				return err
			}
			continue
		}
		n.table.row(line.Kind, line.Name, fmt.Sprint(line.Count), line.FirstSeen.Format(time.RFC3339), line.Client, line.Server, line.File)
	}
	return nil
}

func (n *nameSink) finish() error {
	if n.json == nil {
		if err := n.table.Flush(); err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
	}
	if n.left > 0 {
		return &incomplete{fmt.Sprintf("%d observations of further names were left out beyond %d names in one capture", n.left, maxNames)}
	}
	return nil
}

// findingSink prints the findings of a capture.
type findingSink struct {
	set      *signatures.Set
	json     *jsonLines
	table    table
	file     string
	pipeline *pipeline.Pipeline
	early    uint64
}

func newFindingSink(w io.Writer, asJSON bool, set *signatures.Set) *findingSink {
	if asJSON {
		lines := newJSONLines(w)
		return &findingSink{set: set, json: &lines}
	}
	return &findingSink{set: set, table: newTable(w, "ASSET", "CONFIDENCE", "COUNT", "FIRST SEEN", "CLIENT", "WHY", "FILE")}
}

func (f *findingSink) begin(file string) (sensor.Emit, error) {
	f.file = file
	config := pipeline.DefaultConfig()
	config.Offline, config.MaxFolds = true, 1<<16
	var err error
	f.pipeline, err = pipeline.New(config, pipeline.Deps{Set: f.set, Sink: f.take, OwnerUnknown: "replay", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return f.pipeline.Emit, nil
}

func (f *findingSink) follow() func(signatures.Flow) bool { return f.pipeline.Follows }

func (f *findingSink) take(list []finding.Finding) (int, error) {
	for i := range list {
		line := newFindingLine(f.file, &list[i])
		if f.json != nil {
			if err := f.json.write(line); err != nil {
				return i, err
			}
			continue
		}
		f.table.row(line.Asset.Name, fmt.Sprint(line.Confidence), fmt.Sprint(line.Count), line.FirstSeen.Format(time.RFC3339), line.Client, why(line.Evidence), line.File)
	}
	return len(list), nil
}

func (f *findingSink) end() error {
	err := f.pipeline.Flush()
	f.early += f.pipeline.Counters()["early_flushes"]
	return err
}

func (f *findingSink) finish() error {
	if f.json == nil {
		if err := f.table.Flush(); err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
	}
	if f.early > 0 {
		return &incomplete{fmt.Sprintf("%d findings were written before their window ended, because too many were open: their counts are spread over several lines", f.early)}
	}
	return nil
}
