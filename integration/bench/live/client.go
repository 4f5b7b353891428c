package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/gnomon-ai/gnomon/integration/daemon"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

// result is one line of the table.
type result struct {
	Mode                string
	Bytes               int64
	Seconds             float64
	TLSSent, TLSFound   int
	QUICSent, QUICFound int
	Load, Rest          float64 // of a core
	Frames, Drops       uint64
	RestRSS, PeakRSS    uint64
	Ready               int64
	Missed              []string // some of the names that were not found
}

// restTime is how long the agent is watched before the load.
const restTime = 3 * time.Second

// client runs the agent beside the traffic that it makes.
func client(ctx context.Context, o options, tell func(any) error) error {
	if err := up(o, clientDevice, clientAddress); err != nil {
		return err
	}
	suffixes, err := suffixes()
	if err != nil {
		return err
	}
	sink, err := listen()
	if err != nil {
		return err
	}
	began := time.Now()
	agent, err := startAgent(ctx, o, sink.url())
	if err != nil {
		return err
	}
	r := result{Ready: int64(time.Since(began))}
	// What starting took is no part of rest or load.
	time.Sleep(2 * time.Second)
	before := usage(agent.PID())
	time.Sleep(restTime)
	r.Rest = (usage(agent.PID()) - before) / restTime.Seconds()
	r.RestRSS = memory(agent.PID(), "VmRSS:")
	before = usage(agent.PID())
	began = time.Now()
	sent := load(ctx, o, suffixes, &r)
	r.Seconds = time.Since(began).Seconds()
	r.Load = (usage(agent.PID()) - before) / r.Seconds
	time.Sleep(3 * time.Second) // a first sighting is stored within two
	r.PeakRSS = memory(agent.PID(), "VmHWM:")
	if err := agent.Stop(30 * time.Second); err != nil {
		return err
	}
	sink.score(sent, &r)
	return tell(r)
}

// startAgent starts the agent and waits until it is ready.
func startAgent(ctx context.Context, o options, collector string) (*daemon.Process, error) {
	state, err := os.MkdirTemp(o.Work, "agent-*")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(state, "agent.yaml")
	text := fmt.Sprintf("state_dir: %s\ncollector: {endpoint: %q}\nnetwork: {filter: %s}\nprocess: {enabled: false}\nfile: {enabled: false}\n", state, collector, o.Filter)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	agent, err := daemon.Start(nil, o.Agent, "run", "--config", config)
	if err != nil {
		return nil, err
	}
	err = daemon.Until(ctx, "the agent", func() (bool, error) { return strings.Contains(agent.Log.String(), `"ready"`), nil }, agent)
	return agent, err
}

// suffixes lists names below which the catalogue knows every name by itself;
// some count only together with other evidence.
func suffixes() ([]string, error) {
	list, err := signatures.Load(catalogue.Files)
	if err != nil {
		return nil, err
	}
	set, err := signatures.Compile(list)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range list {
		for _, h := range s.Hosts {
			o := signatures.Observation{Kind: signatures.KindTLS, Name: "any." + h.Value, NameEvidence: signatures.EvidenceTLS}
			if h.Match == signatures.HostSuffix && len(set.Match(&o, nil)) > 0 {
				out = append(out, h.Value)
			}
		}
	}
	return out, nil
}

// load makes the traffic and returns the names that were sent, by protocol.
func load(ctx context.Context, o options, suffixes []string, r *result) map[string][]string {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Seconds)*time.Second)
	defer cancel()
	var all sync.WaitGroup
	var bytes atomic.Int64
	if o.Bits > 0 {
		all.Go(func() { bulk(ctx, o, &bytes) })
	}
	var names [2][]string
	for i, dial := range []func(string) error{dialTLS, dialQUIC} {
		rate, kind := []int{o.Rate, o.QUIC}[i], []string{"t", "q"}[i]
		all.Go(func() {
			names[i] = visit(ctx, rate, func(n int) string { return fmt.Sprintf("%s%06d.%s", kind, n, suffixes[n%len(suffixes)]) }, dial)
		})
	}
	all.Wait()
	r.Bytes = bytes.Load()
	return map[string][]string{"tls": names[0], "quic": names[1]}
}

// visit opens connections at a rate, each under the next name, and returns the
// names of those that were opened.
func visit(ctx context.Context, rate int, name func(int) string, dial func(string) error) []string {
	if rate == 0 {
		return nil
	}
	var opened sync.WaitGroup
	var mu sync.Mutex
	var names []string
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			opened.Wait()
			return names
		case <-tick.C:
		}
		opened.Go(func() {
			if dial(name(n)) == nil {
				mu.Lock()
				names = append(names, name(n))
				mu.Unlock()
			}
		})
	}
}

const dialTimeout = 10 * time.Second

func dialTLS(name string) error {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}}
	c, err := d.Dial("tcp", serverAddress+namePort)
	if err != nil {
		return err
	}
	defer c.Close()
	request := make([]byte, 64)
	if _, err := c.Write(request); err != nil {
		return err
	}
	_, err = io.ReadFull(c, request)
	return err
}

func dialQUIC(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	c, err := quic.DialAddr(ctx, serverAddress+namePort, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		return err
	}
	return c.CloseWithError(0, "")
}

// bulk transfers until ctx ends.
func bulk(ctx context.Context, o options, bytes *atomic.Int64) {
	c, err := net.Dial("tcp", serverAddress+bulkPort)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	counted := &counter{Conn: c, bytes: bytes}
	if o.Upload {
		pace(counted, o.Bits)
		return
	}
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, counted, make([]byte, 256<<10))
}

type counter struct {
	net.Conn
	bytes *atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

// usage is the processor time of a process in seconds (proc(5), stat).
func usage(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	const ticks = 100 // a second, on every Linux that Go runs on
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks
}

// memory is a line of a process's status, in bytes.
func memory(pid int, key string) uint64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
