package tls

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// The first letter of a fingerprint: what carried the hello.
const (
	JA4Stream   = 't' // TLS over TCP
	JA4Datagram = 'd' // DTLS
	JA4QUIC     = 'q'
)

// fingerprint is what a hello says beyond its name, for JA4. Its slices are
// parts of the input.
type fingerprint struct {
	suites     []byte
	extensions []byte // the whole list
	signatures []byte
	named      bool // a server_name extension is there
}

// maxCodes bounds the cipher suites, extensions and signature algorithms that
// are hashed; a hello with more has no fingerprint.
const maxCodes = 256

// ja4Hash is the length of the two hashed parts.
const ja4Hash = 12

// JA4 is the room that fingerprints are worked out in; it may be used again and
// again. The zero value is ready.
type JA4 struct {
	codes [maxCodes]uint16
	text  [5 * 2 * maxCodes]byte
}

// Append appends the JA4 fingerprint of the client
// (https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md; JA4 for
// TLS clients is under the BSD licence, the other members of its family are
// not and are not computed). Nothing is appended for a hello that is cut, or
// lists more than maxCodes of anything. The same client may change its
// fingerprint, and different ones may share it: it supports other evidence and
// is none alone.
func (j *JA4) Append(to []byte, h *ClientHello, carrier byte) []byte {
	if h.Partial || len(h.print.signatures) > 2*maxCodes {
		return to
	}
	suiteCount, ok := j.suites(h.print.suites)
	if !ok {
		return to
	}
	var suites [ja4Hash]byte
	j.hash(suites[:0], j.codes[:suiteCount], nil)
	extensionCount, more, ok := j.extensions(h.print.extensions)
	if !ok {
		return to
	}
	to = append(to, carrier)
	to = append(to, ja4Version(h.Version)...)
	if h.print.named {
		to = append(to, 'd')
	} else {
		to = append(to, 'i')
	}
	to = appendCount(to, suiteCount)
	to = appendCount(to, extensionCount+more)
	to = h.appendALPN(to)
	to = append(to, '_')
	to = append(to, suites[:]...)
	to = append(to, '_')
	return j.hash(to, j.codes[:extensionCount], h.print.signatures)
}

// reserved reports whether a code is one of those that RFC 8701 keeps for
// GREASE.
func reserved(code uint16) bool { return code&0x0f0f == 0x0a0a && code>>8 == code&0xff }

// suites reads a list of two-byte codes and sorts it, GREASE left out.
func (j *JA4) suites(list []byte) (n int, ok bool) {
	for ; len(list) >= 2; list = list[2:] {
		code := uint16(list[0])<<8 | uint16(list[1])
		if reserved(code) {
			continue
		}
		if n == maxCodes {
			return 0, false
		}
		j.codes[n] = code
		n++
	}
	slices.Sort(j.codes[:n])
	return n, true
}

// extensions reads the codes of the extensions that are hashed, sorted; more
// counts the two that are not.
func (j *JA4) extensions(list []byte) (n, more int, ok bool) {
	for len(list) > 0 {
		if len(list) < 4 || n == maxCodes {
			return 0, 0, false
		}
		code := uint16(list[0])<<8 | uint16(list[1])
		size := 4 + int(list[2])<<8 + int(list[3])
		if size > len(list) {
			return 0, 0, false
		}
		list = list[size:]
		switch {
		case reserved(code):
		case code == extensionServerName, code == extensionALPN:
			more++
		default:
			j.codes[n] = code
			n++
		}
	}
	slices.Sort(j.codes[:n])
	return n, more, true
}

func ja4Version(v uint16) string {
	switch v {
	case 0x0300:
		return "s3"
	case 0x0301:
		return "10"
	case 0x0302:
		return "11"
	case 0x0303:
		return "12"
	case 0x0304:
		return "13"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// appendCount appends two digits.
func appendCount(to []byte, n int) []byte {
	n = min(n, 99)
	return append(to, '0'+byte(n/10), '0'+byte(n%10))
}

// appendALPN appends the first and the last character of the first protocol
// that is offered; where either is no letter or digit, of its bytes in
// hexadecimal.
func (h *ClientHello) appendALPN(to []byte) []byte {
	for protocol := range h.ALPN() {
		first, last := protocol[0], protocol[len(protocol)-1]
		if alphanumeric(first) && alphanumeric(last) {
			return append(to, first, last)
		}
		const digits = "0123456789abcdef"
		return append(to, digits[first>>4], digits[last&15])
	}
	return append(to, '0', '0')
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// hash appends the start of the hash of the codes in hexadecimal, with
// commas between, and of the list behind them in its own order.
func (j *JA4) hash(to []byte, list []uint16, behind []byte) []byte {
	if len(list) == 0 {
		return append(to, "000000000000"...)
	}
	text := j.text[:0]
	for _, code := range list {
		text = appendCode(text, code)
	}
	text = text[:len(text)-1]
	separator := byte('_')
	for ; len(behind) >= 2; behind = behind[2:] {
		code := uint16(behind[0])<<8 | uint16(behind[1])
		if reserved(code) {
			continue
		}
		text = append(text, separator)
		text = appendCode(text, code)
		text = text[:len(text)-1]
		separator = ','
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(to, sum[:ja4Hash/2])
}

// appendCode appends four digits and a comma.
func appendCode(to []byte, code uint16) []byte {
	const digits = "0123456789abcdef"
	return append(to, digits[code>>12], digits[code>>8&15], digits[code>>4&15], digits[code&15], ',')
}
