package network

import (
	"bytes"
	"encoding/base64"
	"math"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/http"
	"github.com/gnomon-ai/gnomon/signatures"
)

// httpRequest reads the header of one request.
func (e *engine) httpRequest(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
	if n := http.EmptyLines(b); n > 0 {
		return n
	}
	if isPreface(b) {
		return e.http2Start(f, from, b, final)
	}
	if h.scanned == 0 && !http.StartsLikeRequest(b) {
		h.mode = modeSearch
		return 0
	}
	end := http.HeaderEnd(b, h.scanned)
	if end == 0 && !final && len(b) <= http.MaxHeader {
		h.scanned, h.need = len(b), len(b)+1
		if !http.StartsLikeRequest(b) { // now that more of the first line is there
			h.mode, h.need, h.scanned = modeSearch, 0, 0
		}
		return 0
	}
	h.scanned = 0
	header := b[:end]
	if end == 0 {
		header = b
	}
	var r http.Request
	if !http.Parse(header, &r) {
		h.mode = modeSearch
		return 0
	}
	if !r.Versioned && len(r.Hosts()) == 0 && len(r.Authority) == 0 && bytes.IndexByte(header, '\n') > 0 {
		e.tally[httpRequestsOld]++
		return len(header)
	}
	if end == 0 {
		e.tally[httpRequestsPartial]++
	}
	e.request(f, from, &r)
	if end == 0 {
		if !final { // longer than is read
			e.tally[directionsOverfull]++
			e.giveUp(f, from)
		}
		return len(b)
	}
	if h.requests < math.MaxInt32 {
		h.requests++
	}
	h.searched = 0
	return e.afterHeader(f, from, &r, end)
}

// afterHeader says what follows a header of n bytes. Behind an offer to leave
// HTTP/1 the body still belongs to it (RFC 9110, section 7.8); what comes then
// depends on the answer.
func (e *engine) afterHeader(f *flow, from int, r *http.Request, n int) int {
	h := f.half[from]
	switch {
	case string(r.Method) == "CONNECT":
		h.mode = modeSearch
	case r.Upgrade == http.ToWebSocket:
		h.mode = modeUpgraded
	case r.Chunked: // it overrides a length, RFC 9112, section 6.3
		h.mode = modeChunk
	case r.Body > 0:
		const most = 1 << 62
		return n + int(min(r.Body, most))
	}
	return n
}

// httpUpgraded reads what follows the offer of a WebSocket: another request,
// where it was refused, or what is of no interest.
func (e *engine) httpUpgraded(f *flow, from int, b []byte) int {
	if http.StartsLikeRequest(b) {
		f.half[from].mode = modeHTTP
		return 0
	}
	e.giveUp(f, from)
	return len(b)
}

// httpBody reads the parts of a chunked body.
func (e *engine) httpBody(f *flow, from int, b []byte) int {
	h := f.half[from]
	switch h.mode {
	case modeChunk:
		status, header, size := http.Chunk(b)
		switch status {
		case http.ChunkNeedMore:
			h.need = len(b) + 1
			return 0
		case http.ChunkData:
			h.mode = modeChunkLine
			return header + int(size)
		case http.ChunkLast:
			h.mode = modeTrailer
			return header
		}
	case modeChunkLine:
		switch {
		case b[0] == '\n':
			h.mode = modeChunk
			return 1
		case b[0] == '\r' && len(b) == 1:
			h.need = 2
			return 0
		case b[0] == '\r' && b[1] == '\n':
			h.mode = modeChunk
			return 2
		}
	case modeTrailer:
		if n := http.TrailerEnd(b); n > 0 {
			h.mode = modeHTTP
			return n
		}
		if len(b) <= http.MaxHeader {
			h.need = len(b) + 1
			return 0
		}
	}
	h.mode = modeSearch
	return 0
}

// request reports one request under each name it gives: those of its Host
// fields, and the authority of its target, which is the one that counts (RFC
// 9112, section 3.2.2), where that is another.
func (e *engine) request(f *flow, from int, r *http.Request) {
	e.tally[httpRequests]++
	if int(f.client) != from {
		e.opener(f, from)
	}
	e.tally[httpHostsDropped] += uint64(r.More)
	method, path := escape(r.Method), e.requestPath(r)
	emitted := false
	report := func(authority []byte) {
		o := e.observation(f, signatures.KindHTTP, withoutPort(authority), signatures.EvidenceHTTPHost)
		o.Method, o.Path, o.Attributes = method, path, requestAttributes(r)
		e.emit(&o)
		emitted = true
	}
	if len(r.Authority) > 0 && !hasHost(r) {
		report(r.Authority)
	}
	for _, host := range r.Hosts() {
		if len(host) > 0 {
			report(host)
		}
	}
	if emitted {
		f.named = true
	} else {
		e.tally[httpRequestsNameless]++
		report(nil)
	}
	e.dnsOverHTTP(f, from, r)
}

// requestPath returns the path of a request, its query removed, as it may be
// kept.
func (e *engine) requestPath(r *http.Request) string {
	path := r.Path
	if len(path) == 0 && len(r.Authority) > 0 && len(r.Target) > 0 && string(r.Method) != "CONNECT" {
		path = []byte("/")
	}
	if len(path) > maxText {
		e.tally[httpPathsCut]++
	}
	text, masked := maskPath(escape(path))
	if masked {
		e.tally[httpPathsMasked]++
	}
	return text
}

// requestAttributes returns what the fields of a request say about the program
// that sent it, nil where they say nothing.
func requestAttributes(r *http.Request) map[string]string {
	var attributes map[string]string
	set := func(key, value string) {
		if attributes == nil {
			attributes = map[string]string{}
		}
		attributes[key] = value
	}
	switch kind, version := r.MCP(); kind {
	case http.MCPVersioned:
		set(signatures.AttributeHTTPMCP, string(version))
	case http.MCPInSession:
		set(signatures.AttributeHTTPMCP, "session")
	case http.MCPStream:
		set(signatures.AttributeHTTPMCP, "stream")
	case http.MCPEvents:
		set(signatures.AttributeHTTPMCP, "events")
	}
	if c := r.Client(); c.Product != "" {
		text := c.Product
		if len(c.Version) > 0 {
			text += " " + string(c.Version)
		}
		set(signatures.AttributeHTTPClient, text)
	}
	return attributes
}

// dnsOverHTTP reads the DNS query that a GET request carries in the clear (RFC
// 8484, section 4.1.1). Of no other request is the query of the target read.
func (e *engine) dnsOverHTTP(f *flow, from int, r *http.Request) {
	const longest = 1024
	if string(r.Method) != "GET" || !bytes.HasSuffix(r.Path, []byte("/dns-query")) {
		return
	}
	coded, ok := r.QueryValue("dns")
	if !ok || len(coded) > longest {
		return
	}
	var room [longest]byte
	n, err := base64.RawURLEncoding.Decode(room[:], bytes.TrimRight(coded, "="))
	if err != nil {
		return
	}
	e.dnsMessage(room[:n], f.key.end(from), f.key.end(1-from), "tcp")
}
