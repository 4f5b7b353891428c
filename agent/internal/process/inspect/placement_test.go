package inspect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// id is a container's, as the runtimes make them.
func id() string { return strings.Repeat("0123456789abcdef", 4) }

func TestPlacement(t *testing.T) {
	const uid = "6e0a7b9c-2f41-4c0e-9d35-1b2c3d4e5f60"
	under := strings.ReplaceAll(uid, "-", "_")
	static := strings.Repeat("c0ffee12", 4)
	f := func(name, cgroup string, want Placement) {
		t.Helper()
		if got := PlacementOf([]byte(cgroup)); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	f("none", "", Placement{})
	f("host", "0::/user.slice/user-1000.slice/session-2.scope\n", Placement{})
	f("docker, cgroupfs, v1", "12:pids:/docker/"+id()+"\n1:name=systemd:/docker/"+id()+"\n", Placement{Container: id()})
	f("docker, systemd, v2", "0::/system.slice/docker-"+id()+".scope\n", Placement{Container: id()})
	f("docker, v1 beside an empty v2", "4:memory:/docker/"+id()+"\n0::/\n", Placement{Container: id()})
	f("podman, rootless", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-"+id()+".scope/container\n", Placement{Container: id()})
	f("podman's monitor", "0::/machine.slice/libpod-conmon-"+id()+".scope\n", Placement{})
	f("containerd, cgroupfs, v1", "11:memory:/kubepods/besteffort/pod"+uid+"/"+id()+"\n", Placement{id(), uid})
	f("containerd, guaranteed", "0::/kubepods/pod"+uid+"/"+id()+"\n", Placement{id(), uid})
	f("containerd, systemd, v2", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+under+".slice/cri-containerd-"+id()+".scope\n", Placement{id(), uid})
	f("containerd, systemd, guaranteed", "0::/kubepods.slice/kubepods-pod"+under+".slice/cri-containerd-"+id()+".scope\n", Placement{id(), uid})
	f("containerd, its own prefix of units", "0::/system.slice/containerd.service/kubepods-burstable-pod"+under+".slice:cri-containerd:"+id()+"\n", Placement{Container: id()})
	f("cri-o, v1", "7:pids:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"+under+".slice/crio-"+id()+".scope\n", Placement{id(), uid})
	f("cri-o, a group inside", "0::/kubepods.slice/kubepods-pod"+under+".slice/crio-"+id()+".scope/container\n", Placement{id(), uid})
	f("static pod", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+static+".slice/cri-containerd-"+id()+".scope\n", Placement{id(), static})
	f("docker in a pod", "0::/kubepods/pod"+uid+"/"+strings.Repeat("f", 64)+"/docker/"+id()+"\n", Placement{id(), uid})
	f("nspawn", "0::/machine.slice/systemd-nspawn@web.service/payload\n", Placement{Container: "web"})
	f("nspawn, escaped", "0::/machine.slice/machine-build\\x2dhost.scope/payload\n", Placement{Container: "build-host"})
	f("a virtual machine", "0::/machine.slice/machine-qemu\\x2d3\\x2dvm.scope/libvirt\n", Placement{})
	f("lxc", "0::/lxc.payload.web1/system.slice/ssh.service\n", Placement{Container: "web1"})
	f("lxc, v1", "3:cpu:/lxc/web1\n", Placement{Container: "web1"})
	f("ecs", "9:memory:/ecs/9781c248-0edd-4cdb-9a93-f63cb662a5d3/"+id()+"\n", Placement{Container: id()})
	f("a name that is no uid", "0::/podcast.slice/pod1\n", Placement{})
	f("a slice of somebody else", "0::/mypod"+under+".slice\n", Placement{})
	f("a machine with a hostile name", "0::/machine.slice/machine-a b;c.scope\n", Placement{})
	f("malformed", "::\n0\n:::::\n", Placement{})
}

func TestPathPlacement(t *testing.T) {
	want := Placement{Container: id(), PodUID: strings.Repeat("a", 32)}
	if got := PathPlacement("kubepods/burstable/pod" + want.PodUID + "/" + id()); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := PathPlacement(""); got != (Placement{}) {
		t.Errorf("%+v of no path", got)
	}
}

func FuzzPlacement(f *testing.F) {
	f.Add([]byte("0::/kubepods.slice/kubepods-pod6e0a7b9c_2f41_4c0e_9d35_1b2c3d4e5f60.slice/cri-containerd-" + id() + ".scope\n"))
	f.Add([]byte("1:a:/machine.slice/machine-a\\x2db.scope\n"))
	f.Add([]byte("3:cpu:/lxc/web1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := PlacementOf(data)
		if p.PodUID != "" && !isUID(p.PodUID) {
			t.Errorf("pod %q is no uid", p.PodUID)
		}
		if len(p.Container) > containerIDBytes || strings.ContainsAny(p.Container, "/ \n\\") {
			t.Errorf("container %q", p.Container)
		}
	})
}

func TestPods(t *testing.T) {
	const uid = "6e0a7b9c-2f41-4c0e-9d35-1b2c3d4e5f60"
	root := t.TempDir()
	p := NewPods(root)
	if got := p.Find(uid); got != (Pod{UID: uid}) {
		t.Errorf("%+v before there is a folder", got)
	}
	for _, name := range []string{"kube-system_coredns-abc_" + uid, "a_b", "a_b_c", "_b_" + strings.Repeat("a", 32)} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.at = time.Now().Add(-podListAge)
	if got, want := p.Find(uid), (Pod{uid, "kube-system", "coredns-abc"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(p.known) != 1 {
		t.Errorf("%v: folders that are no pods were taken", p.known)
	}
	if got := NewPods(filepath.Join(root, "nowhere")).Find(uid); got != (Pod{UID: uid}) {
		t.Errorf("%+v without the folder", got)
	}
}
