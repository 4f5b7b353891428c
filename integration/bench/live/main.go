package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// options are handed to the child processes as they are.
type options struct {
	Agent    string
	Work     string
	Filter   string
	Upload   bool
	Seconds  int
	Rate     int // new TLS connections a second
	QUIC     int // new QUIC connections a second
	Bits     int64
	Segments bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench live:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("live", flag.ContinueOnError)
	var o options
	flags.StringVar(&o.Agent, "agent", "bin/gnomon-agent", "built agent")
	flags.IntVar(&o.Seconds, "seconds", 10, "time under load, for each line")
	flags.IntVar(&o.Rate, "tls", 200, "new TLS connections a second")
	flags.IntVar(&o.QUIC, "quic", 20, "new QUIC connections a second")
	flags.Int64Var(&o.Bits, "bits", 1_000_000_000, "bulk transfer, bits a second, 0 for none")
	flags.BoolVar(&o.Segments, "segments", false, "no offload: packets of at most 1500 bytes, as on a slow card, instead of up to 64 KiB")
	filters := flags.String("filters", "ebpf,classic,none", "kernel filters to compare")
	role := flags.String("role", "", "internal: client or server")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	switch *role {
	case "client":
		return child(ctx, client)
	case "server":
		return child(ctx, server)
	}
	var err error
	if o.Agent, err = filepath.Abs(o.Agent); err != nil {
		return err
	}
	if o.Work, err = os.MkdirTemp("", "gnomon-live-*"); err != nil {
		return err
	}
	defer os.RemoveAll(o.Work)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "filter\tbulk\tMbit/s\tTLS names\tQUIC names\tagent CPU\tat rest\tframes read\tkernel drops\tRSS at rest\tRSS peak\tready\t")
	for _, o.Filter = range strings.Split(*filters, ",") {
		for _, o.Upload = range []bool{false, true} {
			r, err := pair(ctx, o)
			if err != nil {
				return fmt.Errorf("filter %s: %w", o.Filter, err)
			}
			if len(r.Missed) > 0 {
				fmt.Fprintln(os.Stderr, "not found, among others:", strings.Join(r.Missed, " "))
			}
			direction := "down"
			if o.Upload {
				direction = "up"
			}
			fmt.Fprintf(table, "%s\t%s\t%.0f\t%d of %d\t%d of %d\t%.2f %%\t%.2f %%\t%d\t%d\t%.1f MiB\t%.1f MiB\t%s\t\n", r.Mode, direction,
				float64(r.Bytes)*8/r.Seconds/1e6, r.TLSFound, r.TLSSent, r.QUICFound, r.QUICSent, r.Load*100, r.Rest*100,
				r.Frames, r.Drops, float64(r.RestRSS)/(1<<20), float64(r.PeakRSS)/(1<<20), time.Duration(r.Ready).Round(time.Millisecond))
		}
	}
	return table.Flush()
}

// member is a child process in a network namespace of its own.
type member struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(ctx context.Context, role string) (*member, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &member{cmd: exec.CommandContext(ctx, program, "--role", role)}
	m.cmd.Stderr = os.Stderr
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.out = bufio.NewReader(out)
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a process in a network namespace of its own: %w", err)
	}
	return m, nil
}

// tell hands v over; hear waits for what comes back.
func (m *member) tell(v any) error { return json.NewEncoder(m.in).Encode(v) }

func (m *member) hear(v any) error {
	line, err := m.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("a child process ended early: %w", err)
	}
	return json.Unmarshal(line, v)
}

// stop ends the process, and with it its namespace.
func (m *member) stop() {
	m.in.Close()
	done := make(chan struct{})
	go func() { _ = m.cmd.Wait(); close(done) }() // what went wrong was told
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = m.cmd.Process.Kill()
		<-done
	}
}

// pair joins two namespaces by a veth pair and runs one measurement.
func pair(ctx context.Context, o options) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Seconds)*time.Second+time.Minute)
	defer cancel()
	serving, err := start(ctx, "server")
	if err != nil {
		return r, err
	}
	defer serving.stop()
	asking, err := start(ctx, "client")
	if err != nil {
		return r, err
	}
	defer asking.stop()
	inside := func(m *member) string { return strconv.Itoa(m.cmd.Process.Pid) }
	if err := ip("link", "add", clientDevice, "netns", inside(asking), "type", "veth", "peer", "name", serverDevice, "netns", inside(serving)); err != nil {
		return r, err
	}
	var ready struct{}
	for _, m := range []*member{serving, asking} {
		if err := m.tell(o); err != nil {
			return r, err
		}
		if m == serving {
			if err := m.hear(&ready); err != nil {
				return r, err
			}
		}
	}
	return r, asking.hear(&r)
}

func ip(arguments ...string) error {
	if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return nil
}

// child waits for the options, does its part, and ends when it is told to.
func child(ctx context.Context, part func(context.Context, options, func(any) error) error) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var o options
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // until the parent closes it, or is gone
		cancel()
	}()
	return part(ctx, o, func(v any) error { return json.NewEncoder(os.Stdout).Encode(v) })
}
