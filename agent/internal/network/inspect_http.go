package network

import (
	"github.com/gnomon-ai/gnomon/agent/internal/decode/http"
	"github.com/gnomon-ai/gnomon/signatures"
)

// httpRequest reads the header of one request.
func (e *engine) httpRequest(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
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
		e.tally[httpRequestsPartial]++
		header = b
	}
	var r http.Request
	if !http.Parse(header, &r) {
		h.mode = modeSearch
		return 0
	}
	if string(r.Method) == "PRI" { // the preface of HTTP/2 (RFC 9113, section 3.4)
		e.tally[http2Prefaces]++
		e.giveUp(f, from)
		return len(b)
	}
	e.request(f, from, &r)
	if end == 0 {
		if !final { // longer than is read
			e.tally[directionsOverfull]++
			e.giveUp(f, from)
		}
		return len(b)
	}
	h.requests++
	h.searched = 0
	return e.afterHeader(f, from, &r, end)
}

// afterHeader says what follows a header of n bytes.
func (e *engine) afterHeader(f *flow, from int, r *http.Request, n int) int {
	h := f.half[from]
	switch {
	case string(r.Method) == "CONNECT", r.Upgrade:
		h.mode = modeSearch
	case r.Chunked:
		h.mode = modeChunk
	case r.Body > 0:
		const most = 1 << 62
		return n + int(min(r.Body, most))
	}
	return n
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

// request reports one request under each name it gives.
func (e *engine) request(f *flow, from int, r *http.Request) {
	e.tally[httpRequests]++
	if int(f.client) != from {
		e.opener(f, from)
	}
	e.tally[httpHostsDropped] += uint64(r.More)
	path := r.Path
	if len(path) == 0 && len(r.Authority) > 0 && string(r.Method) != "CONNECT" {
		path = []byte("/")
	}
	text := escape(path)
	method := string(r.Method)
	emitted := false
	report := func(authority []byte) {
		if len(authority) == 0 {
			return
		}
		o := e.observation(f, signatures.KindHTTP, withoutPort(authority), signatures.EvidenceHTTPHost)
		o.Method, o.Path = method, text
		e.emit(&o)
		emitted, f.named = true, true
	}
	for _, host := range r.Hosts() {
		report(host)
	}
	if !emitted {
		report(r.Authority)
	}
	if !emitted {
		e.tally[httpRequestsNameless]++
		o := e.observation(f, signatures.KindHTTP, nil, "")
		o.Method, o.Path = method, text
		e.emit(&o)
	}
}
