package network

import (
	"bytes"
	"unicode/utf8"

	"github.com/gnomon-ai/gnomon/signatures"
)

const (
	maxName = 1024 // bytes of a name on the wire; a longer one is no host name anyway
	maxText = 2048 // bytes of a name, path or other text; what lies behind is left out
)

// hostName turns a name as it was on the wire into the form of an
// Observation. What is no host name (a byte that is no printable ASCII, say)
// is still a name that somebody sent: it is kept in lower case, escaped, and
// usual is false.
func hostName(raw []byte) (name string, usual bool) {
	if host, ok := signatures.NormalizeHost(string(raw[:min(len(raw), maxName)])); ok && printable(host) {
		return lower(host), true
	}
	return lower(escape(raw)), false
}

func printable(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// lower also removes one final dot.
func lower(name string) string {
	if n := len(name); n > 1 && name[n-1] == '.' {
		name = name[:n-1]
	}
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			b := []byte(name)
			for j, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return name
}

// escape makes text of bytes from the wire, in the form of dns.Name.
func escape(raw []byte) string {
	raw = raw[:min(len(raw), maxText)]
	plain := true
	for _, c := range raw {
		plain = plain && c >= ' ' && c < 0x7f
	}
	if plain {
		return string(raw)
	}
	var out []byte
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		switch {
		case r < ' ' || r == 0x7f:
			out = append(out, '\\', '0'+byte(r>>6), '0'+byte(r>>3&7), '0'+byte(r&7))
		default:
			out = utf8.AppendRune(out, r)
		}
		raw = raw[n:]
	}
	return string(out)
}

// withoutPort removes the port from an authority (RFC 3986, section 3.2); the
// brackets of an IPv6 address stay.
func withoutPort(authority []byte) []byte {
	colon := bytes.LastIndexByte(authority, ':')
	if colon < 0 || colon < bytes.LastIndexByte(authority, ']') {
		return authority
	}
	for _, c := range authority[colon+1:] {
		if c < '0' || c > '9' {
			return authority
		}
	}
	return authority[:colon]
}
