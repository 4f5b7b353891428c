// Package http reads the requests of an HTTP/1 stream as far as they say where
// they go: method, target and host (RFC 9112, RFC 9110), and as far as they say
// that a program speaks to an AI service: the fields of the Model Context
// Protocol and the names that client libraries give themselves.
//
// It is pure: no I/O, no goroutine, no log, and no allocation; what it returns
// are parts of the input. It imports nothing of ours. It reads no response, no
// body and no field but those of Name, and it is more lenient than a server may
// be: it wants to know whom a client asked, not whether it asked well.
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
	Versioned bool   // the request line ends with a version: without it, it is HTTP/0.9 (RFC 1945, section 3.1) or none at all
	Upgrade   UpgradeKind
	Body      uint64 // length that follows the header; ToTheEnd where nothing delimits it
	Chunked   bool
	hosts     [MaxHosts][]byte
	hostCount int
	More      int // Host fields beyond MaxHosts
	query     []byte
	marks     marks
}

// ToTheEnd stands for a body without a known end.
const ToTheEnd = math.MaxUint64

// Hosts returns the Host fields, blanks around them removed.
func (r *Request) Hosts() [][]byte { return r.hosts[:r.hostCount] }

// EmptyLines returns the length of the empty lines at the start of b, which may
// stand before a request (RFC 9112, section 2.2).
func EmptyLines(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}

// StartsLikeRequest reports whether b, as far as it goes, can be the start of
// a request: a method, a blank, and a target that starts like one. Empty lines
// may stand before it.
func StartsLikeRequest(b []byte) bool {
	b = b[EmptyLines(b):]
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

// methodByte reports whether c is a character of a token (RFC 9110, section
// 5.6.2), which a method is.
func methodByte(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' ||
		c != 0 && bytes.IndexByte([]byte("!#$%&'*+.^`|~"), c) >= 0
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
	target, r.Versioned = cutVersion(target)
	r.Target = bytes.TrimRight(target, " \t")
	r.splitTarget()
	return len(r.Target) > 0
}

// cutVersion takes the version, and what is behind it, from the end of a
// request line.
func cutVersion(target []byte) (rest []byte, versioned bool) {
	for i := len(target); i > 0; {
		if i = bytes.LastIndexByte(target[:i], '/'); i < 0 {
			break
		}
		if start := i - len("HTTP"); start > 0 && (target[start-1] == ' ' || target[start-1] == '\t') && foldEqual(target[start:i], "http") {
			return target[:start-1], true
		}
	}
	return target, false
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
	r.splitPath(t)
}

// field takes one field line. Blanks around its name, which a server must
// refuse (RFC 9112, section 5.1) and some do not, are no part of it.
func (r *Request) field(line []byte) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return
	}
	if name := NameOf(bytes.Trim(line[:colon], " \t")); name != Other {
		r.Set(name, bytes.Trim(line[colon+1:], " \t\r\n"))
	}
}
