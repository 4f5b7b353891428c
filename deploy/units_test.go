package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unit is a systemd unit: the values of each "Section.Key", in order.
type unit map[string][]string

// parseUnit reads what systemd.syntax(7) calls a unit file: an empty assignment
// takes the earlier ones back, and there is no line continuation in ours.
func parseUnit(t *testing.T, path string) unit {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u, section := unit{}, ""
	for number, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" || strings.HasSuffix(line, `\`) {
				t.Fatalf("%s:%d: %q is no assignment", path, number+1, line)
			}
			u.set(section+"."+strings.TrimSpace(key), strings.TrimSpace(value))
		}
	}
	return u
}

func (u unit) set(key, value string) {
	if value == "" {
		u[key] = []string{} // set, to nothing
		return
	}
	u[key] = append(u[key], value)
}

// with returns u under a drop-in.
func (u unit) with(dropIn unit) unit {
	merged := unit{}
	maps.Copy(merged, u)
	maps.Copy(merged, dropIn)
	return merged
}

func (u unit) words(key string) []string {
	return strings.Fields(strings.Join(u[key], " "))
}

// baseline is what every unit must set, and to what.
func baseline() map[string]string {
	return map[string]string{
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "PrivateDevices": "yes", "ProtectClock": "yes",
		"ProtectControlGroups": "yes", "ProtectHostname": "yes", "ProtectKernelLogs": "yes", "ProtectKernelModules": "yes",
		"ProtectKernelTunables": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes", "LockPersonality": "yes",
		"SystemCallArchitectures": "native", "UMask": "0077", "Restart": "on-failure", "LimitCORE": "0",
		"StateDirectoryMode": "0700", "SystemCallErrorNumber": "EPERM",
	}
}

func checkService(t *testing.T, u unit, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got := strings.Join(u["Service."+key], " "); got != value {
			t.Errorf("%s=%s, want %s", key, got, value)
		}
	}
}

func TestAgentUnit(t *testing.T) {
	u := parseUnit(t, "systemd/gnomon-agent.service")
	checkService(t, u, baseline())
	checkService(t, u, map[string]string{
		"Type": "notify", "User": "gnomon-agent", "MemoryDenyWriteExecute": "yes", "RestrictNamespaces": "yes",
		"CapabilityBoundingSet":   "CAP_NET_RAW CAP_BPF CAP_DAC_READ_SEARCH CAP_SYS_PTRACE",
		"AmbientCapabilities":     "CAP_NET_RAW CAP_BPF CAP_DAC_READ_SEARCH CAP_SYS_PTRACE",
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET",
		"ProtectHome":             "read-only", "PrivateTmp": "no", "ProtectProc": "default",
		"SystemCallFilter": "@system-service ~@privileged @resources bpf", "StateDirectory": "gnomon-agent",
	})
	users, err := os.ReadFile("systemd/gnomon.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(users), "\nu gnomon-agent ") {
		t.Error("gnomon.sysusers does not make the user of the unit")
	}
}

// The drop-in adds what attribution by the kernel needs, and nothing else.
func TestAgentDropIn(t *testing.T) {
	u := parseUnit(t, "systemd/gnomon-agent.d/ebpf.conf")
	const rights = "CAP_BPF CAP_PERFMON CAP_NET_ADMIN"
	checkService(t, u, map[string]string{"CapabilityBoundingSet": rights, "AmbientCapabilities": rights, "SystemCallFilter": "bpf"})
	if len(u) != 3 {
		t.Errorf("it sets %v", u)
	}
}

func TestCollectorUnit(t *testing.T) {
	u := parseUnit(t, "systemd/gnomon-collector.service")
	checkService(t, u, baseline())
	checkService(t, u, map[string]string{
		"Type": "notify", "DynamicUser": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "ProtectHome": "yes", "PrivateTmp": "yes",
		"ProtectProc": "invisible", "RestrictNamespaces": "user net", "MemoryDenyWriteExecute": "no",
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK", "SystemCallFilter": "@system-service ~@privileged @resources",
	})
	if _, set := u["Service.CapabilityBoundingSet"]; !set {
		t.Error("CapabilityBoundingSet is not set to nothing")
	}
	server := u.with(parseUnit(t, "systemd/gnomon-collector.d/server.conf"))
	checkService(t, server, map[string]string{
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces": "yes", "MemoryDenyWriteExecute": "yes",
	})
}

// Every departure from the baseline says which part needs it.
func TestRelaxationsNameTheirReason(t *testing.T) {
	f := func(path string, relaxed ...string) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var comments []string
		for line := range strings.SplitSeq(string(data), "\n") {
			if strings.HasPrefix(line, "#") {
				comments = append(comments, line)
				continue
			}
			key, _, _ := strings.Cut(line, "=")
			if slices.Contains(relaxed, key) {
				text := strings.Join(comments, "\n")
				if !strings.Contains(text, "Relaxed for") || !regexp.MustCompile(`Relaxed for .*(sensor|attribution|engine)`).MatchString(text) {
					t.Errorf("%s: %s has no comment that names the sensor or part it is relaxed for", path, key)
				}
				relaxed = slices.DeleteFunc(slices.Clone(relaxed), func(k string) bool { return k == key })
			}
			if strings.TrimSpace(line) == "" {
				comments = nil
			} else if key != "CapabilityBoundingSet" { // its comment holds for AmbientCapabilities, too
				comments = nil
			}
		}
		if len(relaxed) > 0 {
			t.Errorf("%s: %v not found", path, relaxed)
		}
	}
	f("systemd/gnomon-agent.service", "CapabilityBoundingSet", "RestrictAddressFamilies", "ProtectHome", "PrivateTmp", "ProtectProc")
	f("systemd/gnomon-agent.d/ebpf.conf", "CapabilityBoundingSet", "SystemCallFilter")
	f("systemd/gnomon-collector.service", "RestrictAddressFamilies", "RestrictNamespaces", "MemoryDenyWriteExecute")
}

// Limits that are no numbers would be ignored with a warning.
func TestUnitsBoundWhatTheyTake(t *testing.T) {
	for _, path := range []string{"systemd/gnomon-agent.service", "systemd/gnomon-collector.service"} {
		u := parseUnit(t, path)
		for _, key := range []string{"MemoryMax", "MemoryHigh", "TasksMax", "LimitNOFILE"} {
			value := strings.TrimRight(strings.Join(u["Service."+key], " "), "MG")
			if n, err := strconv.Atoi(value); err != nil || n <= 0 {
				t.Errorf("%s: %s=%q is no limit", path, key, u["Service."+key])
			}
		}
	}
}

// systemd's own opinion, where it is installed. What each unit may score is
// what it scored when it was written (0 is best, 10 worst).
func TestSystemdAgrees(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd is not installed here: the units are checked by the other tests alone")
		return
	}
	folder := t.TempDir()
	f := func(name string, threshold int) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		// The program is not installed here; everything else is as shipped.
		text := regexp.MustCompile(`ExecStart=\S+`).ReplaceAllString(string(data), "ExecStart=/bin/true")
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, arguments := range [][]string{
			{"verify", "--man=no", path},
			{"security", "--offline=true", fmt.Sprintf("--threshold=%d", threshold), "--no-pager", path},
		} {
			if output, err := exec.Command(analyze, arguments...).CombinedOutput(); err != nil || strings.Contains(string(output), "Unknown") {
				t.Errorf("systemd-analyze %v: %v\n%s", arguments, err, output)
			}
		}
	}
	f("gnomon-agent.service", 30) // tenths
	f("gnomon-collector.service", 20)
}
