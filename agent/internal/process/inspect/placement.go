package inspect

import (
	"bytes"
	"strconv"
	"strings"
)

// Placement is where a process runs: its container and its Kubernetes pod.
type Placement struct {
	Container string // 64 digits of docker, containerd, CRI-O or podman, or the name of a systemd-nspawn machine or LXC container; "" outside one
	PodUID    string // UID of the pod, or the hash that the kubelet gives a static one; "" outside one
}

// PlacementOf reads a /proc/PID/cgroup text (cgroups(7)), of either version
// and of both cgroup drivers of the kubelet
// (https://kubernetes.io/docs/setup/production-environment/container-runtimes/#cgroup-drivers).
func PlacementOf(cgroup []byte) Placement {
	p := Placement{Container: containerID(cgroup)}
	for line := range bytes.Lines(cgroup) {
		_, controllers, _ := bytes.Cut(line, []byte{':'})
		_, group, ok := bytes.Cut(controllers, []byte{':'})
		if !ok {
			continue
		}
		var before string
		for segment := range strings.SplitSeq(strings.TrimRight(string(group), "\n"), "/") {
			if p.PodUID == "" {
				p.PodUID = podUID(segment)
			}
			if p.Container == "" {
				p.Container = machineName(segment, before)
			}
			before = segment
		}
		if p.Container != "" && p.PodUID != "" {
			break
		}
	}
	return p
}

// PathPlacement is PlacementOf on one path of a cgroup.
func PathPlacement(path string) Placement {
	if path == "" {
		return Placement{}
	}
	return PlacementOf([]byte("0::/" + path + "\n"))
}

// podUID reads "pod<uid>" of the cgroupfs driver, or
// "kubepods-burstable-pod<uid>.slice" of the systemd driver, which writes
// underscores for dashes.
func podUID(segment string) string {
	name, slice := strings.CutSuffix(segment, ".slice")
	at := strings.LastIndex(name, "pod")
	if at < 0 {
		return ""
	}
	prefix, uid := name[:at], name[at+len("pod"):]
	if slice {
		if !strings.HasPrefix(prefix, "kubepods-") {
			return ""
		}
		uid = strings.ReplaceAll(uid, "_", "-")
	} else if prefix != "" {
		return ""
	}
	if !isUID(uid) {
		return ""
	}
	return uid
}

// isUID reports whether s is a UUID (RFC 9562, section 4) or the 32 digits of
// a static pod.
func isUID(s string) bool {
	if len(s) != 36 && len(s) != 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if len(s) == 36 && (i == 8 || i == 13 || i == 18 || i == 23) {
			if c != '-' {
				return false
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// maxMachineName bounds the name of a machine (machinectl(1): a host name).
const maxMachineName = 64

// machineName reads "machine-NAME.scope" below machine.slice and
// "systemd-nspawn@NAME.service" of systemd-nspawn(1), and "lxc.payload.NAME" or
// NAME below "lxc" of lxc.container.conf(5). Virtual machines of libvirt are
// none: "machine-qemu…".
func machineName(segment, before string) string {
	name := ""
	switch {
	case before == "machine.slice" && strings.HasPrefix(segment, "machine-") && strings.HasSuffix(segment, ".scope"):
		name = unescapeUnit(strings.TrimSuffix(strings.TrimPrefix(segment, "machine-"), ".scope"))
		if strings.HasPrefix(name, "qemu-") {
			return ""
		}
	case strings.HasPrefix(segment, "systemd-nspawn@") && strings.HasSuffix(segment, ".service"):
		name = unescapeUnit(strings.TrimSuffix(strings.TrimPrefix(segment, "systemd-nspawn@"), ".service"))
	case strings.HasPrefix(segment, "lxc.payload."):
		name = strings.TrimPrefix(segment, "lxc.payload.")
	case before == "lxc":
		name = segment
	}
	if name == "" || len(name) > maxMachineName {
		return ""
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return ""
		}
	}
	return name
}

// unescapeUnit undoes \x2d in the name of a unit (systemd-escape(1)).
func unescapeUnit(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, `\x`)
		b.WriteString(before)
		if !ok || len(after) < 2 {
			return b.String()
		}
		value, err := strconv.ParseUint(after[:2], 16, 8)
		if err != nil {
			return b.String()
		}
		b.WriteByte(byte(value))
		s = after[2:]
	}
}
