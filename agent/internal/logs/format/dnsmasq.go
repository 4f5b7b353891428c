package format

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/signatures"
)

// dnsmasq reads the log of dnsmasq with log-queries or log-queries=extra
// (https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html, --log-queries):
//
//	Nov 23 19:31:58 dnsmasq[812]: query[A] api.example from 192.0.2.7
//	Nov 23 19:31:58 dnsmasq[812]: 41 192.0.2.7/48561 query[A] api.example from 192.0.2.7
//
// Lines about forwarding, answers and the cache belong to a query and are
// passed over.
type dnsmasq struct{ clock clock }

func newDnsmasq(o Options) Parser { return &dnsmasq{newClock(o)} }

// Reset implements Parser.
func (p *dnsmasq) Reset() {}

// Parse implements Parser.
func (p *dnsmasq) Parse(line []byte, r *Record) Result {
	at := bytes.Index(line, []byte("query["))
	if at < 0 {
		return Ignored
	}
	r.clear(signatures.KindDNS)
	_, rest, ok := bytes.Cut(line[at:], []byte("] "))
	if !ok {
		return Malformed
	}
	name, rest, ok := token(rest)
	if !ok {
		return TooShort
	}
	from, rest, ok := token(rest)
	if !ok || string(from) != "from" {
		return Malformed
	}
	client, _, ok := token(rest)
	if !ok {
		return TooShort
	}
	r.Name, r.Client = dropDot(name), address(client)
	if before := lastWord(bytes.TrimRight(line[:at], " ")); bytes.IndexByte(before, '/') > 0 {
		_, digits, _ := bytes.Cut(before, []byte{'/'})
		r.ClientPort = port(digits)
	}
	r.Time = p.clock.leading(line)
	return r.finish()
}
