//go:build linux

package integration

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The findings that flow while daemons are killed, and how often they are.
const (
	flowing = 100_000
	kills   = 20
)

// TestKillNineLosesAndDoublesNothing kills the collector, then the engine, at
// random moments while findings flow. What was acknowledged must be there, and
// all of it once.
func TestKillNineLosesAndDoublesNothing(t *testing.T) {
	t.Run("collector", func(t *testing.T) {
		killWhileFlowing(t, func(c *collector) {
			c.Kill()
			c.start()
		})
	})
	t.Run("engine", func(t *testing.T) {
		killWhileFlowing(t, func(c *collector) {
			if err := syscall.Kill(c.enginePID(), syscall.SIGKILL); err != nil {
				t.Logf("the engine was gone already: %v", err)
			}
		})
	})
}

func killWhileFlowing(t *testing.T, kill func(*collector)) {
	c := startCollector(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s := newSender(c)
	killed := make(chan int, 1)
	flowed := make(chan struct{})
	go func() {
		n := 0
		defer func() { killed <- n }()
		// Kills go on beyond the flow if it was quick, so that there are
		// always as many.
		for ; n < kills && ctx.Err() == nil; n++ {
			select {
			case <-time.After(moment(400 * time.Millisecond)):
			case <-ctx.Done():
			}
			kill(c)
		}
	}()
	go func() {
		defer close(flowed)
		// Slices of the flow between kills: small requests keep many open.
		s.flood(ctx, t, 0, flowing, 200, 8)
	}()
	<-flowed
	n := <-killed
	if ctx.Err() != nil {
		t.Fatalf("only %d findings were acknowledged and %d kills done in time", s.acked.Load(), n)
	}
	c.await("the store", time.Minute, func() (bool, error) { _, err := c.try("findings", "--limit", "1"); return err == nil, err })
	rows := c.count("SELECT count() FROM gnomon.findings FINAL")
	ids := c.count("SELECT uniqExact(finding_id) FROM gnomon.findings FINAL")
	observations := c.count("SELECT sum(count) FROM gnomon.findings FINAL")
	t.Logf("%d kills, %d findings acknowledged, %d requests sent again; stored %d rows, %d ids", n, s.acked.Load(), s.retries.Load(), rows, ids)
	if rows != flowing || ids != flowing || observations != 3*flowing || s.acked.Load() != flowing {
		t.Errorf("%d rows, %d ids, %d observations, %d acknowledged; want %d, %d, %d, %d", rows, ids, observations, s.acked.Load(), flowing, flowing, 3*flowing, flowing)
	}
}

// TestKilledEngineComesBackByItself holds that the collector restarts its
// engine, says so, and keeps what was stored.
func TestKilledEngineComesBackByItself(t *testing.T) {
	c := startCollector(t)
	s := newSender(c)
	s.flood(t.Context(), t, 0, 200, 200, 1)
	before := c.enginePID()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.await("a new engine", time.Minute, func() (bool, error) {
		_, err := c.try("findings", "--limit", "1")
		return err == nil && c.enginePID() != before, err
	})
	if log := c.Log.String(); !strings.Contains(log, "restart") {
		t.Errorf("the log does not say that the engine was restarted:\n%s", log)
	}
	s.flood(t.Context(), t, 200, 400, 200, 1)
	if rows := c.count("SELECT count() FROM gnomon.findings FINAL"); rows != 400 {
		t.Errorf("%d rows, want 400", rows)
	}
}

// TestEngineUnreachable stops the engine's process without killing it: senders
// are told to repeat, nothing is lost, and work goes on when it answers again.
func TestEngineUnreachable(t *testing.T) {
	away := 10 * time.Second
	if long() {
		away = time.Minute
	}
	c := startCollector(t)
	s := newSender(c)
	s.flood(t.Context(), t, 0, 200, 200, 1)
	pid := c.enginePID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(away, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s.client.Timeout = 3 * time.Second
	s.flood(ctx, t, 200, 2_200, 200, 4)
	c.await("the store", time.Minute, func() (bool, error) { _, err := c.try("findings", "--limit", "1"); return err == nil, err })
	if rows := c.count("SELECT count() FROM gnomon.findings FINAL"); rows != 2_200 || s.acked.Load() != 2_200 {
		t.Errorf("%d rows, %d acknowledged, want 2200", rows, s.acked.Load())
	}
	if s.retries.Load() == 0 {
		t.Error("no request had to be repeated: the engine was never away")
	}
}
