package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	exitOK         = 0
	exitError      = 1
	exitIncomplete = 3 // done, but something could not be seen; for match: nothing matches
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// incomplete ends a command with exitIncomplete. What was missing has been told
// on standard error; its text says it in short.
type incomplete struct{ text string }

// Error implements error.
func (i *incomplete) Error() string { return i.text }

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	var notAll *incomplete
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &notAll):
		fmt.Fprintln(s.err, "incomplete:", notAll.text)
		return exitIncomplete
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(s.err, "interrupted")
		return exitError
	default:
		fmt.Fprintln(s.err, "gnomon-agent:", err)
		return exitError
	}
}

// newRoot is the literal list of commands.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "gnomon-agent",
		Short: "Find the AI in use on this host",
		Long: `gnomon-agent finds the AI in use on a host: calls to AI services on the wire, model files,
runtimes, apps and agents. It records metadata only, never content.

Results go to standard output; logs, progress and what could not be seen go to standard error.
Exit codes: 0 done, 1 error, 3 done but incomplete (match: nothing matches).`,
		Example:       "  gnomon-agent scan\n  gnomon-agent run --config /etc/gnomon/agent.yaml",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(runCommand(s), scanCommand(s), replayCommand(s), matchCommand(s), doctorCommand(s), versionCommand(s))
	return root
}

// outputFlag adds --output and returns how to read it.
func outputFlag(c *cobra.Command) func() (asJSON bool, err error) {
	value := c.Flags().StringP("output", "o", "table", "table, or jsonl: one JSON object a line")
	return func() (bool, error) {
		switch *value {
		case "table":
			return false, nil
		case "jsonl":
			return true, nil
		}
		return false, fmt.Errorf("--output: %q is not one of table, jsonl", *value)
	}
}

// jsonLines writes one JSON object a line.
type jsonLines struct{ encoder *json.Encoder }

func newJSONLines(w io.Writer) jsonLines {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return jsonLines{e}
}

func (j jsonLines) write(v any) error {
	if err := j.encoder.Encode(v); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}

// newLog returns the log of a command: text for people on a terminal, else JSON.
func newLog(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	// The level was checked with the configuration; anything else is info.
	_ = l.UnmarshalText([]byte(level))
	options := &slog.HandlerOptions{Level: l}
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// isTerminal holds for a character device, which is near enough for choosing
// how to write.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progressAfter is how long a command works before it shows progress.
const progressAfter = time.Second

// progress shows one changing line on a terminal, nothing elsewhere.
type progress struct {
	w       io.Writer
	began   time.Time
	shown   bool
	visible bool
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, began: time.Now(), visible: isTerminal(w)}
}

// show replaces the line, once the command has worked for a while.
func (p *progress) show(format string, args ...any) {
	if !p.visible || time.Since(p.began) < progressAfter {
		return
	}
	const width = 100
	text := fmt.Sprintf(format, args...)
	if len(text) > width {
		text = text[:width-1] + "…"
	}
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", strings.Map(dropControl, text))
	p.shown = true
}

// done removes the line.
func (p *progress) done() {
	if p.shown {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// dropControl keeps control characters of file names off the terminal.
func dropControl(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return '?'
	}
	return r
}
