package format

import "bytes"

// syslog takes the envelope off: RFC 5424, and RFC 3164 as devices write it,
// each part of which may be missing. The envelope's time is the record's where
// the message tells none.
type syslog struct {
	inner Parser
	clock clock
}

// NewSyslog returns a parser of messages whose text inner reads.
func NewSyslog(inner Parser, o Options) Parser { return &syslog{inner, newClock(o)} }

// Reset implements Parser.
func (p *syslog) Reset() { p.inner.Reset() }

// Parse implements Parser.
func (p *syslog) Parse(line []byte, r *Record) Result {
	text, at, ok := p.open(line)
	if !ok {
		return Malformed
	}
	result := p.inner.Parse(text, r)
	if result == Use && r.Time == 0 {
		r.Time = at
	}
	return result
}

// open returns the message and the envelope's time, 0 for none.
func (p *syslog) open(b []byte) (text []byte, at int64, ok bool) {
	rest, found := priority(b)
	if found && len(rest) > 2 && rest[0] == '1' && rest[1] == ' ' {
		return p.open5424(rest[2:])
	}
	text, at = p.open3164(rest)
	return text, at, true
}

// priority reads <PRI>.
func priority(b []byte) (rest []byte, ok bool) {
	if len(b) < 3 || b[0] != '<' {
		return b, false
	}
	end := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if end < 2 {
		return b, false
	}
	if n, ok := number(b[1:end]); !ok || n > 191 {
		return b, false
	}
	return b[end+1:], true
}

// open5424 reads what follows the version (RFC 5424, section 6): time, host,
// program, process, message id, structured data, message.
func (p *syslog) open5424(b []byte) (text []byte, at int64, ok bool) {
	stamp, b, ok := token(b)
	if !ok {
		return nil, 0, false
	}
	if string(stamp) != "-" {
		if at, _, ok = p.clock.iso(stamp); !ok {
			return nil, 0, false
		}
	}
	for range 4 {
		if _, b, ok = token(b); !ok {
			return nil, 0, false
		}
	}
	if len(b) == 0 {
		return nil, 0, false
	}
	if b[0] == '-' {
		b = b[1:]
	} else {
		for len(b) > 0 && b[0] == '[' {
			end := elementEnd(b)
			if end < 0 {
				return nil, 0, false
			}
			b = b[end:]
		}
	}
	b = bytes.TrimPrefix(b, []byte{' '})
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), at, true
}

// elementEnd is the end of one element of structured data.
func elementEnd(b []byte) int {
	inside := false
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && inside:
			i++
		case b[i] == '"':
			inside = !inside
		case b[i] == ']' && !inside:
			return i + 1
		}
	}
	return -1
}

// maxTag bounds the program's name before a message, in bytes.
const maxTag = 64

// open3164 reads time, host and program, as far as they are there.
func (p *syslog) open3164(b []byte) (text []byte, at int64) {
	at, rest, ok := p.clock.named(b)
	if !ok {
		at, rest, ok = p.clock.iso(b)
	}
	if !ok {
		return withoutTag(b), 0
	}
	rest = bytes.TrimLeft(rest, " :")
	if tagEnd(rest) > 0 { // no host
		return withoutTag(rest), at
	}
	if _, after, ok := token(rest); ok && !bytes.ContainsAny(rest[:min(len(rest), 8)], "{|=") {
		return withoutTag(after), at
	}
	return rest, at
}

// tagEnd is where the message behind "program: " or "program[1]: " begins, 0
// where no program stands there.
func tagEnd(b []byte) int {
	for i, c := range b[:min(len(b), maxTag)] {
		switch {
		case c == ':':
			if i > 0 && i+1 < len(b) && b[i+1] == ' ' {
				return i + 2
			}
			return 0
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '/', c == '[', c == ']', c == '(', c == ')':
		default:
			return 0
		}
	}
	return 0
}

func withoutTag(b []byte) []byte {
	b = bytes.TrimLeft(b, " ")
	return b[tagEnd(b):]
}
