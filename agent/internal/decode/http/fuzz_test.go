package http

import (
	"bytes"
	"testing"
)

// FuzzRequest reads bytes as a header and as a chunk.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET /a?b HTTP/1.1\r\nHost: example.com\r\n\r\nrest"), 9)
	f.Add([]byte("GET http://u@h:1/p#f HTTP/1.1\nHost:\n folded\n line\n\n"), 20)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n"), 30)
	f.Add([]byte("CONNECT h:443 HTTP/1.1\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		end := HeaderEnd(b, 0)
		if end < 0 || end > len(b) {
			t.Fatalf("ends at %d of %d", end, len(b))
		}
		if first := HeaderEnd(b[:cut], 0); first == 0 {
			if again := HeaderEnd(b, cut); again != end {
				t.Fatalf("ends at %d, and at %d after %d bytes", end, again, cut)
			}
		} else if first != end {
			t.Fatalf("ends at %d, and at %d of the first %d bytes", end, first, cut)
		}
		var r Request
		if !Parse(b, &r) {
			return
		}
		if len(r.Method) < 2 || len(r.Target) == 0 || r.hostCount > MaxHosts {
			t.Fatalf("%+v", r)
		}
		for _, part := range append(r.Hosts(), r.Method, r.Authority, r.Path) {
			if len(part) > 0 && !bytes.Contains(b, part) {
				t.Fatalf("%q is not in the input", part)
			}
		}
		if bytes.ContainsAny(r.Path, "?#") {
			t.Fatalf("path %q", r.Path)
		}
		for _, h := range r.Hosts() {
			if len(h) > 0 && (h[0] == ' ' || h[len(h)-1] == ' ') {
				t.Fatalf("host %q", h)
			}
		}
		if status, header, size := Chunk(b); header > len(b) || status == ChunkData && (header == 0 || size == 0) {
			t.Fatalf("chunk %v %d %d", status, header, size)
		}
		if n := TrailerEnd(b); n > len(b) {
			t.Fatalf("trailer of %d", n)
		}
	})
}
