package inspect

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// statLine builds a /proc/PID/stat line; fields start with the state.
func statLine(pid int, comm, state string, parent int, flags, start, stack uint64) string {
	fields := make([]string, 50)
	for i := range fields {
		fields[i] = "0"
	}
	set := func(number int, value string) { fields[number-3] = value }
	set(3, state)
	set(4, strconv.Itoa(parent))
	set(8, "-1") // no terminal group
	set(9, strconv.FormatUint(flags, 10))
	set(22, strconv.FormatUint(start, 10))
	set(28, strconv.FormatUint(stack, 10))
	return fmt.Sprintf("%d (%s) %s\n", pid, comm, strings.Join(fields, " "))
}

func TestParseStat(t *testing.T) {
	f := func(line string, want procStat, ok bool) {
		t.Helper()
		got, err := parseStat([]byte(line))
		if (err == nil) != ok {
			t.Errorf("%q: error %v, want ok %v", line, err, ok)
			return
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(procStat{})); ok && diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	f(statLine(12, "ollama", "S", 1, 4194304, 99, 140737), procStat{comm: []byte("ollama"), state: 'S', parent: 1, flags: 4194304, start: 99, startStack: 140737}, true)
	f(statLine(12, "a) R 7 (b", "Z", 3, 0, 5, 0), procStat{comm: []byte("a) R 7 (b"), state: 'Z', parent: 3, start: 5}, true)
	f(statLine(2, "kthreadd", "S", 0, kernelThreadFlag, 0, 0), procStat{comm: []byte("kthreadd"), state: 'S', flags: kernelThreadFlag}, true)
	f(statLine(2, "", "S", 0, 0, 0, 0), procStat{comm: []byte{}, state: 'S'}, true)
	f("12 (cut) S 1 0 0 0 -1 1"+strings.Repeat(" 0", 12)+" 77 0 0", procStat{comm: []byte("cut"), state: 'S', parent: 1, flags: 1, start: 77}, true)
	f("", procStat{}, false)
	f("12 (x", procStat{}, false)
	f("12 )x( S", procStat{}, false)
	f("12 (x) S 1 2 3", procStat{}, false)
	f(strings.Replace(statLine(1, "x", "S", 1, 1, 77, 9), " 77 ", " 7x7 ", 1), procStat{}, false)
}

func TestParseUint(t *testing.T) {
	f := func(word string, want uint64, ok bool) {
		t.Helper()
		if got, gotOK := parseUint([]byte(word)); got != want || gotOK != ok {
			t.Errorf("%q: %d, %v; want %d, %v", word, got, gotOK, want, ok)
		}
	}
	f("0", 0, true)
	f("18446744073709551615", math.MaxUint64, true)
	f("18446744073709551616", 0, false)
	f("99999999999999999999", 0, false)
	f("", 0, false)
	f("-1", 0, false)
	f("1 ", 0, false)
}

func TestSplitArguments(t *testing.T) {
	f := func(data string, full bool, limit int, want []string, cut bool) {
		t.Helper()
		got, gotCut := splitArguments([]byte(data), full, limit)
		if diff := cmp.Diff(want, got); diff != "" || gotCut != cut {
			t.Errorf("%q: cut %v, want %v (-want +got):\n%s", data, gotCut, cut, diff)
		}
	}
	f("", false, 9, nil, false)
	f("\x00\x00", false, 9, nil, false)
	f("ollama\x00serve\x00", false, 9, []string{"ollama", "serve"}, false)
	f("python3\x00\x00-m\x00", false, 9, []string{"python3", "", "-m"}, false)
	f("nginx: worker process\x00\x00\x00", false, 9, []string{"nginx: worker process"}, false)
	f("a\x00b\x00c\x00", false, 2, []string{"a", "b"}, true)
	f("a\x00b\x00", false, 2, []string{"a", "b"}, false)
	f("a\x00bbbb", true, 9, []string{"a", "bbbb"}, true)
}

func TestBounded(t *testing.T) {
	f := func(in []string, limit, bytes int, want []string, cut bool) {
		t.Helper()
		got, gotCut := bounded(in, limit, bytes)
		if diff := cmp.Diff(want, got); diff != "" || gotCut != cut {
			t.Errorf("%q: cut %v, want %v (-want +got):\n%s", in, gotCut, cut, diff)
		}
	}
	f(nil, 2, 100, nil, false)
	f([]string{"a", "b"}, 2, 100, []string{"a", "b"}, false)
	f([]string{"a", "b", "c"}, 2, 100, []string{"a", "b"}, true)
	f([]string{"aaaa", "bbbb"}, 9, 9, []string{"aaaa"}, true)
	f([]string{"aaaa", "bbbb"}, 9, 10, []string{"aaaa", "bbbb"}, false)
}

func TestStatusID(t *testing.T) {
	status := []byte("Name:\tUid\nUmask:\t0022\nTgid:\t41\nUid:\t1000\t0\t0\t0\nGid:\t7")
	f := func(name string, want uint64, ok bool) {
		t.Helper()
		if got, gotOK := statusID(status, name); got != want || gotOK != ok {
			t.Errorf("%s: %d, %v; want %d, %v", name, got, gotOK, want, ok)
		}
	}
	f("Uid", 1000, true)
	f("Tgid", 41, true)
	f("Gid", 7, true)
	f("Name", 0, false)
	f("id", 0, false)
	f("NSpid", 0, false)
}

func TestContainerID(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	other := strings.Repeat("f", 64)
	f := func(cgroup, want string) {
		t.Helper()
		if got := containerID([]byte(cgroup)); got != want {
			t.Errorf("%q: %q, want %q", cgroup, got, want)
		}
	}
	f("0::/init.scope\n", "")
	f("0::/user.slice/user-1000.slice/session-2.scope\n", "")
	f("0::/system.slice/docker-"+id+".scope\n", id)
	f("0::/docker/"+id+"\n", id)
	f("12:pids:/docker/"+id+"\n11:cpu:/docker/"+id+"\n", id)
	f("11:cpu:/\n10:memory:/docker/"+id+"/sub\n", id)
	f("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2c.slice/cri-containerd-"+id+".scope\n", id)
	f("0::/kubepods/burstable/pod6f1ab1d2-0c6e-4ad4-8f43-2b1a7e1b2c3d/"+id+"\n", id)
	f("0::/kubepods-besteffort-pod1.slice:cri-containerd:"+id+"\n", id)
	f("0::/kubepods.slice/crio-"+id+".scope\n", id)
	f("0::/machine.slice/libpod-"+id+".scope/container\n", id)
	f("0::/machine.slice/libpod-conmon-"+id+".scope\n", "")
	f("0::/docker/"+id+"/docker/"+other+"\n", other) // a container inside a container
	f("0::/docker/"+strings.ToUpper(id)+"\n", "")
	f("0::/docker/"+id[:63]+"\n", "")
	f("0::/x"+id+"\n", "")
	f("garbage", "")
	f("", "")
}

func TestProcessName(t *testing.T) {
	f := func(executable, comm string, arguments []string, want string) {
		t.Helper()
		if got := processName(executable, comm, arguments); got != want {
			t.Errorf("%q, %q, %q: %q, want %q", executable, comm, arguments, got, want)
		}
	}
	f("/usr/bin/node", "claude", []string{"claude"}, "node")
	f("", "ollama", []string{"/opt/other"}, "ollama")
	f("", "text-generation", []string{"/usr/bin/text-generation-launcher", "--port"}, "text-generation-launcher")
	f("", "text-generation", []string{"/usr/bin/another"}, "text-generation")
	f("", "text-generation", nil, "text-generation")
	f(`C:\Program Files\Ollama\ollama app.exe`, "", nil, "ollama app.exe")
	f("", "", nil, "")
}

func TestParseProcArgs(t *testing.T) {
	build := func(count uint32, executable string, parts ...string) []byte {
		data := binary.NativeEndian.AppendUint32(nil, count)
		data = append(data, executable...)
		data = append(data, 0, 0, 0, 0)
		for _, part := range parts {
			data = append(append(data, part...), 0)
		}
		return data
	}
	f := func(data []byte, executable string, arguments []string, cut, ok bool) {
		t.Helper()
		gotExecutable, gotArguments, gotCut, gotOK := parseProcArgs(data, 3, 64)
		if gotExecutable != executable || gotCut != cut || gotOK != ok || !cmp.Equal(gotArguments, arguments) {
			t.Errorf("%q: %q %q cut %v ok %v; want %q %q cut %v ok %v",
				data, gotExecutable, gotArguments, gotCut, gotOK, executable, arguments, cut, ok)
		}
	}
	f(build(2, "/opt/ollama", "ollama", "serve", "SECRET=1"), "/opt/ollama", []string{"ollama", "serve"}, false, true)
	f(build(0, "/opt/ollama", "SECRET=1"), "/opt/ollama", nil, false, true)
	f(build(4, "/opt/x", "a", "b", "c", "d"), "/opt/x", []string{"a", "b", "c"}, true, true)
	f(build(math.MaxUint32, "/opt/x", "a"), "/opt/x", []string{"a"}, true, true)
	f(build(2, "/opt/x", "a", strings.Repeat("b", 70)), "/opt/x", []string{"a"}, true, true)
	f(nil, "", nil, false, false)
	f([]byte{1, 0, 0}, "", nil, false, false)
	f([]byte{1, 0, 0, 0, 'x'}, "", nil, false, false)
}

func TestParseSocketLink(t *testing.T) {
	f := func(link string, want uint32, ok bool) {
		t.Helper()
		if got, gotOK := parseSocketLink([]byte(link)); got != want || gotOK != ok {
			t.Errorf("%q: %d, %v; want %d, %v", link, got, gotOK, want, ok)
		}
	}
	f("socket:[12345]", 12345, true)
	f("socket:[4294967295]", 4294967295, true)
	f("socket:[4294967296]", 0, false)
	f("socket:[0]", 0, false)
	f("socket:[]", 0, false)
	f("socket:[1", 0, false)
	f("pipe:[12345]", 0, false)
	f("/tmp/socket:[1]", 0, false)
	f("", 0, false)
}

func TestLastPID(t *testing.T) {
	f := func(loadavg string, want int32, ok bool) {
		t.Helper()
		if got, gotOK := lastPID([]byte(loadavg)); got != want || gotOK != ok {
			t.Errorf("%q: %d, %v; want %d, %v", loadavg, got, gotOK, want, ok)
		}
	}
	f("0.01 0.02 0.00 1/234 5678\n", 5678, true)
	f("5678", 5678, true)
	f("0.01 0.02 0.00 1/234 4194305\n", 0, false)
	f("0.01 0.02 0.00 1/234 0\n", 0, false)
	f("\n", 0, false)
	f("", 0, false)
}

func TestHidepidOption(t *testing.T) {
	f := func(mountinfo, root, want string) {
		t.Helper()
		if got := hidepidOption([]byte(mountinfo), root); got != want {
			t.Errorf("%q: %q, want %q", mountinfo, got, want)
		}
	}
	line := "22 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw,gid=4,%s\n"
	f(fmt.Sprintf(line, "hidepid=2"), "/proc", "hidepid=2")
	f(fmt.Sprintf(line, "hidepid=invisible"), "/proc", "hidepid=invisible")
	f(fmt.Sprintf(line, "hidepid=0"), "/proc", "")
	f(fmt.Sprintf(line, "hidepid=off"), "/proc", "")
	f(fmt.Sprintf(line, "hidepid=2"), "/host/proc", "")
	f("22 1 / /proc\n", "/proc", "")
}

func TestStampTellsProcessesAndImages(t *testing.T) {
	base := Stamp{PID: 7, Start: 100, Image: 9, Comm: "sh"}
	f := func(other Stamp, process, image bool) {
		t.Helper()
		if base.SameProcess(other) != process || base.SameImage(other) != image {
			t.Errorf("%+v: process %v, image %v; want %v, %v", other, base.SameProcess(other), base.SameImage(other), process, image)
		}
	}
	f(base, true, true)
	f(Stamp{PID: 7, Start: 100, Image: 9, Comm: "renamed"}, true, true)
	f(Stamp{PID: 7, Start: 100, Image: 10, Comm: "sh"}, true, false)
	f(Stamp{PID: 7, Start: 100, Comm: "sh"}, true, true)
	f(Stamp{PID: 7, Start: 100, Comm: "node"}, true, false)
	f(Stamp{PID: 7, Start: 101, Image: 9, Comm: "sh"}, false, false)
	f(Stamp{PID: 8, Start: 100, Image: 9, Comm: "sh"}, false, false)
}

func TestGenerationsAreBounded(t *testing.T) {
	g := generations{max: 16}
	for inode := range uint32(1000) {
		g.put(inode, holding{pid: int32(inode)})
		if n := len(g.young) + len(g.earlier); n > 32 {
			t.Fatalf("%d entries after %d, want 32 at most", n, inode)
		}
	}
	if _, ok := g.get(999); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := g.get(0); ok {
		t.Error("the oldest is still there")
	}
	g.drop(999)
	if _, ok := g.get(999); ok {
		t.Error("dropped, but still there")
	}
}

func TestConfigNamesTheKey(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("error %q, want one that starts with %q", got, want)
		}
	}
	with := func(change func(*Config)) error { c := Default(); change(&c); return c.Validate() }
	f(with(func(*Config) {}), "")
	f(with(func(c *Config) { c.ProcRoot = "" }), "proc_root:")
	f(with(func(c *Config) { c.MaxArguments = 0 }), "max_arguments:")
	f(with(func(c *Config) { c.MaxArgumentBytes = 1 }), "max_argument_bytes:")
	f(with(func(c *Config) { c.UserTTL = 0 }), "user_ttl:")
	f(with(func(c *Config) { c.MaxUsers = 0 }), "max_users:")
	holders := func(change func(*HoldersConfig)) error { c := DefaultHolders(); change(&c); return c.Validate() }
	f(holders(func(*HoldersConfig) {}), "")
	f(holders(func(c *HoldersConfig) { c.ProcRoot = "" }), "proc_root:")
	f(holders(func(c *HoldersConfig) { c.MaxInodes = 0 }), "max_inodes:")
	f(holders(func(c *HoldersConfig) { c.MaxLinks = 0 }), "max_links:")
	f(holders(func(c *HoldersConfig) { c.WalkShare = 0 }), "walk_share:")
	f(holders(func(c *HoldersConfig) { c.NegativeTTL = -1 }), "min_walk_gap and negative_ttl:")
	f(holders(func(c *HoldersConfig) { c.NewestPIDs = -1 }), "newest_probes:")
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine(12, "ollama", "S", 1, 4194304, 99, 140737)))
	f.Add([]byte(statLine(12, "a) R 7 (b", "Z", 3, 0, 5, 0)))
	f.Add([]byte("1 (x) S"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseStat(data)
		if err != nil {
			return
		}
		if got.parent < 0 {
			t.Errorf("negative parent %d", got.parent)
		}
		// The name is exactly what stands between the outer parentheses.
		if !bytes.Contains(data, append(append([]byte{'('}, got.comm...), ')')) {
			t.Errorf("name %q is not in %q", got.comm, data)
		}
		// Building the line again from what was read gives the same reading.
		if got.state > ' ' && got.state < 0x7f && !bytes.ContainsAny(got.comm, "\n") {
			line := statLine(1, string(got.comm), string(rune(got.state)), int(got.parent), got.flags, got.start, got.startStack)
			again, err := parseStat([]byte(line))
			if err != nil {
				t.Fatalf("reading %q again: %v", line, err)
			}
			if diff := cmp.Diff(got, again, cmp.AllowUnexported(procStat{})); diff != "" {
				t.Errorf("read again (-first +again):\n%s", diff)
			}
		}
	})
}

func FuzzTexts(f *testing.F) {
	id := strings.Repeat("0123456789abcdef", 4)
	f.Add([]byte("python3\x00-m\x00vllm.entrypoints.openai.api_server\x00"), true, 2)
	f.Add([]byte("0::/system.slice/docker-"+id+".scope\n"), false, 5)
	f.Add([]byte("Name:\tx\nUid:\t1000\t0\t0\t0\n"), false, 64)
	f.Add([]byte("socket:[12345]"), false, 64)
	f.Add([]byte("0.01 0.02 0.00 1/234 5678\n"), false, 64)
	f.Add([]byte("22 1 0:20 / /proc rw shared:5 - proc proc rw,hidepid=2\n"), false, 64)
	f.Add(append([]byte{2, 0, 0, 0}, "/opt/ollama\x00\x00\x00ollama\x00serve\x00SECRET=1\x00"...), false, 64)
	f.Fuzz(func(t *testing.T, data []byte, full bool, limit int) {
		if limit < 1 || limit > 4096 {
			return
		}
		arguments, cut := splitArguments(data, full, limit)
		if len(arguments) > limit || full && !cut {
			t.Errorf("%d arguments, cut %v: limit %d, full %v", len(arguments), cut, limit, full)
		}
		if !cut && strings.Join(arguments, "\x00") != string(bytes.TrimRight(data, "\x00")) {
			t.Errorf("%q do not make up %q", arguments, data)
		}
		if got := containerID(data); got != "" && (len(got) != containerIDBytes || !bytes.Contains(data, []byte(got))) {
			t.Errorf("container %q from %q", got, data)
		}
		if inode, ok := parseSocketLink(data); ok && inode == 0 {
			t.Errorf("inode 0 from %q", data)
		}
		if pid, ok := lastPID(data); ok && (pid <= 0 || pid > 1<<22) {
			t.Errorf("last id %d from %q", pid, data)
		}
		if id, ok := statusID(data, "Uid"); ok && !bytes.Contains(data, []byte("Uid:")) {
			t.Errorf("id %d from %q", id, data)
		}
		if option := hidepidOption(data, "/proc"); option != "" && !strings.HasPrefix(option, "hidepid=") {
			t.Errorf("option %q from %q", option, data)
		}
		executable, list, _, ok := parseProcArgs(data, limit, 4096)
		if !ok {
			return
		}
		if len(list) > limit || uint64(len(list)) > uint64(binary.NativeEndian.Uint32(data)) {
			t.Errorf("%d arguments, limit %d, count %d", len(list), limit, binary.NativeEndian.Uint32(data))
		}
		total := len(executable)
		for _, argument := range list {
			total += len(argument) + 1
		}
		if total > len(data) {
			t.Errorf("%d bytes read from %d", total, len(data))
		}
	})
}
