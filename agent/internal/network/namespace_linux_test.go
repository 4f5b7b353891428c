package network

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/signatures"
)

// inNamespace runs do on a thread that is in a network namespace of its own,
// which ends with it.
func inNamespace(t *testing.T, do func(*space)) {
	t.Helper()
	entered, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		entered <- err
		if err == nil {
			s := &space{t: t, thread: unix.Gettid()}
			s.ip("link", "set", "lo", "up")
			do(s)
		}
	}()
	if err := <-entered; err != nil {
		t.Skipf("a network namespace needs CAP_SYS_ADMIN: %v", err)
	}
	<-done
}

// space is a network namespace.
type space struct {
	t      *testing.T
	thread int
}

// ip runs the tool of that name; call it from do's goroutine.
func (s *space) ip(arguments ...string) {
	s.t.Helper()
	if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip %v: %v: %s", arguments, err, out)
	}
}

// retransmitted is how many TCP segments were sent again so far; call it from
// do's goroutine.
func (s *space) retransmitted() uint64 {
	s.t.Helper()
	raw, err := os.ReadFile("/proc/thread-self/net/snmp")
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		switch {
		case fields[0] != "Tcp:":
		case names == nil:
			names = fields
		default:
			n, err := strconv.ParseUint(fields[slices.Index(names, "RetransSegs")], 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatal("the kernel counts no segments")
	return 0
}

// sensing runs a sensor in the namespace.
type sensing struct {
	*Sensor
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	list []signatures.Observation
}

// run starts a sensor on a thread of the namespace, and before that takes the
// rights from it that prepare takes.
func (s *space) run(config Config, prepare func() error) *sensing {
	ctx, cancel := context.WithCancel(context.Background())
	r := &sensing{Sensor: New(config, slog.New(slog.DiscardHandler)), t: s.t, cancel: cancel, ended: make(chan error, 1)}
	r.Follow(func(signatures.Flow) bool { return true })
	s.t.Cleanup(cancel) // where the test ends before stop
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		runtime.LockOSThread() // as above
		err := unix.Setns(fd, unix.CLONE_NEWNET)
		unix.Close(fd)
		if err == nil && prepare != nil {
			err = prepare()
		}
		if err == nil {
			err = r.Run(ctx, r.take)
		}
		r.ended <- err
	}()
	return r
}

func (r *sensing) take(o signatures.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, o)
}

func (r *sensing) observed() []signatures.Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]signatures.Observation(nil), r.list...)
}

// waitOpen waits for as many interfaces to be read.
func (r *sensing) waitOpen(n uint64) {
	r.t.Helper()
	waitFor(r.t, "the interfaces", func() bool { return r.Coverage().Counters["interfaces_open"] == n })
}

// paths lists the paths of the requests seen.
func (r *sensing) paths() map[string]int {
	m := map[string]int{}
	for _, o := range r.observed() {
		if o.Path != "" {
			m[o.Path]++
		}
	}
	return m
}

// stop ends the sensor.
func (r *sensing) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
}
