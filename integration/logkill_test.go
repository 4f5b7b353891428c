//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/integration/daemon"
)

// TestKilledAgentCountsLogLines kills the agent at random moments while a
// proxy's log is written and rotated by renaming. No line may be lost. A line
// may count twice only where a kill fell between the writing of findings and
// the keeping of positions, while the disk syncs: then those of that one
// checkpoint do.
func TestKilledAgentCountsLogLines(t *testing.T) {
	c := startCollector(t)
	name := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	config := agentConfig(t, c, fmt.Sprintf("channel: gateway\nnetwork: {enabled: false}\nprocess: {enabled: false}\nfile: {enabled: false}\n"+
		"log: {enabled: true, checkpoint: 1s, sources: [{name: proxy, format: squid, files: [%q], from: start}]}\n", name))
	agent, err := daemon.Start(nil, binaries.agent, "run", "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	const lines, pause = 60_000, 300 * time.Microsecond
	var writing sync.WaitGroup
	writing.Go(func() { writeProxyLog(t, name, lines, pause) })
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()
	killed := 0
	for done := false; !done; killed++ {
		select {
		case <-written:
			done = true
		case <-time.After(300*time.Millisecond + moment(2500*time.Millisecond)):
		}
		agent.Kill()
		if agent, err = daemon.Start(nil, binaries.agent, "run", "--config", config); err != nil {
			t.Fatal(err)
		}
	}
	counted := func() int { return c.count("SELECT sum(count) FROM gnomon.findings FINAL WHERE sensor = 'log'") }
	c.await("every line", time.Minute, func() (bool, error) {
		n := counted()
		return n >= lines, fmt.Errorf("%d of %d lines are counted", n, lines)
	}, agent)
	time.Sleep(3 * time.Second) // what would come too often comes within two checkpoints
	if err := agent.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	n := counted()
	t.Logf("%d kills, %d lines, %d counted", killed, lines, n)
	// One checkpoint holds what is written in a second, and what piled up while
	// the agent was away.
	if most := lines / 5; n < lines || n > lines+most {
		t.Errorf("%d lines are counted, want %d", n, lines)
	}
	if users := c.count("SELECT uniqExact(user_name) FROM gnomon.findings WHERE sensor = 'log' AND client_address = '192.0.2.7'"); users != 3 {
		t.Errorf("%d users of the proxy are named, want 3", users)
	}
}

// writeProxyLog writes and rotates like a proxy and its rotator.
func writeProxyLog(t *testing.T, name string, lines int, pause time.Duration) {
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			t.Error(err)
		}
		return f
	}
	f := open()
	users, hosts := []string{"dana", "kim", "lee"}, []string{"api.openai.com", "claude.ai", "api.mistral.ai"}
	for i := range lines {
		if i%(lines/12) == lines/12-1 {
			if err := os.Rename(name, fmt.Sprintf("%s.%d", name, i)); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			f = open()
		}
		now := float64(time.Now().UnixMilli()) / 1000
		if _, err := fmt.Fprintf(f, "%.3f     12 192.0.2.7 TCP_TUNNEL/200 4567 CONNECT %s:443 %s HIER_DIRECT/203.0.113.9 -\n", now, hosts[i%3], users[i/3%3]); err != nil {
			t.Error(err)
		}
		time.Sleep(pause)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
