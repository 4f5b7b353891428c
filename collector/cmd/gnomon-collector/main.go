// Command gnomon-collector receives findings from agents over OTLP, keeps them
// in ClickHouse, reconciles every use with the sanctioned AI inventory, and
// answers what it found.
//
// This package is wiring and commands: it knows every other package of the
// collector and holds no logic of theirs. Exit codes: 0 done, 1 failed, 2
// wrong usage, 3 done but something needs attention (doctor, a rejected
// import, a check that found problems).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/gnomon-ai/gnomon/collector/internal/engine"
)

// Set by the build, see the Makefile.
var (
	version = "unknown"
	commit  = "unknown"
)

// Exit codes.
const (
	exitFailed    = 1
	exitUsage     = 2
	exitAttention = 3
)

// errAttention ends a command that did its work with exit code 3; what needs
// attention is printed already.
var errAttention = errors.New("something needs attention")

// usageError is a mistake in the command line.
type usageError struct{ error }

func main() {
	// The child runs before anything else is set up: it is another program.
	if len(os.Args) > 1 && os.Args[1] == engine.ChildCommand {
		os.Exit(engine.RunChild(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	var usage usageError
	switch {
	case err == nil:
	case errors.Is(err, errAttention):
		os.Exit(exitAttention)
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "gnomon-collector:", err)
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, "gnomon-collector:", err)
		os.Exit(exitFailed)
	}
}
