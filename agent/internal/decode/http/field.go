package http

import (
	"bytes"
	"math"
)

// Name is a field of which a Request keeps something; every other one is
// Other, and neither its name nor its value is kept anywhere.
type Name uint8

// The fields. Those of HTTP/2 that begin with a colon (RFC 9113, section 8.3)
// cannot occur in HTTP/1, where a line that begins with a colon is no field.
const (
	Other Name = iota
	PseudoMethod
	PseudoScheme
	PseudoAuthority
	PseudoPath
	PseudoStatus
	Host
	ContentLength
	ContentType
	TransferEncoding
	Upgrade
	Accept
	UserAgent
	FetchMode        // sec-fetch-mode, which browsers alone send (https://www.w3.org/TR/fetch-metadata/)
	MCPSession       // https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#session-management
	MCPVersion       // https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#protocol-version-header
	MCPMethod        // https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
	AnthropicVersion // https://platform.claude.com/docs/en/api/versioning
	StainlessLang    // x-stainless-lang, of clients that https://www.stainless.com generates
)

// NameOf returns the field that name, in any case, is the name of.
func NameOf(name []byte) Name {
	is := func(text string, field Name) Name {
		if foldEqual(name, text) {
			return field
		}
		return Other
	}
	switch len(name) {
	case 4:
		return is("host", Host)
	case 5:
		return is(":path", PseudoPath)
	case 6:
		return is("accept", Accept)
	case 7:
		switch name[len(name)-1] {
		case 'd':
			return is(":method", PseudoMethod)
		case 's':
			return is(":status", PseudoStatus)
		case 'e':
			if name[0] == ':' {
				return is(":scheme", PseudoScheme)
			}
		}
		return is("upgrade", Upgrade)
	case 10:
		switch name[0] | 0x20 {
		case ':':
			return is(":authority", PseudoAuthority)
		case 'm':
			return is("mcp-method", MCPMethod)
		}
		return is("user-agent", UserAgent)
	case 12:
		return is("content-type", ContentType)
	case 14:
		if name[0]|0x20 == 's' {
			return is("sec-fetch-mode", FetchMode)
		}
		if name[0]|0x20 == 'm' {
			return is("mcp-session-id", MCPSession)
		}
		return is("content-length", ContentLength)
	case 16:
		return is("x-stainless-lang", StainlessLang)
	case 17:
		if name[0]|0x20 == 'a' {
			return is("anthropic-version", AnthropicVersion)
		}
		return is("transfer-encoding", TransferEncoding)
	case 20:
		return is("mcp-protocol-version", MCPVersion)
	}
	return Other
}

// Set takes one field. The value of a secret (a session id) is not kept: that
// the field is there is.
func (r *Request) Set(name Name, value []byte) {
	switch name {
	case PseudoMethod:
		r.Method = value
	case PseudoAuthority:
		r.Authority = value
		if at := bytes.LastIndexByte(value, '@'); at >= 0 {
			r.Authority = value[at+1:]
		}
	case PseudoPath:
		r.Target = value
		r.splitPath(value)
	case Host:
		if r.hostCount == MaxHosts {
			r.More++
			return
		}
		r.hosts[r.hostCount] = value
		r.hostCount++
	case Upgrade:
		r.Upgrade = upgradeOf(value)
	case ContentLength:
		r.Body = number(value)
	case TransferEncoding:
		r.Chunked = r.Chunked || containsFold(value, "chunked")
	default:
		r.mark(name, value)
	}
}

// UpgradeKind is what a client offers to go over to (RFC 9110, section 7.8).
type UpgradeKind uint8

// The kinds of upgrade.
const (
	NoUpgrade UpgradeKind = iota
	ToWebSocket
	ToOther // HTTP/2 in the clear, TLS …
)

func upgradeOf(value []byte) UpgradeKind {
	if containsFold(value, "websocket") {
		return ToWebSocket
	}
	return ToOther
}

// splitPath takes what of a target is path and query, a fragment removed.
func (r *Request) splitPath(t []byte) {
	if i := bytes.IndexByte(t, '#'); i >= 0 {
		t = t[:i]
	}
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		t, r.query = t[:i], t[i+1:]
	}
	if len(t) > 0 && t[0] == '/' {
		r.Path = t
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

func hasPrefixFold(b []byte, lower string) bool {
	return len(b) >= len(lower) && foldEqual(b[:len(lower)], lower)
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
