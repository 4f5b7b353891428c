// Command attribution measures which share of short-lived programs the agent
// names: thousands of programs that connect, make one request and end, under
// the names of catalogue services, with the built agent watching the loopback
// interface. It prints the share for each method of attribution, the reasons
// where a program is not known, and what that costs the agent.
//
// Each service is used by a program of its own, so a connection that is given
// to another program is seen as wrong. It needs root and a built agent
// (make build), and is bounded in programs and in time.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gnomon-ai/gnomon/integration/traffic"
)

// settings are the flags.
type settings struct {
	agent    string
	methods  string
	kinds    string
	programs int
	rate     int
}

func main() {
	var s settings
	flag.StringVar(&s.agent, "agent", "bin/gnomon-agent", "the built agent")
	flag.StringVar(&s.methods, "methods", "ebpf,sock_diag,proc", "methods of attribution to measure")
	flag.StringVar(&s.kinds, "kinds", "request,hello", "programs: request waits for an answer, hello ends after its first bytes")
	flag.IntVar(&s.programs, "programs", 2000, "programs for each measurement, up to 20000")
	flag.IntVar(&s.rate, "rate", 80, "programs a second; 0 is a burst, as fast as this machine starts them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "attribution:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to defer
	}
}

// services are names of the catalogue, each with a program that uses it alone.
func services() []string {
	return []string{
		"api.openai.com", "api.anthropic.com", "api.deepseek.com", "api.mistral.ai",
		"api.groq.com", "api.cohere.com", "api.githubcopilot.com", "api.perplexity.ai",
	}
}

func run(ctx context.Context, s settings) error {
	if s.programs < 1 || s.programs > 20000 || s.rate < 0 {
		return fmt.Errorf("-programs is outside 1 to 20000, or -rate below 0")
	}
	dir, err := os.MkdirTemp("", "gnomon-attribution-*")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	programs, err := buildClients(ctx, dir)
	if err != nil {
		return err
	}
	server, err := traffic.NewServer("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		return fmt.Errorf("reading the server's address: %w", err)
	}
	fmt.Printf("%-10s %-8s %9s %6s %10s %6s %9s %9s %8s  %s\n", "METHOD", "PROGRAM", "STARTED", "SEEN", "ATTRIBUTED", "WRONG", "SHARE", "AGENT CPU", "RSS", "UNKNOWN")
	for method := range strings.SplitSeq(s.methods, ",") {
		for kind := range strings.SplitSeq(s.kinds, ",") {
			m := measurement{settings: s, method: method, kind: kind, dir: filepath.Join(dir, method+"-"+kind), programs: programs, server: server.Address(), port: port}
			result, err := m.run(ctx)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", method, kind, err)
			}
			fmt.Println(result)
		}
	}
	return nil
}

// buildClients builds the client once and gives each service a copy under a
// name of its own.
func buildClients(ctx context.Context, dir string) (map[string]string, error) {
	built := filepath.Join(dir, "client")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", built, "./integration/bench/attribution/client")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the client: %w\n%s", err, text)
	}
	content, err := os.ReadFile(built)
	if err != nil {
		return nil, fmt.Errorf("copying the client: %w", err)
	}
	programs := make(map[string]string)
	for i, service := range services() {
		path := filepath.Join(dir, fmt.Sprintf("client-%d", i))
		if err := os.WriteFile(path, content, 0o700); err != nil {
			return nil, fmt.Errorf("copying the client: %w", err)
		}
		programs[service] = path
	}
	return programs, nil
}

// pause sleeps for d unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
