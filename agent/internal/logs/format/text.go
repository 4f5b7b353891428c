package format

import (
	"bytes"
	"net/netip"
)

// token cuts the text before the next space; ok is false where nothing is left.
// Several spaces are one.
func token(b []byte) (word, rest []byte, ok bool) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	if len(b) == 0 {
		return nil, nil, false
	}
	for i, c := range b {
		if c == ' ' || c == '\t' {
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, true
}

// quoted cuts a text in double quotes, in which a backslash takes the next
// character as it is. The text is returned as written.
func quoted(b []byte) (text, rest []byte, ok bool) {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	if len(b) == 0 || b[0] != '"' {
		return nil, b, false
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:], true
		}
	}
	return nil, b, false
}

// number reads decimal digits; ok is false for anything else and beyond 64 bits.
func number(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// count reads a number of bytes; what is none counts as 0.
func count(b []byte) uint64 {
	n, _ := number(b)
	return n
}

// port reads a port; what is none is 0.
func port(b []byte) uint16 {
	n, ok := number(b)
	if !ok || n > 65535 {
		return 0
	}
	return uint16(n)
}

// address reads an IP address; what is none is the zero address. A zone is
// left out.
func address(b []byte) netip.Addr {
	if a, ok := address4(b); ok {
		return a
	}
	if i := bytes.IndexByte(b, '%'); i >= 0 {
		b = b[:i]
	}
	if len(b) < 2 || len(b) > 45 || bytes.IndexByte(b, ':') < 0 {
		return netip.Addr{}
	}
	return address6(b)
}

func address4(b []byte) (netip.Addr, bool) {
	var a [4]byte
	if len(b) < 7 || len(b) > 15 {
		return netip.Addr{}, false
	}
	part, value, digits := 0, 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			value = value*10 + int(c-'0')
			if digits++; digits > 3 || value > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && part < 3:
			a[part] = byte(value)
			part, value, digits = part+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if part != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	a[3] = byte(value)
	return netip.AddrFrom4(a), true
}

// address6 reads the text form of RFC 4291, section 2.2.
func address6(b []byte) netip.Addr {
	var a [16]byte
	at, gap := 0, -1
	for len(b) > 0 {
		if b[0] == ':' {
			if len(b) < 2 || b[1] != ':' || gap >= 0 {
				return netip.Addr{}
			}
			gap = at
			b = b[2:]
			continue
		}
		end := bytes.IndexByte(b, ':')
		if end < 0 {
			end = len(b)
		}
		if end == len(b) && bytes.IndexByte(b, '.') > 0 && at <= 12 {
			four, ok := address4(b)
			if !ok {
				return netip.Addr{}
			}
			v := four.As4()
			copy(a[at:], v[:])
			at += 4
			break
		}
		value, ok := hex16(b[:end])
		if !ok || at > 14 {
			return netip.Addr{}
		}
		a[at], a[at+1] = byte(value>>8), byte(value)
		at += 2
		if end == len(b) {
			break
		}
		if end+1 == len(b) { // one colon at the end
			return netip.Addr{}
		}
		if b[end+1] == ':' {
			b = b[end:]
		} else {
			b = b[end+1:]
		}
	}
	if gap < 0 && at != 16 || gap >= 0 && at > 14 {
		return netip.Addr{}
	}
	if gap >= 0 {
		moved := at - gap
		copy(a[16-moved:], a[gap:at])
		clear(a[gap : 16-moved])
	}
	return netip.AddrFrom16(a).Unmap()
}

func hex16(b []byte) (v uint16, ok bool) {
	if len(b) == 0 || len(b) > 4 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint16(c)
	}
	return v, true
}

// endpoint reads an address with or without a port: 192.0.2.1, 192.0.2.1:443,
// 2001:db8::1, [2001:db8::1], [2001:db8::1]:443. Of a list in a forwarded
// header, its first.
func endpoint(b []byte) (netip.Addr, uint16) {
	if i := bytes.IndexByte(b, ','); i >= 0 {
		b = b[:i]
	}
	b = bytes.TrimSpace(b)
	if a := address(b); a.IsValid() {
		return a, 0
	}
	host, p := hostPort(b)
	return address(host), p
}

// hostPort cuts the port from an authority (RFC 3986, section 3.2). The
// brackets of an IPv6 address go; port is 0 where there is none.
func hostPort(b []byte) (host []byte, p uint16) {
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return nil, 0
		}
		if end+2 <= len(b) && b[end+1] == ':' {
			p = port(b[end+2:])
		}
		return b[1:end], p
	}
	colon := bytes.LastIndexByte(b, ':')
	if colon < 0 || bytes.IndexByte(b, ':') != colon { // several: an IPv6 address without brackets
		return b, 0
	}
	return b[:colon], port(b[colon+1:])
}

// location is what may be known of a URL.
type location struct {
	scheme, host, path []byte
	port               uint16
}

// split takes apart an absolute URL, a request target or an authority: user
// and password, query and fragment are left out.
func split(b []byte) (l location) {
	if i := bytes.Index(b[:min(len(b), 16)], []byte("://")); i > 0 {
		l.scheme, b = b[:i], b[i+3:]
	} else if len(b) > 0 && b[0] == '/' {
		l.path = withoutQuery(b)
		return l
	}
	authority := b
	for i, c := range b {
		if c == '/' || c == '?' || c == '#' {
			authority, l.path = b[:i], withoutQuery(b[i:])
			break
		}
	}
	if at := bytes.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	l.host, l.port = hostPort(authority)
	switch {
	case l.port != 0:
	case string(l.scheme) == "https":
		l.port = 443
	case string(l.scheme) == "http":
		l.port = 80
	}
	return l
}

// withoutQuery cuts query and fragment off.
func withoutQuery(b []byte) []byte {
	for i, c := range b {
		if c == '?' || c == '#' {
			return b[:i]
		}
	}
	return b
}

// dropDot removes the final dot of a name, unless it is the root.
func dropDot(b []byte) []byte {
	if n := len(b); n > 1 && b[n-1] == '.' {
		return b[:n-1]
	}
	return b
}

// none holds for what logs write where a value is missing.
func none(b []byte) bool {
	switch string(b) {
	case "", "-", "(empty)", "None", "NA", "N/A", "null", "unknown":
		return true
	}
	return false
}

// refused holds for the words with which gateways say that they did not let a
// request through.
func refused(b []byte) bool {
	b = b[:min(len(b), 5)]
	for _, word := range []string{"block", "deny", "denie", "drop", "reset", "rejec"} {
		if len(b) >= len(word) && equalFold(b[:len(word)], word) {
			return true
		}
	}
	return false
}

// equalFold compares ASCII text without regard to case; want is in lower case.
func equalFold(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i := range len(want) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
