package network

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"

	"github.com/gnomon-ai/gnomon/signatures"
)

// preface is what was read before a ClientHello.
type preface struct {
	behind string         // the protocol that led to it
	target string         // who a proxy was asked to connect to, with the port
	client netip.AddrPort // who a proxy says that it speaks for
}

// verdict says what the start of a stream is to a wrapper.
type verdict uint8

const (
	wrapNot   verdict = iota // it is not this protocol
	wrapMore                 // it may be: come back with n bytes
	wrapAgain                // n bytes belong to it, and it goes on
	wrapOver                 // n bytes belong to it, and what follows them is another protocol
)

// wrapper is a protocol that a client speaks before its ClientHello.
type wrapper struct {
	name string // value of the attribute tls.behind
	// read measures the message at the start of b. stage counts the messages
	// that were read before. What is to be known of it goes into p.
	read func(b []byte, stage int, p *preface) (n int, v verdict)
}

// wrappers lists them. The first that does not say wrapNot takes the stream.
// Behind what none of them knows, a hello is still searched for.
var wrappers = [...]wrapper{
	{"proxy_v1", readProxyLine},
	{"proxy_v2", readProxyHeader},
	{"socks5", readSOCKS5},
	{"socks4", readSOCKS4},
	{"postgresql", readPostgreSQL},
	{"mysql", readMySQL},
	{"tds", readTDS},
	{"rdp", readRDP},
	{"ldap", readLDAP},
	{"xmpp", readXMPP},
	{"smtp", readSMTP},
	{"ftp", readFTP},
	{"pop3", readPOP3},
	{"imap", readIMAP},
}

// longestMessage bounds one message of a wrapper.
const longestMessage = 4096

// unwrap reads the wrapper at the start of b. It reports false where there is
// none.
func (e *engine) unwrap(f *flow, from int, b []byte, final bool) (n int, ok bool) {
	h := f.half[from]
	p := &e.preface
	*p = preface{}
	if f.preface != nil {
		*p = *f.preface
	}
	first, last := 0, len(wrappers)
	if h.mode == modeWrapped {
		first, last = int(h.wrapper), int(h.wrapper)+1
	}
	for i := first; i < last; i++ {
		n, v := wrappers[i].read(b, int(h.stage), p)
		switch {
		case v == wrapNot, n > longestMessage:
			continue
		case v == wrapMore:
			if final {
				continue
			}
			h.need = n
			return 0, true
		}
		// No further than a hello that starts within n: what follows is read later.
		if at := findHello(b[1:min(len(b), n+helloStart)]); at >= 0 && 1+at < n {
			continue // a length that is not true
		}
		p.behind = wrappers[i].name
		e.wrapped(f, *p)
		if h.seek(n) {
			e.giveUp(f, from)
			return n, true
		}
		h.wrapper, h.stage, h.mode = uint8(i), min(h.stage, math.MaxUint8-1)+1, modeWrapped
		if v == wrapOver {
			h.stage, h.mode = 0, modeStart
		}
		return n, true
	}
	return 0, false
}

// wrapped takes down what a wrapper said. A name that a proxy was asked for is
// a name that somebody asked for.
func (e *engine) wrapped(f *flow, p preface) {
	before := f.preface
	f.preface = &p
	if p.target == "" || before != nil && before.target == p.target {
		return
	}
	e.tally[proxyTargets]++
	host := withoutPort([]byte(p.target))
	_, err := netip.ParseAddr(string(bytes.Trim(host, "[]")))
	if _, usual := hostName(host); err == nil || !usual {
		return // an address, or junk: it is told with what follows
	}
	o := e.observation(f, signatures.KindFlow, host, signatures.EvidenceProxyTarget)
	o.Attributes = map[string]string{"proxy.target": escape([]byte(p.target)), "proxy.protocol": p.behind}
	f.named = true
	e.emit(&o)
}

// describePreface adds what is known of the preface of a hello; requests says
// that an HTTP request came before it.
func (f *flow) describePreface(m map[string]string, requests bool) bool {
	switch p := f.preface; {
	case p != nil:
		m["tls.behind"] = p.behind
		if p.target != "" {
			m["proxy.target"] = escape([]byte(p.target))
		}
		if p.client.IsValid() {
			m["proxy.client"] = p.client.String()
		}
	case requests:
		m["tls.behind"] = "http"
	default:
		return false
	}
	return true
}

// readProxyLine reads version 1 of the PROXY protocol
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.1).
func readProxyLine(b []byte, _ int, p *preface) (int, verdict) {
	const longest = 107
	if v := startsWith(b, "PROXY "); v != wrapAgain {
		return len(b) + 1, v
	}
	line := b[:min(len(b), longest)]
	end := bytes.IndexByte(line, '\n')
	switch {
	case end < 0 && len(line) < longest:
		return len(b) + 1, wrapMore
	case end < 0:
		return 0, wrapNot
	}
	if fields := bytes.Fields(line[:end]); len(fields) == 6 {
		p.client = addrPort(string(fields[2]), string(fields[4]))
	}
	return end + 1, wrapOver
}

func addrPort(address, port string) netip.AddrPort {
	a, err := netip.ParseAddr(address)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if err != nil || err2 != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(n))
}

const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// readProxyHeader reads version 2 of it (section 2.2).
func readProxyHeader(b []byte, _ int, p *preface) (int, verdict) {
	const (
		fixed  = 16
		proxy  = 0x21 // version 2, on behalf of another
		inet   = 1
		inet6  = 2
		local4 = 12
		local6 = 36
	)
	if v := startsWith(b, proxySignature); v != wrapAgain {
		return len(b) + 1, v
	}
	if len(b) < fixed {
		return fixed, wrapMore
	}
	n := fixed + int(binary.BigEndian.Uint16(b[14:]))
	if n > longestMessage {
		return 0, wrapNot
	}
	if len(b) < n {
		return n, wrapMore
	}
	addresses := b[fixed:n]
	switch {
	case b[12] != proxy:
	case b[13]>>4 == inet && len(addresses) >= local4:
		p.client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(addresses)), binary.BigEndian.Uint16(addresses[8:]))
	case b[13]>>4 == inet6 && len(addresses) >= local6:
		p.client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(addresses)).Unmap(), binary.BigEndian.Uint16(addresses[32:]))
	}
	return n, wrapOver
}

// startsWith compares as far as b goes: wrapAgain where all is there.
func startsWith(b []byte, prefix string) verdict {
	n := min(len(b), len(prefix))
	switch {
	case string(b[:n]) != prefix[:n]:
		return wrapNot
	case n < len(prefix):
		return wrapMore
	}
	return wrapAgain
}

// oidStartTLS is 1.3.6.1.4.1.1466.20037 (RFC 4511, section 4.14).
const oidStartTLS = "1.3.6.1.4.1.1466.20037"

// readLDAP reads LDAP messages up to a StartTLS request (RFC 4511).
func readLDAP(b []byte, _ int, _ *preface) (int, verdict) {
	const extended = 0x77
	if b[0] != 0x30 {
		return 0, wrapNot
	}
	if len(b) < 6 {
		return 6, wrapMore
	}
	head, body := 2, int(b[1])
	if size := body & 0x7f; body >= 0x80 {
		if size == 0 || size > 4 {
			return 0, wrapNot
		}
		body = 0
		for _, c := range b[2:min(2+size, len(b))] {
			body = body<<8 | int(c)
		}
		head += size
	}
	if body > longestMessage || body < 5 || len(b) > head && b[head] != asn1.TagInteger {
		return 0, wrapNot
	}
	n := head + body
	if len(b) < n {
		return n, wrapMore
	}
	if at := head + 2 + int(b[head+1]); at < n && b[at] == extended && bytes.Contains(b[at:n], []byte(oidStartTLS)) {
		return n, wrapOver
	}
	return n, wrapAgain
}
