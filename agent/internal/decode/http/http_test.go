package http

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type summary struct {
	Method, Authority, Path string
	Hosts                   []string
	Body                    uint64
	Chunked, Upgrade        bool
	More                    int
}

func summarise(header string) (summary, bool) {
	var r Request
	if !Parse([]byte(header), &r) {
		return summary{}, false
	}
	s := summary{
		Method: string(r.Method), Authority: string(r.Authority), Path: string(r.Path),
		Body: r.Body, Chunked: r.Chunked, Upgrade: r.Upgrade != NoUpgrade, More: r.More,
	}
	for _, h := range r.Hosts() {
		s.Hosts = append(s.Hosts, string(h))
	}
	return s, true
}

func TestParse(t *testing.T) {
	f := func(header string, want summary) {
		t.Helper()
		got, ok := summarise(header)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%q: %s", header, diff)
		}
	}
	f("GET /a?secret=1 HTTP/1.1\r\nHost: example.com\r\n\r\n", summary{Method: "GET", Path: "/a", Hosts: []string{"example.com"}})
	f("GET /a#part HTTP/1.1\nhOsT \t:\t example.com:8080 \t\nX: y\n\n", summary{Method: "GET", Path: "/a", Hosts: []string{"example.com:8080"}})
	f("POST http://user:pw@api.example.com:81/v1?x HTTP/1.1\r\nContent-Length: 12\r\n\r\n",
		summary{Method: "POST", Authority: "api.example.com:81", Path: "/v1", Body: 12})
	f("GET http://api.example.com?x HTTP/1.1\r\n\r\n", summary{Method: "GET", Authority: "api.example.com"})
	f("CONNECT api.example.com:443 HTTP/1.1\r\nHost: proxy\r\n\r\n",
		summary{Method: "CONNECT", Authority: "api.example.com:443", Hosts: []string{"proxy"}})
	f("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", summary{Method: "OPTIONS", Hosts: []string{"a"}})
	f("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nHost:\r\nHost: c\r\nHost: d\r\n\r\n",
		summary{Method: "GET", Path: "/", Hosts: []string{"a", "b", "", "c"}, More: 1})
	f("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\nUpgrade: h2c\r\n\r\n", summary{Method: "POST", Path: "/", Chunked: true, Upgrade: true})
	f("GET / HTTP/1.1\r\nHost:\r\n example.com\r\nA: b\r\n\r\n", summary{Method: "GET", Path: "/", Hosts: []string{"example.com"}})
	f("GET /with blank HTTP/1.1\r\n\r\n", summary{Method: "GET", Path: "/with blank"})
	f("GET /old\r\n", summary{Method: "GET", Path: "/old"})
	f("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", summary{Method: "GET", Path: "/", Body: ToTheEnd})
	f("GET / HTTP/1.1\r\nContent-Length: junk\r\n: empty name\r\nno colon\r\n\r\nHost: behind", summary{Method: "GET", Path: "/"})
	f("GET / HTTP/1.1\r\nHost: cut", summary{Method: "GET", Path: "/", Hosts: []string{"cut"}})
	for _, bad := range []string{"", "\r\n", "G", "GET", "GET ", "GET  \r\n", "G@T / HTTP/1.1\r\n", strings.Repeat("A", 40) + " / HTTP/1.1\r\n"} {
		if s, ok := summarise(bad); ok {
			t.Errorf("%q: read as %+v", bad, s)
		}
	}
}

// What the standard library writes is read back.
func TestParseOfARealRequest(t *testing.T) {
	r, err := http.NewRequest("POST", "http://api.example.com:8080/v1/chat/completions?key=secret", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	end := HeaderEnd(b.Bytes(), 0)
	if end != b.Len()-len("body") {
		t.Fatalf("the header ends at %d of %d", end, b.Len())
	}
	got, _ := summarise(b.String()[:end])
	want := summary{Method: "POST", Path: "/v1/chat/completions", Hosts: []string{"api.example.com:8080"}, Body: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Wherever a header is cut, its end is found once it is there, and not before.
func TestHeaderEndBytewise(t *testing.T) {
	for _, header := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n"} {
		from := 0
		for n := range len(header) {
			if end := HeaderEnd([]byte(header[:n]), from); end != 0 {
				t.Errorf("%q ends at %d", header[:n], end)
			}
			from = n
		}
		if end := HeaderEnd([]byte(header+"rest\n\n"), from); end != len(header) {
			t.Errorf("%q ends at %d", header, end)
		}
	}
}

func TestStartsLikeRequest(t *testing.T) {
	for _, yes := range []string{
		"G", "GET", "GET ", "GET /", "GET  /x", "POST http://a/ HTTP/1.1\r\n", "CONNECT a:443 HTTP/1.1", "REPORT /x", "M-SEARCH * HTTP/1.1",
		"FOO bar HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n",
	} {
		if !StartsLikeRequest([]byte(yes)) {
			t.Errorf("%q does not", yes)
		}
	}
	for _, no := range []string{"", "HTTP/1.1 200 OK", "\x16\x03\x01", "EHLO example.com\r\n", "NICK bob\r\n", "a: b", "X /", "SSH-2.0-x\r\n", strings.Repeat("A", 30)} {
		if StartsLikeRequest([]byte(no)) {
			t.Errorf("%q does", no)
		}
	}
}

func TestChunk(t *testing.T) {
	f := func(b string, status ChunkStatus, header int, size uint64) {
		t.Helper()
		s, h, n := Chunk([]byte(b))
		if s != status || h != header || n != size {
			t.Errorf("%q: %v %d %d", b, s, h, n)
		}
	}
	f("", ChunkNeedMore, 0, 0)
	f("1a", ChunkNeedMore, 0, 0)
	f("1A;name=value\r\ndata", ChunkData, 15, 26)
	f("5\ndata", ChunkData, 2, 5)
	f("000\r\n", ChunkLast, 5, 0)
	f("\r\n", ChunkBad, 0, 0)
	f("xyz\r\n", ChunkBad, 0, 0)
	f("1234567890abcdef\r\n", ChunkBad, 0, 0)
	f("1"+strings.Repeat(" ", 2000), ChunkBad, 0, 0)
	for b, want := range map[string]int{"\r\n": 2, "\n": 1, "A: b\r\n\r\nGET": 8, "A: b\r\n": 0, "\r": 0, "": 0} {
		if n := TrailerEnd([]byte(b)); n != want {
			t.Errorf("trailer %q ends at %d", b, n)
		}
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	header := []byte("POST /v1/chat HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\nUser-Agent: x\r\n\r\n")
	var r Request
	if n := testing.AllocsPerRun(100, func() {
		if HeaderEnd(header, 0) == 0 || !StartsLikeRequest(header) || !Parse(header, &r) {
			t.Fatal("not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	header := []byte("POST /v1/chat HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n")
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		if HeaderEnd(header, 0) == 0 || !Parse(header, &r) {
			b.Fatal("not read")
		}
	}
}
