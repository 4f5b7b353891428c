package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/agent/internal/export"
	"github.com/gnomon-ai/gnomon/agent/internal/identity"
	"github.com/gnomon-ai/gnomon/agent/internal/owner"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/agent/internal/spool"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Limits of doctor's checks.
const (
	trialTime    = 2 * time.Second  // how long each sensor is run
	probeTime    = 10 * time.Second // how long the collector may take
	clockWarning = 2 * time.Minute  // difference of clocks that puts findings into wrong windows
	memoryBudget = 40 << 20         // bytes
)

// check is the outcome of one of doctor's checks.
type check struct {
	Name   string `json:"check"`
	Status string `json:"status"` // ok, failed or skipped
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

func passed(name, format string, args ...any) check {
	return check{name, "ok", fmt.Sprintf(format, args...), ""}
}

func failed(name string, err error, remedy string) check {
	return check{name, "failed", err.Error(), remedy}
}

func doctorCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Check rights, capture, clock, collector, spool and budget",
		Long: `doctor tries what the agent needs, for real: it runs each sensor for two seconds, sends an empty
request to the collector, and writes to the state directory. Each failed check says what to do.

Exit codes: 0 none failed, 1 one failed. A limited sensor works and says what it cannot see.`,
		Example: "  gnomon-agent doctor --config /etc/gnomon/agent.yaml",
		Args:    cobra.NoArgs,
	}
	output := outputFlag(c)
	path := c.Flags().StringP("config", "c", "", "configuration file; without it the defaults are checked, and no collector")
	c.RunE = func(c *cobra.Command, _ []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		checks := examine(c.Context(), *path, newProgress(s.err))
		if err := printChecks(s, checks, asJSON); err != nil {
			return err
		}
		bad := 0
		for _, c := range checks {
			if c.Status == "failed" {
				bad++
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d of %d checks failed", bad, len(checks))
		}
		return nil
	}
	return c
}

// examine runs every check, each as far as those before it allow.
func examine(ctx context.Context, path string, p *progress) []check {
	defer p.done()
	t := defaults()
	var checks []check
	if path == "" {
		checks = append(checks, check{"configuration", "skipped", "no --config: the defaults are checked", ""})
	} else {
		loaded, err := load(path)
		if err != nil {
			return append(checks, failed("configuration", err, "mend the keys named; `run --check` prints what is in effect"))
		}
		t = loaded
		checks = append(checks, passed("configuration", "%s is valid", path))
	}
	checks = append(checks, checkCatalogue(t))
	checks = append(checks, checkState(t.StateDir), checkSpool(t))
	p.show("trying the sensors")
	checks = append(checks, checkSensors(ctx, t)...)
	checks = append(checks, checkOwner(ctx, t))
	p.show("trying the collector")
	return append(checks, checkCollector(ctx, t)...)
}

// checkCatalogue says which signatures the agent would use, and why.
func checkCatalogue(t *tree) check {
	signed, err := chooseCatalogue(t)
	if err != nil {
		return failed("catalogue", err, "mend the files in signatures_dir, or remove the key")
	}
	lookFor(signed.set, &t.File)
	text, attention := signed.choice.Describe(time.Now())
	if attention {
		return failed("catalogue", errors.New("in use: "+text), "put a pack in place that the agent takes; gnomon-collector pack verify tells what is wrong with one")
	}
	return passed("catalogue", "version %s, %d signatures: %s", signed.set.Version(), len(signed.set.Signatures()), text)
}

// checkState tries the directory of the agent's id.
func checkState(dir string) check {
	const name, remedy = "state", "make the directory and give it to the agent's user, or set state_dir"
	if err := writable(dir); err != nil {
		return failed(name, err, remedy)
	}
	if _, err := os.Stat(filepath.Join(dir, "agent_id")); errors.Is(err, os.ErrNotExist) {
		return passed(name, "%s can be written; the agent gets its id with the first run", dir)
	}
	id, err := identity.Load(dir, "")
	if err != nil {
		return failed(name, err, "restore the file, or remove it to make this a new agent")
	}
	return passed(name, "%s can be written; agent id %s", dir, id.AgentID)
}

// writable tries to make a file in dir, or dir itself in its nearest parent.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is no directory", dir)
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, os.ErrNotExist) || parent == dir {
			return err
		}
		dir = parent
	}
	file, err := os.CreateTemp(dir, ".gnomon-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// checkSpool compares the spool's bound with the space there is.
func checkSpool(t *tree) check {
	const name = "spool"
	config := t.spool()
	if err := writable(config.Dir); err != nil {
		return failed(name, err, "make the directory and give it to the agent's user, or set spool.dir")
	}
	used := ""
	if _, err := os.Stat(filepath.Join(config.Dir, "lock")); err == nil {
		s, err := spool.Open(config)
		switch {
		case errors.Is(err, spool.ErrInUse):
			used = "; in use by a running agent"
		case err != nil:
			return failed(name, err, "check the disk; removing the spool directory gives up the findings in it")
		default:
			used = fmt.Sprintf("; %d findings wait", s.Stats().PendingFindings)
			if err := s.Close(); err != nil {
				return failed(name, err, "check the disk")
			}
		}
	}
	free, err := freeSpace(config.Dir)
	if err != nil {
		return passed(name, "%s can be written; free space unknown: %v%s", config.Dir, err, used)
	}
	if free < uint64(config.MaxBytes) {
		return failed(name, fmt.Errorf("%d MiB free of the %d MiB that spool.max_bytes allows", free>>20, config.MaxBytes>>20),
			"free space, move spool.dir to a larger disk, or lower spool.max_bytes")
	}
	return passed(name, "%s: %d MiB free, up to %d MiB used%s", config.Dir, free>>20, config.MaxBytes>>20, used)
}

// checkSensors runs each sensor for a moment, as `run` would, and measures
// what that costs.
func checkSensors(ctx context.Context, t *tree) []check {
	log := slog.New(slog.DiscardHandler)
	var checks []check
	cpu := cpuTime()
	began := time.Now()
	for _, r := range sensors(t, func(signatures.Flow) {}, nil, log) {
		name := r.sensor.Name() + " sensor"
		if !r.enabled {
			checks = append(checks, check{name, "skipped", "switched off by the configuration", ""})
			continue
		}
		trial, cancel := context.WithTimeout(ctx, trialTime)
		report := make(chan sensor.Report, 1)
		go func() {
			waitOr(trial, trialTime*3/4) // ask while it runs
			report <- r.coverage()
		}()
		err := r.survive(trial, func(signatures.Observation) {}, log)
		cancel()
		checks = append(checks, sensorCheck(name, <-report, err))
	}
	return append(checks, checkBudget(cpuTime()-cpu, time.Since(began)))
}

// checkOwner tries how the process behind a connection is found.
func checkOwner(ctx context.Context, t *tree) check {
	const name = "attribution"
	resolver := owner.New(t.Owner, slog.New(slog.DiscardHandler))
	trial, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- resolver.Run(trial) }()
	waitOr(ctx, trialTime/4)
	status := resolver.Status()
	cancel()
	if err := errors.Join(<-ended, resolver.Close()); err != nil {
		return failed(name, err, "see the message; connections are reported without their process")
	}
	if status.Reason != "" {
		return check{name, "limited", "works by " + string(status.Method), status.Reason}
	}
	return passed(name, "by %s", status.Method)
}

func sensorCheck(name string, report sensor.Report, err error) check {
	var unavailable *sensor.Unavailable
	switch {
	case errors.As(err, &unavailable):
		return failed(name, unavailable.Cause, unavailable.Remedy)
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return failed(name, err, "see the message; the other sensors are not affected")
	case report.State == sensor.Degraded:
		// It works, with less than it could see: for the person to weigh.
		return check{name, "limited", "works, but does not see everything", report.Reason}
	case report.State != sensor.On:
		return failed(name, errors.New(report.State), report.Reason)
	case report.Reason != "":
		return check{name, "limited", "works, but by lesser means", report.Reason}
	}
	var blind []string
	for _, b := range report.Blind {
		blind = append(blind, fmt.Sprintf("%s (%d)", b.Reason, b.Count))
	}
	detail := "on" + howCaptured(report.Counters)
	if len(blind) > 0 {
		return passed(name, "%s; not seen: %s", detail, strings.Join(blind, ", "))
	}
	return passed(name, "%s", detail)
}

// howCaptured says how the interfaces are read; "" for sensors that read none.
func howCaptured(counters map[string]uint64) string {
	open, ok := counters["interfaces_open"]
	if !ok {
		return ""
	}
	var parts []string
	for _, mode := range []string{"ebpf", "classic", "none"} {
		if n := counters["capture_mode_"+mode]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d by filter %s", n, mode))
		}
	}
	if n := counters["interfaces_ring"]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d through a ring", n))
	}
	return fmt.Sprintf(", reads %d interfaces (%s)", open, strings.Join(parts, ", "))
}

// checkBudget holds the memory of this process, with the catalogue loaded and
// the sensors run, against the agent's budget.
func checkBudget(cpu, took time.Duration) check {
	rss, err := residentMemory()
	if err != nil {
		return check{"budget", "skipped", err.Error(), ""}
	}
	detail := fmt.Sprintf("%d MiB resident, %.1f %% of a core while the sensors started", rss>>20, 100*cpu.Seconds()/max(took.Seconds(), 0.001))
	if rss > 2*memoryBudget {
		return failed("budget", errors.New(detail), "lower network.limits, file.max_models and file.max_remembered")
	}
	return passed("budget", "%s", detail)
}

// checkCollector sends an empty request, which proves address, certificates and
// token, and compares the clocks.
func checkCollector(ctx context.Context, t *tree) []check {
	if t.Collector.Endpoint == "" {
		return []check{{"collector", "skipped", "no collector is configured", ""}, {"clock", "skipped", "compared with the collector's", ""}}
	}
	poster, err := export.NewPoster(t.Collector, export.LogsPath, userAgent())
	if err != nil {
		return []check{failed("collector", err, "mend the section collector")}
	}
	defer poster.Close()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	began := time.Now()
	reply, err := poster.Post(ctx, nil)
	took := time.Since(began)
	var checks []check
	switch {
	case err == nil:
		checks = append(checks, passed("collector", "%s takes requests (HTTP %d in %d ms)", t.Collector.Endpoint, reply.Status, took.Milliseconds()))
	case reply.Status == 401 || reply.Status == 403:
		checks = append(checks, failed("collector", err, "put a valid token into collector.token_file"))
	case reply.Status != 0:
		checks = append(checks, failed("collector", err, "check collector.endpoint and the collector's log"))
	default:
		checks = append(checks, failed("collector", err, "check collector.endpoint, ca_file, name resolution, proxy and firewall"))
	}
	if reply.ServerTime.IsZero() {
		return append(checks, check{"clock", "skipped", "the collector told no time", ""})
	}
	skew := time.Now().Add(-took / 2).Sub(reply.ServerTime).Round(time.Second)
	if skew.Abs() > clockWarning {
		return append(checks, failed("clock", fmt.Errorf("differs by %v from the collector's", skew), "synchronise the clock, e.g. with NTP"))
	}
	return append(checks, passed("clock", "within %v of the collector's", max(skew.Abs(), time.Second)))
}

func printChecks(s streams, checks []check, asJSON bool) error {
	if asJSON {
		out := newJSONLines(s.out)
		for _, c := range checks {
			if err := out.write(c); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(s.out, "CHECK", "STATUS", "DETAIL")
	for _, c := range checks {
		t.row(c.Name, c.Status, c.Detail)
		if c.Remedy != "" {
			t.row("", "", "-> "+c.Remedy)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
