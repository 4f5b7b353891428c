package format

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// field is one thing that a line with named values can say.
type field uint8

const (
	fieldTime field = iota
	fieldHost
	fieldTLSName
	fieldDNSName
	fieldURL
	fieldRequest
	fieldMethod
	fieldPath
	fieldClient
	fieldClientPort
	fieldServer
	fieldServerPort
	fieldUser
	fieldUp
	fieldDown
	fieldStatus
	fieldAction
	fieldProtocol
	fieldEvent // of no meaning outside the format that asks for it
	fieldState // likewise
	fields
)

// fieldNames are the words of the configuration; "" cannot be configured.
var fieldNames = [fields]string{
	"time", "host", "tls_name", "dns_name", "url", "request", "method", "path", "client", "client_port", "server", "server_port",
	"user", "bytes_up", "bytes_down", "status", "action", "protocol", "", "",
}

// Keys says under which names a log writes each field, best first: field ->
// names of columns or keys. The fields are:
//
//	time         when it happened
//	host         host name of the request, with or without a port
//	tls_name     server name of a TLS connection
//	dns_name     name that was looked up
//	url          absolute URL, or host:port of a CONNECT
//	request      request line: "GET /path HTTP/1.1"
//	method, path of the request
//	client, client_port, server, server_port   addresses; a port may be part of one
//	user         account that the log names
//	bytes_up, bytes_down
//	status       HTTP status; 407 is no use yet
//	action       what the gateway did; blocked requests are counted and not reported
//	protocol     tcp or udp
type Keys map[string][]string

// Validate names the fields that do not exist.
func (k Keys) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(k)) {
		if name == "" || !slices.Contains(fieldNames[:], name) {
			return fmt.Errorf("%s: no such field; known are %s", name, strings.TrimSpace(strings.Join(fieldNames[:], " ")))
		}
		if len(k[name]) == 0 || len(k[name]) > maxAlternatives || slices.Contains(k[name], "") {
			return fmt.Errorf("%s: name 1 to %d keys, none of them empty", name, maxAlternatives)
		}
	}
	return nil
}

// maxAlternatives bounds the names under which one field is looked for.
const maxAlternatives = 16

// place is where a value goes: its field, and how good its key is, 0 best.
type place struct {
	field field
	rank  uint8
}

// places turns keys into key -> place, in a fixed order. Keys of over replace
// those of k, field by field.
func (k Keys) places(over Keys) (names []string, where []place) {
	for f := range fields {
		list := k[fieldNames[f]]
		if replaced, ok := over[fieldNames[f]]; ok {
			list = replaced
		}
		if fieldNames[f] == "" {
			continue
		}
		for rank, name := range list {
			names, where = append(names, name), append(where, place{f, uint8(rank)})
		}
	}
	return names, where
}

// values are the fields of one line. An empty one was not there.
type values struct {
	text [fields][]byte
	rank [fields]uint8
}

// put sets a value, unless a better key gave one already.
func (v *values) put(p place, text []byte) {
	if none(text) || len(v.text[p.field]) > 0 && v.rank[p.field] <= p.rank {
		return
	}
	v.text[p.field], v.rank[p.field] = text, p.rank
}

// composer makes a record of fields.
type composer struct {
	clock  clock
	layout string // of time.Parse, "" for any known form
}

// compose fills r. A URL goes before a host, a host before a request line, and
// a TLS name counts where there is no request.
func (c *composer) compose(v *values, r *Record) Result {
	r.clear(signatures.KindHTTP)
	if t := v.text[fieldTime]; len(t) > 0 {
		var ok bool
		if r.Time, ok = c.time(t); !ok {
			return BadTime
		}
	}
	if string(v.text[fieldStatus]) == "407" { // Proxy Authentication Required: the request comes again
		return Ignored
	}
	if refused(v.text[fieldAction]) {
		return Denied
	}
	r.Client, r.ClientPort = endpoint(v.text[fieldClient])
	if p := port(v.text[fieldClientPort]); p != 0 {
		r.ClientPort = p
	}
	r.Server, r.ServerPort = endpoint(v.text[fieldServer])
	if p := port(v.text[fieldServerPort]); p != 0 {
		r.ServerPort = p
	}
	r.User = v.text[fieldUser]
	r.Up, r.Down = count(v.text[fieldUp]), count(v.text[fieldDown])
	r.Method = v.text[fieldMethod]
	switch p := v.text[fieldProtocol]; {
	case equalFold(p, "udp") || string(p) == "17":
		r.Protocol = "udp"
	case equalFold(p, "tcp") || string(p) == "6":
		r.Protocol = "tcp"
	}
	c.name(v, r)
	return r.finish()
}

// name fills in name, kind and path.
func (c *composer) name(v *values, r *Record) {
	if q := v.text[fieldDNSName]; len(q) > 0 {
		r.Kind, r.Name = signatures.KindDNS, dropDot(q)
		return
	}
	if request := v.text[fieldRequest]; len(request) > 0 {
		c.request(request, r)
	}
	if u := v.text[fieldURL]; len(u) > 0 {
		r.target(split(u))
	}
	if p := v.text[fieldPath]; len(p) > 0 {
		l := split(p)
		if len(l.scheme) == 0 {
			l.host, l.path = nil, withoutQuery(p)
		}
		r.target(l)
	}
	if h := v.text[fieldHost]; len(h) > 0 && (len(r.Name) == 0 || len(v.text[fieldURL]) == 0) {
		host, p := hostPort(h)
		r.Name = host
		if r.ServerPort == 0 {
			r.ServerPort = p
		}
	}
	if sni := v.text[fieldTLSName]; len(sni) > 0 && len(r.Name) == 0 && len(r.Path) == 0 {
		r.Kind, r.Name = signatures.KindTLS, sni
		if r.Protocol == "" {
			r.Protocol = "tcp"
		}
	}
}

// request reads a request line (RFC 9112, section 3).
func (c *composer) request(b []byte, r *Record) {
	method, rest, ok := token(b)
	if !ok {
		return
	}
	target, _, ok := token(rest)
	if !ok {
		return
	}
	r.Method = method
	r.target(split(target))
}

// target adds what a URL says.
func (r *Record) target(l location) {
	if len(l.host) > 0 {
		r.Name = l.host
		if r.ServerPort == 0 {
			r.ServerPort = l.port
		}
	}
	if len(l.path) > 0 {
		r.Path = l.path
	}
}

func (c *composer) time(b []byte) (nanos int64, ok bool) {
	if c.layout == "" {
		return c.clock.any(b)
	}
	t, err := time.ParseInLocation(c.layout, string(bytes.TrimSpace(b)), c.clock.zone)
	if err != nil || t.Year() < 1970 || t.Year() > 2199 {
		return 0, false
	}
	return t.UnixNano(), true
}
