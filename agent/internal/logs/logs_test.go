package logs

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
	"github.com/gnomon-ai/gnomon/agent/internal/logs/listen"
	"github.com/gnomon-ai/gnomon/agent/internal/sensor"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type seen struct {
	mu  sync.Mutex
	all []signatures.Observation
}

func (s *seen) emit(o signatures.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, o)
}

func (s *seen) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, o := range s.all {
		names = append(names, o.Name)
	}
	return names
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// start runs a sensor with the given sources until the returned stop.
func start(t *testing.T, state string, sources ...Source) (s *Sensor, got *seen, stop func()) {
	t.Helper()
	c := DefaultConfig()
	c.Enabled, c.Sources = true, sources
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, got = New(c, state, slog.New(slog.DiscardHandler)), &seen{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, got.emit) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return s, got, stop
}

func appendTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func squidLine(host string) string {
	return "1700000000.123    456 192.0.2.7 TCP_TUNNEL/200 4567 CONNECT " + host + ":443 dana HIER_DIRECT/203.0.113.9 -\n"
}

func TestFileToObservation(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, name, squidLine("API.OpenAI.com."))
	s, got, stop := start(t, t.TempDir(), Source{Name: "proxy", Format: "squid", Files: []string{name}, From: "start"})
	eventually(t, "the observation", func() bool { return len(got.names()) == 1 })
	stop()
	want := signatures.Observation{
		Sensor: "log", Kind: signatures.KindHTTP, Time: time.Unix(1700000000, 123e6).UTC(), Remote: true,
		Name: "api.openai.com", Method: "CONNECT", Process: signatures.Process{User: "dana"},
		Flow: signatures.Flow{
			Protocol: "tcp", Client: netip.MustParseAddrPort("192.0.2.7:0"), Server: netip.MustParseAddrPort("203.0.113.9:443"), BytesDown: 4567,
		},
	}
	if diff := cmp.Diff(want, got.all[0], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := s.Coverage().Counters
	for counter, n := range map[string]uint64{"sources": 1, "proxy.lines": 1, "proxy.lines_used": 1, "proxy.observations": 1, "proxy.last_line": 1700000000, "proxy.records": 1} {
		if c[counter] != n {
			t.Errorf("%s is %d, want %d", counter, c[counter], n)
		}
	}
}

// TestMarkAndRestart keeps positions only when told to, and goes on from them.
func TestMarkAndRestart(t *testing.T) {
	state, name := t.TempDir(), filepath.Join(t.TempDir(), "access.log")
	source := Source{Name: "proxy", Format: "squid", Files: []string{name}, From: "start"}
	appendTo(t, name, squidLine("one.example"))
	s, got, stop := start(t, state, source)
	eventually(t, "one", func() bool { return len(got.names()) == 1 })
	held := 0
	keep := s.Mark(func() { held = len(got.names()) })
	appendTo(t, name, squidLine("two.example"))
	eventually(t, "two", func() bool { return len(got.names()) == 2 })
	if held != 1 || keep == nil {
		t.Fatalf("held at %d, keep %v", held, keep == nil)
	}
	keep()
	if s.Mark(func() {}) == nil {
		t.Error("a position has moved, and is not kept")
	}
	stop() // as if killed: what came after the mark was not kept

	s, got, stop = start(t, state, source)
	eventually(t, "two again", func() bool { return len(got.names()) == 1 })
	if names := got.names(); names[0] != "two.example" {
		t.Errorf("read again: %v", names)
	}
	stop()
	keep = s.Mark(func() {}) // also after the end
	keep()
	if s.Mark(func() {}) != nil {
		t.Error("nothing has moved, and is kept again")
	}
	_, got, _ = start(t, state, source)
	appendTo(t, name, squidLine("three.example"))
	eventually(t, "three", func() bool { return slices.Equal(got.names(), []string{"three.example"}) })
}

// TestMarkOfASensorThatNeverRan forgets nothing.
func TestMarkOfASensorThatNeverRan(t *testing.T) {
	called := false
	if keep := New(DefaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler)).Mark(func() { called = true }); keep != nil || !called {
		t.Errorf("keep %v, still called %v", keep != nil, called)
	}
}

// TestMarkUnderLoad marks while lines come: at each mark, what the positions
// stand for is exactly what was handed over.
func TestMarkUnderLoad(t *testing.T) {
	state, name := t.TempDir(), filepath.Join(t.TempDir(), "access.log")
	const lines = 20_000
	var b strings.Builder
	for i := range lines {
		b.WriteString(squidLine(fmt.Sprintf("h%d.example", i)))
	}
	appendTo(t, name, b.String())
	source := Source{Name: "proxy", Format: "squid", Files: []string{name}, From: "start"}
	total := 0
	for round := 0; total < lines; round++ {
		s, got, stop := start(t, state, source)
		time.Sleep(time.Duration(round%7) * time.Millisecond)
		held := 0
		keep := s.Mark(func() { held = len(got.names()) })
		if keep != nil {
			keep()
			for i, o := range got.names()[:held] {
				if want := fmt.Sprintf("h%d.example", total+i); o != want {
					t.Fatalf("round %d: observation %d is %s, want %s", round, i, o, want)
				}
			}
			total += held
		}
		stop()
	}
}

func TestTroublesAreTold(t *testing.T) {
	folder := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(folder, "link.log")); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(folder, "wrong.log"), strings.Repeat("no such line\n", 20))
	appendTo(t, filepath.Join(folder, "long.log"), squidLine("a.example")+strings.Repeat("x", 300)+"\n")
	files := func(name string) []string { return []string{filepath.Join(folder, name)} }
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	s, got, _ := start(
		t, t.TempDir(),
		Source{Name: "missing", Format: "squid", Files: append(files("missing.log"), filepath.Join(folder, "other.log")), SilentAfter: time.Nanosecond},
		Source{Name: "link", Format: "squid", Files: files("link.log")},
		Source{Name: "wrong", Format: "cef", Files: files("wrong.log"), From: "start"},
		Source{Name: "long", Format: "squid", Files: files("long.log"), From: "start", MaxLine: 256},
		Source{Name: "taken", Format: "cef", Listen: &listen.Config{Protocol: "tcp", Address: busy.Addr().String()}},
	)
	eventually(t, "all troubles", func() bool {
		c := s.Coverage()
		return c.Counters["wrong.lines_malformed"] == 20 && c.Counters["long.cut"] == 1 && len(got.names()) == 1 && strings.Contains(c.Reason, "and 1 more")
	})
	r := s.Coverage()
	if r.State != sensor.Degraded {
		t.Errorf("state %s", r.State)
	}
	for _, part := range []string{"missing.log is not there", "no line for", "follow_links", "20 of 20 lines cannot be read as cef (malformed)"} {
		if !strings.Contains(r.Reason, part) {
			t.Errorf("the reason does not say %q:\n%s", part, r.Reason)
		}
	}
	blind := map[string]finding.Blind{}
	for _, b := range r.Blind {
		blind[b.Reason] = b
	}
	for _, reason := range []string{"log_missing", "log_unreadable", "log_line_cut", "log_line_unread", "log_silent"} {
		if blind[reason].Count == 0 || blind[reason].Detail == "" {
			t.Errorf("%s is not told: %v", reason, r.Blind)
		}
	}
}

// TestListenerComesBack tries again until the address is free.
func TestListenerComesBack(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := busy.LocalAddr().String()
	s, got, _ := start(t, t.TempDir(), Source{Name: "gateway", Format: "cef", Listen: &listen.Config{Protocol: "udp", Address: address}})
	eventually(t, "the trouble", func() bool { return strings.Contains(s.Coverage().Reason, "address already in use") })
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "a message", func() bool {
		_, _ = conn.Write([]byte("<134>1 2026-01-23T19:31:58Z gw nss - - - CEF:0|Zscaler|NSS|1|a|b|3|src=192.0.2.7 suser=dana dhost=claude.ai")) // refused until it listens
		time.Sleep(20 * time.Millisecond)
		return len(got.names()) > 0
	})
	if r := s.Coverage(); r.State != sensor.On || r.Reason != "" || r.Counters["gateway.messages"] == 0 {
		t.Errorf("coverage %+v", r)
	}
	if o := got.all[0]; o.Name != "claude.ai" || o.Process.User != "dana" || o.Time.Format(time.DateOnly) != "2026-01-23" {
		t.Errorf("observation %+v", o)
	}
}

// dnstapFrame is a CLIENT_QUERY for name by 192.0.2.7.
func dnstapFrame(name string) []byte {
	query := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	query = append(query, 0, 0, 1, 0, 1)
	m := []byte{1 << 3, 5, 4<<3 | 2, 4, 192, 0, 2, 7, 10<<3 | 2, byte(len(query))}
	m = append(m, query...)
	return append([]byte{14<<3 | 2, byte(len(m))}, m...)
}

func frameOf(content []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), content...)
}

func TestDnstapBySocketAndFile(t *testing.T) {
	folder := t.TempDir()
	file, socket := filepath.Join(folder, "dnstap.fstrm"), filepath.Join(folder, "dnstap.sock")
	controlStart := []byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2}
	appendTo(t, file, string(controlStart)+string(frameOf(dnstapFrame("claude.ai"))))
	s, got, _ := start(
		t, t.TempDir(),
		Source{Name: "tap", Format: "dnstap", Socket: socket},
		Source{Name: "file", Format: "dnstap", Files: []string{file}, From: "start"},
	)
	eventually(t, "the file", func() bool { return slices.Equal(got.names(), []string{"claude.ai"}) })
	var conn net.Conn
	eventually(t, "the socket", func() bool {
		var err error
		conn, err = net.Dial("unix", socket)
		return err == nil
	})
	defer conn.Close()
	if _, err := conn.Write(append(controlStart, frameOf(dnstapFrame("api.openai.com"))...)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the query", func() bool { return slices.Equal(got.names(), []string{"claude.ai", "api.openai.com"}) })
	if o := got.all[1]; o.Kind != signatures.KindDNS || o.Flow.Client.Addr() != netip.MustParseAddr("192.0.2.7") || !o.Remote {
		t.Errorf("observation %+v", o)
	}
	if c := s.Coverage().Counters; c["tap.time_missing"] != 1 || c["tap.connections_open"] != 1 {
		t.Errorf("counters %v", c)
	}
}

// TestDamagedPositions is told, and the sensor goes on.
func TestDamagedPositions(t *testing.T) {
	state, name := t.TempDir(), filepath.Join(t.TempDir(), "access.log")
	if err := os.Mkdir(filepath.Join(state, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(state, "logs", "positions.json"), "{")
	appendTo(t, name, squidLine("a.example"))
	s, got, _ := start(t, state, Source{Name: "proxy", Format: "squid", Files: []string{name}, From: "start"})
	eventually(t, "the line", func() bool { return len(got.names()) == 1 })
	if r := s.Coverage(); r.State != sensor.Degraded || !strings.Contains(r.Reason, "positions.json is damaged") {
		t.Errorf("coverage %s: %s", r.State, r.Reason)
	}
	s.Mark(func() {})()
	if r := s.Coverage(); r.State != sensor.On {
		t.Errorf("coverage %s: %s", r.State, r.Reason)
	}
}

// TestPositionsThatCannotBeKept are told.
func TestPositionsThatCannotBeKept(t *testing.T) {
	state, name := t.TempDir(), filepath.Join(t.TempDir(), "access.log")
	appendTo(t, filepath.Join(state, "logs"), "a file is in the way")
	appendTo(t, name, squidLine("a.example"))
	s, got, _ := start(t, state, Source{Name: "proxy", Format: "squid", Files: []string{name}, From: "start"})
	eventually(t, "the line", func() bool { return len(got.names()) == 1 })
	if s.Mark(func() {}) != nil {
		t.Error("positions that cannot be written are kept")
	}
	if r := s.Coverage(); r.State != sensor.Degraded || !strings.Contains(r.Reason, "cannot be kept") {
		t.Errorf("coverage %s: %s", r.State, r.Reason)
	}
}

func TestConfigValidate(t *testing.T) {
	good := Source{Name: "a", Format: "squid", Files: []string{"/var/log/a.log"}}
	f := func(want string, change func(*Source)) {
		t.Helper()
		s := good
		change(&s)
		err := Config{Enabled: true, Checkpoint: time.Minute, Sources: []Source{s}}.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	f("", func(*Source) {})
	f("", func(s *Source) { s.Files, s.Listen = nil, &listen.Config{Protocol: "udp", Address: "127.0.0.1:514"} })
	f("", func(s *Source) { s.Format, s.Keys = "csv", format.Keys{"host": {"1"}} })
	f("name", func(s *Source) { s.Name = "A b" })
	f("format", func(s *Source) { s.Format = "x" })
	f("exactly one", func(s *Source) { s.Files = nil })
	f("exactly one", func(s *Source) { s.Socket = "/x" })
	f("absolute", func(s *Source) { s.Files = []string{"a.log"} })
	f("absolute", func(s *Source) { s.Files = []string{"/var/[.log"} })
	f("absolute", func(s *Source) { s.Files = []string{"/var/../a.log"} })
	f("from", func(s *Source) { s.From = "middle" })
	f("max_line", func(s *Source) { s.MaxLine = 1 })
	f("silent_after", func(s *Source) { s.SilentAfter = -1 })
	f("delimiter", func(s *Source) { s.Delimiter = "ab" })
	f("time_zone", func(s *Source) { s.TimeZone = "Nowhere/Land" })
	f("keys", func(s *Source) { s.Keys = format.Keys{"nosuch": {"a"}} })
	f("needs to be told", func(s *Source) { s.Format = "json" })
	f("socket", func(s *Source) { s.Files, s.Socket = nil, "/run/x.sock" })
	f("comes by socket", func(s *Source) {
		s.Format, s.Files, s.Listen = "dnstap", nil, &listen.Config{Protocol: "udp", Address: "127.0.0.1:1"}
	})
	f("listen.protocol", func(s *Source) { s.Files, s.Listen = nil, &listen.Config{Protocol: "x", Address: "127.0.0.1:1"} })
	for want, c := range map[string]Config{
		"sources":    {Enabled: true, Checkpoint: time.Minute},
		"checkpoint": {Checkpoint: time.Millisecond},
		"twice":      {Checkpoint: time.Minute, Sources: []Source{good, good}},
		"more than":  {Checkpoint: time.Minute, Sources: make([]Source, 65)},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
