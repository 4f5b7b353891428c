//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
	"github.com/gnomon-ai/gnomon/integration/fixture"
)

// TestKilledAgentLosesAndDoublesNothing kills the agent at random moments while
// it reports thousands of model files, each start all of them anew. Findings
// flow into the collector all the time; each is there once, and every model is.
func TestKilledAgentLosesAndDoublesNothing(t *testing.T) {
	c := startCollector(t)
	watched := t.TempDir()
	const models = 10_000
	for i := range models {
		data := fixture.GGUF([][2]string{{"general.architecture", "llama"}, {"general.name", fmt.Sprintf("Model %d", i)}, {"general.organization", "Example"}})
		if err := os.WriteFile(filepath.Join(watched, fmt.Sprintf("model-%d.gguf", i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := agentConfig(t, c, fmt.Sprintf("network: {enabled: false}\nprocess: {enabled: false}\nfile: {roots: [%q]}\n", watched))
	agent, err := daemon.Start(nil, binaries.agent, "run", "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for flowed := 0; killed < kills || (flowed < flowing && killed < 4*kills); killed++ {
		time.Sleep(500*time.Millisecond + moment(2500*time.Millisecond))
		agent.Kill()
		flowed = c.count("SELECT count() FROM gnomon.findings")
		if agent, err = daemon.Start(nil, binaries.agent, "run", "--config", config); err != nil {
			t.Fatal(err)
		}
	}
	c.await("every model", 4*time.Minute, func() (bool, error) {
		n := c.count("SELECT uniqExact(model_name) FROM gnomon.findings")
		return n == models, fmt.Errorf("%d of %d models have arrived", n, models)
	}, agent)
	if err := agent.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	rows := c.count("SELECT count() FROM gnomon.findings FINAL")
	ids := c.count("SELECT uniqExact(finding_id) FROM gnomon.findings")
	doubled := c.count("SELECT count() FROM (SELECT finding_id FROM gnomon.findings FINAL GROUP BY finding_id HAVING count() > 1)")
	wrong := c.count("SELECT countIf(count != 1) FROM gnomon.findings FINAL")
	t.Logf("%d kills, %d findings of %d models", killed, rows, models)
	if rows != ids || doubled != 0 || wrong != 0 {
		t.Errorf("%d rows, %d ids, %d doubled, %d that count a sighting twice", rows, ids, doubled, wrong)
	}
	if rows < flowing {
		t.Errorf("only %d findings flowed, want %d or more", rows, flowing)
	}
}

// TestFullSpoolIsToldAndLosesTheOldest lets an agent that reaches no collector
// fill a small spool: it goes on, and what it had to drop is in its coverage
// once the collector is there.
func TestFullSpoolIsToldAndLosesTheOldest(t *testing.T) {
	c := startCollector(t)
	watched := t.TempDir()
	config := agentConfig(t, c, fmt.Sprintf("network: {enabled: false}\nprocess: {enabled: false}\nfile: {roots: [%q], settle_delay: 50ms}\nspool: {max_bytes: 1048576}\nheartbeat: {interval: 2s}\n", watched))
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	away := strings.Replace(string(text), "http://"+c.ports.http, "http://"+freePort(t), 1)
	if err := os.WriteFile(config, []byte(away), 0o600); err != nil {
		t.Fatal(err)
	}
	agent, err := daemon.Start(nil, binaries.agent, "run", "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	const models = 3_000
	for i := range models {
		long := strings.Repeat("x", 400) + strconv.Itoa(i)
		data := fixture.GGUF([][2]string{{"general.architecture", "llama"}, {"general.name", long}, {"general.organization", long}})
		if err := os.WriteFile(filepath.Join(watched, fmt.Sprintf("model-%d.gguf", i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c.await("a word about the full spool", time.Minute, func() (bool, error) {
		return strings.Contains(agent.Log.String(), "spool"), nil
	}, agent)
	time.Sleep(5 * time.Second) // let the rest arrive and push the oldest out
	if err := agent.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	agent = startAgent(t, config)
	c.await("coverage that tells of the overflow", time.Minute, func() (bool, error) {
		rows, err := c.rows("coverage", "--sensor", "spool")
		if err != nil || len(rows) == 0 {
			return false, err
		}
		return strings.Contains(fmt.Sprint(rows[0]["blind"]), "spool_overflow"), fmt.Errorf("coverage of the spool: %v", rows[0])
	}, agent)
}
