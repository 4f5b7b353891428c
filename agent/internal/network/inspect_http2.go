package network

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/http"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/http2"
)

// http2Side is what is known of the client's side of an HTTP/2 connection.
type http2Side struct {
	decoder http2.Decoder
	newest  uint32 // stream with the highest number that a request was read on
}

// isPreface reports whether b starts with the preface of HTTP/2, or could: it
// is its beginning, from "PRI" on.
func isPreface(b []byte) bool {
	n := min(len(b), len(http2.Preface))
	return n >= 3 && string(b[:n]) == http2.Preface[:n]
}

// http2Start takes the preface.
func (e *engine) http2Start(f *flow, from int, b []byte, final bool) int {
	if len(b) < len(http2.Preface) {
		if !final {
			f.half[from].need = len(http2.Preface)
			return 0
		}
		return len(b)
	}
	e.tally[http2Prefaces]++
	e.http2Known(f, from)
	f.half[from].http2.decoder = *http2.NewDecoder()
	return len(http2.Preface)
}

// http2Known notes that the end from is the client of an HTTP/2 connection. What
// the server sends is of no interest.
func (e *engine) http2Known(f *flow, from int) {
	h := f.half[from]
	h.mode, h.scanned, h.http2 = modeHTTP2, 0, new(http2Side)
	h.http2.decoder.Lose()
	if int(f.client) != from {
		e.opener(f, from)
	}
	e.giveUp(f, 1-from)
	e.table.dropHalf(f, 1-from)
}

// http2Search looks for HTTP/2 at the start of a segment where none is
// known to be, as in a capture that begins in the middle of a connection, or
// where it was and a part of it is lost. taken is false where there is none.
func (e *engine) http2Search(f *flow, from int, b []byte, final bool) (n int, taken bool) {
	h := f.half[from]
	if isPreface(b) && (!final || len(b) >= len(http2.Preface)) {
		h.mode = modeHTTP
		return 0, true
	}
	frame, ok := http2.Plausible(b)
	switch {
	case h.http2 != nil && ok:
		h.mode = modeHTTP2
		return 0, true
	case h.http2 != nil:
		return len(b), true // a frame begins with a later segment
	}
	for at := 0; ok; frame, ok = http2.Plausible(b[at:]) {
		end := at + http2.HeaderSize + frame.Length
		if end > len(b) {
			return 0, false
		}
		if frame.Type != http2.Headers || !frame.EndHeaders() {
			at = end
			continue
		}
		if frame.Stream%2 == 0 {
			return 0, false // a client's are odd, RFC 9113, section 5.1.1
		}
		var d http2.Decoder
		d.Lose()
		block, sound := frame.Fragment(b[at+http2.HeaderSize : end])
		if !sound || d.Decode(block, &e.http2) != http2.Whole || !e.http2.Response && !usualMethod(&e.http2) {
			return 0, false
		}
		if e.http2.Response {
			e.giveUp(f, from)
			return len(b), true
		}
		e.tally[http2Midway]++
		e.http2Known(f, from)
		return 0, true
	}
	return 0, false
}

// usualMethod reports whether a block has what hardly a run of other bytes does.
func usualMethod(r *http2.Request) bool {
	switch string(r.Method) {
	case "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT":
		return true
	}
	return false
}

// http2Frame reads one frame, or passes over it.
func (e *engine) http2Frame(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
	frame, ok := http2.ParseFrame(b)
	switch {
	case !ok:
		h.need = http2.HeaderSize
		return 0
	case frame.Type == http2.Headers:
		return e.http2Headers(f, from, b, final)
	}
	return http2.HeaderSize + frame.Length
}

// http2Headers reads a header block, which is one frame and its continuations
// (RFC 9113, section 4.3).
func (e *engine) http2Headers(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
	head, _ := http2.ParseFrame(b)
	end := h.scanned // of the frames that are all there
	for last := false; !last; {
		frame, ok := http2.ParseFrame(b[end:])
		size := http2.HeaderSize
		if ok {
			size += frame.Length
			last = frame.EndHeaders()
			if end > 0 && (frame.Type != http2.Continuation || frame.Stream != head.Stream) {
				return e.http2Broken(f, from, b)
			}
		}
		switch {
		case end+size > http2.MaxBlock:
			e.tally[http2BlocksTooLong]++
			e.http2Block(f, from, head.Stream, e.joinBlock(b, min(len(b), http2.MaxBlock)), true)
			h.scanned = 0
			h.http2.decoder.Lose()
			return http2.HeaderSize + head.Length // its continuations are passed over one by one
		case end+size > len(b) && final:
			e.http2Block(f, from, head.Stream, e.joinBlock(b, len(b)), true)
			return len(b)
		case end+size > len(b):
			h.scanned, h.need = end, end+size
			return 0
		}
		end += size
	}
	h.scanned = 0
	if !e.http2Block(f, from, head.Stream, e.joinBlock(b, end), false) {
		return e.http2Broken(f, from, b)
	}
	return end
}

// joinBlock returns the header block in the frames of b[:end], the last of which
// may be cut. It is a part of b where it can be.
func (e *engine) joinBlock(b []byte, end int) []byte {
	e.block = e.block[:0]
	for at := 0; ; {
		frame, ok := http2.ParseFrame(b[at:end])
		if !ok {
			return e.block
		}
		at += http2.HeaderSize
		next := min(at+frame.Length, end)
		fragment, _ := frame.Fragment(b[at:next])
		if at == http2.HeaderSize && next == end {
			return fragment
		}
		e.block = append(e.block, fragment...)
		at = next
	}
}

// http2Block reads a header block and reports the request that it makes. It
// returns false where it is none, or where an end of it that is not cut is
// missing.
func (e *engine) http2Block(f *flow, from int, stream uint32, block []byte, cut bool) bool {
	side, r := f.half[from].http2, &e.http2
	status := side.decoder.Decode(block, r)
	switch {
	case status == http2.Malformed, status == http2.Truncated && !cut, stream == 0:
		return false
	case r.Response:
		e.giveUp(f, from)
		return true
	}
	e.tally[http2ValuesDropped] += uint64(r.Dropped)
	if !r.HasTarget() && (r.Unknown == 0 || stream <= side.newest) {
		return true // trailers
	}
	side.newest = max(side.newest, stream)
	e.tally[http2Requests]++
	if cut {
		e.tally[httpRequestsPartial]++
	}
	nameless := len(r.Authority) == 0 && len(r.Hosts()) == 0
	if r.Unknown > 0 && (nameless || len(r.Path) == 0 && string(r.Method) != "CONNECT") {
		e.tally[http2Unknown]++
	}
	e.request(f, from, &r.Request)
	return true
}

// http2Broken gives up a connection that does not keep to the protocol: without
// one header block those that follow cannot be read.
func (e *engine) http2Broken(f *flow, from int, b []byte) int {
	e.tally[http2Malformed]++
	e.giveUp(f, from)
	return len(b)
}

// sameHost compares two authorities without their ports.
func sameHost(a, b []byte) bool { return bytes.EqualFold(withoutPort(a), withoutPort(b)) }

// hasHost reports whether a Host field of r names the host of its authority.
func hasHost(r *http.Request) bool {
	for _, host := range r.Hosts() {
		if sameHost(host, r.Authority) {
			return true
		}
	}
	return false
}
