package network

import (
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

const applicationData = 23 // record content type

// echOuter is the name that Cloudflare puts into the outer ClientHello of every
// site behind it
// (https://developers.cloudflare.com/ssl/edge-certificates/ech/): where an
// encrypted ClientHello goes with it, the site is not known.
const echOuter = "cloudflare-ech.com"

// tlsRecord reads one record, or the several that a ClientHello is spread
// over.
func (e *engine) tlsRecord(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
	r := tls.Next(b, e.scratch, final)
	switch r.Status {
	case tls.NeedMore:
		h.need = r.Need
		return 0
	case tls.Hello:
		if e.hello(f, from, r.Body, r.Partial, overStream) {
			h.hellos++
			if h.hellos == maxTLSHellos {
				e.giveUp(f, from)
			}
			return r.Consumed
		}
	case tls.Other:
		if h.hellos > 0 {
			if h.records++; h.records > maxTLSRecords || b[0] == applicationData {
				e.giveUp(f, from)
			}
			return r.Consumed
		}
	case tls.Oversized:
		e.tally[directionsOverfull]++
		e.tally[tlsHellosLost]++
		e.giveUp(f, from)
		return len(b)
	}
	if h.hellos > 0 {
		e.giveUp(f, from)
		return len(b)
	}
	h.mode = modeSearch
	return 1
}

// hello takes a ClientHello that the end from sent. It reports false where
// the bytes are none.
func (e *engine) hello(f *flow, from int, body []byte, partial bool, over transport) bool {
	var hello tls.ClientHello
	if !tls.Parse(body, over == overDatagrams, !partial, &hello) {
		return false
	}
	e.tally[tlsHellos]++
	f.hello = true
	if int(f.client) != from {
		e.opener(f, from)
	}
	if hello.Partial {
		e.tally[tlsHellosPartial]++
		if hello.ServerName == nil {
			e.tally[tlsHellosLost]++
		}
	}
	if hello.ECH {
		e.tally[tlsECH]++
	}
	if hello.ESNI {
		e.tally[tlsESNI]++
	}
	if hello.ServerName == nil {
		e.tally[tlsHellosNameless]++
		e.report(f)
		return true
	}
	kind, evidence := over.kind()
	o := e.observation(f, kind, hello.ServerName, evidence)
	o.Attributes = helloAttributes(&hello, over == overDatagrams)
	if over == overQUIC {
		o.Attributes["quic.version"] = quic.VersionName(f.quic.version)
	}
	if hello.ECH && o.Name == echOuter {
		e.tally[tlsECHOuter]++
		o.Attributes["tls.ech"] = "outer"
		e.report(f)
	} else {
		f.named = true
	}
	e.emit(&o)
	return true
}

// helloAttributes puts into words what else a hello says.
func helloAttributes(h *tls.ClientHello, datagram bool) map[string]string {
	m := map[string]string{"tls.version": versionName(h.Version)}
	if h.HasALPN() {
		var list []string
		for protocol := range h.ALPN() {
			if len(list) == 8 {
				break
			}
			if !greased(protocol) {
				list = append(list, escape(protocol))
			}
		}
		m["tls.alpn"] = strings.Join(list, ",")
	}
	if h.ECH {
		m["tls.ech"] = "offered"
	}
	if h.ESNI {
		m["tls.esni"] = "offered"
	}
	if datagram {
		m["tls.transport"] = "dtls"
	}
	return m
}

// greased reports whether an ALPN name is one that RFC 8701 reserves.
func greased(protocol []byte) bool {
	return len(protocol) == 2 && protocol[0] == protocol[1] && protocol[0]&15 == 10
}

func versionName(v uint16) string {
	switch v {
	case 0x0300:
		return "ssl3.0"
	case 0x0301:
		return "1.0"
	case 0x0302:
		return "1.1"
	case 0x0303:
		return "1.2"
	case 0x0304:
		return "1.3"
	case 0xfeff:
		return "dtls1.0"
	case 0xfefd:
		return "dtls1.2"
	case 0xfefc:
		return "dtls1.3"
	}
	return "other"
}

// dtls takes a UDP datagram that looks like DTLS.
func (e *engine) dtls(p *link.Packet) {
	key, from := keyOf(p)
	f := e.datagramFlow(key, from)
	for rest := p.Payload; len(rest) > 0 && !f.ignored[from]; {
		var piece tls.Fragment
		var ok bool
		if rest, ok = tls.NextFragment(rest, &piece); !ok {
			break
		}
		if piece.Whole() {
			e.hello(f, from, piece.Data, false, overDatagrams)
			continue
		}
		e.datagramPiece(f, from, &piece, p.Missing > 0)
	}
	e.account(f)
	e.current = nil
}

// datagramPiece puts a ClientHello together that is spread over datagrams.
func (e *engine) datagramPiece(f *flow, from int, piece *tls.Fragment, cut bool) {
	if f.datagram == nil || f.message != piece.Message {
		f.datagram, f.message = new(tls.Assembly), piece.Message
	}
	if !f.datagram.Add(piece.Offset, piece.Data) {
		e.tally[tlsHellosLost]++
		e.giveUp(f, from)
		f.datagram = nil
		return
	}
	body := f.datagram.Prefix()
	if len(body) < piece.Length && !cut {
		return
	}
	e.hello(f, from, body, len(body) < piece.Length, overDatagrams)
	f.datagram = nil
}

// datagramFlow returns the flow of a UDP datagram whose sender opened it as
// far as is known.
func (e *engine) datagramFlow(key flowKey, from int) *flow {
	f := e.table.find(&key)
	if f == nil {
		f = e.open(key, false)
		e.opener(f, from)
	}
	e.current = f
	e.table.touch(f, e.now)
	return f
}
