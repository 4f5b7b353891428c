package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/agent/internal/logs"
	"github.com/gnomon-ai/gnomon/agent/internal/network"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
)

func replayCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "replay CAPTURE…", Short: "Read captures offline",
		Long: `replay reads pcap and pcapng files ("-" is standard input) and prints the AI services in them,
or with --emit observations every distinct name, matched or not. With --log they are logs of that
format: zeek_ssl, squid, dnsmasq, cef and others, as the log sensor takes them.

Exit codes: 0 complete, 3 a capture is damaged or frames could not be decoded (told on standard
error, what could be read is printed), 1 a file cannot be opened or read.`,
		Example: "  gnomon-agent replay morning.pcapng\n  tcpdump -w - port 443 | gnomon-agent replay --emit observations --output jsonl -\n" +
			"  gnomon-agent replay --log squid /var/log/squid/access.log.1",
		Args: cobra.MinimumNArgs(1),
	}
	output := outputFlag(c)
	emit := c.Flags().String("emit", "findings", "findings, or observations: every distinct name")
	format := c.Flags().String("log", "", "the files are logs of this format, not captures")
	overlay := c.Flags().String("signatures-dir", "", "further catalogue files, *.yaml")
	c.RunE = func(c *cobra.Command, captures []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		r := &replay{s: s, progress: newProgress(s.err), format: *format}
		switch *emit {
		case "observations":
			r.sink = newNameSink(s.out, asJSON)
		case "findings":
			set, err := loadCatalogue(*overlay)
			if err != nil {
				return err
			}
			r.sink = newFindingSink(s.out, asJSON, set)
		default:
			return fmt.Errorf("--emit: %q is not one of findings, observations", *emit)
		}
		return r.run(c.Context(), captures)
	}
	return c
}

// replay is one run of the command.
type replay struct {
	s        streams
	sink     replaySink
	progress *progress
	format   string // of logs; "" for captures
	damaged  []string
}

func (r *replay) run(ctx context.Context, captures []string) error {
	tuneReplay()
	for i, name := range captures {
		if err := r.one(ctx, name, i, len(captures)); err != nil {
			return err
		}
	}
	r.progress.done()
	err := r.sink.finish()
	var notAll *incomplete
	if err != nil && !errors.As(err, &notAll) {
		return err
	}
	if notAll != nil {
		r.damaged = append(r.damaged, notAll.text)
	}
	if len(r.damaged) > 0 {
		return &incomplete{strings.Join(r.damaged, "; ")}
	}
	return nil
}

// one reads one capture. Damage inside it is noted; a file that cannot be
// opened or read ends the command.
func (r *replay) one(ctx context.Context, name string, index, of int) error {
	in := r.s.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("opening capture: %w", err)
		}
		defer file.Close()
		in = file
	}
	emit, err := r.sink.begin(name)
	if err != nil {
		return err
	}
	counted := &countingReader{r: in, show: func(n int64) {
		r.progress.show("%d of %d: %s, %d MiB read", index+1, of, name, n>>20)
	}}
	if r.format != "" {
		return r.oneLog(ctx, counted, name, emit)
	}
	stats, err := network.ReplayFollowing(ctx, counted, name, network.DefaultReplayLimits(), r.sink.follow(), emit)
	if counted.err != nil {
		return fmt.Errorf("reading capture %s: %w", name, counted.err)
	}
	if ctx.Err() != nil {
		return errors.Join(r.sink.end(), ctx.Err())
	}
	if err != nil {
		r.damaged = append(r.damaged, err.Error())
	}
	if stats.Panics > 0 {
		r.damaged = append(r.damaged, fmt.Sprintf("%s: %d frames could not be decoded because of a fault; please report this", name, stats.Panics))
	}
	for _, b := range stats.Blind {
		fmt.Fprintf(r.s.err, "%s: not seen: %s (%d): %s\n", name, b.Reason, b.Count, b.Detail)
	}
	return r.sink.end()
}

// oneLog reads one log. Lines that cannot be read make it incomplete.
func (r *replay) oneLog(ctx context.Context, in *countingReader, name string, emit sensor.Emit) error {
	stats, err := logs.Replay(ctx, in, logs.Source{Format: r.format}, emit)
	if in.err != nil {
		return fmt.Errorf("reading log %s: %w", name, in.err)
	}
	if err != nil {
		return errors.Join(r.sink.end(), fmt.Errorf("reading log %s: %w", name, err))
	}
	if stats.Failed > 0 {
		r.damaged = append(r.damaged, fmt.Sprintf("%s: %d of %d lines cannot be read as %s (%s)", name, stats.Failed, stats.Lines, r.format, stats.Reason))
	}
	if stats.Cut > 0 {
		r.damaged = append(r.damaged, fmt.Sprintf("%s: %d lines are longer than is read", name, stats.Cut))
	}
	if stats.Panics > 0 {
		r.damaged = append(r.damaged, fmt.Sprintf("%s: %d lines could not be read because of a fault; please report this", name, stats.Panics))
	}
	return r.sink.end()
}

// countingReader remembers an error of the file itself, which is no damage of
// the capture in it.
type countingReader struct {
	r    io.Reader
	n    int64
	err  error
	show func(int64)
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	c.show(c.n)
	return n, err
}
