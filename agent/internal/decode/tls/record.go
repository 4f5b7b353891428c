package tls

import "encoding/binary"

// Record content types and the handshake type that matter here (RFC 8446,
// section 5.1 and 4).
const (
	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23
	typeHeartbeat        = 24

	handshakeClientHello = 1

	recordHeader    = 5
	handshakeHeader = 4
	maxRecord       = 1<<14 + 2048 // RFC 5246, section 6.2.3: the longest that is lawful
)

// MaxHello bounds a ClientHello with its handshake header; MaxRecords bounds
// the records that one is spread over: a hello may come one byte a record.
const (
	MaxHello   = 64 << 10
	MaxRecords = 16 << 10
)

// Status says how far a stream was read.
type Status uint8

// The states of reading a record stream.
const (
	NeedMore  Status = iota // come back with at least Result.Need bytes
	Hello                   // Result.Body is the body of a ClientHello
	Other                   // a record of something else; go on behind it
	NotTLS                  // this is no record stream
	Oversized               // a hello beyond MaxHello or MaxRecords
)

// Result is one step through a record stream.
type Result struct {
	Status   Status
	Consumed int    // bytes that the step is done with
	Need     int    // NeedMore: bytes, from the start of the input, without which a further call is in vain
	Body     []byte // Hello: the body, part of the input or of scratch
	Partial  bool   // Hello: the input ended before the hello did
}

// StartsLikeHello reports whether b, as far as it goes, can be the start of a
// record with a ClientHello. Six bytes decide with high confidence.
func StartsLikeHello(b []byte) bool {
	switch {
	case len(b) == 0 || b[0] != typeHandshake:
		return false
	case len(b) >= 2 && b[1] != 3, len(b) >= 3 && b[2] > 4:
		return false
	case len(b) >= 5 && !plausibleLength(b):
		return false
	}
	return len(b) < recordHeader+1 || b[recordHeader] == handshakeClientHello
}

func plausibleLength(record []byte) bool {
	n := binary.BigEndian.Uint16(record[3:])
	return n > 0 && n <= maxRecord
}

// Next reads the record at the start of b, and the records after it where a
// ClientHello goes on in them. scratch, of MaxHello bytes, takes a hello that
// is spread over records. With final no more bytes will come: a hello that is
// not complete is returned as Partial.
func Next(b, scratch []byte, final bool) Result {
	if len(b) < recordHeader {
		return short(recordHeader, final)
	}
	if b[1] != 3 || b[2] > 4 || !plausibleLength(b) {
		return Result{Status: NotTLS}
	}
	end := recordHeader + int(binary.BigEndian.Uint16(b[3:]))
	switch b[0] {
	case typeHandshake:
	case typeChangeCipherSpec, typeAlert, typeApplicationData, typeHeartbeat:
		return Result{Status: Other, Consumed: end} // may lie beyond b: the caller skips
	default:
		return Result{Status: NotTLS}
	}
	if len(b) <= recordHeader {
		return short(recordHeader+1, final)
	}
	if b[recordHeader] != handshakeClientHello {
		return Result{Status: Other, Consumed: end}
	}
	if end >= recordHeader+handshakeHeader && len(b) >= recordHeader+handshakeHeader {
		total := handshakeHeader + length24(b[recordHeader+1:])
		if total > MaxHello {
			return Result{Status: Oversized, Consumed: end}
		}
		if recordHeader+total <= end { // the usual case: all in one record
			return whole(b, recordHeader+handshakeHeader, recordHeader+total, end, final)
		}
	}
	return spread(b, scratch, final)
}

func length24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// short asks for more, or says that there is nothing to read.
func short(need int, final bool) Result {
	if final {
		return Result{Status: NotTLS}
	}
	return Result{Status: NeedMore, Need: need}
}

// whole returns the hello that lies in b from start to stop.
func whole(b []byte, start, stop, consumed int, final bool) Result {
	if stop <= len(b) {
		return Result{Status: Hello, Consumed: min(consumed, len(b)), Body: b[start:stop]}
	}
	if !final {
		return Result{Status: NeedMore, Need: stop}
	}
	return Result{Status: Hello, Consumed: len(b), Body: b[start:], Partial: true}
}

// spread gathers a hello from several records into scratch.
func spread(b, scratch []byte, final bool) Result {
	at, filled, total := 0, 0, handshakeHeader
	for range MaxRecords {
		if len(b) < at+recordHeader {
			return gathered(scratch[:filled], len(b), at+recordHeader+total-filled, final)
		}
		if b[at] != typeHandshake || b[at+1] != 3 || b[at+2] > 4 || !plausibleLength(b[at:]) {
			return gathered(scratch[:filled], at, 0, true)
		}
		end := at + recordHeader + int(binary.BigEndian.Uint16(b[at+3:]))
		if min(end, len(b))-at-recordHeader > len(scratch)-filled {
			return Result{Status: Oversized, Consumed: at}
		}
		filled += copy(scratch[filled:], b[at+recordHeader:min(end, len(b))])
		if filled >= handshakeHeader {
			total = handshakeHeader + length24(scratch[1:])
			if total > MaxHello || total > len(scratch) {
				return Result{Status: Oversized, Consumed: at}
			}
			if filled >= total {
				return Result{Status: Hello, Consumed: min(end, len(b)), Body: scratch[handshakeHeader:total]}
			}
		}
		if end > len(b) {
			need := len(b) + total - filled
			if need > end { // another record must follow
				need += recordHeader
			}
			return gathered(scratch[:filled], len(b), need, final)
		}
		at = end
	}
	return Result{Status: Oversized, Consumed: at}
}

// gathered returns what there is of a hello, or asks for more.
func gathered(hello []byte, consumed, need int, final bool) Result {
	if !final {
		return Result{Status: NeedMore, Need: need}
	}
	if len(hello) <= handshakeHeader {
		return Result{Status: NotTLS}
	}
	return Result{Status: Hello, Consumed: consumed, Body: hello[handshakeHeader:], Partial: true}
}
