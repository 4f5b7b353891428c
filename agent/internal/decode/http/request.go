// Package http reads the requests of an HTTP/1 stream as far as they say where
// they go: method, target and host (RFC 9112, RFC 9110).
//
// It is pure: no I/O, no goroutine, no log, and no allocation; what it returns
// are parts of the input. It imports nothing of ours. It reads no response, no
// body and no field but those that name the host or delimit the body, and it
// is more lenient than a server may be: it wants to know whom a client asked,
// not whether it asked well.
package http

import (
	"bytes"
	"math"
)

// MaxHeader bounds a request line with its fields; MaxHosts bounds the Host
// fields of one request.
const (
	MaxHeader = 64 << 10
	MaxHosts  = 4
	maxMethod = 24
)

// Request is one request. Its slices are parts of the input.
type Request struct {
	Method    []byte
	Target    []byte // as sent
	Authority []byte // of an absolute-form or authority-form target, else nil
	Path      []byte // of the target, query removed; nil for authority-form and "*"
	Upgrade   bool   // the client offers to leave HTTP/1
	Body      uint64 // length that follows the header; ToTheEnd where nothing delimits it
	Chunked   bool
	hosts     [MaxHosts][]byte
	hostCount int
	More      int // Host fields beyond MaxHosts
}

// ToTheEnd stands for a body without a known end.
const ToTheEnd = math.MaxUint64

// Hosts returns the Host fields, blanks around them removed.
func (r *Request) Hosts() [][]byte { return r.hosts[:r.hostCount] }

// StartsLikeRequest reports whether b, as far as it goes, can be the start of
// a request: a method, a blank, and a target that starts like one.
func StartsLikeRequest(b []byte) bool {
	n := 0
	for n < len(b) && n <= maxMethod && methodByte(b[n]) {
		n++
	}
	if n == len(b) {
		return n > 0 && n <= maxMethod
	}
	if n < 2 || n > maxMethod || b[n] != ' ' && b[n] != '\t' {
		return false
	}
	target := bytes.TrimLeft(b[n:], " \t")
	if len(target) == 0 {
		return true
	}
	return plausibleTarget(b[:n], target)
}

// plausibleTarget keeps text protocols (SMTP, IRC …) apart, whose commands
// look like a method: a target is a path, a URL, "*" or, of a method that is
// well known, anything.
func plausibleTarget(method, target []byte) bool {
	switch target[0] {
	case '/', '*', '?':
		return true
	}
	if known(method) {
		return true
	}
	line := target
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	} else {
		return bytes.HasPrefix(target, []byte("http"))
	}
	return bytes.Contains(line, []byte(" HTTP/"))
}

func known(method []byte) bool {
	switch string(method) {
	case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PROPFIND":
		return true
	}
	return false
}

// methodByte is the upper and lower case letters, digits, "-" and "_"; a token
// may hold more (RFC 9110, section 5.6.2), but no method in use does.
func methodByte(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// HeaderEnd returns the length of the header at the start of b, its empty line
// included, or 0 where it does not end in b. It need look only from the byte
// from on, which the last call with a shorter b has covered.
func HeaderEnd(b []byte, from int) int {
	for at := max(from-3, 0); ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		switch {
		case at < len(b) && b[at] == '\n':
			return at + 1
		case at+1 < len(b) && b[at] == '\r' && b[at+1] == '\n':
			return at + 2
		}
	}
}

// Parse reads a header as HeaderEnd delimits it, or as far as it goes. ok is
// false where it is no request.
func Parse(header []byte, r *Request) (ok bool) {
	*r = Request{}
	line, rest := cutLine(header)
	if !r.requestLine(line) {
		return false
	}
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') && foldable(line) {
			// An obsolete folded line (RFC 9112, section 5.2) is a part of the value.
			next, after := cutLine(rest)
			line = header[offset(header, line) : offset(header, next)+len(next)]
			rest = after
		}
		r.field(line)
	}
	return true
}

func foldable(line []byte) bool { return bytes.IndexByte(line, ':') >= 0 }

// offset returns where part, a slice of whole, starts in it.
func offset(whole, part []byte) int { return cap(whole) - cap(part) }

// cutLine returns a line without its end, and what follows.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	line, rest = b[:i], b[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

func (r *Request) requestLine(line []byte) bool {
	n := 0
	for n < len(line) && n <= maxMethod && methodByte(line[n]) {
		n++
	}
	if n < 2 || n > maxMethod || n == len(line) {
		return false
	}
	r.Method = line[:n]
	target := bytes.TrimLeft(line[n:], " \t")
	if i := bytes.LastIndex(target, []byte(" HTTP/")); i >= 0 {
		target = target[:i]
	}
	r.Target = bytes.TrimRight(target, " \t")
	r.splitTarget()
	return len(r.Target) > 0
}

// splitTarget takes the target apart (RFC 9112, section 3.2).
func (r *Request) splitTarget() {
	t := r.Target
	if string(r.Method) == "CONNECT" {
		r.Authority = t
		return
	}
	if i := bytes.Index(t, []byte("://")); i > 0 && i <= 8 && t[0] != '/' {
		t = t[i+3:]
		end := bytes.IndexAny(t, "/?#")
		if end < 0 {
			end = len(t)
		}
		r.Authority, t = t[:end], t[end:]
		if at := bytes.LastIndexByte(r.Authority, '@'); at >= 0 {
			r.Authority = r.Authority[at+1:]
		}
	}
	if i := bytes.IndexAny(t, "?#"); i >= 0 {
		t = t[:i]
	}
	if len(t) > 0 && t[0] == '/' {
		r.Path = t
	}
}

// field takes one field line.
func (r *Request) field(line []byte) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return
	}
	name, value := bytes.TrimRight(line[:colon], " \t"), bytes.Trim(line[colon+1:], " \t\r\n")
	switch len(name) {
	case len("host"):
		if !foldEqual(name, "host") {
			return
		}
		if r.hostCount == MaxHosts {
			r.More++
			return
		}
		r.hosts[r.hostCount] = value
		r.hostCount++
	case len("upgrade"):
		r.Upgrade = r.Upgrade || foldEqual(name, "upgrade")
	case len("content-length"):
		if foldEqual(name, "content-length") {
			r.Body = number(value)
		}
	case len("transfer-encoding"):
		if foldEqual(name, "transfer-encoding") && containsFold(value, "chunked") {
			r.Chunked = true
		}
	}
}

func foldEqual(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func containsFold(b []byte, lower string) bool {
	for i := 0; i+len(lower) <= len(b); i++ {
		if foldEqual(b[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

// number reads decimal digits; more than fit stand for ToTheEnd.
func number(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		if n > (math.MaxUint64-9)/10 {
			return ToTheEnd
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}
