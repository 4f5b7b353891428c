package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	agent := flag.String("agent", "bin/gnomon-agent", "the built agent")
	lines := flag.Int("lines", 2_000_000, "lines of each format")
	most := flag.Int64("bytes", 512<<20, "bytes of each format, at most")
	only := flag.String("format", "", "measure this format alone")
	flag.Parse()
	work, err := os.MkdirTemp("", "gnomon-bench-logs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Printf("%-13s %9s %8s %12s %9s %9s %8s %7s %6s\n", "FORMAT", "LINES", "MiB", "LINES/CPU s", "MiB/CPU s", "WALL s", "RSS MiB", "MATCHED", "NAMES")
	bad := 0
	for _, l := range layouts() {
		if *only != "" && l.format != *only {
			continue
		}
		ok, err := measure(ctx, &l, *agent, work, *lines, *most)
		if err != nil {
			return fmt.Errorf("%s: %w", l.format, err)
		}
		if !ok {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d formats were not counted right", bad)
	}
	return nil
}

func joinErrors(all ...error) error { return errors.Join(all...) }

// measure lets the agent read one log and prints a line of figures. What the
// agent takes to start, without a log, is not counted.
func measure(ctx context.Context, l *layout, agent, work string, lines int, most int64) (ok bool, err error) {
	log := filepath.Join(work, "lines.log")
	n, ai, size, err := l.generate(log, lines, most)
	if err != nil {
		return false, err
	}
	empty := filepath.Join(work, "empty.log")
	if err := os.WriteFile(empty, []byte(l.header), 0o600); err != nil {
		return false, err
	}
	idle, err := read(ctx, l, agent, work, empty, int64(len(l.header)))
	if err != nil {
		return false, err
	}
	full, err := read(ctx, l, agent, work, log, size)
	if err != nil {
		return false, err
	}
	cpu := (full.cpu - idle.cpu).Seconds()
	mark := ""
	if ok = full.sightings == int64(ai) && full.names == len(aiNames); !ok {
		mark = fmt.Sprintf("  WRONG: want %d and %d", ai, len(aiNames))
	}
	fmt.Printf("%-13s %9d %8.1f %12.0f %9.1f %9.1f %8.1f %7d %6d%s\n", l.format, n, float64(size)/(1<<20), float64(n)/cpu, float64(size)/(1<<20)/cpu,
		full.wall.Seconds(), float64(full.peak)/(1<<20), full.sightings, full.names, mark)
	return ok, os.Remove(log)
}

// figures are what one run of the agent took and found.
type figures struct {
	wall, cpu time.Duration
	peak      int64 // bytes of resident memory
	sightings int64
	names     int
}

// read runs the agent until its kept position is the end of the log, and stops
// it: all it found has arrived then.
func read(ctx context.Context, l *layout, agent, work, log string, size int64) (f figures, err error) {
	receiver, err := newReceiver()
	if err != nil {
		return f, err
	}
	defer receiver.server.Close()
	state := filepath.Join(work, "state")
	if err := os.RemoveAll(state); err != nil {
		return f, err
	}
	config, token := filepath.Join(work, "agent.yaml"), filepath.Join(work, "token")
	if err := os.WriteFile(token, []byte("bench\n"), 0o600); err != nil {
		return f, err
	}
	text := fmt.Sprintf("state_dir: %s\nchannel: gateway\ncollector: {endpoint: %q, token_file: %s}\nnetwork: {enabled: false}\nprocess: {enabled: false}\nfile: {enabled: false}\nfold: {max_folds: 65536}\n"+
		"log:\n  enabled: true\n  checkpoint: 1s\n  sources:\n    - name: bench\n      format: %s\n      files: [%s]\n      from: start%s\n", state, receiver.url, token, l.format, log, l.source)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return f, err
	}
	c := exec.CommandContext(ctx, agent, "run", "--config", config)
	c.Env = append(os.Environ(), "GOMAXPROCS=1")
	var complaint strings.Builder
	c.Stderr = &complaint
	began := time.Now()
	if err := c.Start(); err != nil {
		return f, err
	}
	defer func() { _ = c.Process.Kill() }() // gone where all went well
	for deadline := began.Add(5 * time.Minute); position(state) < size; {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return f, fmt.Errorf("not read within five minutes: %s", complaint.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.wall, f.peak = time.Since(began), highWater(c.Process.Pid)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		return f, err
	}
	if err := c.Wait(); err != nil {
		return f, fmt.Errorf("%w: %s", err, complaint.String())
	}
	f.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	f.sightings, f.names = receiver.totals()
	return f, nil
}

// position reads the kept position of the only file; -1 where there is none.
func position(state string) int64 {
	data, err := os.ReadFile(filepath.Join(state, "logs", "positions.json"))
	if err != nil {
		return -1
	}
	_, rest, ok := strings.Cut(string(data), `"offset":`)
	if !ok {
		return -1
	}
	digits, _, _ := strings.Cut(rest, ",")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// highWater is the most memory that a process had resident, in bytes.
func highWater(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	n, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "kB", 2)[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
