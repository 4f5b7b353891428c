package network

import (
	"bytes"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/http"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
)

// mode is what one end of a connection is taken to speak.
type mode uint8

const (
	modeStart     mode = iota // nothing was read yet
	modeWrapped               // in a protocol that leads to another one (SOCKS, STARTTLS …), see wrappers
	modeSearch                // an unknown protocol, which may lead to a known one
	modeTLS                   // at the start of a TLS record
	modeHTTP                  // at the start of an HTTP request
	modeChunk                 // at the start of a chunk
	modeChunkLine             // at the line end behind a chunk's data
	modeTrailer               // at the trailer section of a chunked body
	modeDNS                   // at the length of a DNS message
	modeHTTP2                 // at the start of an HTTP/2 frame
	modeUpgraded              // behind the offer of a WebSocket
)

const (
	searchBytes    = 8 << 10 // of an unknown protocol, before it is left alone
	maxTLSRecords  = 16      // before application data, of one end
	maxTLSHellos   = 4       // of one end: the second after a HelloRetryRequest, more through a proxy
	helloCertainty = 6       // bytes that StartsLikeHello needs to be sure
	helloStart     = 11      // bytes that findHello looks at
)

// restart forgets what was read of the message at hand: the next byte may
// start another.
func (h *half) restart() {
	h.need, h.scanned = 0, 0
	switch h.mode {
	case modeDNS:
		// Without its length a DNS message cannot be found again; the next
		// segment most likely starts with one.
	case modeStart:
	default:
		h.mode = modeSearch
	}
	if h.http2 != nil {
		h.http2.decoder.Lose()
	}
}

// read reads as many messages as b holds and keeps the rest. With final, no
// more will come behind b.
func (e *engine) read(f *flow, from int, b []byte, final bool) {
	h := f.half[from]
	for len(b) > 0 && !f.ignored[from] && (final || len(b) >= h.need) {
		h.need = 0
		before := h.mode
		n := e.step(f, from, b, final)
		if n == 0 && (h.mode == before || h.need > len(b)) {
			break
		}
		if n > len(b) {
			h.buffer.Skip(uint64(n - len(b)))
			n = len(b)
		}
		b = b[n:]
	}
	if final {
		b = nil
	}
	if f.ignored[from] {
		b = nil
	}
	if !h.buffer.Keep(b) {
		e.tally[directionsOverfull]++
		f.ignored[from] = true
	}
}

// giveUp stops reading what one end sends.
func (e *engine) giveUp(f *flow, from int) {
	if !f.ignored[from] {
		e.tally[directionsGivenUp]++
		f.ignored[from] = true
	}
}

// step reads the message at the start of b and returns its length, which may
// lie beyond b where the rest is of no interest; 0 means that the mode changed
// or that more bytes are needed.
func (e *engine) step(f *flow, from int, b []byte, final bool) int {
	switch h := f.half[from]; h.mode {
	case modeStart:
		return e.start(f, from, b, final)
	case modeWrapped:
		if n, ok := e.unwrap(f, from, b, final); ok {
			return n
		}
		h.mode = modeSearch
		return 0
	case modeSearch:
		return e.search(f, from, b, final)
	case modeTLS:
		return e.tlsRecord(f, from, b, final)
	case modeHTTP:
		return e.httpRequest(f, from, b, final)
	case modeDNS:
		return e.dnsStream(f, from, b, final)
	case modeHTTP2:
		return e.http2Frame(f, from, b, final)
	case modeUpgraded:
		return e.httpUpgraded(f, from, b)
	default:
		return e.httpBody(f, from, b)
	}
}

// start finds out what a stream is by its first bytes.
func (e *engine) start(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
	if dnsPort(f.key.firstPort) || dnsPort(f.key.secondPort) {
		h.mode = modeDNS
		return 0
	}
	switch {
	case tls.StartsLikeHello(b):
		h.mode = modeTLS
		if len(b) < helloCertainty && !final {
			h.need = helloCertainty
		}
		return 0
	case serverSpeaks(b):
		e.giveUp(f, from)
		return 0
	}
	if int(f.client) != 1-from || !f.known[from] {
		if n, ok := e.unwrap(f, from, b, final); ok {
			return n
		}
	}
	switch {
	case openVPNStream(b, f.key.firstPort == portOpenVPN || f.key.secondPort == portOpenVPN):
		e.veil(f, veilVPN)
		h.mode = modeSearch // its packets hold records of TLS
	case http.EmptyLines(b) == len(b):
		return len(b) // they may stand before a request
	case http.StartsLikeRequest(b):
		h.mode = modeHTTP
	default:
		h.mode = modeSearch
	}
	return 0
}

// serverSpeaks reports whether b is the start of an answer: its direction
// holds no name, and its length is of no bound.
func serverSpeaks(b []byte) bool {
	const serverHello = 2
	return len(b) > 5 && b[0] == 0x16 && b[1] == 3 && b[5] == serverHello || bytes.HasPrefix(b, []byte("HTTP/1."))
}

// search looks for a known protocol behind the opening of another one: at the
// start of each segment, where a client that waited for an answer must start
// it, and for a ClientHello anywhere.
func (e *engine) search(f *flow, from int, b []byte, final bool) int {
	h := f.half[from]
	if n, taken := e.http2Search(f, from, b, final); taken {
		return n
	}
	if tls.StartsLikeHello(b) && !final || len(b) >= helloCertainty && tls.StartsLikeHello(b) {
		h.mode = modeTLS
		if len(b) < helloCertainty {
			h.need = helloCertainty
		}
		return 0
	}
	if requestLine(b) {
		h.mode = modeHTTP
		return 0
	}
	if h.seek(len(b)) {
		e.giveUp(f, from)
		return len(b)
	}
	if at := findHello(b[1:]); at >= 0 {
		return 1 + at
	}
	return len(b)
}

// seek takes down that n further bytes were searched, and reports whether that
// is enough.
func (h *half) seek(n int) (over bool) {
	h.searched += int32(min(n, searchBytes+1))
	return h.searched > searchBytes
}

// findHello returns where a record with a ClientHello starts in b, or -1.
func findHello(b []byte) int {
	for at := 0; ; at++ {
		i := bytes.IndexByte(b[at:], 0x16)
		if i < 0 {
			return -1
		}
		at += i
		// The record's and the hello's version, and a length that fits.
		if r := b[at:]; len(r) >= helloStart && tls.StartsLikeHello(r) && r[6] == 0 && r[9] == 3 && r[10] <= 3 {
			return at
		}
	}
}

// requestLine reports whether b starts with a whole HTTP/1 request line.
func requestLine(b []byte) bool {
	b = b[http.EmptyLines(b):]
	if len(b) < 3 || b[0] < 'A' || b[0] > 'z' || !http.StartsLikeRequest(b) {
		return false
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return bytes.Contains(line, []byte(" HTTP/1."))
}
