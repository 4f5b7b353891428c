package format

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/signatures"
)

// combined reads the log format that web servers and Squid call combined, also
// without its last two values (common) and with the host of the server in front
// (Apache's vhost_combined)
// (https://httpd.apache.org/docs/2.4/mod/mod_log_config.html,
// https://nginx.org/en/docs/http/ngx_http_log_module.html):
//
//	[host[:port]] client ident user [time] "request" status bytes "referrer" "program" [squid's code]
//
// Referrer and program are not read. A server's own log without the host names
// only paths.
type combined struct{ composer composer }

func newCombined(o Options) Parser { return &combined{composer{clock: newClock(o)}} }

// Reset implements Parser.
func (p *combined) Reset() {}

// Parse implements Parser.
func (p *combined) Parse(line []byte, r *Record) Result {
	if len(line) == 0 || line[0] == '#' {
		return Ignored
	}
	bracket := bytes.Index(line, []byte(" ["))
	if bracket < 0 {
		return Malformed
	}
	r.clear(signatures.KindHTTP)
	r.Protocol = "tcp"
	if !combinedHead(line[:bracket], r) {
		return Malformed
	}
	host, hostPort := r.Name, r.ServerPort
	line = line[bracket+2:]
	end := bytes.IndexByte(line, ']')
	if end < 0 {
		return Malformed
	}
	var ok bool
	if r.Time, _, ok = p.composer.clock.named(line[:end]); !ok {
		if r.Time, _, ok = p.composer.clock.iso(line[:end]); !ok {
			return BadTime
		}
	}
	request, rest, ok := quoted(line[end+1:])
	if !ok {
		return Malformed
	}
	p.composer.request(request, r)
	if len(r.Name) == 0 {
		r.Name, r.ServerPort = host, hostPort
	}
	status, rest, ok := token(rest)
	if !ok {
		return TooShort
	}
	if size, _, ok := token(rest); ok {
		r.Down = count(size)
	}
	if result := squidCode(lastWord(rest), status); result != Use {
		return result
	}
	return r.finish()
}

// combinedHead reads what stands before the time.
func combinedHead(head []byte, r *Record) bool {
	var words [4][]byte
	n := 0
	for n < len(words) {
		word, rest, ok := token(head)
		if !ok {
			break
		}
		words[n], head = word, rest
		n++
	}
	if n < 3 {
		return false
	}
	list := words[:n]
	if a, _ := endpoint(list[0]); !a.IsValid() && n == 4 {
		r.Name, r.ServerPort = hostPort(list[0])
		list = list[1:]
	}
	r.Client, r.ClientPort = endpoint(list[0])
	if !none(list[2]) {
		r.User = list[2]
	}
	return true
}

// lastWord is what stands behind the last space.
func lastWord(b []byte) []byte { return b[bytes.LastIndexByte(b, ' ')+1:] }
