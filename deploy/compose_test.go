package deploy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// service is what the tests look at of a compose service.
type service struct {
	Image       string         `yaml:"image"`
	Build       map[string]any `yaml:"build"`
	Command     []string       `yaml:"command"`
	Environment map[string]any `yaml:"environment"`
	Ports       []string       `yaml:"ports"`
	NetworkMode string         `yaml:"network_mode"`
	Privileged  bool           `yaml:"privileged"`
	ReadOnly    bool           `yaml:"read_only"`
	CapDrop     []string       `yaml:"cap_drop"`
	CapAdd      []string       `yaml:"cap_add"`
	SecurityOpt []string       `yaml:"security_opt"`
	Volumes     []string       `yaml:"volumes"`
	Secrets     []any          `yaml:"secrets"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

type compose struct {
	Services map[string]service           `yaml:"services"`
	Secrets  map[string]map[string]string `yaml:"secrets"`
	Volumes  map[string]any               `yaml:"volumes"`
}

func loadCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	decode(t, "compose/compose.yaml", &c)
	if len(c.Services) != 3 {
		t.Fatalf("%d services, want clickhouse, collector and agent", len(c.Services))
	}
	return c
}

// pinned is an image with a tag that names a version, or one built here.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:([0-9]+(\.[0-9]+)+(-[a-z]+)*|local)$`)

func TestComposeServices(t *testing.T) {
	c := loadCompose(t)
	for name, s := range c.Services {
		if !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned to a version", name, s.Image)
		}
		if strings.HasSuffix(s.Image, ":local") && s.Build == nil {
			t.Errorf("%s: image %q is not built", name, s.Image)
		}
		if len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s: no health check", name)
		}
		for _, port := range s.Ports {
			host, _, _ := strings.Cut(port, ":")
			if address, err := netip.ParseAddr(host); err != nil || !address.IsLoopback() {
				t.Errorf("%s: port %q is published beyond loopback", name, port)
			}
		}
		if s.NetworkMode == "host" && len(s.Ports) > 0 {
			t.Errorf("%s: publishes ports on the host's own network", name)
		}
		if s.Privileged {
			t.Errorf("%s: is privileged", name)
		}
		for key, value := range s.Environment {
			if regexp.MustCompile(`(?i)pass|secret|token|key`).MatchString(key) {
				t.Errorf("%s: secret in the environment: %s=%v", name, key, value)
			}
		}
		for _, volume := range s.Volumes {
			source, rest, _ := strings.Cut(volume, ":")
			if _, named := c.Volumes[source]; named {
				continue
			}
			if !strings.HasSuffix(rest, ":ro") {
				t.Errorf("%s: %q can be written from the container", name, volume)
			}
			if strings.HasPrefix(source, "./") {
				read(t, filepath.Join("compose", source)) // must exist
			}
		}
	}
}

func TestComposeRights(t *testing.T) {
	c := loadCompose(t)
	for name, want := range map[string][]string{"collector": nil, "agent": {"NET_RAW", "BPF", "DAC_READ_SEARCH", "SYS_PTRACE"}} {
		s := c.Services[name]
		if diff := cmp.Diff(want, s.CapAdd); diff != "" {
			t.Errorf("%s: capabilities (-want +got):\n%s", name, diff)
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !s.ReadOnly || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: cap_drop %v, read_only %v, security_opt %v", name, s.CapDrop, s.ReadOnly, s.SecurityOpt)
		}
	}
	// What the agent gets in a container is what the unit gives it.
	var unitCaps []string
	for _, capability := range parseUnit(t, "systemd/gnomon-agent.service").words("Service.CapabilityBoundingSet") {
		unitCaps = append(unitCaps, strings.TrimPrefix(capability, "CAP_"))
	}
	if diff := cmp.Diff(unitCaps, c.Services["agent"].CapAdd); diff != "" {
		t.Errorf("rights of unit and container differ (-unit +container):\n%s", diff)
	}
}

func TestComposeSecrets(t *testing.T) {
	c := loadCompose(t)
	ignored := read(t, "compose/.gitignore")
	if !strings.Contains(ignored, "/secrets/") {
		t.Error("compose/.gitignore does not keep secrets/ out")
	}
	used := map[string]bool{}
	for _, s := range c.Services {
		for _, secret := range s.Secrets {
			switch secret := secret.(type) {
			case string:
				used[secret] = true
			case map[string]any:
				used[secret["source"].(string)] = true
			}
		}
	}
	for name, secret := range c.Secrets {
		if !strings.HasPrefix(secret["file"], "./secrets/") {
			t.Errorf("secret %s does not come from a file in secrets/: %v", name, secret)
		}
		if !used[name] {
			t.Errorf("secret %s is not used", name)
		}
	}
	for name := range used {
		if _, ok := c.Secrets[name]; !ok {
			t.Errorf("secret %s is used and not defined", name)
		}
	}
	if strings.Contains(read(t, "compose/compose.yaml"), "clickhouse://") {
		t.Error("an address with a password is in compose.yaml")
	}
	// Configurations name the secrets where compose puts them.
	for file, want := range map[string]string{"compose/collector.yaml": "/run/secrets/clickhouse_dsn", "compose/agent.yaml": "/run/secrets/agent_token"} {
		if !strings.Contains(read(t, file), want) || !used[path.Base(want)] {
			t.Errorf("%s does not name %s", file, want)
		}
	}
}

// The script makes a user whose hash fits the password of the address, readable
// for nobody else, and keeps what is there.
func TestPrepareMakesSecrets(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "secrets")
	run := func() {
		t.Helper()
		if output, err := exec.Command("bash", "compose/prepare", folder).CombinedOutput(); err != nil {
			t.Fatalf("prepare: %v\n%s", err, output)
		}
	}
	run()
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v; want mode 0700", info.Mode(), err)
	}
	dsn := read(t, filepath.Join(folder, "clickhouse.dsn"))
	found := regexp.MustCompile(`^clickhouse://gnomon:([A-Za-z0-9_-]{32})@127\.0\.0\.1:9000/gnomon\n$`).FindStringSubmatch(dsn)
	if found == nil {
		t.Fatalf("address %q", dsn)
	}
	sum := sha256.Sum256([]byte(found[1]))
	users := read(t, filepath.Join(folder, "clickhouse-users.xml"))
	if !strings.Contains(users, hex.EncodeToString(sum[:])) || !strings.Contains(users, `<default remove="remove"/>`) || strings.Contains(users, found[1]) {
		t.Errorf("users:\n%s\nwant the hash of the password alone, and no default user", users)
	}
	run()
	if read(t, filepath.Join(folder, "clickhouse.dsn")) != dsn {
		t.Error("a second run changed the password")
	}
}
