package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/agent/internal/files"
	"github.com/gnomon-ai/gnomon/agent/internal/pipeline"
	"github.com/gnomon-ai/gnomon/agent/internal/process"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

func scanCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "scan [PATH…]", Short: "Show what AI is on this machine, once",
		Long: `scan looks once, without a collector: at model files and the folders of AI programs under the
usual places, and at running programs. With paths it looks at files under those alone.
Files are opened for reading only; nothing found is executed, loaded or contacted.

Exit codes: 0 complete, 3 something could not be looked at (told on standard error), 1 error.`,
		Example: "  gnomon-agent scan\n  gnomon-agent scan --output jsonl ~/models /data",
	}
	output := outputFlag(c)
	overlay := c.Flags().String("signatures-dir", "", "further catalogue files, *.yaml")
	c.RunE = func(c *cobra.Command, paths []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		set, err := loadCatalogue(*overlay)
		if err != nil {
			return err
		}
		scan, err := newScan(s, set, asJSON)
		if err != nil {
			return err
		}
		return scan.run(c.Context(), paths)
	}
	return c
}

// scan is one run of the command.
type scan struct {
	s        streams
	set      *signatures.Set
	pipeline *pipeline.Pipeline
	progress *progress
	json     *jsonLines // nil for a table

	mu      sync.Mutex
	lines   []scanLine // for the table
	failure error      // of writing
	missed  []string   // what could not be looked at
}

func newScan(s streams, set *signatures.Set, asJSON bool) (*scan, error) {
	p, err := pipeline.New(pipeline.DefaultConfig(), pipeline.Deps{
		Set: set, Log: slog.New(slog.DiscardHandler),
		Agent: pipeline.Agent{OS: runtime.GOOS}, Sink: func(l []finding.Finding) (int, error) { return len(l), nil },
	})
	if err != nil {
		return nil, err
	}
	scan := &scan{s: s, set: set, pipeline: p, progress: newProgress(s.err)}
	if asJSON {
		lines := newJSONLines(s.out)
		scan.json = &lines
	}
	return scan, nil
}

func (s *scan) run(ctx context.Context, paths []string) error {
	config := files.DefaultConfig()
	config.MaxFilesPerSecond = 0
	lookFor(s.set, &config)
	if len(paths) > 0 {
		config.Roots, config.Exclude = nil, nil
		for _, path := range paths {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return fmt.Errorf("finding %s: %w", path, err)
			}
			config.Roots = append(config.Roots, absolute)
		}
	}
	result, err := files.Scan(ctx, config, s.emit, func(p files.Progress) {
		s.progress.show("%d folders, %d files, %d models: %s", p.Folders, p.Files, p.Models, p.Path)
	})
	s.progress.done()
	if err == nil && len(paths) == 0 {
		err = s.processes(ctx)
	}
	if err != nil {
		return err
	}
	s.noteFiles(&result, len(paths) > 0)
	return s.finish()
}

// processes looks at running programs.
func (s *scan) processes(ctx context.Context) error {
	err := process.Scan(ctx, s.emit)
	var notAll *process.Incomplete
	if errors.As(err, &notAll) {
		for _, b := range notAll.Blind {
			s.missed = append(s.missed, fmt.Sprintf("programs: %s (%d): %s", b.Reason, b.Count, b.Detail))
		}
		return nil
	}
	return err
}

// noteFiles tells what the file scan could not look at. Default roots that do
// not exist are nothing missed; named ones are.
func (s *scan) noteFiles(r *files.Result, named bool) {
	if named {
		for _, root := range r.Missing {
			s.missed = append(s.missed, "files: "+root+" does not exist or may not be opened")
		}
	}
	for _, skip := range r.Skips {
		fmt.Fprintf(s.s.err, "not looked at: %s: %s\n", strings.Map(dropControl, skip.Path), skip.Reason)
	}
	if r.More > 0 {
		fmt.Fprintf(s.s.err, "not looked at: %d more\n", r.More)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		s.missed = append(s.missed, fmt.Sprintf("files: %s (%d)", reason, r.Reasons[reason]))
	}
}

// emit matches one observation and writes what it is.
func (s *scan) emit(o signatures.Observation) {
	found := s.pipeline.Find(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range found {
		line := newScanLine(&o, &found[i])
		if s.json == nil {
			s.lines = append(s.lines, line)
		} else if err := s.json.write(line); err != nil && s.failure == nil {
			s.failure = err
		}
	}
}

// finish writes the table and decides the exit code.
func (s *scan) finish() error {
	if s.json == nil {
		slices.SortStableFunc(s.lines, func(a, b scanLine) int {
			return strings.Compare(a.Kind+"\x00"+a.Path, b.Kind+"\x00"+b.Path)
		})
		t := newTable(s.s.out, "KIND", "ASSET", "CONFIDENCE", "USER", "WHERE", "WHY")
		for _, l := range s.lines {
			where := l.Path
			if l.PID != 0 {
				where = fmt.Sprintf("%s (pid %d)", l.Path, l.PID)
			}
			t.row(l.Kind, l.Asset.Name, fmt.Sprint(l.Confidence), l.User, where, why(l.Evidence))
		}
		s.failure = t.Flush()
	}
	if s.failure != nil {
		return fmt.Errorf("writing results: %w", s.failure)
	}
	if len(s.missed) > 0 {
		return &incomplete{strings.Join(s.missed, "; ")}
	}
	return nil
}
