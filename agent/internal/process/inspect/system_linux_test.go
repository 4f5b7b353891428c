package inspect

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const roleVariable = "GNOMON_INSPECT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		goleak.VerifyTestMain(m)
	case "title": // a program that replaces its kernel name, as node does with process.title
		name, _ := unix.BytePtrFromString("renamed")
		runtime.LockOSThread()
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0)
		_, _ = os.Stdout.WriteString("ready\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
	case "exec": // runs another program in the same process when told to
		_, _ = os.Stdout.WriteString("ready\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		environment := append(os.Environ(), roleVariable+"=stay")
		_ = unix.Exec("/proc/self/exe", []string{"second", "image"}, environment)
	case "stay":
		_, _ = os.Stdout.WriteString("ready\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
}

// helper starts the test program in a role, with arguments, and waits until it
// says that it is ready.
func helper(t testing.TB, role string, arguments ...string) (*exec.Cmd, func(string)) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(executable)
	command.Args = arguments
	command.Env = append(os.Environ(), roleVariable+"="+role, "SECRET_TOKEN=must-never-be-read")
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	expect := func() {
		line := make([]byte, 6)
		if n, err := output.Read(line); err != nil || string(line[:n]) != "ready\n" {
			t.Fatalf("helper said %q, %v", line[:n], err)
		}
	}
	expect()
	return command, func(say string) {
		if _, err := input.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		expect()
	}
}

func TestFactsOfARunningProgram(t *testing.T) {
	command, _ := helper(t, "stay", "python3", "-m", "vllm.entrypoints.openai.api_server", "", "--model=a b")
	r := NewReader(Default())
	got, err := r.Facts(int32(command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	executable, _ := os.Executable()
	if got.Executable != executable || got.Name != filepath.Base(executable) {
		t.Errorf("executable %q, name %q; want %q", got.Executable, got.Name, executable)
	}
	if diff := cmp.Diff(command.Args, got.Arguments); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if got.ParentPID != int32(os.Getpid()) || !got.UIDKnown || got.UID != uint32(os.Getuid()) || got.User != r.User(got.UID) {
		t.Errorf("parent %d, uid %d, user %q", got.ParentPID, got.UID, got.User)
	}
	if age := time.Since(got.StartedAt); age < -time.Second || age > time.Minute {
		t.Errorf("started %s ago", age)
	}
	if got.KernelThread || got.Zombie || got.ExecutableBlind || got.ArgumentsBlind || got.ArgumentsCut {
		t.Errorf("unexpected: %+v", got)
	}
	for _, argument := range got.Arguments {
		if strings.Contains(argument, "must-never-be-read") {
			t.Error("a value of the environment was read")
		}
	}
	again, err := r.Facts(int32(command.Process.Pid))
	if err != nil || !again.StartedAt.Equal(got.StartedAt) {
		t.Errorf("start time wavers: %s, then %s (%v)", got.StartedAt, again.StartedAt, err)
	}
}

func TestFactsAreBounded(t *testing.T) {
	arguments := make([]string, 100)
	for i := range arguments {
		arguments[i] = strings.Repeat("x", 100)
	}
	command, _ := helper(t, "stay", arguments...)
	config := Default()
	config.MaxArguments, config.MaxArgumentBytes = 5, 8<<10
	got, err := NewReader(config).Facts(int32(command.Process.Pid))
	if err != nil || len(got.Arguments) != 5 || !got.ArgumentsCut {
		t.Errorf("%d arguments, cut %v, %v; want 5, cut", len(got.Arguments), got.ArgumentsCut, err)
	}
	config.MaxArguments, config.MaxArgumentBytes = 1000, 256
	got, err = NewReader(config).Facts(int32(command.Process.Pid))
	if total := len(strings.Join(got.Arguments, " ")); err != nil || total > 256 || !got.ArgumentsCut {
		t.Errorf("%d bytes, cut %v, %v; want 256 at most, cut", total, got.ArgumentsCut, err)
	}
}

func TestFactsOfARenamedProgram(t *testing.T) {
	command, _ := helper(t, "title", "original", "serve")
	// The name belongs to the main thread, which may not be the one that set
	// it: writing comm from outside does the same.
	comm := "/proc/" + strconv.Itoa(command.Process.Pid) + "/comm"
	r := NewReader(Default())
	before, err := r.Stamp(int32(command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(comm, []byte("renamed"), 0); err != nil && !errors.Is(err, unix.EINVAL) {
		t.Fatal(err)
	}
	after, err := r.Stamp(int32(command.Process.Pid))
	if err != nil || !after.SameImage(before) {
		t.Errorf("%+v, then %+v (%v): a new name must not be a new image", before, after, err)
	}
}

func TestExecIsAnotherImage(t *testing.T) {
	command, say := helper(t, "exec", "first", "image")
	r := NewReader(Default())
	before, err := r.Facts(int32(command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	say("x")
	after, err := r.Facts(int32(command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !after.Stamp.SameProcess(before.Stamp) || after.Stamp.SameImage(before.Stamp) {
		t.Errorf("%+v, then %+v: want one process, two images", before.Stamp, after.Stamp)
	}
	if diff := cmp.Diff([]string{"second", "image"}, after.Arguments); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func TestFactsOfWhatIsNoProgram(t *testing.T) {
	r := NewReader(Default())
	t.Run("kernel thread", func(t *testing.T) {
		pids, err := r.PIDs(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(pids) || !slices.Contains(pids, int32(os.Getpid())) {
			t.Errorf("pids %v: want them in order and with %d", pids, os.Getpid())
		}
		if _, err := os.Stat("/proc/2/exe"); err == nil {
			t.Log("process 2 is no kernel thread here: inside a pid namespace")
			return
		}
		got, err := r.Facts(2)
		if err != nil || !got.KernelThread || got.Executable != "" || got.Arguments != nil || got.ExecutableBlind {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("zombie", func(t *testing.T) {
		command, _ := helper(t, "stay", "short")
		pid := int32(command.Process.Pid)
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var got Facts
		for end := time.Now().Add(20 * time.Second); !got.Zombie; {
			var err error
			if got, err = r.Facts(pid); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatalf("never a zombie: %+v", got)
			}
		}
		if got.ExecutableBlind || got.ArgumentsBlind {
			t.Errorf("an ended process counts as hidden: %+v", got)
		}
	})
	t.Run("gone", func(t *testing.T) {
		command, _ := helper(t, "stay", "short")
		_ = command.Process.Kill()
		_ = command.Wait()
		if _, err := r.Facts(int32(command.Process.Pid)); !errors.Is(err, ErrGone) {
			t.Errorf("error %v, want %v", err, ErrGone)
		}
	})
	t.Run("removed file", func(t *testing.T) {
		content, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "ollama")
		if err := os.WriteFile(copied, content, 0o755); err != nil {
			t.Fatal(err)
		}
		command := exec.Command(copied)
		command.Env = append(os.Environ(), roleVariable+"=stay")
		input, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = input.Close(); _ = command.Wait() }()
		if err := os.Remove(copied); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Facts(int32(command.Process.Pid)); err != nil || got.Executable != copied || got.Name != "ollama" {
			t.Errorf("%q %q, %v; want %q", got.Executable, got.Name, err, copied)
		}
	})
}

func TestUserNames(t *testing.T) {
	r := NewReader(Default())
	if got := r.User(0); got != "root" {
		t.Errorf("uid 0 is %q, want root", got)
	}
	if got := r.User(3999999999); got != "3999999999" {
		t.Errorf("an unknown uid is %q, want the number", got)
	}
	config := Default()
	config.MaxUsers = 4
	r = NewReader(config)
	for uid := range uint32(50) {
		r.User(3999999000 + uid)
		if n := len(r.users.names); n > 4 {
			t.Fatalf("%d names remembered, want 4 at most", n)
		}
	}
}

func TestSocketsFindsAndLists(t *testing.T) {
	sockets, err := OpenSockets()
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer six.Close()
	listening, err := sockets.AppendListening(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []net.Addr{listener.Addr(), six.Addr()} {
		port := address.(*net.TCPAddr).AddrPort().Port()
		at := slices.IndexFunc(listening, func(s Socket) bool { return s.Port == port })
		if at < 0 {
			t.Fatalf("port %d is not among %+v", port, listening)
		}
		if s := listening[at]; !s.Listening || s.Inode == 0 || s.UID != uint32(os.Getuid()) || !s.UIDKnown {
			t.Errorf("socket %+v", s)
		}
	}

	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	near, far := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
	got, ok, err := sockets.Find("tcp", near, far)
	if err != nil || !ok || got.Listening || got.Port != near.Port() {
		t.Errorf("found %+v, %v, %v", got, ok, err)
	}
	if other, ok, err := sockets.Find("tcp", far, near); err != nil || !ok || other.Inode == got.Inode {
		t.Errorf("the far end: %+v, %v, %v; want another socket than %+v", other, ok, err, got)
	}
	if _, ok, err := sockets.Find("tcp", near, netip.MustParseAddrPort("127.0.0.1:9")); ok || err != nil {
		t.Errorf("a connection that is not there: %v, %v", ok, err)
	}
	if err := sockets.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sockets.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, _, err := sockets.Find("tcp", near, far); err == nil {
		t.Error("a closed table answers")
	}
}

func TestSnapshotAgreesWithTheKernel(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := NewSnapshot(time.Hour)
	near, far := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
	got, ok, err := s.Find("tcp", near, far)
	if err != nil || !ok || got.PID != int32(os.Getpid()) || got.UID != uint32(os.Getuid()) {
		t.Errorf("found %+v, %v, %v", got, ok, err)
	}
	listening, err := s.AppendListening(nil)
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()
	if err != nil || !slices.ContainsFunc(listening, func(l Socket) bool { return l.Port == port && l.PID == int32(os.Getpid()) }) {
		t.Errorf("port %d of this process is not among %+v (%v)", port, listening, err)
	}
	if n := s.Readings(); n != 1 {
		t.Errorf("%d readings, want 1", n)
	}
}

// inodeOf is the inode of an open socket.
func inodeOf(t testing.TB, c interface{ File() (*os.File, error) }) uint32 {
	t.Helper()
	file, err := c.File() // a second descriptor of the same socket
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return uint32(stat.Ino)
}

func TestHoldersGoFromLikelyToUnlikely(t *testing.T) {
	config := DefaultHolders()
	config.NewestPIDs, config.MinWalkGap, config.WalkShare = 0, time.Hour, 1
	h := NewHolders(config)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inode := inodeOf(t, listener.(*net.TCPListener))
	uid, own := uint32(os.Getuid()), Held{PID: int32(os.Getpid()), Outcome: Found}

	expect := func(what string, got, want Held, change func(*HolderCounts)) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
		counts := h.Counts()
		wanted := counts
		change(&wanted)
		if counts != wanted {
			t.Errorf("%s: counts %+v, want %+v", what, counts, wanted)
		}
	}
	expect("first", h.Find(inode, uid), own, func(c *HolderCounts) { c.Walks, c.WalkHits, c.Hits = 1, 1, 0 })
	if h.Counts().Links == 0 {
		t.Error("no link was counted")
	}
	expect("again", h.Find(inode, uid), own, func(c *HolderCounts) { c.Walks, c.Hits = 1, 1 })

	another, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	fresh := inodeOf(t, another.(*net.TCPListener))
	expect("recent holder", h.Find(fresh, uid), own, func(c *HolderCounts) { c.Walks, c.HotHits = 1, 1 })

	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	expect("closed, no walk due", h.Find(inode, uid), Held{Outcome: Limited}, func(c *HolderCounts) { c.Walks, c.WalksLimited = 1, 1 })
	if !h.NextWalk().After(time.Now()) {
		t.Error("a walk is due at once")
	}
	h.nextWalk = time.Time{}
	closed := h.Find(inode, uid)
	nobody := Held{Outcome: Absent}
	if h.Counts().Denied > 0 { // a security module may hide a process even from root
		nobody.Outcome = Denied
	}
	expect("closed", closed, nobody, func(c *HolderCounts) { c.Walks = 2 })
	expect("asked again", h.Find(inode, uid), nobody, func(c *HolderCounts) { c.Walks, c.Negative = 2, 1 })

	h.nextWalk, h.config.MaxLinks = time.Time{}, 0
	h.known = generations{max: 16}
	h.hot = [hotProcesses]int32{}
	if got := h.Find(4294967290, uid); got.Outcome != Limited || h.Counts().WalksCut != 1 {
		t.Errorf("a walk that was cut: %+v, counts %+v", got, h.Counts())
	}
}

func TestHoldersTryTheNewest(t *testing.T) {
	config := DefaultHolders()
	config.MinWalkGap, config.NewestPIDs = time.Hour, 4096
	h := NewHolders(config)
	h.nextWalk = time.Now().Add(time.Hour) // no walk is due
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := h.Find(inodeOf(t, listener.(*net.TCPListener)), 0)
	if got.Outcome != Found || got.PID != int32(os.Getpid()) {
		t.Errorf("%+v, want process %d and no thread of it", got, os.Getpid())
	}
	if n := h.Counts().NewestHits; n != 1 {
		t.Errorf("%d found among the newest, want 1", n)
	}
}

func TestAppendSockets(t *testing.T) {
	h := NewHolders(DefaultHolders())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got, outcome := h.AppendSockets(nil, int32(os.Getpid()))
	if inode := inodeOf(t, listener.(*net.TCPListener)); outcome != Found || !slices.Contains(got, inode) {
		t.Errorf("%v, outcome %d: want %d among them", got, outcome, inode)
	}
	command, _ := helper(t, "stay", "short")
	_ = command.Process.Kill()
	_ = command.Wait()
	if got, outcome := h.AppendSockets(nil, int32(command.Process.Pid)); outcome != Absent || len(got) != 0 {
		t.Errorf("of a process that is gone: %v, outcome %d", got, outcome)
	}
}

func TestRotateNewest(t *testing.T) {
	f := func(last int32, want []int32) {
		t.Helper()
		pids := []int32{1, 2, 50, 100, 200}
		rotateNewest(pids, last)
		if diff := cmp.Diff(want, pids); diff != "" {
			t.Errorf("from %d (-want +got):\n%s", last, diff)
		}
	}
	f(200, []int32{200, 100, 50, 2, 1})
	f(60, []int32{50, 2, 1, 200, 100})
	f(0, []int32{200, 100, 50, 2, 1})
}

// hidden mounts a second procfs that hides the processes of others.
func hidden(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, folder := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("proc", root, "proc", 0, "hidepid=2"); err != nil {
		t.Fatalf("mounting procfs needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	return root
}

func TestVisibility(t *testing.T) {
	if got := NewReader(Default()).Visibility(); got != "" {
		t.Errorf("everything is visible, but: %s", got)
	}
	config := Default()
	config.ProcRoot = hidden(t)
	done := make(chan string, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its lost rights
		// Group 0 may see everything by default (the gid option): it goes first.
		_, _, _ = unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETRESGID, 65534, 65534, 65534)
		_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534)
		done <- NewReader(config).Visibility()
	}()
	if got := <-done; !strings.Contains(got, "hidepid=") || !strings.Contains(got, "CAP_SYS_PTRACE") {
		t.Errorf("visibility %q: want it to name the option and the remedy", got)
	}
	config.ProcRoot = t.TempDir()
	if got := NewReader(config).Visibility(); !strings.Contains(got, "process 1 is not visible") {
		t.Errorf("visibility without procfs: %q", got)
	}
}

func BenchmarkStamp(b *testing.B) {
	r := NewReader(Default())
	pid := int32(os.Getpid())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Stamp(pid); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFacts(b *testing.B) {
	r := NewReader(Default())
	pid := int32(os.Getpid())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Facts(pid); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSocketsFind(b *testing.B) {
	sockets, err := OpenSockets()
	if err != nil {
		b.Fatal(err)
	}
	defer sockets.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	near, far := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := sockets.Find("tcp", near, far); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkListening(b *testing.B) {
	sockets, err := OpenSockets()
	if err != nil {
		b.Fatal(err)
	}
	defer sockets.Close()
	var buffer []Socket
	b.ReportAllocs()
	for b.Loop() {
		if buffer, err = sockets.AppendListening(buffer[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFullWalk(b *testing.B) {
	config := DefaultHolders()
	h := NewHolders(config)
	b.ReportAllocs()
	for b.Loop() {
		h.walk(map[uint32]struct{}{4294967290: {}}, 0)
	}
	b.ReportMetric(float64(h.counts.Links)/float64(b.N), "links/op")
}

func BenchmarkHolderRemembered(b *testing.B) {
	h := NewHolders(DefaultHolders())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	inode := inodeOf(b, listener.(*net.TCPListener))
	h.Find(inode, 0)
	b.ReportAllocs()
	for b.Loop() {
		if h.Find(inode, 0).Outcome != Found {
			b.Fatal("lost")
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewSnapshot(time.Nanosecond).AppendListening(nil); err != nil {
			b.Fatal(err)
		}
	}
}
