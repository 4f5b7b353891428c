package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
)

// measurement is one method against one kind of program.
type measurement struct {
	settings
	method, kind string
	dir          string
	programs     map[string]string // by service
	server, port string
}

// result is what a measurement brought.
type result struct {
	method, kind                     string
	started, seen, attributed, wrong uint64
	unknown                          map[string]uint64
	cpu, took                        time.Duration
	rss                              uint64 // bytes, after the load
	used                             string // the method that the agent says it used
}

// String is a row of the table.
func (r result) String() string {
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(r.unknown)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, r.unknown[reason]))
	}
	return fmt.Sprintf("%-10s %-8s %9d %6d %10d %6d %8.2f%% %8.2f%% %4d MiB  %s [%s]", r.method, r.kind, r.started, r.seen, r.attributed, r.wrong,
		100*float64(r.attributed)/max(1, float64(r.started)), 100*r.cpu.Seconds()/r.took.Seconds(), r.rss>>20, strings.Join(reasons, ", "), r.used)
}

// limit bounds one measurement in time.
const limit = 5 * time.Minute

func (m *measurement) run(ctx context.Context) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := result{method: m.method, kind: m.kind, unknown: map[string]uint64{}}
	collector, err := newReceiver()
	if err != nil {
		return r, err
	}
	defer collector.close()
	config, err := m.configure(collector.address())
	if err != nil {
		return r, err
	}
	agent, err := daemon.Start(nil, m.agent, "run", "--config", config)
	if err != nil {
		return r, err
	}
	defer agent.Kill()
	if err := daemon.Until(ctx, "the agent's sensors", func() (bool, error) { return collector.isOn("network") && collector.isOn("owner"), nil }, agent); err != nil {
		return r, err
	}
	before, err := cpuTime(agent.PID())
	if err != nil {
		return r, err
	}
	began := time.Now()
	if r.started, err = m.load(ctx); err != nil {
		return r, err
	}
	if err := pause(ctx, 2*time.Second); err != nil { // what is under way
		return r, err
	}
	r.took = time.Since(began)
	after, err := cpuTime(agent.PID())
	if err != nil {
		return r, err
	}
	r.cpu = after - before
	if r.rss, err = residentMemory(agent.PID()); err != nil {
		return r, err
	}
	if err := agent.Stop(30 * time.Second); err != nil {
		return r, err
	}
	m.judge(&r, collector)
	return r, nil
}

func (m *measurement) configure(collector string) (string, error) {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	path, token := filepath.Join(m.dir, "agent.yaml"), filepath.Join(m.dir, "token")
	text := fmt.Sprintf(`state_dir: %q
collector: {endpoint: %q, token_file: %q}
network: {interfaces: [lo]}
process: {enabled: false}
file: {enabled: false}
owner: {method: %s}
heartbeat: {interval: 1s}
`, filepath.Join(m.dir, "state"), collector, token, m.method)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.WriteFile(token, []byte("bench"), 0o600)); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}

// abreast is how many programs run at once at most.
const abreast = 32

// load starts the programs at the rate asked for and waits for their end.
func (m *measurement) load(ctx context.Context) (uint64, error) {
	list := services()
	var started, failed atomic.Uint64
	var running sync.WaitGroup
	slots := make(chan struct{}, abreast)
	next := time.Now()
	for i := range m.settings.programs {
		if m.rate > 0 {
			next = next.Add(time.Second / time.Duration(m.rate))
			if err := pause(ctx, time.Until(next)); err != nil {
				return 0, err
			}
		}
		slots <- struct{}{}
		service := list[i%len(list)]
		running.Go(func() {
			defer func() { <-slots }()
			if err := exec.CommandContext(ctx, m.programs[service], m.kind, m.server, service).Run(); err != nil {
				failed.Add(1)
				return
			}
			started.Add(1)
		})
	}
	running.Wait()
	if n := failed.Load(); n > 0 {
		return 0, fmt.Errorf("%d programs failed", n)
	}
	return started.Load(), nil
}

// judge counts what the findings say: the highest revision of each counts.
func (m *measurement) judge(r *result, c *receiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.used = c.reason["owner"]
	for _, f := range c.findings {
		program, ours := m.programs[f.PeerName]
		if !ours || f.Protocol != "tls" || fmt.Sprint(f.PeerPort) != m.port {
			continue // somebody else's traffic
		}
		r.seen += f.Count
		switch {
		case f.OwnerUnknown != "":
			r.unknown[f.OwnerUnknown] += f.Count
		case f.ProcessPath == program:
			r.attributed += f.Count
		default:
			r.wrong += f.Count
			r.unknown["taken for "+filepath.Base(f.ProcessPath)] += f.Count
		}
	}
}

// cpuTime is the processor time of a process so far (proc(5), /proc/pid/stat,
// fields 14 and 15, in hundredths of a second).
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("measuring the agent: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("measuring the agent: malformed status")
	}
	var total time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("measuring the agent: %w", err)
		}
		total += time.Duration(ticks) * 10 * time.Millisecond
	}
	return total, nil
}

// residentMemory is VmRSS of a process, in bytes.
func residentMemory(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("measuring the agent: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kilobytes uint64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		return 0, fmt.Errorf("measuring the agent: %w", err)
	}
	return kilobytes << 10, nil
}
