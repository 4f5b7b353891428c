package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/agent/internal/config"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/otlpwire"
)

// receiver is a real HTTPS receiver that keeps what agents send.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	refuse   int // status to refuse everything with, 0 to take it
	findings []finding.Finding
	coverage []finding.Coverage
	paths    map[string]int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{paths: map[string]int{}}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paths[req.URL.Path]++
		if req.Header.Get("Authorization") != "Bearer word" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.refuse != 0 {
			w.WriteHeader(r.refuse)
			return
		}
		zip, err := gzip.NewReader(req.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, err := io.ReadAll(zip)
		if err != nil {
			t.Error(err)
		}
		if req.URL.Path != "/v1/logs" {
			return
		}
		findings, coverage, rejected, err := otlpwire.Decode(data)
		if err != nil || len(rejected) > 0 {
			t.Error(err, rejected)
		}
		r.findings = append(r.findings, findings...)
		r.coverage = append(r.coverage, coverage...)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() ([]finding.Finding, []finding.Coverage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]finding.Finding(nil), r.findings...), append([]finding.Coverage(nil), r.coverage...)
}

// configure writes a configuration for r that looks for files below roots.
func (r *receiver) configure(t *testing.T, state, roots, more string) string {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	token := filepath.Join(dir, "token")
	path := filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf("state_dir: %s\nhost_name: test-host\ncollector: {endpoint: %q, ca_file: %s, token_file: %s}\n"+
		"network: {enabled: false}\nprocess: {enabled: true, interval: 1s}\nfile: {enabled: true, roots: [%s]}\n%s",
		state, r.URL, ca, token, roots, more)
	for name, content := range map[string][]byte{
		ca:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}),
		token: []byte("word\n"), path: []byte(text),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// running is `run` in this process.
type running struct {
	cancel context.CancelFunc
	done   chan int
	log    *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *safeBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func startRun(config string) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel, make(chan int, 1), &safeBuffer{}}
	go func() { r.done <- execute(ctx, []string{"run", "--config", config}, streams{nil, io.Discard, r.log}) }()
	return r
}

// stop ends the agent and returns its exit code.
func (r *running) stop(t *testing.T) int {
	t.Helper()
	r.cancel()
	select {
	case code := <-r.done:
		return code
	case <-time.After(30 * time.Second):
		t.Fatalf("the agent did not end:\n%s", r.log)
		return 0
	}
}

func (r *running) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
		select {
		case code := <-r.done:
			t.Fatalf("the agent ended with %d before %s:\n%s", code, what, r.log)
		default:
		}
	}
	t.Fatalf("timed out waiting for %s:\n%s", what, r.log)
}

func TestRun_sendsFindingsAndCoverage(t *testing.T) {
	r := newReceiver(t)
	root, model := modelFolder(t)
	state := filepath.Join(t.TempDir(), "state")
	more := fmt.Sprintf("telemetry: {endpoint: %q, interval: 1s, ca_file: %s, token_file: %s}\n", r.URL, "CA", "TOKEN")
	path := r.configure(t, state, root, "")
	more = strings.NewReplacer("CA", filepath.Join(filepath.Dir(path), "ca.pem"), "TOKEN", filepath.Join(filepath.Dir(path), "token")).Replace(more)
	appendTo(t, path, more)
	a := startRun(path)
	a.await(t, "the model's finding", func() bool { findings, _ := r.got(); return len(findings) > 0 })
	a.await(t, "metrics", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.paths["/v1/metrics"] > 0 })
	if code := a.stop(t); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, a.log)
	}
	findings, coverage := r.got()
	f := findings[0]
	if f.Model.Path != model || f.Model.Format != "gguf" || f.HostName != "test-host" || len(f.AgentID) != 32 || f.Channel != "endpoint" || f.Revision != 1 {
		t.Errorf("finding %+v", f)
	}
	states := map[string]string{}
	for _, c := range coverage {
		states[c.Sensor] = c.State
		if c.AgentID != f.AgentID || c.Version != version || c.Until.IsZero() {
			t.Errorf("coverage %+v", c)
		}
	}
	delete(states, "file") // on, or degraded where the system has few watches
	delete(states, "process")
	want := map[string]string{"network": "off", "log": "off", "application": "off", "owner": "on", "pipeline": "on", "signatures": "on", "spool": "on", "export": "on", "heartbeat": "on"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths["/v1/traces"] == 0 {
		t.Errorf("no traces among %v", r.paths)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestRun_keepsFindingsOverARestart(t *testing.T) {
	r := newReceiver(t)
	r.refuse = http.StatusServiceUnavailable
	root, model := modelFolder(t)
	state := filepath.Join(t.TempDir(), "state")
	path := r.configure(t, state, root, "")
	a := startRun(path)
	a.await(t, "the stored finding", func() bool { return strings.Contains(a.log.String(), "findings are kept in the spool") })
	time.Sleep(1500 * time.Millisecond) // beyond the first flush, so that the finding is stored before the end
	if code := a.stop(t); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, a.log)
	}
	if !strings.Contains(a.log.String(), "what is left stays in the spool") {
		t.Errorf("the log does not say so:\n%s", a.log)
	}
	// The model is gone; what was found before must still arrive.
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.refuse = 0
	r.mu.Unlock()
	a = startRun(path)
	a.await(t, "the finding of the first run", func() bool {
		findings, _ := r.got()
		for _, f := range findings {
			if f.Model.Path == model {
				return true
			}
		}
		return false
	})
	if code := a.stop(t); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, a.log)
	}
}

func TestRun_oneAgentForEachState(t *testing.T) {
	r := newReceiver(t)
	root, _ := modelFolder(t)
	path := r.configure(t, filepath.Join(t.TempDir(), "state"), root, "")
	a := startRun(path)
	a.await(t, "readiness", func() bool { return strings.Contains(a.log.String(), "ready") })
	second := command(t, nil, "run", "--config", path)
	if second.code != exitError || !strings.Contains(second.err, "another process uses this spool") {
		t.Errorf("exit %d, %q", second.code, second.err)
	}
	a.stop(t)
}

func TestRun_check(t *testing.T) {
	r := newReceiver(t)
	path := r.configure(t, filepath.Join(t.TempDir(), "state"), "/srv", "")
	got := command(t, nil, "run", "--config", path, "--check")
	if got.code != exitOK || !strings.Contains(got.out, "host_name: test-host") || !strings.Contains(got.out, "window: 5m0s") {
		t.Errorf("exit %d\n%s\n%s", got.code, got.out, got.err)
	}
	printed := filepath.Join(t.TempDir(), "printed.yaml")
	if err := os.WriteFile(printed, []byte(got.out), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := command(t, nil, "run", "--config", printed, "--check"); again.code != exitOK || again.out != got.out {
		t.Errorf("what was printed does not read back: exit %d, %s", again.code, again.err)
	}
	for text, want := range map[string]string{
		"fold: {window: 1ms}\n":                                 "fold.window",
		"spool: {max_bytes: 3}\n":                               "spool.max_bytes",
		"network: {snap_length: 1}\n":                           "network.snap_length",
		"colector: {}\n":                                        "colector: unknown key",
		"collector: {endpoint: \"http://collector.example\"}\n": "collector.endpoint",
		"telemetry: {endpoint: nowhere}\n":                      "telemetry.endpoint",
		"collector: {endpoint: \"https://c.example\"}\nnetwork: {enabled: false}\nprocess: {enabled: false}\nfile: {enabled: false}\n": "enable at least one sensor",
	} {
		bad := filepath.Join(t.TempDir(), "bad.yaml")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := command(t, nil, "run", "--config", bad, "--check"); got.code != exitError || !strings.Contains(got.err, want) || !strings.Contains(got.err, bad) {
			t.Errorf("%q: exit %d, %q; want %q", text, got.code, got.err, want)
		}
	}
}

func TestShippedExampleIsValid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the example has the paths of a Unix system")
	}
	got, err := load(filepath.FromSlash("../../../deploy/examples/agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.StateDir = "/var/lib/gnomon-agent"
	want.Collector.Endpoint = "https://collector.example:4318"
	want.Collector.TokenFile, want.Collector.CAFile = "/run/credentials/gnomon-agent.service/collector-token", "/etc/gnomon/ca.pem"
	if runtime.GOOS != "linux" {
		want.File.Roots = got.File.Roots
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the example sets something else than the defaults (-want +got):\n%s", diff)
	}
	if err := config.Print(io.Discard, got); err != nil {
		t.Error(err)
	}
}

func TestGatewayExampleIsValid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the example has the paths of a Unix system")
	}
	got, err := load(filepath.FromSlash("../../../deploy/examples/gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Channel != "gateway" || !got.Log.Enabled || len(got.Log.Sources) < 5 {
		t.Errorf("channel %s, log %+v", got.Channel, got.Log)
	}
}

func TestReplayOfLogs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	text := "1700000000.123    456 192.0.2.7 TCP_TUNNEL/200 4567 CONNECT api.openai.com:443 dana HIER_DIRECT/203.0.113.9 -\n"
	if err := os.WriteFile(name, []byte(text+text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(t, nil, "replay", "--log", "squid", "--emit", "observations", "--output", "jsonl", name)
	if got.code != exitOK || len(got.lines(t)) != 1 || got.lines(t)[0]["name"] != "api.openai.com" || got.lines(t)[0]["count"] != 2.0 {
		t.Errorf("exit %d, %s%s", got.code, got.out, got.err)
	}
	got = command(t, nil, "replay", "--log", "squid", "--output", "jsonl", name)
	if line := got.lines(t); got.code != exitOK || len(line) != 1 || line[0]["client"] != "192.0.2.7" || line[0]["sensor"] != "log" || line[0]["user"] != "dana" {
		t.Errorf("exit %d, %s%s", got.code, got.out, got.err)
	}
	if err := os.WriteFile(name, []byte(text+"rubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, nil, "replay", "--log", "squid", name); got.code != exitIncomplete || !strings.Contains(got.err, "1 of 2 lines") {
		t.Errorf("exit %d, %s", got.code, got.err)
	}
	for format, want := range map[string]string{"nosuch": "zeek_ssl", "csv": "where its fields are"} {
		if got := command(t, nil, "replay", "--log", format, name); got.code != exitError || !strings.Contains(got.err, want) {
			t.Errorf("exit %d, %s", got.code, got.err)
		}
	}
}

func TestDoctor(t *testing.T) {
	r := newReceiver(t)
	root, _ := modelFolder(t)
	path := r.configure(t, filepath.Join(t.TempDir(), "state"), root, "")
	got := command(t, nil, "doctor", "--config", path, "--output", "jsonl")
	status := map[string]string{}
	for _, line := range got.lines(t) {
		status[line["check"].(string)] = line["status"].(string)
		if line["status"] == "failed" && line["remedy"] == nil {
			t.Errorf("%v says not what to do", line)
		}
	}
	delete(status, "file sensor") // depends on the system's watches
	want := map[string]string{
		"configuration": "ok", "catalogue": "ok", "state": "ok", "spool": "ok", "network sensor": "skipped", "application sensor": "skipped", "log sensor": "skipped",
		"process sensor": status["process sensor"], "attribution": status["attribution"], "budget": status["budget"], "collector": "ok", "clock": "ok",
	}
	if a := status["attribution"]; a != "ok" && a != "limited" { // by the rights of who tests
		t.Errorf("attribution is %q", a)
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "token"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	got = command(t, nil, "doctor", "--config", path)
	if got.code != exitError || !strings.Contains(got.out, "token refused") || !strings.Contains(got.out, "collector.token_file") || !strings.Contains(got.err, "checks failed") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("chanel: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, nil, "doctor", "--config", bad); got.code != exitError || !strings.Contains(got.out, "chanel") {
		t.Errorf("exit %d\n%s", got.code, got.out)
	}
}

func TestNotifier_tellsTheServiceManager(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no datagram sockets in the file system")
	}
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "40000")
	r := newReceiver(t)
	root, _ := modelFolder(t)
	a := startRun(r.configure(t, filepath.Join(t.TempDir(), "state"), root, ""))
	receive := func() string {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 100)
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("%v\n%s", err, a.log)
		}
		return string(buffer[:n])
	}
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := receive(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	a.cancel()
	for got := ""; got != "STOPPING=1"; {
		if got = receive(); got != "STOPPING=1" && got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	a.stop(t)
}
