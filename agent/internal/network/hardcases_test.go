package network

import (
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// hardCase is one thing that a detector stumbles over: what is on the wire, and
// all that is to be said about it. The lists are in the files
// hardcases_*_test.go.
type hardCase struct {
	name       string
	frames     [][]byte
	lines      []string          // every observation, see lines
	attributes map[string]string // of the last one; those that are not named are not compared, "" means none
	counters   map[string]uint64
	blind      map[string]uint64 // by reason; a reason that is not named must not be there
}

func runHardCases(t *testing.T, cases []hardCase) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			list, stats := replay(t, c.frames...)
			want(t, "observed", lines(list), c.lines...)
			for key, value := range c.attributes {
				if got := list[len(list)-1].Attributes[key]; got != value {
					t.Errorf("attribute %s is %q, want %q", key, got, value)
				}
			}
			counted(t, stats, c.counters)
			for _, b := range stats.Blind {
				if b.Count != c.blind[b.Reason] {
					t.Errorf("blind %s is %d, want %d", b.Reason, b.Count, c.blind[b.Reason])
				}
			}
			for reason := range c.blind {
				if blind(stats, reason) == 0 {
					t.Errorf("blind %s is missing", reason)
				}
			}
		})
	}
}

// frames joins lists of frames.
func frames(lists ...[][]byte) [][]byte {
	var all [][]byte
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// dialogue returns a connection in which the client says the parts, and the
// server answers each but the last.
func dialogue(parts ...[]byte) [][]byte {
	c := wire.NewConn(clientEnd, serverEnd)
	all := c.Open()
	for i, p := range parts {
		all = append(all, c.Up(p))
		if i < len(parts)-1 {
			all = append(all, c.Down([]byte("\x00")))
		}
	}
	return append(all, c.Close()...)
}
