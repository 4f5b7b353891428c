package format

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/signatures"
)

// said is a record as tests compare it.
type said struct {
	Result                         string
	Time                           string // RFC 3339 with nanoseconds, UTC
	Kind                           signatures.Kind
	Protocol, Name, Client, Server string
	Method, Path, User             string
	Up, Down                       uint64
}

func testOptions() Options {
	return Options{
		Zone: time.FixedZone("", 3600),
		Now:  func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
	}
}

func endpointText(a netip.Addr, port uint16) string {
	switch {
	case !a.IsValid() && port == 0:
		return ""
	case !a.IsValid():
		return fmt.Sprint(":", port)
	case port == 0:
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

func sayingOf(result Result, r *Record) said {
	s := said{Result: result.String()}
	if result != Use {
		return s
	}
	if r.Time != 0 {
		s.Time = time.Unix(0, r.Time).UTC().Format(time.RFC3339Nano)
	}
	s.Kind, s.Protocol, s.Name, s.Method, s.Path, s.User = r.Kind, r.Protocol, string(r.Name), string(r.Method), string(r.Path), string(r.User)
	s.Client, s.Server = endpointText(r.Client, r.ClientPort), endpointText(r.Server, r.ServerPort)
	s.Up, s.Down = r.Up, r.Down
	return s
}

// read runs the lines of text through a parser of the format called name.
func read(t testing.TB, name string, o Options, text string) []said {
	t.Helper()
	f, ok := Find(name)
	if !ok {
		t.Fatalf("no format %q", name)
	}
	return readWith(f.New(o), strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
}

func readWith(p Parser, lines []string) []said {
	var all []said
	for _, line := range lines {
		var r Record
		result := p.Parse([]byte(line), &r)
		all = append(all, sayingOf(result, &r))
	}
	return all
}

func expect(t *testing.T, got []said, want ...said) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func result(words ...string) []said {
	var all []said
	for _, w := range words {
		all = append(all, said{Result: w})
	}
	return all
}

func TestListIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range List() {
		if f.Name == "" || f.About == "" || f.MaxLine < 1<<10 || f.New == nil || seen[f.Name] {
			t.Errorf("format %+v is not complete or listed twice", f.Name)
		}
		seen[f.Name] = true
		p := f.New(testOptions())
		p.Reset()
		if got := p.Parse(nil, new(Record)); got == Use {
			t.Errorf("%s: an empty line is used", f.Name)
		}
	}
	if _, ok := Find("no such"); ok {
		t.Error("an unknown format was found")
	}
}

func TestResultsAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for r := range Results {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("result %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
	if Use.Failed() || Denied.Failed() || !Malformed.Failed() || !BadTime.Failed() {
		t.Error("failures are told wrongly")
	}
}

func TestAddress(t *testing.T) {
	for _, text := range []string{
		"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1", "1::", "fe80::1:2:3:4", "2001:db8:1:2:3:4:5:6", "::ffff:192.0.2.1",
		"64:ff9b::192.0.2.33", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:192.0.2.1",
		"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.", ".1.2.3", "1..2.3", "a.b.c.d", ":", ":::", "1:2", "1:2:3:4:5:6:7:8:9", "::1::", "12345::", "g::", "1:", ":1",
		"1:2:3:4:5:6:7:192.0.2.1", "::192.0.2.256", "1:2:3:4:5:6:7:8::", "localhost",
	} {
		want, err := netip.ParseAddr(text)
		if err != nil {
			want = netip.Addr{}
		}
		if got := address([]byte(text)); got != want.Unmap() {
			t.Errorf("address(%q) = %v, want %v", text, got, want)
		}
	}
	if got := address([]byte("fe80::1%eth0")); got != netip.MustParseAddr("fe80::1") {
		t.Errorf("the zone stays: %v", got)
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("192.0.2.1")
	f.Add("2001:db8::192.0.2.1")
	f.Add("1:2:3:4:5:6:7:8")
	f.Fuzz(func(t *testing.T, text string) {
		got := address([]byte(text))
		want, err := netip.ParseAddr(text)
		if err != nil || strings.Contains(text, "%") || strings.Contains(text, ".") && strings.Contains(text, "0") { // leading zeros are refused by one of the two
			return
		}
		if got != want.Unmap() {
			t.Errorf("address(%q) = %v, want %v", text, got, want)
		}
	})
}

func TestEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:443": "192.0.2.1:443", "2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1",
		"[2001:db8::1]:8080": "[2001:db8::1]:8080", "192.0.2.9, 10.0.0.1": "192.0.2.9", "host": "", "host:80": ":80", "": "", "[::1": "",
		"192.0.2.1:99999": "192.0.2.1",
	} {
		a, p := endpoint([]byte(text))
		if got := endpointText(a, p); got != want {
			t.Errorf("endpoint(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][3]string{
		"https://api.example/v1/x?key=secret#f": {"api.example", "/v1/x", "443"},
		"http://user:pass@api.example:8080/p":   {"api.example", "/p", "8080"},
		"https://user:p@ss@api.example":         {"api.example", "", "443"},
		"api.example:443":                       {"api.example", "", "443"},
		"api.example/v1/chat?q=1":               {"api.example", "/v1/chat", "0"},
		"/v1/chat?q=1":                          {"", "/v1/chat", "0"},
		"https://[2001:db8::1]:8443/x":          {"2001:db8::1", "/x", "8443"},
		"https://api.example?token=secret":      {"api.example", "", "443"},
		"*":                                     {"*", "", "0"},
		"http://evil.example/@api.example/":     {"evil.example", "/@api.example/", "80"},
	} {
		l := split([]byte(text))
		got := [3]string{string(l.host), string(l.path), fmt.Sprint(l.port)}
		if got != want {
			t.Errorf("split(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	c := newClock(testOptions())
	for text, want := range map[string]string{
		"1700000000.123456":               "2023-11-14T22:13:20.123456Z",
		"1700000000":                      "2023-11-14T22:13:20Z",
		"1700000000123":                   "2023-11-14T22:13:20.123Z",
		"1700000000123456":                "2023-11-14T22:13:20.123456Z",
		"1700000000123456789":             "2023-11-14T22:13:20.123456789Z",
		"2026-11-23T19:31:58.5Z":          "2026-11-23T19:31:58.5Z",
		"2026-11-23T19:31:58.123456+0100": "2026-11-23T18:31:58.123456Z",
		"2026-11-23T19:31:58-05:30":       "2026-11-24T01:01:58Z",
		"2026-11-23 19:31:58":             "2026-11-23T18:31:58Z", // the options' zone is +01:00
		"2026/11/23 19:31:58":             "2026-11-23T18:31:58Z",
		"23/Nov/2026:19:31:58 +0000":      "2026-11-23T19:31:58Z",
		"[23/Nov/2026:19:31:58 +0000]":    "2026-11-23T19:31:58Z",
		"23-Nov-2026 19:31:58.123":        "2026-11-23T18:31:58.123Z",
		"Nov 23 2026 19:31:58":            "2026-11-23T18:31:58Z",
		"Mon Jun  2 15:29:11 2025":        "2025-06-02T14:29:11Z",
		"Nov  3 19:31:58":                 "2026-11-03T18:31:58Z",
		"Jan  1 00:00:10":                 "2026-12-31T23:00:10Z", // the coming year is nearer
		"Feb 29 2024 10:00:00":            "2024-02-29T09:00:00Z",
	} {
		nanos, ok := c.any([]byte(text))
		if got := time.Unix(0, nanos).UTC().Format(time.RFC3339Nano); !ok || got != want {
			t.Errorf("%q is %s (%v), want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "0", "2026-13-01T00:00:00Z", "2026-11-23T25:00:00Z", "99999999999999999999", "Foo 23 19:31:58", "23/Nov/1969:00:00:00 +0000", "1700000000.12x"} {
		if nanos, ok := c.any([]byte(text)); ok {
			t.Errorf("%q is read as %d", text, nanos)
		}
	}
}

// TestTimesAcrossTheYear holds the own calendar against the standard library's,
// with the zone's summer time.
func TestTimesAcrossTheYear(t *testing.T) {
	for _, zoneName := range []string{"Europe/Berlin", "America/New_York", "UTC"} {
		location, err := time.LoadLocation(zoneName)
		if err != nil {
			t.Fatal(err)
		}
		c := newClock(Options{Zone: location})
		at := time.Date(2023, 12, 30, 3, 17, 5, 0, location)
		for range 1200 {
			text := at.Format("2006-01-02T15:04:05")
			want, err := time.ParseInLocation("2006-01-02T15:04:05", text, location)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := c.any([]byte(text))
			if !ok || got != want.UnixNano() {
				t.Fatalf("%s in %s is %v, want %v", text, zoneName, time.Unix(0, got).UTC(), want.UTC())
			}
			at = at.Add(17 * time.Hour)
		}
	}
}

// TestNothingIsAllocated holds for the lines of every format that is read.
func TestNothingIsAllocated(t *testing.T) {
	for name, lines := range samples() {
		f, _ := Find(name)
		p := f.New(sampleOptions(name))
		var r Record
		for _, line := range lines {
			p.Parse(line, &r)
		}
		for i, line := range lines {
			if p.Parse(line, &r) == Header {
				continue
			}
			if n := testing.AllocsPerRun(100, func() { p.Parse(line, &r) }); n > 0 {
				t.Errorf("%s: line %d allocates %v times", name, i, n)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, f := range List() {
		lines := samples()[f.Name]
		b.Run(f.Name, func(b *testing.B) {
			p := f.New(sampleOptions(f.Name))
			var r Record
			size := 0
			for _, line := range lines {
				p.Parse(line, &r)
				size += len(line)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size / len(lines)))
			for i := 0; b.Loop(); i++ {
				p.Parse(lines[i%len(lines)], &r)
			}
		})
	}
}
