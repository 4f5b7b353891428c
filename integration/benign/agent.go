package benign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// exitNothing is what `gnomon-agent match` ends with where nothing matches.
const exitNothing = 3

// Ask has the built agent match every name under every prefix, by the command
// that a user would run, and returns what matched. It fails where the agent did
// not take every line.
func Ask(ctx context.Context, agent string, names, prefixes []string) ([]Hit, error) {
	var input, out, log bytes.Buffer
	for _, prefix := range prefixes {
		for _, name := range names {
			input.WriteString(prefix)
			input.WriteString(name)
			input.WriteByte('\n')
		}
	}
	c := exec.CommandContext(ctx, agent, "match", "--output", "jsonl", "-")
	c.Stdin, c.Stdout, c.Stderr = &input, &out, &log
	var exit *exec.ExitError
	if err := c.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitNothing) {
		return nil, fmt.Errorf("running %s: %w: %s", agent, err, strings.TrimSpace(log.String()))
	}
	if summary := fmt.Sprintf("%d inputs: ", len(names)*len(prefixes)); !strings.Contains(log.String(), summary) || !strings.Contains(log.String(), ", 0 unreadable") {
		return nil, fmt.Errorf("%s did not take all names: %s", agent, strings.TrimSpace(log.String()))
	}
	return parseHits(out.Bytes())
}

// asHost is how the agent says that it took an input for the name of a server.
// The command tries a name as a program, a file and a model as well, which no
// sensor does.
const asHost = "tls"

// parseHits reads what the agent writes of names that it took for hosts.
func parseHits(lines []byte) ([]Hit, error) {
	var hits []Hit
	for decoder := json.NewDecoder(bytes.NewReader(lines)); decoder.More(); {
		var line struct {
			Input    string
			As       string
			Asset    struct{ Signature string }
			Evidence []struct{ Selector string }
		}
		if err := decoder.Decode(&line); err != nil {
			return nil, fmt.Errorf("reading what the agent wrote: %w", err)
		}
		if line.As != asHost {
			continue
		}
		hit := Hit{Name: line.Input, Signature: line.Asset.Signature}
		if len(line.Evidence) > 0 {
			hit.Rule = line.Evidence[0].Selector
		}
		hits = append(hits, hit)
	}
	return hits, nil
}
