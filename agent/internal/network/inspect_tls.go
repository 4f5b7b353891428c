package network

import (
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/quic"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
	"github.com/gnomon-ai/gnomon/signatures"
)

const applicationData = 23 // record content type

// transport is what a ClientHello came over.
type transport uint8

const (
	overStream    transport = iota // TLS over TCP
	overDatagrams                  // DTLS
	overQUIC
)

// kind returns the kind and evidence of an observation.
func (t transport) kind() (signatures.Kind, signatures.Evidence) {
	if t == overQUIC {
		return signatures.KindQUIC, signatures.EvidenceQUIC
	}
	return signatures.KindTLS, signatures.EvidenceTLS
}

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
		if h.hellos == 0 { // else it is an encrypted record that happens to start like one
			e.tally[directionsOverfull]++
			e.tally[tlsHellosLost]++
		}
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
	if hello.ESNI {
		e.tally[tlsESNI]++
		if hello.ServerName == nil {
			e.tally[tlsESNIHidden]++
		}
	}
	ech, basis := e.countECH(f, from, &hello)
	kind, evidence := over.kind()
	if ech == echOuter {
		evidence = signatures.EvidenceTLSOuter
	}
	attributes := e.helloAttributes(&hello, over)
	h := f.half[from]
	if f.describePreface(attributes, h != nil && h.requests > 0) {
		e.tally[tlsBehind]++
	}
	if f.quic != nil {
		attributes["quic.version"] = quic.VersionName(f.quic.version)
	}
	if hello.ServerName == nil {
		e.tally[tlsHellosNameless]++
		e.veil(f, e.veils.ofHello(f, &hello, "", over))
		attributes["tls.server_name"] = "none"
		e.reportAs(f, attributes)
		return true
	}
	o := e.observation(f, kind, hello.ServerName, evidence)
	o.Attributes = attributes
	if ech != "" {
		o.Attributes["tls.ech"] = ech
	}
	if basis != "" {
		o.Attributes["tls.ech_basis"] = basis
	}
	if reason := e.veil(f, e.veils.ofHello(f, &hello, o.Name, over)); reason != "" {
		o.Attributes[attributeBlind] = reason
	}
	if ech == echOuter {
		e.reportAs(f, map[string]string{"tls.ech": echOuter, "tls.outer_name": o.Name})
	} else {
		f.named = true
	}
	e.emit(&o)
	return true
}

// countECH says what the encrypted_client_hello extension of a hello is, ""
// where there is none.
func (e *engine) countECH(f *flow, from int, h *tls.ClientHello) (kind, basis string) {
	if !h.ECH.Present {
		return "", ""
	}
	e.tally[tlsECH]++
	kind, basis = e.echFound(f, from, h)
	switch kind {
	case echOuter:
		e.tally[tlsECHOuter]++
	case echGrease:
		e.tally[tlsECHGrease]++
	case echInner:
		e.tally[tlsECHInner]++
	}
	return kind, basis
}

// ja4Letters are the first letters of fingerprints over transport.
var ja4Letters = [...]byte{overStream: tls.JA4Stream, overDatagrams: tls.JA4Datagram, overQUIC: tls.JA4QUIC}

// helloAttributes puts into words what else a hello says.
func (e *engine) helloAttributes(h *tls.ClientHello, over transport) map[string]string {
	m := make(map[string]string, 4)
	m["tls.version"] = versionName(h.Version)
	if h.HasALPN() {
		m["tls.alpn"] = protocolNames(h)
	}
	if h.ESNI {
		m["tls.esni"] = echOffered
	}
	var room [40]byte
	if print := e.ja4.Append(room[:0], h, ja4Letters[over]); len(print) > 0 {
		m["tls.ja4"] = string(print)
	}
	if over == overDatagrams {
		m["tls.transport"] = "dtls"
	}
	return m
}

// protocolNames lists what a hello offers, with commas between.
func protocolNames(h *tls.ClientHello) string {
	const most = 8
	var room [most]string
	list := room[:0]
	for protocol := range h.ALPN() {
		if len(list) == most {
			break
		}
		if !greased(protocol) {
			list = append(list, escape(protocol))
		}
	}
	return strings.Join(list, ",")
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
	var key flowKey
	from := keyOf(p, &key)
	f := e.datagramFlow(key, from)
	e.count(f, from, len(p.Payload)+p.Missing)
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
	if f.message != piece.Message {
		e.loseDatagrams(f)
	}
	if f.datagram == nil {
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

// loseDatagrams counts a ClientHello whose other pieces did not come.
func (e *engine) loseDatagrams(f *flow) {
	if f.datagram != nil {
		e.tally[tlsHellosLost]++
		f.datagram = nil
	}
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

// rdpHeader bounds what comes before the record in a datagram of RDP.
const rdpHeader = 64

// rdp looks for a hello in a datagram of RDP over UDP ([MS-RDPEUDP],
// [MS-RDPEUDP2]), whose headers come before a record of TLS.
func (e *engine) rdp(p *link.Packet) {
	at := findHello(p.Payload[:min(len(p.Payload), rdpHeader+helloStart)])
	if at < 0 {
		e.more(p)
		return
	}
	var key flowKey
	from := keyOf(p, &key)
	f := e.datagramFlow(key, from)
	e.count(f, from, len(p.Payload)+p.Missing)
	if r := tls.Next(p.Payload[at:], e.scratch, true); r.Status == tls.Hello {
		e.hello(f, from, r.Body, r.Partial, overStream)
	}
	e.current = nil
}
