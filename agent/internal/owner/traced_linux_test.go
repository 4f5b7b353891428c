package owner

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/signatures"
)

// newTraced returns a resolver that the kernel tells of connections.
func newTraced(t testing.TB, change func(*Config)) *Resolver {
	t.Helper()
	r := newResolver(t, change)
	startRun(t, r)
	eventually(t, "the start of the resolver", func() bool {
		status := r.Status()
		if status.Reason != "" && status.Reason != "not started" {
			t.Fatalf("the kernel is to record connections, which needs root and cgroup2: %+v", status)
		}
		return status.Method == EBPF
	})
	return r
}

// server takes what the helpers send and tells the flows.
type server struct {
	address string
	flows   chan signatures.Flow
}

func serve(t testing.TB, network, address string) *server {
	t.Helper()
	s := &server{flows: make(chan signatures.Flow, 4096)}
	var working sync.WaitGroup
	if strings.HasPrefix(network, "udp") {
		socket, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		s.address = socket.LocalAddr().String()
		to := socket.LocalAddr().(*net.UDPAddr).AddrPort()
		working.Go(func() {
			for {
				_, from, err := socket.ReadFrom(make([]byte, 16))
				if err != nil {
					return
				}
				s.flows <- signatures.Flow{Protocol: "udp", Client: from.(*net.UDPAddr).AddrPort(), Server: to}
			}
		})
		t.Cleanup(func() { _ = socket.Close(); working.Wait() })
		return s
	}
	listener := listenTCP(t, network, address)
	s.address = listener.Addr().String()
	working.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			working.Go(func() {
				defer connection.Close()
				if _, err := io.ReadFull(connection, make([]byte, len("hello"))); err == nil {
					_, _ = connection.Write([]byte("r"))
					s.flows <- tcpFlow(connection.RemoteAddr(), connection.LocalAddr())
				}
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); working.Wait() })
	return s
}

func (s *server) next(t testing.TB) signatures.Flow {
	t.Helper()
	select {
	case flow := <-s.flows:
		return flow
	case <-time.After(deadline):
		t.Fatal("nothing came from the helper")
		return signatures.Flow{}
	}
}

// Every way to open a connection is told with its program, after that has
// ended, and with the same words as one that lives.
func TestTracedAfterExit(t *testing.T) {
	r := newTraced(t, nil)
	f := func(name, role, network, listen string) {
		t.Run(name, func(t *testing.T) {
			s := serve(t, network, listen)
			p := start(t, role, network, s.address, nil)
			parents := parentsOf(t, p.command.Process.Pid)
			flow := s.next(t)
			if err := p.command.Wait(); err != nil {
				t.Fatal(err)
			}
			got, reason := r.Lookup(flow)
			if reason != "" {
				t.Fatalf("reason %q, counters %v", reason, r.Counters())
			}
			if age := time.Since(got.StartedAt); age < 0 || age > time.Minute {
				t.Errorf("started %s ago", age)
			}
			got.StartedAt, got.Container = time.Time{}, ""
			want := signatures.Process{
				PID: int32(p.command.Process.Pid), ParentPID: int32(os.Getpid()), Name: filepath.Base(executableOf(t)),
				Executable: executableOf(t), Arguments: p.command.Args[:2], User: userName(os.Getuid()), Parents: parents,
			}
			if role == "handed" {
				want.Arguments = []string{"handed", "inherited"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("process (-want +got):\n%s", diff)
			}
		})
	}
	f("tcp ipv4", "exit", "tcp4", "127.0.0.1:0")
	f("tcp ipv6", "exit", "tcp6", "[::1]:0")
	f("tcp that waits", "blocking", "tcp4", "127.0.0.1:0")
	f("tcp mapped", "mapped", "tcp4", "127.0.0.1:0")
	f("tcp fast open", "fastopen", "tcp4", "127.0.0.1:0")
	f("tcp fast open without connect", "fastsend", "tcp4", "127.0.0.1:0")
	f("socket before exec", "handed", "tcp4", "127.0.0.1:0")
	f("udp connected ipv4", "exit", "udp4", "127.0.0.1:0")
	f("udp connected ipv6", "exit", "udp6", "[::1]:0")
	f("udp unconnected ipv4", "unconnected", "udp4", "127.0.0.1:0")
	f("udp unconnected ipv6", "unconnected", "udp6", "[::1]:0")
	if n := r.Counters()["owner_traced_ended"]; n != 11 {
		t.Errorf("owner_traced_ended is %d, want 11", n)
	}
}

// A connected UDP socket that is open is known by its number.
func TestTracedOpenUDP(t *testing.T) {
	r := newTraced(t, nil)
	s := serve(t, "udp4", "127.0.0.1:0")
	p := start(t, "stay", "udp4", s.address, nil)
	got, reason := r.Lookup(s.next(t))
	if reason != "" || got.PID != int32(p.command.Process.Pid) {
		t.Errorf("pid %d, reason %q; want %d", got.PID, reason, p.command.Process.Pid)
	}
	if n := r.Counters()["owner_hits_traced"]; n != 1 {
		t.Errorf("owner_hits_traced is %d, want 1", n)
	}
}

// Many short programs at once: none is missed and none is taken for another.
// As on the wire, each is asked for when its bytes come, and its ports may be
// given out again right after.
func TestTracedManyAtOnce(t *testing.T) {
	const n, abreast = 200, 20
	r := newTraced(t, nil)
	s := serve(t, "tcp4", "127.0.0.1:0")
	executable := executableOf(t)
	var running sync.WaitGroup
	var mu sync.Mutex
	started := map[int32]bool{}
	for range abreast {
		running.Go(func() {
			for range n / abreast {
				c := exec.Command(executable, "tcp", s.address)
				c.Env = append(os.Environ(), roleVariable+"=exit")
				if err := c.Run(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				started[int32(c.Process.Pid)] = true
				mu.Unlock()
			}
		})
	}
	named := map[int32]bool{}
	for i := range n {
		got, reason := r.Lookup(s.next(t))
		if reason != "" || got.Executable != executable || named[got.PID] {
			t.Errorf("connection %d: pid %d, %q, reason %q, named before %v", i, got.PID, got.Executable, reason, named[got.PID])
		}
		named[got.PID] = true
	}
	running.Wait()
	if diff := cmp.Diff(started, named); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
}

// In another network namespace there is no socket to be found from here.
func TestTracedInAnotherNamespace(t *testing.T) {
	r := newTraced(t, nil)
	isolated := func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET} }
	holder := start(t, "hold", "", "", isolated)
	inside := func(arguments ...string) *exec.Cmd {
		return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(holder.command.Process.Pid), "-n"}, arguments...)...)
	}
	near, far := fmt.Sprintf("gn%da", os.Getpid()), fmt.Sprintf("gn%db", os.Getpid())
	for _, c := range []*exec.Cmd{
		exec.Command("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", strconv.Itoa(holder.command.Process.Pid)),
		exec.Command("ip", "addr", "add", "198.18.77.1/30", "dev", near),
		exec.Command("ip", "link", "set", near, "up"),
		inside("ip", "addr", "add", "198.18.77.2/30", "dev", far),
		inside("ip", "link", "set", far, "up"),
	} {
		if text, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.Args, err, text)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", near).Run() })
	for _, role := range []struct{ role, network string }{{"exit", "tcp4"}, {"unconnected", "udp4"}, {"exit", "udp4"}} {
		s := serve(t, role.network, "198.18.77.1:0")
		c := inside(executableOf(t), role.network, s.address)
		c.Env = append(os.Environ(), roleVariable+"="+role.role)
		if text, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got, reason := r.Lookup(s.next(t))
		if reason != "" || got.PID != int32(c.Process.Pid) || got.Executable != executableOf(t) { // nsenter becomes the program
			t.Errorf("%v: pid %d, %q, reason %q; want %d", role, got.PID, got.Executable, reason, c.Process.Pid)
		}
	}
	// The same ports on the loopback of the namespace are another connection.
	record, ok := r.record(r.trace.Load(), key{client: netip.MustParseAddrPort("127.0.0.1:1"), server: netip.MustParseAddrPort("198.18.77.1:1")})
	if ok {
		t.Errorf("found %+v for a connection that is not there", record)
	}
}

// Records that had to go are missed with a reason of their own, and counted.
func TestTracedOverwritten(t *testing.T) {
	r := newTraced(t, func(c *Config) { c.Connections = 64 })
	s := serve(t, "tcp4", "127.0.0.1:0")
	const n = 400
	var flows []signatures.Flow
	for range n {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, tcpFlow(c.LocalAddr(), c.RemoteAddr()))
		_ = c.(*net.TCPConn).SetLinger(0) // no socket stays behind
		_ = c.Close()
	}
	lost := 0
	for _, flow := range flows {
		if _, reason := r.Lookup(flow); reason == LostEvent {
			lost++
		}
	}
	if lost < n-2*64 { // which go first is the kernel's choice
		t.Errorf("%d of %d connections are lost, counters %v", lost, n, r.Counters())
	}
	counters := r.Counters()
	if counters["owner_trace_overwritten"] < 300 || counters["owner_miss_lost_event"] != uint64(lost) || counters["owner_trace_connects"] < 400 {
		t.Errorf("counters %v", counters)
	}
}

// A process number that was given out again does not make the later program
// the owner.
func TestTracedSurvivesReuseOfTheNumber(t *testing.T) {
	f := func(name string, forget bool) {
		t.Run(name, func(t *testing.T) {
			r := newTraced(t, nil)
			s := serve(t, "tcp4", "127.0.0.1:0")
			p := start(t, "exit", "tcp4", s.address, nil)
			flow := s.next(t)
			if err := p.command.Wait(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * clockStep) // no host gives out all numbers within one step
			sleeper := reuse(t, p.command.Process.Pid)
			if forget { // as where the kernel's layout is not known
				record, ok := r.record(r.trace.Load(), mustKey(t, flow))
				if !ok {
					t.Fatal("no record")
				}
				a := r.livingProcess(answer{}, &record)
				if a.reason != Exited || a.process.PID != 0 {
					t.Errorf("%+v: the later program %s was taken for the owner", a, sleeper)
				}
				return
			}
			got, reason := r.Lookup(flow)
			if reason != "" || got.Executable != executableOf(t) {
				t.Errorf("%q, reason %q; want %q and not %q", got.Executable, reason, executableOf(t), sleeper)
			}
		})
	}
	f("from the record", false)
	f("from the number alone", true)
}

func mustKey(t *testing.T, flow signatures.Flow) key {
	t.Helper()
	k, ok := keyOf(flow)
	if !ok {
		t.Fatal("no key")
	}
	return k
}

// reuse starts sleep(1) under the number of a process that has ended.
func reuse(t *testing.T, pid int) string {
	t.Helper()
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Fatalf("setting the next process number needs CAP_CHECKPOINT_RESTORE: %v", err)
		}
		c := exec.Command(path, "60")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		end := func() { _ = c.Process.Kill(); _ = c.Wait() }
		if c.Process.Pid == pid {
			t.Cleanup(end)
			return path
		}
		end()
	}
	t.Fatal("the number was never given out again")
	return ""
}

// status is what a resolver of nobody says that has the capabilities.
func status(t *testing.T, capabilities ...uintptr) Status {
	t.Helper()
	c := exec.Command(publicExecutable(t), "", "")
	c.Env = append(os.Environ(), roleVariable+"=status")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: capabilities}
	text, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// Without rights the next way is taken, and why is said; what it asks for is
// enough.
func TestRightsDecide(t *testing.T) {
	if got := status(t); got.Method != SockDiag || !got.Unmet ||
		!strings.Contains(got.Reason, "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN") {
		t.Errorf("without rights: %+v", got)
	}
	if got := status(t, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN); got != (Status{Method: EBPF}) {
		t.Errorf("with the three: %+v", got)
	}
	if got := status(t, unix.CAP_BPF, unix.CAP_NET_ADMIN); got.Method != EBPF || !strings.Contains(got.Reason, "CAP_PERFMON") {
		t.Errorf("without the right to read the kernel's memory: %+v", got)
	}
}

// The configuration chooses the way.
func TestMethodIsChosen(t *testing.T) {
	f := func(method, want Method) {
		t.Helper()
		r := newResolver(t, func(c *Config) { c.Method = method })
		startRun(t, r)
		eventually(t, "the method "+string(want), func() bool { return r.Status().Method == want && r.Status().Reason != "not started" })
		if status := r.Status(); status.Unmet || status.Method != EBPF && !strings.Contains(status.Reason, "owner.method") {
			t.Errorf("%+v", status)
		}
	}
	f(Auto, EBPF)
	f(EBPF, EBPF)
	f(SockDiag, SockDiag)
	f(Proc, Proc)
}

// With the kernel's record there is nothing to do at the first packet.
func TestObserveIsNeedlessWhenTraced(t *testing.T) {
	r := newTraced(t, nil)
	r.Observe(signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("127.0.0.1:1"), Server: netip.MustParseAddrPort("127.0.0.1:2")})
	if c := r.Counters(); c["owner_observe_needless"] != 1 || c["owner_observed"] != 0 {
		t.Errorf("counters %v", c)
	}
}

// After Close, and while it closes, questions are answered in the next way.
func TestLookupDuringClose(t *testing.T) {
	config := DefaultConfig()
	r := New(config, slog.New(slog.DiscardHandler))
	r.open()
	if r.trace.Load() == nil {
		t.Fatalf("%+v", r.Status())
	}
	s := serve(t, "tcp4", "127.0.0.1:0")
	p := start(t, "stay", "tcp4", s.address, nil)
	flow := s.next(t)
	if err := r.trace.Load().Close(); err != nil { // behind the resolver's back
		t.Fatal(err)
	}
	if got, reason := r.Lookup(flow); reason != "" || got.PID != int32(p.command.Process.Pid) {
		t.Errorf("pid %d, reason %q", got.PID, reason)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n := r.Counters()["owner_trace_errors"]; n != 0 {
		t.Errorf("%d errors counted for a closed record", n)
	}
}

// A program in a group of a pod's container, named as containerd and the
// kubelet do, is placed there after its end; the kubelet's folder gives the
// pod its name.
func TestTracedPlacement(t *testing.T) {
	const uid = "6e0a7b9c-2f41-4c0e-9d35-1b2c3d4e5f60"
	container := strings.Repeat("0123456789abcdef", 4)
	r := newTraced(t, nil)
	logs := t.TempDir()
	if err := os.Mkdir(filepath.Join(logs, "shop_assistant-0_"+uid), 0o755); err != nil {
		t.Fatal(err)
	}
	r.pods = inspect.NewPods(logs)
	top := filepath.Join(cgroupRoot(t), fmt.Sprintf("gnomon-test-%d", os.Getpid()))
	pod := filepath.Join(top, "kubepods-burstable-pod"+strings.ReplaceAll(uid, "-", "_")+".slice")
	group := filepath.Join(pod, "cri-containerd-"+container+".scope")
	if err := os.MkdirAll(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, folder := range []string{group, pod, top} {
			if err := os.Remove(folder); err != nil { // a group goes by rmdir(2)
				t.Error(err)
			}
		}
	})
	folder, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	s := serve(t, "tcp4", "127.0.0.1:0")
	p := start(t, "exit", "tcp4", s.address, func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(folder.Fd())}
	})
	flow := s.next(t)
	if err := p.command.Wait(); err != nil {
		t.Fatal(err)
	}
	got, reason := r.Lookup(flow)
	if reason != "" || got.Container != container || got.PodUID != uid || got.PodNamespace != "shop" || got.PodName != "assistant-0" {
		t.Errorf("container %q, pod %q %q %q, reason %q", got.Container, got.PodUID, got.PodNamespace, got.PodName, reason)
	}
}

// cgroupRoot is where version 2 of the groups is mounted.
func cgroupRoot(t *testing.T) string {
	t.Helper()
	for _, folder := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(folder, "cgroup.controllers")); err == nil {
			return folder
		}
	}
	t.Fatal("cgroup2 is not mounted")
	return ""
}
