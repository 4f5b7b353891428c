package format

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/signatures"
)

// bind reads BIND 9's category queries, with any of its times, with and without
// category and severity
// (https://bind9.readthedocs.io/en/latest/reference.html#query-logging):
//
//	23-Nov-2026 19:31:58.123 queries: info: client @0x7f5c 192.0.2.7#53211 (api.example): view lan: query: api.example IN A +E(0)K (192.0.2.53)
type bind struct{ clock clock }

func newBIND(o Options) Parser { return &bind{newClock(o)} }

// Reset implements Parser.
func (p *bind) Reset() {}

// Parse implements Parser.
func (p *bind) Parse(line []byte, r *Record) Result {
	at := bytes.Index(line, []byte("client "))
	if at < 0 {
		return Ignored
	}
	head, body, ok := bytes.Cut(line[at+len("client "):], []byte(": query: "))
	if !ok {
		return Ignored // another message about a client
	}
	r.clear(signatures.KindDNS)
	peer, head, _ := token(head)
	if len(peer) > 0 && peer[0] == '@' {
		peer, _, _ = token(head)
	}
	host, number, ok := bytes.Cut(peer, []byte{'#'})
	if !ok {
		return Malformed
	}
	r.Client, r.ClientPort = address(host), port(number)
	name, body, ok := token(body)
	if !ok {
		return TooShort
	}
	class, _, ok := token(body)
	if !ok {
		return TooShort
	}
	if !dnsClass(class) {
		return Malformed
	}
	r.Name = dropDot(name)
	if open := bytes.LastIndexByte(body, '('); open >= 0 {
		r.Server = address(bytes.TrimRight(body[open+1:], ") "))
	}
	r.Time = p.clock.leading(line)
	return r.finish()
}

// leading reads the time at the start of a line, behind a bracket or not; 0
// where there is none.
func (c *clock) leading(line []byte) int64 {
	if len(line) == 0 {
		return 0
	}
	if line[0] == '[' {
		line = line[1:]
	}
	digits := 0
	for digits < len(line) && (line[digits] >= '0' && line[digits] <= '9' || line[digits] == '.') {
		digits++
	}
	if digits >= 10 {
		if nanos, ok := epoch(line[:digits]); ok {
			return nanos
		}
	}
	if nanos, _, ok := c.iso(line); ok {
		return nanos
	}
	nanos, _, _ := c.named(line)
	return nanos
}
