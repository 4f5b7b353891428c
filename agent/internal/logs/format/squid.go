package format

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/signatures"
)

// squid reads Squid's native access.log
// (https://wiki.squid-cache.org/Features/LogFormat,
// https://www.squid-cache.org/Doc/config/logformat/):
//
//	time elapsed client code/status bytes method URL user hierarchy/peer type
type squid struct{ clock clock }

func newSquid(o Options) Parser { return &squid{newClock(o)} }

// Reset implements Parser.
func (p *squid) Reset() {}

// Parse implements Parser.
func (p *squid) Parse(line []byte, r *Record) Result {
	var words [9][]byte
	rest := line
	for i := range words {
		var ok bool
		if words[i], rest, ok = token(rest); !ok {
			if i == 0 {
				return Ignored
			}
			return TooShort
		}
	}
	r.clear(signatures.KindHTTP)
	var ok bool
	if r.Time, ok = epoch(words[0]); !ok {
		return BadTime
	}
	code, status, ok := bytes.Cut(words[3], []byte{'/'})
	if !ok {
		return Malformed
	}
	if result := squidCode(code, status); result != Use {
		return result
	}
	r.Client, _ = endpoint(words[2])
	r.Down = count(words[4])
	r.Method = words[5]
	if bytes.HasPrefix(words[6], []byte("error:")) {
		return Ignored
	}
	r.target(split(words[6]))
	if !none(words[7]) {
		r.User = words[7]
	}
	if _, peer, ok := bytes.Cut(words[8], []byte{'/'}); ok {
		r.Server = address(peer)
	}
	r.Protocol = "tcp"
	return r.finish()
}

// squidCode tells requests that went nowhere from those that went through
// (https://wiki.squid-cache.org/SquidFaq/SquidLogs#squid-result-codes). 407
// asks for credentials: the request comes again with them.
func squidCode(code, status []byte) Result {
	switch {
	case string(status) == "407":
		return Ignored
	case bytes.HasPrefix(code, []byte("TCP_DENIED")), bytes.HasPrefix(code, []byte("UDP_DENIED")):
		return Denied
	}
	return Use
}
