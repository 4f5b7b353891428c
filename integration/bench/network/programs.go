package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// usage is what one run took.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes of resident memory
}

// program is one that reads the capture.
type program struct {
	name    string
	command []string
	output  string                                         // file for its output, "" for none
	names   func(context.Context) (map[string]bool, error) // nil where it finds none
}

// programs lists ours first, then the peers that are there.
func programs(o *options, capture string) []program {
	observed := filepath.Join(o.work, "names.jsonl")
	list := []program{
		{
			name: "gnomon-agent findings", command: []string{o.agent, "replay", "--emit", "findings", "--output", "jsonl", capture},
			names: func(ctx context.Context) (map[string]bool, error) {
				if _, err := measure(ctx, []string{o.agent, "replay", "--emit", "observations", "--output", "jsonl", capture}, observed); err != nil {
					return nil, err
				}
				return jsonNames(observed, "name")
			},
		},
		{name: "gnomon-agent names", command: []string{o.agent, "replay", "--emit", "observations", "--output", "jsonl", capture}, output: observed},
	}
	if there("ndpiReader") {
		list = append(list, program{
			name: "ndpiReader -q", command: []string{"ndpiReader", "-q", "-i", capture},
			names: func(ctx context.Context) (map[string]bool, error) { return ndpiNames(ctx, o, capture) },
		})
	}
	if there("tcpdump") {
		list = append(list, program{name: "tcpdump -r, to nothing", command: []string{"tcpdump", "-nr", capture, "-w", "/dev/null"}})
	}
	if there(o.packetbeat) {
		list = append(list, packetbeat(o, capture))
	}
	return list
}

func there(name string) bool {
	if _, err := exec.LookPath(name); err != nil {
		fmt.Printf("left out: %s is not installed\n", name)
		return false
	}
	return true
}

// measure runs a command to its end. An exit code of 3 is the agent's word
// that the capture was not sound to its last byte.
func measure(ctx context.Context, command []string, output string) (usage, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	if output != "" {
		file, err := os.Create(output)
		if err != nil {
			return usage{}, err
		}
		defer file.Close()
		c.Stdout = file
	}
	start := time.Now()
	err := c.Run()
	if err != nil && c.ProcessState.ExitCode() != 3 {
		return usage{}, fmt.Errorf("%w: %s", err, complaint.String())
	}
	rusage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{
		wall: time.Since(start), cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime(), peak: rusage.Maxrss << 10,
	}, nil
}

// jsonNames collects one key of every line, "a.b" going down.
func jsonNames(file string, keys ...string) (map[string]bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, key := range keys {
			var at any = line
			for part := range strings.SplitSeq(key, ".") {
				object, ok := at.(map[string]any)
				if !ok {
					at = nil
					break
				}
				at = object[part]
			}
			if name, ok := at.(string); ok && name != "" {
				names[normal(name)] = true
			}
		}
	}
	return names, lines.Err()
}

var port = regexp.MustCompile(`:\d+$`)

func normal(name string) string {
	return strings.TrimSuffix(port.ReplaceAllString(strings.ToLower(strings.TrimSpace(name)), ""), ".")
}

// ndpiNames takes a name as found that is printed for any flow.
func ndpiNames(ctx context.Context, o *options, capture string) (map[string]bool, error) {
	output := filepath.Join(o.work, "ndpi.txt")
	if _, err := measure(ctx, []string{"ndpiReader", "-v", "2", "-i", capture}, output); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`\[Hostname/SNI: ([^\]]+)\]`).FindAllSubmatch(text, -1) {
		names[normal(string(m[1]))] = true
	}
	return names, nil
}

// packetbeat reads with its own protocols on its usual ports; about 10 s of its
// wall time are fixed waits.
func packetbeat(o *options, capture string) program {
	folder := filepath.Join(o.work, "packetbeat")
	config := filepath.Join(folder, "packetbeat.yml")
	return program{
		name: "packetbeat dns+http+tls",
		command: []string{"sh", "-c", `rm -rf "$1" && mkdir -p "$1" && printf '%s' "$2" > "$3" && exec "$4" -e --strict.perms=false --path.home "$1" -c "$3" -I "$5" -t`, "sh",
			folder, packetbeatConfig(folder), config, o.packetbeat, capture},
		names: func(context.Context) (map[string]bool, error) {
			files, err := filepath.Glob(filepath.Join(folder, "out", "*"))
			if err != nil {
				return nil, err
			}
			all := map[string]bool{}
			for _, file := range files {
				names, err := jsonNames(file, "dns.question.name", "tls.client.server_name", "url.domain")
				if err != nil {
					return nil, err
				}
				for name := range names {
					all[name] = true
				}
			}
			return all, nil
		},
	}
}

func packetbeatConfig(folder string) string {
	return `packetbeat.flows.enabled: false
packetbeat.protocols:
- {type: dns, ports: [53]}
- {type: http, ports: [80, 8080, 8000, 5000, 8002]}
- {type: tls, ports: [443, 993, 995, 5223, 8443, 8883, 9243]}
output.file: {path: ` + filepath.Join(folder, "out") + `, filename: out, rotate_every_kb: 1000000}
logging.level: error
`
}
