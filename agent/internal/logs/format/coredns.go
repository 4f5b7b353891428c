package format

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/signatures"
)

// coreDNS reads what CoreDNS's plugin log writes by default, also behind the
// time that a container runtime puts in front
// (https://coredns.io/plugins/log/):
//
//	[INFO] 10.244.0.7:50759 - 29008 "A IN api.example. udp 41 false 4096" NOERROR qr,rd,ra 68 0.037s
type coreDNS struct{ clock clock }

func newCoreDNS(o Options) Parser { return &coreDNS{newClock(o)} }

// Reset implements Parser.
func (p *coreDNS) Reset() {}

// Parse implements Parser.
func (p *coreDNS) Parse(line []byte, r *Record) Result {
	quote := bytes.IndexByte(line, '"')
	if quote < 0 {
		return Ignored
	}
	dash := bytes.LastIndex(line[:quote], []byte(" - "))
	if dash < 0 {
		return Ignored
	}
	r.clear(signatures.KindDNS)
	r.Client, r.ClientPort = endpoint(lastWord(line[:dash]))
	if !r.Client.IsValid() {
		return Ignored // a message of another plugin
	}
	query, _, ok := quoted(line[quote:])
	if !ok {
		return Malformed
	}
	var words [4][]byte
	for i := range words {
		if words[i], query, ok = token(query); !ok {
			return TooShort
		}
	}
	if !dnsClass(words[1]) {
		return Malformed
	}
	r.Name = dropDot(words[2])
	switch string(words[3]) {
	case "udp":
		r.Protocol = "udp"
	case "tcp":
		r.Protocol = "tcp"
	}
	r.Time = p.clock.leading(line)
	return r.finish()
}
