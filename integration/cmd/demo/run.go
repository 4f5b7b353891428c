package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
)

const (
	collectorBinary = "bin/gnomon-collector"
	agentBinary     = "bin/gnomon-agent"
	stopTimeout     = 30 * time.Second
)

// wanted are the verdicts that the demo must end with.
func wanted() []string {
	return []string{"sanctioned", "out_of_scope", "expired", "prohibited", "unsanctioned"}
}

func say(format string, arguments ...any) { fmt.Printf("\n==> "+format+"\n", arguments...) }

// run is the demo, in order.
func run(ctx context.Context) (err error) {
	for _, binary := range []string{collectorBinary, agentBinary} {
		if _, err := os.Stat(binary); err != nil {
			return fmt.Errorf("%s is missing: run `make demo`, which builds it first", binary)
		}
	}
	dir, err := os.MkdirTemp("", "gnomon-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "everything of this run is kept in", dir)
		}
	}()
	data := filepath.Join(dir, "collector")

	say("collector: an embedded ClickHouse engine, a state database, receivers on free loopback ports")
	collector, err := startCollector(ctx, dir, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, collector.Stop(stopTimeout)) }()

	say("inventory: what this organisation has approved, and who works here")
	if err := applyInventory(ctx, dir, data); err != nil {
		return err
	}

	say("traffic: real TLS clients and DNS lookups under catalogue names, recorded into a capture")
	capture := filepath.Join(dir, "traffic.pcap")
	if err := recordTraffic(capture); err != nil {
		return err
	}
	say("models: a GGUF and a safetensors file, and a store as Ollama lays it out")
	models := filepath.Join(dir, "models")
	if err := writeModels(models); err != nil {
		return err
	}
	say("programs: a local runtime and a coding agent, as the process table shows them")
	stopPrograms, err := startPrograms(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopPrograms()) }()

	say("agent: reading the capture, the folder and the process table; sending what matches")
	agent, err := startAgent(ctx, dir, data, capture, models)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, agent.Stop(stopTimeout)) }()

	if err := awaitVerdicts(ctx, data, collector, agent); err != nil {
		return err
	}
	say("verdicts")
	table, err := daemon.Run(ctx, collectorBinary, "verdicts", "--data-dir", data)
	if err != nil {
		return err
	}
	fmt.Print(string(table))
	say("stopping the agent, then the collector")
	return nil
}

// awaitVerdicts waits until each wanted verdict is there.
func awaitVerdicts(ctx context.Context, data string, processes ...*daemon.Process) error {
	return daemon.Until(ctx, "a usage of each verdict", func() (bool, error) {
		rows, err := daemon.Rows(ctx, collectorBinary, "verdicts", "--data-dir", data)
		if err != nil {
			return false, err
		}
		var missing []string
		for _, verdict := range wanted() {
			found := false
			for _, row := range rows {
				found = found || row["verdict"] == verdict
			}
			if !found {
				missing = append(missing, verdict)
			}
		}
		if len(missing) > 0 {
			return false, fmt.Errorf("no usage is %s yet", strings.Join(missing, ", "))
		}
		return true, nil
	}, processes...)
}
