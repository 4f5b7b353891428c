package sockettrace

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// program builds the value that the kernel would write.
type program []byte

func newProgram() program {
	p := make(program, programBytes)
	return p.number(programReady, 1).number(programExeDone, 1)
}

func (p program) number(at int, value uint32) program {
	binary.NativeEndian.PutUint32(p[at:], value)
	return p
}

// names writes elements, the last of the path first.
func (p program) names(at, length int, names ...string) program {
	joined := strings.Join(names, "\x00") + "\x00"
	copy(p[at:], joined)
	return p.number(length, uint32(len(joined)))
}

func (p program) text(at int, s string) program {
	copy(p[at:], s+"\x00")
	return p
}

func TestDecodeProgram(t *testing.T) {
	f := func(name string, data []byte, want Program, wantOK bool) {
		t.Helper()
		got, ok := decodeProgram(data)
		if diff := cmp.Diff(want, got); diff != "" || ok != wantOK {
			t.Errorf("%s: ok %v, want %v (-want +got):\n%s", name, ok, wantOK, diff)
		}
	}
	f("whole", newProgram().number(programParent, 7).text(programParents, "claude").text(programParents+commBytes, "bash").
		names(programExe, programExeBytes, "node", "bin", "usr").names(programCgroup, programCgroupBytes, "a.scope", "b.slice", "").
		text(programArgument0, "node").text(programArgument1, "/opt/cli.js"),
		Program{Executable: "/usr/bin/node", Arguments: []string{"node", "/opt/cli.js"}, ParentPID: 7, Parents: []string{"claude", "bash"}, Cgroup: "b.slice/a.scope"}, true)
	f("empty", newProgram(), Program{}, true)
	f("being written", newProgram().number(programReady, 0), Program{}, false)
	f("another size", make([]byte, 8), Program{}, false)
	f("path cut", newProgram().number(programExeDone, 0).names(programExe, programExeBytes, "node", "bin"), Program{}, true)
	f("separator in a name", newProgram().names(programExe, programExeBytes, "a/../../b"), Program{}, true)
	f("lying length", newProgram().number(programExeBytes, 1<<31).number(programCgroupBytes, 1<<31), Program{}, true)
	f("no first argument", newProgram().text(programArgument1, "second"), Program{}, true)
	f("parent beyond a process number", newProgram().number(programParent, 1<<32-1), Program{ParentPID: 1<<31 - 1}, true)
}

func TestDecodeRecord(t *testing.T) {
	data := make([]byte, connBytes)
	order := binary.NativeEndian
	order.PutUint64(data[connCookie:], 9)
	order.PutUint64(data[connNetNS:], 3)
	order.PutUint64(data[connCgroup:], 5)
	order.PutUint64(data[connStart:], uint64(time.Second))
	order.PutUint64(data[connAt:], uint64(2*time.Second))
	order.PutUint32(data[connPID:], 42)
	order.PutUint32(data[connUID:], 1000)
	order.PutUint32(data[connExec:], 6)
	order.PutUint32(data[connProtocol:], protocolTCP)
	copy(data[connComm:], "curl\x00junk")
	local, remote := netip.MustParseAddr("192.0.2.1").As16(), netip.MustParseAddr("2001:db8::1").As16()
	copy(data[connLocal:], local[:])
	copy(data[connRemote:], remote[:])
	order.PutUint16(data[connLocalPort:], 40000)
	order.PutUint16(data[connRemotePort:], 443)
	got, ok := decodeRecord(data)
	want := Record{
		Cookie: 9, NetNS: 3, Cgroup: 5, At: 2 * time.Second, PID: 42, UID: 1000, Comm: "curl", Protocol: "tcp",
		Local: netip.MustParseAddrPort("192.0.2.1:40000"), Remote: netip.MustParseAddrPort("[2001:db8::1]:443"), start: uint64(time.Second), exec: 6,
	}
	if !ok || got != want {
		t.Errorf("ok %v, got %+v, want %+v", ok, got, want)
	}
	if got.Start() != time.Second || got.Program() != (ProgramID{uint64(time.Second), 42, 6}) {
		t.Errorf("start %s, program %+v", got.Start(), got.Program())
	}
	for name, change := range map[string]func(){
		"no process":       func() { order.PutUint32(data[connPID:], 0) },
		"another protocol": func() { order.PutUint32(data[connProtocol:], 132) },
	} {
		before := append([]byte(nil), data...)
		change()
		if _, ok := decodeRecord(data); ok {
			t.Errorf("%s: taken for a record", name)
		}
		copy(data, before)
	}
}

func TestKeysDoNotAllocate(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.1:443")
	var room [keyBytes]byte
	if n := testing.AllocsPerRun(100, func() { appendKey(room[:0], protocolTCP, 40000, remote) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := appendKey(nil, protocolTCP, 40000, remote); len(got) != keyBytes {
		t.Errorf("%d bytes, want %d", len(got), keyBytes)
	}
	if got := appendProgramKey(nil, &Record{}); len(got) != programKeyBytes {
		t.Errorf("%d bytes, want %d", len(got), programKeyBytes)
	}
}

func TestValidateNamesTheKey(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for key, c := range map[string]Config{"connections: ": {Connections: 1, Programs: 64}, "programs: ": {Connections: 64, Programs: 1 << 20}} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("%v, want %s…", err, key)
		}
	}
}

// What is decoded is bounded, and a path is a clean absolute one.
func FuzzDecodeProgram(f *testing.F) {
	f.Add([]byte(newProgram().names(programExe, programExeBytes, "node", "bin", "usr").names(programCgroup, programCgroupBytes, "a", "b")))
	f.Add([]byte(newProgram().text(programParents, "bash").text(programArgument0, "a").text(programArgument1, "b")))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, ok := decodeProgram(data)
		if !ok {
			return
		}
		if len(p.Arguments) > 2 || len(p.Parents) > maxParents || len(p.Cgroup) > cgroupRoom+cgroupElementRoom {
			t.Errorf("%+v", p)
		}
		if p.Executable != "" && (p.Executable[0] != '/' || len(p.Executable) > exeRoom+elementRoom || strings.Contains(p.Executable, "/../")) {
			t.Errorf("path %q", p.Executable)
		}
	})
}
