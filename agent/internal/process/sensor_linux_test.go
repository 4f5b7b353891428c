package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

// roleVariable turns the test binary into one of the programs below.
const roleVariable = "GNOMON_PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		goleak.VerifyTestMain(m)
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// play is the main of the helper programs: each says a line when it is ready
// and takes lines as orders.
func play(role string) error {
	if role == "listen" {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	} else {
		fmt.Println("0")
	}
	var order string
	for {
		if _, err := fmt.Scanln(&order); err != nil {
			return nil
		}
		switch order {
		case "listen":
			listener, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				return err
			}
			defer listener.Close()
			fmt.Println(listener.Addr().(*net.TCPAddr).Port)
		case "exec":
			return unix.Exec("/proc/self/exe", []string{"second", "image"}, append(os.Environ(), roleVariable+"=wait"))
		}
	}
}

const deadline = 20 * time.Second

// program is a helper that runs.
type program struct {
	t       testing.TB
	command *exec.Cmd
	input   io.WriteCloser
	output  io.Reader
	pid     int32
	port    uint16 // the one it said last
}

// named copies the test binary under a name, where every user may run it.
func named(t testing.TB, name string) string {
	t.Helper()
	folder := t.TempDir()
	for _, f := range []string{folder, filepath.Dir(folder)} {
		if err := os.Chmod(f, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func start(t testing.TB, executable, role string, change func(*exec.Cmd), arguments ...string) *program {
	t.Helper()
	p := &program{t: t, command: exec.Command(executable)}
	p.command.Args = arguments
	p.command.Env = append(os.Environ(), roleVariable+"="+role, "OPENAI_API_KEY=never-to-be-read")
	p.command.Stderr = os.Stderr
	if change != nil {
		change(p.command)
	}
	var err error
	if p.input, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.output, err = p.command.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.pid = int32(p.command.Process.Pid)
	p.hear()
	return p
}

func (p *program) hear() {
	p.t.Helper()
	var port uint16
	if _, err := fmt.Fscanln(p.output, &port); err != nil {
		p.t.Fatalf("helper said no port: %v", err)
	}
	p.port = port
}

func (p *program) order(what string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.input, what); err != nil {
		p.t.Fatal(err)
	}
	p.hear()
}

func (p *program) stop() {
	_ = p.input.Close()
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// gathered takes observations from any goroutine.
type gathered struct {
	mu   sync.Mutex
	list []signatures.Observation
}

func (g *gathered) emit(o signatures.Observation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, o)
}

// of returns what was seen of pid, and forgets everything.
func (g *gathered) of(pid int32) []signatures.Observation {
	g.mu.Lock()
	defer g.mu.Unlock()
	var own []signatures.Observation
	for _, o := range g.list {
		if o.Process.PID == pid {
			own = append(own, o)
		}
	}
	g.list = nil
	return own
}

func newSensor(t testing.TB, change func(*Config)) *Sensor {
	t.Helper()
	config := DefaultConfig()
	if change != nil {
		change(&config)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	s := New(config, slog.New(slog.DiscardHandler))
	t.Cleanup(s.close)
	return s
}

func pass(t testing.TB, s *Sensor, g *gathered) {
	t.Helper()
	if err := s.Pass(context.Background(), g.emit); err != nil {
		t.Fatal(err)
	}
}

// one returns the only observation of pid.
func one(t *testing.T, g *gathered, pid int32) signatures.Observation {
	t.Helper()
	list := g.of(pid)
	if len(list) != 1 {
		t.Fatalf("process %d was reported %d times, want once: %+v", pid, len(list), list)
	}
	return list[0]
}

func userName(uid int) string {
	if account, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return account.Username
	}
	return strconv.Itoa(uid)
}

// nobody is the uid that belongs to no person.
const nobody = 65534

func TestPassReportsRealPrograms(t *testing.T) {
	f := func(title, executable, role string, change func(*exec.Cmd), uid int, arguments ...string) {
		t.Run(title, func(t *testing.T) {
			p := start(t, executable, role, change, arguments...)
			g := &gathered{}
			pass(t, newSensor(t, nil), g)
			got := one(t, g, p.pid)
			if age := time.Since(got.Process.StartedAt); age < -time.Second || age > time.Minute {
				t.Errorf("started %s ago", age)
			}
			if time.Since(got.Time) > time.Minute {
				t.Errorf("seen at %s", got.Time)
			}
			want := signatures.Observation{
				Sensor: "process", Kind: signatures.KindProcess,
				Process: signatures.Process{
					PID: p.pid, ParentPID: int32(os.Getpid()), Name: filepath.Base(executable), Executable: executable,
					Arguments: arguments, User: userName(uid),
				},
			}
			if p.port != 0 {
				want.Ports = []uint16{p.port}
			}
			got.Time, got.Process.StartedAt, got.Process.Container = time.Time{}, time.Time{}, ""
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b signatures.Flow) bool { return a == b })); diff != "" {
				t.Errorf("observation (-want +got):\n%s", diff)
			}
		})
	}
	f("runtime that listens", named(t, "ollama"), "listen", nil, os.Getuid(), "ollama", "serve")
	f("interpreter with a module", named(t, "python3.12"), "wait", nil, os.Getuid(),
		"python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "mistral 7b")
	f("interpreter with a package", named(t, "node"), "wait", nil, os.Getuid(),
		"node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js")
	f("other user", named(t, "llama-server"), "listen", func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}, nobody, "llama-server")
}

func TestEnvironmentIsNeverSeen(t *testing.T) {
	p := start(t, named(t, "ollama"), "wait", nil, "ollama", "serve")
	g := &gathered{}
	pass(t, newSensor(t, nil), g)
	if seen := fmt.Sprintf("%+v", one(t, g, p.pid)); strings.Contains(seen, "never-to-be-read") || strings.Contains(seen, "OPENAI_API_KEY") {
		t.Errorf("the environment shows: %s", seen)
	}
}

// What is known is silent until it changes, listens, or is due.
func TestLifeOfAProgram(t *testing.T) {
	s := newSensor(t, nil)
	g := &gathered{}
	p := start(t, named(t, "ollama"), "wait", nil, "first", "image")
	pass(t, s, g)
	if got := one(t, g, p.pid); len(got.Ports) != 0 {
		t.Errorf("ports %v, want none", got.Ports)
	}
	pass(t, s, g)
	if list := g.of(p.pid); len(list) != 0 {
		t.Errorf("reported again without a reason: %+v", list)
	}

	p.order("listen")
	pass(t, s, g)
	if got := one(t, g, p.pid); !slices.Equal(got.Ports, []uint16{p.port}) {
		t.Errorf("ports %v, want %d", got.Ports, p.port)
	}

	p.order("exec")
	pass(t, s, g)
	if got := one(t, g, p.pid); !slices.Equal(got.Process.Arguments, []string{"second", "image"}) || len(got.Ports) != 0 {
		t.Errorf("after exec: %+v", got)
	}

	s.known[p.pid].due = time.Now().Add(-time.Second)
	pass(t, s, g)
	if got := one(t, g, p.pid); !slices.Equal(got.Process.Arguments, []string{"second", "image"}) {
		t.Errorf("repeated: %+v", got)
	}

	p.stop()
	pass(t, s, g)
	if list := g.of(p.pid); len(list) != 0 {
		t.Errorf("reported after its end: %+v", list)
	}
	counters := s.Coverage().Counters
	for name, least := range map[string]uint64{
		"process_passes": 6, "process_started": 1, "process_replaced": 1, "process_gone": 1, "process_repeated": 1,
		"process_ports_changed": 1, "process_observations": 4, "process_listed": 6, "process_port_walks": 1, "process_listening": 1,
	} {
		if counters[name] < least {
			t.Errorf("%s is %d, want %d at least", name, counters[name], least)
		}
	}
	if _, err := os.Stat("/proc/2/exe"); err != nil && counters["process_kernel_threads"] == 0 {
		t.Error("no kernel thread was counted")
	}
}

// A kernel name that changes is no other program, also where it was the title.
func TestRenamedProgramKeepsItsCommandLine(t *testing.T) {
	s := newSensor(t, nil)
	g := &gathered{}
	p := start(t, named(t, "node"), "wait", nil, "node", "/opt/@openai/codex/bin/codex.js")
	pass(t, s, g)
	one(t, g, p.pid)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/comm", p.pid), []byte("codex"), 0); err != nil && !errors.Is(err, unix.EINVAL) {
		t.Fatal(err)
	}
	pass(t, s, g)
	if list := g.of(p.pid); len(list) != 0 {
		t.Errorf("reported for its new name: %+v", list)
	}
}

// A socket that two processes share is a port of both.
func TestSharedListeningSocket(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	share := func(c *exec.Cmd) { c.ExtraFiles = []*os.File{file} }
	executable := named(t, "uvicorn")
	first, second := start(t, executable, "wait", share, "worker"), start(t, executable, "wait", share, "worker")
	g := &gathered{}
	pass(t, newSensor(t, nil), g)
	want := []uint16{listener.Addr().(*net.TCPAddr).AddrPort().Port()}
	list := append([]signatures.Observation(nil), g.list...)
	for _, pid := range []int32{first.pid, second.pid} {
		at := slices.IndexFunc(list, func(o signatures.Observation) bool { return o.Process.PID == pid })
		if at < 0 || !slices.Equal(list[at].Ports, want) {
			t.Errorf("process %d: %+v, want ports %v", pid, list[max(at, 0)], want)
		}
	}
}

func TestZombiesAreCounted(t *testing.T) {
	p := start(t, named(t, "ollama"), "wait", nil, "ollama")
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(deadline); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stat), ") Z ") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("never a zombie")
		}
	}
	s, g := newSensor(t, nil), &gathered{}
	pass(t, s, g)
	if list := g.of(p.pid); len(list) != 0 || s.Coverage().Counters["process_zombies"] == 0 {
		t.Errorf("%+v, counters %v", list, s.Coverage().Counters)
	}
}

func TestLimitsAreBlindSpots(t *testing.T) {
	f := func(change func(*Config), reason, counter string) {
		t.Run(counter, func(t *testing.T) {
			start(t, named(t, "ollama"), "listen", nil, "ollama", "serve", strings.Repeat("x", 400))
			s, g := newSensor(t, change), &gathered{}
			err := s.Scan(context.Background(), g.emit)
			var incomplete *Incomplete
			if !errors.As(err, &incomplete) || !strings.Contains(err.Error(), reason) {
				t.Errorf("error %v, want one that is *Incomplete and names %s", err, reason)
			}
			report := s.Coverage()
			if report.Counters[counter] == 0 {
				t.Errorf("%s is 0: %v", counter, report.Counters)
			}
			for _, blind := range report.Blind {
				if blind.Reason == reason && blind.Count > 0 && blind.Detail != "" {
					return
				}
			}
			t.Errorf("blind %+v, want %s", report.Blind, reason)
		})
	}
	f(func(c *Config) { c.MaxProcesses = 1 }, blindLimit, "process_over_limit")
	f(func(c *Config) { c.MaxListening = 1; listenOnce(t) }, blindPorts, "process_listening_over_limit")
	f(func(c *Config) { c.Facts.MaxArgumentBytes = 256 }, blindArgumentsCut, "process_arguments_cut")
}

// listenOnce makes sure that two sockets listen, with the helper's.
func listenOnce(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
}

// asNobody runs f on a thread without rights, which ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its lost rights
		_, _, _ = unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETRESGID, nobody, nobody, nobody)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Errorf("giving up rights: %v", errno)
			return
		}
		f()
	}()
	<-done
}

// Without rights, paths of other users' programs and holders of their sockets
// are hidden: that is reported, and what is visible is still seen.
func TestMissingRightsAreBlindSpots(t *testing.T) {
	p := start(t, named(t, "ollama"), "listen", nil, "ollama", "serve")
	s, g := newSensor(t, nil), &gathered{}
	asNobody(t, func() {
		if err := s.Pass(context.Background(), g.emit); err != nil {
			t.Error(err)
		}
	})
	got := one(t, g, p.pid)
	if got.Process.Name != "ollama" || got.Process.Executable != "" || !slices.Equal(got.Process.Arguments, []string{"ollama", "serve"}) || len(got.Ports) != 0 {
		t.Errorf("observation %+v", got)
	}
	report := s.Coverage()
	if report.State != sensor.Degraded || !strings.Contains(report.Reason, "CAP_SYS_PTRACE") {
		t.Errorf("state %q, reason %q", report.State, report.Reason)
	}
	for _, name := range []string{"process_executable_blind", "process_listening_denied"} {
		if report.Counters[name] == 0 {
			t.Errorf("%s is 0", name)
		}
	}
}

// hidden mounts a second procfs that hides the processes of others.
func hidden(t *testing.T, option string) string {
	t.Helper()
	root := t.TempDir()
	for _, folder := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("proc", root, "proc", 0, option); err != nil {
		t.Fatalf("mounting procfs needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	return root
}

func TestHiddenProcessesAreABlindSpot(t *testing.T) {
	f := func(option string, listed bool) {
		t.Run(option, func(t *testing.T) {
			root := hidden(t, option)
			p := start(t, named(t, "ollama"), "wait", nil, "ollama", "serve")
			s, g := newSensor(t, func(c *Config) { c.Facts.ProcRoot = root }), &gathered{}
			asNobody(t, func() {
				if err := s.Pass(context.Background(), g.emit); err != nil {
					t.Error(err)
				}
			})
			if list := g.of(p.pid); len(list) != 0 {
				t.Errorf("seen all the same: %+v", list)
			}
			report := s.Coverage()
			at := slices.IndexFunc(report.Blind, func(b finding.Blind) bool { return b.Reason == blindHidden })
			if report.State != sensor.Degraded || at < 0 || !strings.Contains(report.Blind[at].Detail, "hidepid=") {
				t.Errorf("state %q, blind %+v: want %s", report.State, report.Blind, blindHidden)
			}
			if got := report.Counters["process_executable_blind"] > 0; got != listed {
				t.Errorf("process_executable_blind is %d, want more than 0: %v", report.Counters["process_executable_blind"], listed)
			}
		})
	}
	f("hidepid=1", true)  // listed, and refused
	f("hidepid=2", false) // not even listed
}

func TestRunPassesUntilTheEnd(t *testing.T) {
	s := newSensor(t, func(c *Config) { c.Interval, c.RepeatEvery = 100*time.Millisecond, time.Hour })
	if report := s.Coverage(); report.State != sensor.Off || report.Reason == "" {
		t.Errorf("before the start: %+v", report)
	}
	g := &gathered{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, g.emit) }()
	for end := time.Now().Add(deadline); s.Coverage().Counters["process_passes"] < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no third pass")
		}
	}
	p := start(t, named(t, "ollama"), "listen", nil, "ollama", "serve")
	for end := time.Now().Add(deadline); len(g.of(p.pid)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a program that started later was not reported")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	// Even root may not look at a process that a security module protects.
	report, want := s.Coverage(), sensor.On
	if report.Counters["process_executable_blind"] > 0 {
		want = sensor.Degraded
	}
	if report.State != want || report.Since.IsZero() || (want == sensor.On) != (len(report.Blind) == 0) {
		t.Errorf("coverage %+v, want state %q", report, want)
	}
}

func TestRunSaysWhyItCannot(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		s := newSensor(t, change)
		err := s.Run(context.Background(), func(signatures.Observation) {})
		var unavailable *sensor.Unavailable
		if !errors.As(err, &unavailable) || unavailable.Sensor != "process" || !strings.Contains(unavailable.Remedy, want) {
			t.Errorf("error %v, want *sensor.Unavailable with a remedy about %q", err, want)
		}
		if report := s.Coverage(); report.State != sensor.Off || !strings.Contains(report.Reason, want) {
			t.Errorf("state %q, reason %q", report.State, report.Reason)
		}
	}
	f(func(c *Config) { c.Enabled = false }, "enabled")
	f(func(c *Config) { c.Facts.ProcRoot = "/nowhere/proc" }, "proc_root")
}

// Panics while one process is looked at cost that process only.
func TestPanicsAreCounted(t *testing.T) {
	s, g := newSensor(t, nil), &gathered{}
	s.reader = nil
	s.look(int32(os.Getpid()), time.Now())
	s.holders, s.known = nil, map[int32]*tracked{1: {fresh: true}}
	s.lookAtPorts()
	if n := s.Coverage().Counters["process_panics"]; n != 2 || len(g.list) != 0 {
		t.Errorf("%d panics counted, want 2", n)
	}
}

// Every counter that Coverage names is one that can move, and the other way
// round: 24 fields, 24 names.
func TestFailuresAreCounted(t *testing.T) {
	s, g := newSensor(t, func(c *Config) { c.Facts.ProcRoot = t.TempDir() }), &gathered{}
	root := s.config.Facts.ProcRoot
	for pid, stat := range map[string]string{"41": "garbage", "42": ""} {
		if err := os.Mkdir(filepath.Join(root, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if stat != "" {
			if err := os.WriteFile(filepath.Join(root, pid, "stat"), []byte(stat), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	pass(t, s, g)
	report := s.Coverage()
	if report.Counters["process_unread"] != 1 || report.Counters["process_vanished"] != 1 {
		t.Errorf("counters %v: want one unread, one vanished", report.Counters)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := s.Pass(context.Background(), g.emit); err == nil {
		t.Error("no error without a list of processes")
	}
	s.close()
	s.portsUnseen(errors.New("refused"))
	s.count(func(c *counters) { c.portsFailed++ })
	report = s.Coverage()
	if report.Counters["process_passes_failed"] != 1 || report.Counters["process_ports_failed"] != 1 {
		t.Errorf("counters %v: want one failed pass, one failed listing", report.Counters)
	}
	if err := (&Incomplete{Blind: report.Blind}).Error(); !strings.Contains(err, "refused") {
		t.Errorf("error %q does not say why", err)
	}
}

func TestConfigNamesTheKey(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		config := DefaultConfig()
		change(&config)
		err := config.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("error %v, want one that starts with %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Interval = time.Millisecond }, "interval:")
	f(func(c *Config) { c.RepeatEvery = time.Second }, "repeat_every:")
	f(func(c *Config) { c.MaxProcesses = 0 }, "max_processes:")
	f(func(c *Config) { c.MaxListening = 0 }, "max_listening:")
	f(func(c *Config) { c.Facts.MaxArguments = 0 }, "facts.max_arguments:")
}
