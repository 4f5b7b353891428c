package process

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/process"
	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/signatures"
)

// crowd starts programs that do nothing, on top of what runs.
func crowd(b *testing.B, n int) {
	b.Helper()
	for range n {
		command := exec.Command("/bin/sleep", "600")
		if err := command.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// passes measures passes over 300 programs more than the host runs, and
// reports the CPU time of one, user and system.
func passes(b *testing.B, again bool) {
	crowd(b, 300)
	drop := func(signatures.Observation) {}
	s := newSensor(b, nil)
	if err := s.Pass(context.Background(), drop); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		if again {
			clear(s.known)
		}
		if err := s.Pass(context.Background(), drop); err != nil {
			b.Fatal(err)
		}
	}
	used := cpuTime(b) - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/pass")
	b.ReportMetric(float64(len(s.known)), "processes")
}

func BenchmarkPassAtRest(b *testing.B) { passes(b, false) }

func BenchmarkPassFirst(b *testing.B) { passes(b, true) }

// The same facts through gopsutil alone, for comparison.
func BenchmarkGopsutilFacts(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p, err := process.NewProcess(int32(os.Getpid()))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = p.Exe()
		_, _ = p.CmdlineSlice()
		_, _ = p.Ppid()
		_, _ = p.Username()
		_, _ = p.CreateTime()
	}
}
