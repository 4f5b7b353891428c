package sockettrace

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, config Config) *Trace {
	t.Helper()
	trace, err := Open(config)
	if err != nil {
		t.Fatalf("tracing needs root, cgroup2 and Linux 5.9: %v", err)
	}
	t.Cleanup(func() {
		if err := trace.Close(); err != nil {
			t.Error(err)
		}
	})
	return trace
}

func dial(t testing.TB) (local, remote netip.AddrPort) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = listener.Close() })
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

func TestRecordsThisProcess(t *testing.T) {
	trace := open(t, Default())
	if limits := trace.Limits(); limits != nil {
		t.Errorf("limits %q", limits)
	}
	before := trace.Counts()
	local, remote := dial(t)
	r, ok, err := trace.Find("tcp", local.Port(), remote)
	if err != nil || !ok {
		t.Fatalf("found %v: %v", ok, err)
	}
	if r.PID != int32(os.Getpid()) || r.UID != uint32(os.Getuid()) || r.Local != local || r.Remote != remote || r.Protocol != "tcp" || r.Cookie == 0 || r.NetNS == 0 || r.Cgroup == 0 {
		t.Errorf("%+v", r)
	}
	again, ok, err := trace.FindSocket(r.Cookie)
	if err != nil || !ok || again.PID != r.PID {
		t.Errorf("by socket: %v %v %+v", ok, err, again)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if executable, err = filepath.EvalSymlinks(executable); err != nil {
		t.Fatal(err)
	}
	p, ok, err := trace.Program(&r)
	if err != nil || !ok {
		t.Fatalf("program found %v: %v", ok, err)
	}
	if p.Executable != executable || p.ParentPID != int32(os.Getppid()) || len(p.Parents) == 0 {
		t.Errorf("%+v, want %s of %d", p, executable, os.Getppid())
	}
	if diff := cmp.Diff(os.Args[:min(2, len(os.Args))], p.Arguments); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	after := trace.Counts()
	if after.Connects == before.Connects || after.TCP == before.TCP || after.Failed != 0 || after.Programs == 0 || after.ProgramsFailed != 0 || after.Overwritten != 0 {
		t.Errorf("%+v after %+v", after, before)
	}
	if trace.Recycled() {
		t.Error("recycled with a handful of connections")
	}
}

// What was not recorded is not found, and no error.
func TestUnknownConnections(t *testing.T) {
	trace := open(t, Default())
	for _, protocol := range []string{"tcp", "udp"} {
		if r, ok, err := trace.Find(protocol, 1, netip.MustParseAddrPort("192.0.2.1:1")); ok || err != nil {
			t.Errorf("%s: %+v, %v", protocol, r, err)
		}
	}
	if _, ok, err := trace.Find("tcp", 1, netip.AddrPort{}); ok || err != nil {
		t.Errorf("no address: %v, %v", ok, err)
	}
	if _, ok, err := trace.FindSocket(1 << 60); ok || err != nil {
		t.Errorf("no socket: %v, %v", ok, err)
	}
	if _, ok, err := trace.Program(&Record{PID: 1, start: 1}); ok || err != nil {
		t.Errorf("no program: %v, %v", ok, err)
	}
	if _, ok, err := trace.Program(&Record{PID: 1}); ok || err != nil {
		t.Errorf("program of a process without a start: %v, %v", ok, err)
	}
}

// Without the layout of the kernel connections are recorded, programs are not.
func TestWithoutLayout(t *testing.T) {
	trace := &Trace{config: Default()}
	t.Cleanup(func() { _ = trace.Close() })
	var err error
	if trace.cgroup, err = openRoot(""); err != nil {
		t.Fatal(err)
	}
	m, err := trace.makeMaps()
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.attachAll(m, nil); err != nil {
		t.Fatal(err)
	}
	local, remote := dial(t)
	r, ok, err := trace.Find("tcp", local.Port(), remote)
	if err != nil || !ok || r.PID != int32(os.Getpid()) || r.Start() != 0 {
		t.Errorf("%+v, found %v: %v", r, ok, err)
	}
	if _, ok, err := trace.Program(&r); ok || err != nil {
		t.Errorf("program found %v: %v", ok, err)
	}
}

// Close leaves no program and no map in the kernel.
func TestCloseFreesTheKernel(t *testing.T) {
	trace, err := Open(Default())
	if err != nil {
		t.Fatal(err)
	}
	var programs []ebpf.ProgramID
	for _, l := range trace.links {
		info, err := l.Info()
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, info.Program)
	}
	var maps []ebpf.MapID
	for _, m := range trace.maps {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, ok := info.ID()
		if !ok {
			t.Fatal("a map without an id")
		}
		maps = append(maps, id)
	}
	if len(programs) != 8 || len(maps) != 6 {
		t.Fatalf("%d programs, %d maps; want 8 and 6", len(programs), len(maps))
	}
	for range 2 { // the second time does nothing
		if err := trace.Close(); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (n int) {
		for _, id := range programs {
			if p, err := ebpf.NewProgramFromID(id); err == nil {
				n++
				_ = p.Close()
			}
		}
		for _, id := range maps {
			if m, err := ebpf.NewMapFromID(id); err == nil {
				n++
				_ = m.Close()
			}
		}
		return n
	}
	for end := time.Now().Add(20 * time.Second); left() > 0; time.Sleep(10 * time.Millisecond) { // the kernel frees after a grace period
		if time.Now().After(end) {
			t.Fatalf("%d programs and maps are left", left())
		}
	}
	if _, _, err := trace.FindSocket(1); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want %v", err, ErrClosed)
	}
	if trace.Counts() != (Counts{}) {
		t.Errorf("%+v", trace.Counts())
	}
}

func TestRootOfGroups(t *testing.T) {
	root, err := openRoot("")
	if err != nil {
		t.Fatal(err)
	}
	name := root.Name()
	_ = root.Close()
	below := filepath.Join(name, "gnomon-root-test")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(below) })
	for _, folder := range []string{below, t.TempDir(), "/nowhere"} { // as a container with its own namespace sees its group
		var missing *Missing
		if _, err := Open(Config{CgroupRoot: folder, Connections: 64, Programs: 16}); !errors.As(err, &missing) || !errors.Is(err, errNoRoot) || !strings.Contains(missing.Remedy, "cgroup_root") {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

func TestCgroupMounts(t *testing.T) {
	text := "30 23 0:26 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw\n" +
		"31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n" +
		"32 30 0:28 / /mnt/my\\040groups rw - cgroup2 cgroup rw\n" +
		"33 30 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
		"junk\n - cgroup2 \n"
	if diff := cmp.Diff([]string{"/sys/fs/cgroup/unified", "/mnt/my groups"}, cgroupMounts([]byte(text))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzCgroupMounts(f *testing.F) {
	f.Add([]byte("31 30 0:27 / /sys/fs/cgroup rw shared:10 - cgroup2 cgroup2 rw\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, folder := range cgroupMounts(data) {
			if folder == "" || len(folder) > len(data) {
				t.Errorf("%q", folder)
			}
		}
	})
}

// What the kernel's description lacks is named.
func TestOffsetsNameWhatIsMissing(t *testing.T) {
	b, err := btf.NewBuilder([]btf.Type{&btf.Struct{Name: "task_struct", Size: 8, Members: []btf.Member{{Name: "comm", Type: &btf.Int{Name: "int", Size: 4}}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := b.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readOffsets(spec); err == nil || !strings.Contains(err.Error(), "task_struct") || !strings.Contains(err.Error(), "group_leader") {
		t.Errorf("%v, want the member that is missing", err)
	}
}

// The programs never call what the kernel would not let them, and never refuse.
func TestProgramsReturnOne(t *testing.T) {
	o := &offsets{}
	for name, list := range map[string]asm.Instructions{
		"connect4": connectCode(maps{}, o, false), "connect6": connectCode(maps{}, o, true), "send4": sendCode(maps{}, o, false),
		"send6": sendCode(maps{}, o, true), "ops": opsCode(maps{}), "name": nameCode(maps{}), "release": releaseCode(maps{}, o),
	} {
		returns := 0
		for i, ins := range list {
			if ins.OpCode.JumpOp() != asm.Exit || ins.OpCode.Class() != asm.JumpClass {
				continue
			}
			returns++
			if set := list[i-1]; set.Dst != asm.R0 || set.Constant != 1 {
				t.Errorf("%s returns after %v", name, set)
			}
		}
		if returns != 1 {
			t.Errorf("%s has %d ends, want 1", name, returns)
		}
	}
}

// 1 µs and the room of the value: what a question costs.
func BenchmarkFind(b *testing.B) {
	trace := open(b, Default())
	local, remote := dial(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := trace.Find("tcp", local.Port(), remote); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// What connect(2) costs with and without the programs.
func BenchmarkConnect(b *testing.B) {
	for _, traced := range []bool{false, true} {
		b.Run(map[bool]string{false: "untraced", true: "traced"}[traced], func(b *testing.B) {
			if traced {
				open(b, Default())
			}
			to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
			for b.Loop() {
				c, err := net.DialUDP("udp", nil, to)
				if err != nil {
					b.Fatal(err)
				}
				_ = c.Close()
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		trace, err := Open(Default())
		if err != nil {
			b.Fatal(err)
		}
		_ = trace.Close()
	}
}
