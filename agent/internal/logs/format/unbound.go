package format

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/signatures"
)

// unbound reads the log of Unbound with log-queries or log-replies, also with
// log-tag-queryreply
// (https://unbound.docs.nlnetlabs.nl/en/latest/manpages/unbound.conf.html):
//
//	[1700000000] unbound[812:0] info: 192.0.2.7 api.example. A IN
//	[1700000000] unbound[812:0] info: reply: 192.0.2.7 api.example. A IN NOERROR 0.012 0 60
//
// A reply counts where no query was seen before it in the same file: else each
// lookup would count twice.
type unbound struct {
	clock   clock
	queries bool
}

func newUnbound(o Options) Parser { return &unbound{clock: newClock(o)} }

// Reset implements Parser.
func (p *unbound) Reset() { p.queries = false }

// Parse implements Parser.
func (p *unbound) Parse(line []byte, r *Record) Result {
	at := bytes.Index(line, []byte("info: "))
	if at < 0 {
		return Ignored
	}
	r.clear(signatures.KindDNS)
	rest := line[at+len("info: "):]
	var words [5][]byte
	n := 0
	for n < len(words) {
		word, after, ok := token(rest)
		if !ok {
			break
		}
		rest = after
		if n == 0 && (string(word) == "query:" || string(word) == "reply:") {
			continue
		}
		words[n] = word
		n++
	}
	if r.Client, r.ClientPort = endpoint(words[0]); n < 4 || !r.Client.IsValid() || !dnsClass(words[3]) {
		return Ignored // one of the server's other messages
	}
	if n == 4 {
		p.queries = true
	} else if p.queries {
		return Ignored
	}
	r.Name = dropDot(words[1])
	r.Time = p.clock.leading(line)
	return r.finish()
}

func dnsClass(b []byte) bool {
	switch string(b) {
	case "IN", "CH", "HS", "ANY", "CLASS1":
		return true
	}
	return false
}
