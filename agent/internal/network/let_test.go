package network

import (
	"bytes"
	"context"
	"testing"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Of the connections of a capture only those that somebody follows are told of
// again, and the bytes of a second request belong to it alone.
func TestReplayLetsGoOfWhatNobodyFollows(t *testing.T) {
	c := wire.NewConn(clientEnd, serverEnd)
	one, two := "GET / HTTP/1.1\r\nHost: one.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: two.example\r\n\r\n"
	frames := append(c.Open(), c.Up([]byte(one)), c.Up([]byte(two)), c.Down(make([]byte, 1000)))
	f := func(follow func(name string) bool, want ...uint64) {
		t.Helper()
		last := ""
		var got []uint64
		_, err := ReplayFollowing(context.Background(), bytes.NewReader(wire.EthernetFile(frames...)), "test", DefaultReplayLimits(),
			func(signatures.Flow) bool { return follow(last) },
			func(o signatures.Observation) {
				if !o.Continued {
					last = o.Name
				}
				got = append(got, o.Flow.BytesUp, o.Flow.BytesDown)
			})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("bytes %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("bytes %v, want %v", got, want)
			}
		}
	}
	first, second := uint64(len(one)), uint64(len(two))
	f(func(string) bool { return false }, first, 0, second, 0)
	f(func(name string) bool { return name == "two.example" }, first, 0, second, 0, 0, 1000)
}
