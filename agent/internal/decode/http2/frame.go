// Package http2 reads what a client sends over HTTP/2 in the clear as far as it
// says where requests go: frames (RFC 9113) and header blocks (HPACK, RFC
// 7541).
//
// It may import decode/http, whose Request it fills. It is pure: no I/O, no
// goroutine, no log, and in the long run no allocation. It keeps of a dynamic
// table the sizes of all entries, without which the table cannot be followed,
// and the values of no others than those that a Request is made of; of the rest
// (cookies, keys) nothing. It checks what must hold for the next header block to
// be read, not what a server must check, and knows no stream's state.
package http2

import "encoding/binary"

// Preface is what a client sends first (RFC 9113, section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// HeaderSize is the length of a frame's header.
const HeaderSize = 9

// Type is the type of a frame (RFC 9113, section 6).
type Type uint8

// The types of frames.
const (
	Data Type = iota
	Headers
	Priority
	ResetStream
	Settings
	PushPromise
	Ping
	GoAway
	WindowUpdate
	Continuation
)

// The flags that matter here.
const (
	flagEndStream  = 0x1 // of Settings and Ping: acknowledgement
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Frame is the header of a frame.
type Frame struct {
	Length int // of what follows the header
	Type   Type
	Flags  uint8
	Stream uint32
}

// ParseFrame reads the HeaderSize bytes at the start of b; ok is false where
// they are not there.
func ParseFrame(b []byte) (f Frame, ok bool) {
	if len(b) < HeaderSize {
		return f, false
	}
	return Frame{
		Length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), Type: Type(b[3]), Flags: b[4],
		Stream: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31),
	}, true
}

// EndHeaders reports whether a header block ends with f.
func (f Frame) EndHeaders() bool { return f.Flags&flagEndHeaders != 0 }

// Plausible reads the frame header at the start of b where it is not known that
// there is one. ok is false where an endpoint that keeps to the frame size that
// all must accept does not send such a header: its type is known, length, flags
// and stream go with it, and the reserved bit is 0.
func Plausible(b []byte) (f Frame, ok bool) {
	if f, ok = ParseFrame(b); !ok || b[5]&0x80 != 0 {
		return f, false
	}
	return f, f.plausible()
}

func (f Frame) plausible() bool {
	const most = 1 << 14 // RFC 9113, section 4.2
	if f.Length > most {
		return false
	}
	streamed := f.Stream != 0
	switch f.Type {
	case Data:
		return streamed && f.Flags&^(flagEndStream|flagPadded) == 0
	case Headers:
		return streamed && f.Flags&^(flagEndStream|flagEndHeaders|flagPadded|flagPriority) == 0 && f.Length > 0
	case Priority:
		return streamed && f.Flags == 0 && f.Length == 5
	case ResetStream:
		return streamed && f.Flags == 0 && f.Length == 4
	case Settings:
		return !streamed && f.Flags&^flagEndStream == 0 && f.Length%6 == 0 && (f.Flags == 0 || f.Length == 0)
	case PushPromise:
		return streamed && f.Flags&^(flagEndHeaders|flagPadded) == 0 && f.Length > 4
	case Ping:
		return !streamed && f.Flags&^flagEndStream == 0 && f.Length == 8
	case GoAway:
		return !streamed && f.Flags == 0 && f.Length >= 8
	case WindowUpdate:
		return f.Flags == 0 && f.Length == 4
	case Continuation:
		return streamed && f.Flags&^flagEndHeaders == 0
	}
	return false
}

// Fragment returns the part of a header block that f, of type Headers or
// Continuation, carries in payload: padding and priority removed. payload may
// be cut; what is missing is taken off the end. ok is false where the padding
// is longer than the frame.
func (f Frame) Fragment(payload []byte) (fragment []byte, ok bool) {
	if f.Type != Headers {
		return payload, true
	}
	length, padding := f.Length, 0
	take := func(n int) {
		payload = payload[min(n, len(payload)):]
		length -= n
	}
	if f.Flags&flagPadded != 0 {
		if len(payload) > 0 {
			padding = int(payload[0])
		}
		take(1)
	}
	if f.Flags&flagPriority != 0 {
		take(5)
	}
	if length -= padding; length < 0 {
		return nil, false
	}
	return payload[:min(length, len(payload))], true
}
