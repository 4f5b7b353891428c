package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

const (
	clientEnd = "192.0.2.10:50000"
	serverEnd = "198.51.100.20:8443"
)

// replay runs frames through Replay.
func replay(t testing.TB, frames ...[]byte) ([]signatures.Observation, ReplayStats) {
	t.Helper()
	var list []signatures.Observation
	stats, err := Replay(context.Background(), bytes.NewReader(wire.EthernetFile(frames...)), "test", func(o signatures.Observation) {
		list = append(list, o)
	})
	if err != nil {
		t.Fatal(err)
	}
	if stats.Panics != 0 {
		t.Fatalf("%d panics", stats.Panics)
	}
	return list, stats
}

// lines puts observations into words: kind, name, and who asked whom.
func lines(list []signatures.Observation) []string {
	var out []string
	for _, o := range list {
		line := fmt.Sprintf("%s %s %s>%s", o.Kind, o.Name, o.Flow.Client, o.Flow.Server)
		if o.Method != "" {
			line += " " + o.Method + " " + o.Path
		}
		out = append(out, line)
	}
	return out
}

// names lists kind and name of each observation.
func names(list []signatures.Observation) []string {
	var out []string
	for _, o := range list {
		out = append(out, string(o.Kind)+" "+o.Name)
	}
	return out
}

// want compares what was observed.
func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

// counted compares counters by name.
func counted(t testing.TB, stats ReplayStats, want map[string]uint64) {
	t.Helper()
	for name, n := range want {
		if got, ok := stats.Counters[name]; !ok || got != n {
			t.Errorf("counter %s is %d, want %d", name, got, n)
		}
	}
}

// blind reports how often a reason stands among the blind spots.
func blind(stats ReplayStats, reason string) uint64 {
	for _, b := range stats.Blind {
		if b.Reason == reason {
			return b.Count
		}
	}
	return 0
}

// hello returns the first flight of a real client.
func hello(t testing.TB, name string) []byte {
	t.Helper()
	b, err := wire.ClientHello(&tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// session returns a connection in which the client sends the parts, one
// segment each.
func session(parts ...[]byte) [][]byte {
	c := wire.NewConn(clientEnd, serverEnd)
	frames := c.Open()
	for _, p := range parts {
		frames = append(frames, c.Up(p))
	}
	return append(frames, c.Close()...)
}

// permutations calls do with every order of n things.
func permutations(n int, do func([]int)) {
	order := make([]int, 0, n)
	var step func()
	step = func() {
		if len(order) == n {
			do(slices.Clone(order))
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				order = append(order, i)
				step()
				order = order[:len(order)-1]
			}
		}
	}
	step()
}

func text(s string) []byte { return []byte(s) }
