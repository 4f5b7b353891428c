package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
)

type options struct {
	agent, captures, work, packetbeat string
	size                              uint64
	runs                              int
	floods                            uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench network:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.agent, "agent", "bin/gnomon-agent", "built agent")
	flag.StringVar(&o.captures, "captures", "", "folder of pcap and pcapng files to build the mixed capture from")
	flag.StringVar(&o.work, "work", ".build/bench", "folder for the mixed capture and the peers' output")
	flag.StringVar(&o.packetbeat, "packetbeat", ".build/peers/packetbeat", "program, left out where it is not there")
	flag.Uint64Var(&o.size, "size", 2<<30, "least bytes of the mixed capture")
	flag.IntVar(&o.runs, "runs", 3, "runs of each program; the medians are printed")
	flag.Uint64Var(&o.floods, "flood", 10_000_000, "connections of each flood, 0 for none")
	only := flag.String("mix", "", "write the mixed capture to this file, say what it holds as JSON, and stop")
	flag.Parse()
	if o.captures == "" {
		return fmt.Errorf("name a folder of captures: --captures DIR")
	}
	if *only != "" {
		m, err := mix(o.captures, *only, o.size)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(m)
	}
	var err error
	for _, path := range []*string{&o.work, &o.packetbeat} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return err
	}
	capture := filepath.Join(o.work, "mixed.pcap")
	fmt.Fprintln(os.Stderr, "building the mixed capture")
	m, err := mixApart(ctx, &o, capture)
	if err != nil {
		return err
	}
	defer os.Remove(capture)
	fmt.Printf("mixed capture: %d bytes, %d packets, %d passes over %d captures (%d left out: no Ethernet, or not readable)\n\n",
		m.Bytes, m.Packets, m.Passes, m.Files, m.Left)
	if err := compare(ctx, &o, capture, m); err != nil {
		return err
	}
	return memory(ctx, &o)
}

// mixApart has another process build the capture: a child's peak of resident
// memory starts at its parent's, so this one stays small.
func mixApart(ctx context.Context, o *options, capture string) (m mixture, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	c := exec.CommandContext(ctx, self, "--captures", o.captures, "--size", strconv.FormatUint(o.size, 10), "--mix", capture)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}
