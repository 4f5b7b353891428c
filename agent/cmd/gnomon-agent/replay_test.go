package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
)

// BenchmarkReplay replays the capture that $GNOMON_CAPTURE names, else one of
// its own, in both modes of the command. make profile takes the profile that
// the agent is built by from it.
func BenchmarkReplay(b *testing.B) {
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("host-%d.example.org", i), "api.openai.com")
	}
	content := capture(names...)
	name := os.Getenv("GNOMON_CAPTURE")
	for _, emit := range []string{"findings", "observations"} {
		b.Run(emit, func(b *testing.B) {
			for b.Loop() {
				file, in := name, io.Reader(os.Stdin)
				if name == "" {
					file, in = "-", bytes.NewReader(content)
				}
				s := streams{in: in, out: io.Discard, err: io.Discard}
				if code := execute(context.Background(), []string{"replay", "--emit", emit, "--output", "jsonl", file}, s); code != exitOK && code != exitIncomplete {
					b.Fatalf("exit code %d", code)
				}
			}
		})
	}
}
