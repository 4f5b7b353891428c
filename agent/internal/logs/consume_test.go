package logs

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
	"github.com/gnomon-ai/gnomon/signatures"
)

// scripted is a parser that answers with what it is told.
type scripted struct {
	record format.Record
	result format.Result
	fault  bool
}

func (s *scripted) Parse(_ []byte, r *format.Record) format.Result {
	if s.fault {
		panic("a fault")
	}
	*r = s.record
	return s.result
}

func (s *scripted) Reset() {}

func newConsumer(parser format.Parser) (*consumer, *seen) {
	got := &seen{}
	return &consumer{parser: parser, emit: got.emit, count: &tally{}, failed: func(format.Result) {}}, got
}

func TestTimesAreBounded(t *testing.T) {
	p := &scripted{record: format.Record{Kind: signatures.KindDNS, Name: []byte("a.example")}}
	c, got := newConsumer(p)
	now := time.Now()
	for _, at := range []time.Time{now.Add(-time.Hour), {}, now.Add(time.Hour), time.Unix(1000, 0), now.Add(30 * time.Second)} {
		p.record.Time = 0
		if !at.IsZero() {
			p.record.Time = at.UnixNano()
		}
		c.Record([]byte("x"), false)
	}
	near := func(i int, want time.Time) {
		t.Helper()
		if d := got.all[i].Time.Sub(want).Abs(); d > 10*time.Second {
			t.Errorf("observation %d is at %v, want %v", i, got.all[i].Time, want)
		}
	}
	near(0, now.Add(-time.Hour))
	near(1, now)
	near(2, now)
	near(3, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	near(4, now.Add(30*time.Second))
	if c.count.timeMissing.Load() != 1 || c.count.timeAhead.Load() != 1 || c.count.timeOld.Load() != 1 {
		t.Errorf("counted %d missing, %d ahead, %d old", c.count.timeMissing.Load(), c.count.timeAhead.Load(), c.count.timeOld.Load())
	}
}

func TestNames(t *testing.T) {
	p := &scripted{record: format.Record{Kind: signatures.KindHTTP, Time: time.Now().UnixNano()}}
	c, got := newConsumer(p)
	say := func(name, path string) {
		p.record.Name, p.record.Path = []byte(name), []byte(path)
		c.Record(nil, false)
	}
	say("Claude.AI", "/chat")
	say("Claude.AI", "/chat")
	say("bad name\x00", "")
	say("bad name\x00", "/v1/chat")
	say("bücher.example", "/\x1b[31mred\n")
	say(strings.Repeat("x", 5000), "")
	var all []string
	for _, o := range got.all {
		all = append(all, o.Name+" "+o.Path)
	}
	want := []string{"claude.ai /chat", "claude.ai /chat", " /v1/chat", "xn--bcher-kva.example /%1B[31mred%0A"}
	if fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", all, want)
	}
	if n := c.count.unusual.Load(); n != 3 {
		t.Errorf("%d unusual names", n)
	}
}

func TestFaultsAreCounted(t *testing.T) {
	c, got := newConsumer(&scripted{fault: true})
	c.Record([]byte("x"), false)
	if c.Header([]byte("x")) || c.count.panics.Load() != 2 || len(got.all) != 0 {
		t.Errorf("%d faults, %d observations", c.count.panics.Load(), len(got.all))
	}
}

func TestFailuresAreToldOnce(t *testing.T) {
	p := &scripted{result: format.Malformed}
	c, _ := newConsumer(p)
	told := 0
	c.failed = func(r format.Result) {
		if r != format.Malformed {
			t.Errorf("told of %v", r)
		}
		told++
	}
	c.Record(nil, false)
	p.result = format.Denied
	c.Record(nil, false)
	if n, most := c.count.failures(); told != 1 || n != 1 || most != format.Malformed || c.count.results[format.Denied].Load() != 1 {
		t.Errorf("told %d, %d failures of %v", told, n, most)
	}
}

// TestObservingAllocatesOnlyWhatIsNew holds for lines whose names and users came
// before.
func TestObservingAllocatesOnlyWhatIsNew(t *testing.T) {
	p := &scripted{record: format.Record{
		Kind: signatures.KindHTTP, Time: time.Now().UnixNano(), Name: []byte("Claude.ai"), User: []byte("dana"), Method: []byte("GET"),
		Client: netip.MustParseAddr("192.0.2.7"),
	}}
	c, _ := newConsumer(p)
	c.emit = func(signatures.Observation) {}
	if n := testing.AllocsPerRun(1000, func() { c.Record(nil, false) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReplayCutsLines(t *testing.T) {
	text := squidLine("a.example") + strings.Repeat("x", 500_000) + "\n" + squidLine("b.example") + strings.TrimSuffix(squidLine("c.example"), "\n")
	got := &seen{}
	stats, err := Replay(t.Context(), strings.NewReader(text), Source{Format: "squid"}, got.emit)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Stats{Lines: 4, Used: 3, Failed: 1, Cut: 1, Reason: "too_short"}); stats != want {
		t.Errorf("%+v, want %+v", stats, want)
	}
	if names := fmt.Sprint(got.names()); names != "[a.example b.example c.example]" {
		t.Error(names)
	}
}

func TestReplayFrames(t *testing.T) {
	var b bytes.Buffer
	for i := range 1000 {
		b.Write(frameOf(dnstapFrame(fmt.Sprintf("h%d.example", i))))
	}
	got := &seen{}
	stats, err := Replay(t.Context(), &b, Source{Format: "dnstap"}, got.emit)
	if err != nil || stats.Used != 1000 || got.names()[999] != "h999.example" {
		t.Errorf("%+v, %v", stats, err)
	}
	if _, err := Replay(t.Context(), strings.NewReader("\xff\xff\xff\xff"), Source{Format: "dnstap"}, got.emit); err == nil {
		t.Error("a broken stream is read")
	}
}
