//go:build linux

package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
)

// TestPacks has the built collector make packs and the built agent take them: at
// the start, while it runs, and again after each refusal, as the coverage in the
// collector tells.
func TestPacks(t *testing.T) {
	c := startCollector(t)
	p := newPacker(t)
	watched := t.TempDir()
	p.publish(3, "first")
	config := agentConfig(t, c, fmt.Sprintf("signatures_pack: %q\nsignatures_keys: [%q]\nnetwork: {enabled: false}\nprocess: {enabled: false}\n"+
		"file: {roots: [%q], settle_delay: 50ms}\nfold: {window: 10s}\nheartbeat: {interval: 1s}\n", p.file, p.key, watched))
	agent, err := daemon.Start(nil, binaries.agent, "run", "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	told := func(state, what string) {
		t.Helper()
		c.await(state+": "+what, time.Minute, func() (bool, error) {
			said := c.sql("SELECT concat(state, ': ', reason) FROM gnomon.coverage WHERE sensor = 'signatures' ORDER BY until DESC LIMIT 1")
			return strings.Contains(said, what) && strings.Contains(said, state), fmt.Errorf("the agent says %s", said)
		}, agent)
	}
	found := func(name string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(watched, "."+name+"-tool"), 0o755); err != nil {
			t.Fatal(err)
		}
		c.await("a finding of "+name, time.Minute, func() (bool, error) {
			return c.count("SELECT count() FROM gnomon.findings WHERE signature_id = '"+name+".tool'") > 0, fmt.Errorf("none yet")
		}, agent)
	}
	told("on", "pack test version 3")
	found("first")

	p.publish(4, "second")
	told("on", "pack test version 4")
	found("second")

	good := p.publish(5, "third")
	told("on", "pack test version 5")
	p.publish(4, "second")
	told("degraded", "comes after version 5")
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	p.put(flipped)
	told("degraded", "the pack is damaged")
	p.key2()
	p.publish(6, "fourth")
	told("degraded", "not signed by a pinned key")
	found("third") // which is still in effect

	if err := agent.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if agent, err = daemon.Start(nil, binaries.agent, "run", "--config", config); err != nil {
		t.Fatal(err)
	}
	told("degraded", "pack test version 5") // the one before, of the copy
	p.put(good)
	told("on", "pack test version 5")
	if err := agent.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
}

// packer publishes packs of one signature.
type packer struct {
	t                  *testing.T
	dir, file, private string
	key                string // pinned
}

func newPacker(t *testing.T) *packer {
	dir := t.TempDir()
	p := &packer{t: t, dir: dir, file: filepath.Join(dir, "signatures.pack"), private: filepath.Join(dir, "key.pem")}
	p.key = strings.TrimSpace(p.run("keygen", "-o", p.private))
	return p
}

// key2 has the packs to come signed by another key.
func (p *packer) key2() {
	p.private = filepath.Join(p.dir, "other.pem")
	p.run("keygen", "-o", p.private)
}

func (p *packer) run(arguments ...string) string {
	p.t.Helper()
	out, err := daemon.Run(p.t.Context(), binaries.collector, append([]string{"pack"}, arguments...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}

// publish makes a pack that knows the folder ".NAME-tool" and puts it in place.
func (p *packer) publish(version int, name string) []byte {
	p.t.Helper()
	folder := p.t.TempDir()
	text := strings.ReplaceAll(`schema: signatures/v1
provider: {id: NAME, name: NAME, country: unknown}
signatures:
  - id: NAME.tool
    name: NAME tool
    kind: agent
    categories: [agent]
    status: active
    confidence: 90
    sources: [{url: "https://NAME.test/docs", checked: 2026-01-31}]
    files: [{path: .NAME-tool, kind: data}]
    tests: {positive: [{file: /srv/.NAME-tool}], negative: [{file: /srv/NAME-tool}]}
`, "NAME", name)
	if err := os.WriteFile(filepath.Join(folder, name+".yaml"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	made := filepath.Join(folder, "made.pack")
	p.run("build", "--from", folder, "--id", "test", "--version", fmt.Sprint(version), "-o", made)
	p.run("sign", "--key", p.private, made)
	data, err := os.ReadFile(made)
	if err != nil {
		p.t.Fatal(err)
	}
	p.put(data)
	return data
}

// put lays data at the place that the agent watches, whole.
func (p *packer) put(data []byte) {
	p.t.Helper()
	if err := os.WriteFile(p.file+".new", data, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(p.file+".new", p.file); err != nil {
		p.t.Fatal(err)
	}
}
