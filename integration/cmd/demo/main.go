// Command demo shows the main job without root or live traffic: real TLS
// clients under catalogue names recorded into a capture, model files built to
// their formats, programs under the names of local runtimes and coding agents;
// the built agent and collector find, store and judge them. It ends in a table
// of verdicts.
//
// It imports the integration packages alone and talks to the built binaries by
// their commands, as a user would.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	// A copy of this program under another name plays a local runtime or an
	// agent: it does nothing but be seen.
	if os.Getenv(playEnv) != "" {
		play()
		return
	}
	if err := bounded(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// bounded runs the demo until it is done, interrupted or too slow.
func bounded() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return run(ctx)
}
