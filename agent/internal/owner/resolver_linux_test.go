package owner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/signatures"
)

const deadline = 20 * time.Second

func newResolver(t testing.TB, change func(*Config)) *Resolver {
	t.Helper()
	config := DefaultConfig()
	if change != nil {
		change(&config)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	r := New(config, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return r
}

// startRun runs r until the test ends.
func startRun(t testing.TB, r *Resolver) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// program is a helper that runs.
type program struct {
	command *exec.Cmd
	input   io.WriteCloser
}

func start(t testing.TB, role, network, address string, change func(*exec.Cmd)) *program {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{command: exec.Command(executable, network, address)}
	p.command.Env = append(os.Environ(), roleVariable+"="+role)
	p.command.Stderr = os.Stderr
	if change != nil {
		change(p.command)
	}
	if p.input, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.input.Close()
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	})
	return p
}

func listenTCP(t testing.TB, network, address string) *net.TCPListener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.(*net.TCPListener)
}

// accept returns the next connection after its first bytes came, and its flow.
func accept(t testing.TB, listener *net.TCPListener) (net.Conn, signatures.Flow) {
	t.Helper()
	if err := listener.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	connection, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	flow := tcpFlow(connection.RemoteAddr(), connection.LocalAddr())
	if _, err := io.ReadFull(connection, make([]byte, len("hello"))); err != nil {
		t.Fatal(err)
	}
	return connection, flow
}

func tcpFlow(client, server net.Addr) signatures.Flow {
	return signatures.Flow{
		Protocol: "tcp",
		Client:   client.(*net.TCPAddr).AddrPort(),
		Server:   server.(*net.TCPAddr).AddrPort(),
	}
}

func executableOf(t testing.TB) string {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if executable, err = filepath.EvalSymlinks(executable); err != nil {
		t.Fatal(err)
	}
	return executable
}

// publicExecutable copies the test program to where every user may run it.
func publicExecutable(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for _, f := range []string{folder, filepath.Dir(folder)} {
		if err := os.Chmod(f, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(executableOf(t))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(folder, "helper")
	if err := os.WriteFile(copied, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return copied
}

// userName is what the resolver should call uid.
func userName(uid int) string {
	if account, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return account.Username
	}
	return strconv.Itoa(uid)
}

// parentsOf reads the names of the parents of pid from /proc, as ps(1) shows them.
func parentsOf(t testing.TB, pid int) []string {
	t.Helper()
	var names []string
	for range 4 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(status), "\nPPid:\t")
		line, _, _ := strings.Cut(after, "\n")
		if pid, err = strconv.Atoi(line); err != nil {
			t.Fatal(err)
		}
		if pid <= 1 {
			break
		}
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(string(comm), "\n"))
	}
	return names
}

// nobody is the uid that belongs to no person.
const nobody = 65534

func TestLookupNamesProcessAndUser(t *testing.T) {
	f := func(name, network, listen string, change func(*exec.Cmd), uid int) {
		t.Run(name, func(t *testing.T) {
			listener := listenTCP(t, network, listen)
			p := start(t, "stay", "tcp", listener.Addr().String(), change)
			_, flow := accept(t, listener)
			r := newResolver(t, nil)
			got, reason := r.Lookup(flow)
			if reason != "" {
				t.Fatalf("reason %q", reason)
			}
			if got.StartedAt.IsZero() || time.Since(got.StartedAt) > time.Minute || time.Until(got.StartedAt) > time.Second {
				t.Errorf("started at %s, now is %s", got.StartedAt, time.Now())
			}
			got.StartedAt = time.Time{}
			got.Container = ""
			want := signatures.Process{
				PID: int32(p.command.Process.Pid), ParentPID: int32(os.Getpid()),
				Name: filepath.Base(p.command.Path), Executable: p.command.Path,
				Arguments: p.command.Args, User: userName(uid), Parents: parentsOf(t, p.command.Process.Pid),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("process (-want +got):\n%s", diff)
			}
		})
	}
	f("ipv4", "tcp4", "127.0.0.1:0", nil, os.Getuid())
	f("ipv6", "tcp6", "[::1]:0", nil, os.Getuid())
	asNobody := func(c *exec.Cmd) {
		c.Path = publicExecutable(t)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	f("other user", "tcp4", "127.0.0.1:0", asNobody, nobody)
}

// A dual-stack socket that talks IPv4 holds v4-mapped addresses.
func TestLookupMappedAddresses(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	port := listener.Addr().(*net.TCPAddr).Port
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	mapped := netip.MustParseAddr("::ffff:127.0.0.1").As16()
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: port, Addr: mapped}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, flow := accept(t, listener)
	flow.Client = netip.AddrPortFrom(netip.AddrFrom16(flow.Client.Addr().As16()), flow.Client.Port())
	r := newResolver(t, nil)
	if got, reason := r.Lookup(flow); reason != "" || got.PID != int32(os.Getpid()) {
		t.Errorf("pid %d, reason %q; want %d", got.PID, reason, os.Getpid())
	}
}

func TestLookupUDP(t *testing.T) {
	f := func(name, network, address string, connected bool) {
		t.Run(name, func(t *testing.T) {
			server, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			to := server.LocalAddr().(*net.UDPAddr)
			var client netip.AddrPort
			if connected {
				c, err := net.DialUDP("udp", nil, to)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				client = c.LocalAddr().(*net.UDPAddr).AddrPort()
			} else {
				c, err := net.ListenUDP("udp", nil) // as QUIC clients do
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				client = netip.AddrPortFrom(to.AddrPort().Addr(), c.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			}
			r := newResolver(t, nil)
			flow := signatures.Flow{Protocol: "udp", Client: client, Server: to.AddrPort()}
			if got, reason := r.Lookup(flow); reason != "" || got.PID != int32(os.Getpid()) {
				t.Errorf("pid %d, reason %q; want %d", got.PID, reason, os.Getpid())
			}
		})
	}
	f("connected ipv4", "udp4", "127.0.0.1:0", true)
	f("connected ipv6", "udp6", "[::1]:0", true)
	f("dual stack to ipv4", "udp4", "127.0.0.1:0", false)
	f("dual stack to ipv6", "udp6", "[::1]:0", false)
}

// The server's end is ours: a runtime on this host that a stranger calls.
func TestLookupServerSide(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	r := newResolver(t, nil)
	flow := signatures.Flow{
		Protocol: "tcp",
		Client:   netip.MustParseAddrPort("192.0.2.7:40000"),
		Server:   listener.Addr().(*net.TCPAddr).AddrPort(),
	}
	got, reason := r.Lookup(flow)
	if reason != "" || got.PID != int32(os.Getpid()) {
		t.Errorf("pid %d, reason %q; want the listener's process %d", got.PID, reason, os.Getpid())
	}
	if n := r.Counters()["owner_hits_server"]; n != 1 {
		t.Errorf("owner_hits_server is %d, want 1", n)
	}
}

func TestLookupReasons(t *testing.T) {
	f := func(name string, want Reason, wantCounter string, flow func(t *testing.T) signatures.Flow) {
		t.Run(name, func(t *testing.T) {
			r := newResolver(t, nil)
			got, reason := r.Lookup(flow(t))
			if reason != want {
				t.Errorf("reason %q, want %q (process %+v)", reason, want, got)
			}
			if got.PID != 0 {
				t.Errorf("pid %d, want none", got.PID)
			}
			counters := r.Counters()
			if counters[wantCounter] != 1 || counters["owner_lookups"] != 1 || counters["owner_hits"] != 0 {
				t.Errorf("counters %v: want one lookup, one %s", counters, wantCounter)
			}
		})
	}
	f("no socket", NoSocket, "owner_miss_no_socket", func(*testing.T) signatures.Flow {
		return signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("127.0.0.1:1"), Server: netip.MustParseAddrPort("127.0.0.1:2")}
	})
	f("neither end is ours", NotLocal, "owner_miss_not_local", func(*testing.T) signatures.Flow {
		return signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("192.0.2.7:40000"), Server: netip.MustParseAddrPort("198.51.100.9:443")}
	})
	f("no addresses", NoSocket, "owner_miss_no_socket", func(*testing.T) signatures.Flow { return signatures.Flow{Protocol: "tcp"} })
	f("mixed families", NoSocket, "owner_miss_no_socket", func(*testing.T) signatures.Flow {
		return signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("127.0.0.1:1"), Server: netip.MustParseAddrPort("[::1]:2")}
	})
	f("client is gone, server is ours", NoSocket, "owner_miss_no_socket", func(t *testing.T) signatures.Flow {
		return signatures.Flow{
			Protocol: "tcp", Client: netip.MustParseAddrPort("127.0.0.1:1"),
			Server: listenTCP(t, "tcp4", "127.0.0.1:0").Addr().(*net.TCPAddr).AddrPort(),
		}
	})
	f("closed by a process that lives", Exited, "owner_miss_exited", func(t *testing.T) signatures.Flow {
		listener := listenTCP(t, "tcp4", "127.0.0.1:0")
		start(t, "orphan", "tcp", listener.Addr().String(), nil)
		connection, flow := accept(t, listener)
		// End of stream: the client's end is in FIN_WAIT2 now, without a holder.
		if n, err := connection.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		return flow
	})
}

// A user other than root cannot look into the processes of others.
func TestLookupWithoutPermission(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	start(t, "stay", "tcp", listener.Addr().String(), nil)
	_, flow := accept(t, listener)

	owner := userName(os.Getuid())
	asNobody(t, func() {
		r := newResolver(t, nil)
		got, reason := r.Lookup(flow)
		if reason != NoPermission {
			t.Errorf("reason %q, want %q", reason, NoPermission)
		}
		if got.User != owner || got.PID != 0 {
			t.Errorf("user %q, pid %d; want %q and no pid", got.User, got.PID, owner)
		}
		counters := r.Counters()
		if counters["owner_miss_no_permission"] != 1 || counters["owner_walk_denied"] == 0 {
			t.Errorf("counters %v: want one owner_miss_no_permission and some owner_walk_denied", counters)
		}
	})
}

// asNobody runs f on a thread of its own that has the file rights of nobody
// and no capability. The thread ends with its goroutine.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		lockForever()
		if err := dropRights(); err != nil {
			t.Errorf("giving up rights: %v", err)
			return
		}
		f()
	}()
	<-done
}

func TestObserveRemembersAfterExit(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	r := newResolver(t, nil)
	startRun(t, r)
	p := start(t, "stay", "tcp", listener.Addr().String(), nil)
	connection, flow := accept(t, listener)
	r.Observe(flow)
	k, _ := keyOf(flow)
	eventually(t, "the owner is remembered", func() bool {
		a, ok := r.memory.get(k, time.Now())
		return ok && a.reason == ""
	})
	if err := p.input.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
	got, reason := r.Lookup(flow)
	if reason != "" || got.PID != int32(p.command.Process.Pid) || got.Executable != executableOf(t) {
		t.Errorf("got %+v, reason %q; want the process that ended, %d", got, reason, p.command.Process.Pid)
	}
	counters := r.Counters()
	if counters["owner_hits_remembered"] != 1 || counters["owner_observed"] != 1 || counters["owner_hits"] != 1 {
		t.Errorf("counters %v", counters)
	}
	if got.Arguments[0] = "changed"; r.memory.known[k].process.Arguments[0] == "changed" {
		t.Error("the caller changed what is remembered")
	}
}

// The same ports, another socket: what is remembered must not be believed.
func TestReusedPortsAreAskedAgain(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	p := start(t, "stay", "tcp", listener.Addr().String(), nil)
	_, flow := accept(t, listener)
	r := newResolver(t, nil)
	k, _ := keyOf(flow)
	r.remember(k, answer{process: signatures.Process{PID: 1, Name: "earlier"}, inode: 1})
	if got, reason := r.Lookup(flow); reason != "" || got.PID != int32(p.command.Process.Pid) {
		t.Errorf("got %+v, reason %q; want pid %d", got, reason, p.command.Process.Pid)
	}
	r.remember(k, answer{process: signatures.Process{PID: 1, Name: "earlier"}, inode: 1})
	r.prefetch(k)
	if a, _ := r.memory.get(k, time.Now()); a.process.PID != int32(p.command.Process.Pid) {
		t.Errorf("after another first packet %+v is remembered", a.process)
	}
}

// The user that the socket had stays known after the socket is gone.
func TestMergeKeepsUser(t *testing.T) {
	withUser := answer{process: signatures.Process{User: "ana"}, reason: NoSocket, inode: 7, uid: 1000}
	f := func(earlier, fresh, want answer) {
		t.Helper()
		got := merge(earlier, fresh)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("merged (-want +got):\n%s", diff)
		}
	}
	f(withUser, answer{reason: NoSocket}, answer{process: signatures.Process{User: "ana"}, reason: Exited, inode: 7, uid: 1000})
	f(withUser, answer{reason: Exited}, answer{process: signatures.Process{User: "ana"}, reason: Exited, inode: 7, uid: 1000})
	f(answer{}, answer{reason: NoSocket}, answer{reason: NoSocket})
	whole := answer{process: signatures.Process{PID: 9, User: "leo"}, inode: 8}
	f(withUser, whole, whole)
}

func TestObserveIsBounded(t *testing.T) {
	r := newResolver(t, func(c *Config) { c.Queue = 2 })
	flow := signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort("127.0.0.1:1"), Server: netip.MustParseAddrPort("127.0.0.1:2")}
	for range 5 {
		r.Observe(flow)
	}
	flow.Client = netip.MustParseAddrPort("192.0.2.7:40000")
	r.Observe(flow)
	r.Observe(signatures.Flow{})
	counters := r.Counters()
	want := map[string]uint64{"owner_observed": 2, "owner_observe_dropped": 3, "owner_observe_skipped": 2}
	for name, n := range want {
		if counters[name] != n {
			t.Errorf("%s is %d, want %d", name, counters[name], n)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := newResolver(t, func(c *Config) { c.Remember = 3 })
	for i := range 5 {
		k := key{client: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(i+1))}
		r.remember(k, answer{})
	}
	if n := len(r.memory.known); n != 3 {
		t.Errorf("%d connections remembered, want 3", n)
	}
	if n := r.Counters()["owner_remembered_evicted"]; n != 2 {
		t.Errorf("owner_remembered_evicted is %d, want 2", n)
	}
	k := key{client: netip.MustParseAddrPort("127.0.0.1:5")}
	if _, ok := r.memory.get(k, time.Now().Add(r.config.RememberFor+time.Second)); ok {
		t.Error("an answer older than its limit was given")
	}
}

// Where netlink is refused the whole connection table is read.
func TestFallbackReadsTheTable(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	p := start(t, "stay", "tcp", listener.Addr().String(), nil)
	_, flow := accept(t, listener)
	r := newResolver(t, nil)
	r.refuse = true
	got, reason := r.Lookup(flow)
	if reason != "" || got.PID != int32(p.command.Process.Pid) || got.User != userName(os.Getuid()) {
		t.Errorf("got %+v, reason %q; want pid %d", got, reason, p.command.Process.Pid)
	}
	if n := r.Counters()["owner_fallback_connections"]; n != 1 {
		t.Errorf("owner_fallback_connections is %d, want 1", n)
	}
}

// A full walk that is not due holds a lookup up, but not longer than MaxWait.
func TestLookupWaitsForTheWalk(t *testing.T) {
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	// ask looks up a fresh connection right after a walk; the wait may be over
	// before it comes to it on a busy machine, so it reports the counters.
	ask := func(gap, wait time.Duration) (Reason, map[string]uint64) {
		r := newResolver(t, func(c *Config) {
			c.Holders.MinWalkGap, c.Holders.NewestPIDs, c.Holders.WalkShare = gap, 0, 1
			c.MaxWait = wait
		})
		// An inode that nobody has: looking for it is the walk that holds up.
		if held := r.holders.Find(1<<32-1, 0); held.Outcome == inspect.Found || held.Outcome == inspect.Limited {
			t.Fatalf("outcome %d, want that nobody has it", held.Outcome)
		}
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, reason := r.Lookup(tcpFlow(client.LocalAddr(), client.RemoteAddr()))
		return reason, r.Counters()
	}
	t.Run("soon due", func(t *testing.T) {
		eventually(t, "a lookup that waits", func() bool {
			reason, counters := ask(300*time.Millisecond, 10*time.Second)
			if reason != "" || counters["owner_walk_waits_in_vain"] != 0 {
				t.Fatalf("reason %q, counters %v: want an answer", reason, counters)
			}
			return counters["owner_walk_waits"] == 1 && counters["owner_walks_limited"] > 0
		})
	})
	t.Run("not due in time", func(t *testing.T) {
		reason, counters := ask(time.Hour, 50*time.Millisecond)
		if reason != NoSocket || counters["owner_walk_waits"] != 1 || counters["owner_walk_waits_in_vain"] != 1 {
			t.Errorf("reason %q, counters %v: want %q and one wait in vain", reason, counters, NoSocket)
		}
	})
}

// A panic is counted and leaves a reason.
func TestPanicIsCounted(t *testing.T) {
	r := newResolver(t, nil)
	r.reader = nil // the first use panics
	listener := listenTCP(t, "tcp4", "127.0.0.1:0")
	start(t, "stay", "tcp", listener.Addr().String(), nil)
	_, flow := accept(t, listener)
	if _, reason := r.Lookup(flow); reason != NoSocket {
		t.Errorf("reason %q, want %q", reason, NoSocket)
	}
	if counters := r.Counters(); counters["owner_panics"] != 1 || counters["owner_miss_no_socket"] != 1 {
		t.Errorf("counters %v", counters)
	}
}

func TestValidateNamesTheKey(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		config := DefaultConfig()
		change(&config)
		err := config.Validate()
		if want == "" {
			if err != nil {
				t.Errorf("unexpected: %v", err)
			}
			return
		}
		if err == nil || fmt.Sprint(err)[:len(want)] != want {
			t.Errorf("error %v, want one that starts with %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Remember = 0 }, "remember:")
	f(func(c *Config) { c.RememberFor = 0 }, "remember_for:")
	f(func(c *Config) { c.Queue = 0 }, "queue:")
	f(func(c *Config) { c.MaxWait = -1 }, "max_wait:")
	f(func(c *Config) { c.LocalAddresses = 0 }, "local_addresses:")
	f(func(c *Config) { c.Processes = 0 }, "processes:")
	f(func(c *Config) { c.SnapshotAge = 0 }, "snapshot_age:")
	f(func(c *Config) { c.Facts.ProcRoot = "" }, "facts.proc_root:")
	f(func(c *Config) { c.Holders.MaxLinks = 1 }, "holders.max_links:")
}
