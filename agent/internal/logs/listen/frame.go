package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// errTooLong says that a message is longer than is taken.
var errTooLong = errors.New("a message is longer than is taken")

// errFraming says that the bytes of a stream follow no framing.
var errFraming = errors.New("the bytes follow no framing of syslog over TCP")

// syslogMessage finds the first message in b (RFC 6587, section 3.4): "LENGTH
// message", or a message up to a line feed or a zero byte. size is 0 where more
// bytes are needed. cut says that message is the start of a longer one, whose
// rest is in the stream.
func syslogMessage(b []byte, most int) (message []byte, size int, cut bool, err error) {
	if len(b) == 0 {
		return nil, 0, false, nil
	}
	if b[0] >= '1' && b[0] <= '9' {
		digits, length := 0, 0
		for digits < len(b) && b[digits] >= '0' && b[digits] <= '9' {
			if length = length*10 + int(b[digits]-'0'); length > 1<<30 {
				return nil, 0, false, errFraming
			}
			digits++
		}
		switch {
		case digits == len(b):
			return nil, 0, false, nil
		case b[digits] != ' ' || digits+1 < len(b) && b[digits+1] != '<':
			// a message of its own that starts with a digit
		case length > most:
			return nil, 0, false, errTooLong
		case len(b) < digits+1+length:
			return nil, 0, false, nil
		default:
			return bytes.TrimRight(b[digits+1:digits+1+length], "\r\n\x00"), digits + 1 + length, false, nil
		}
	}
	end := bytes.IndexAny(b[:min(len(b), most+1)], "\n\x00")
	if end >= 0 {
		return bytes.TrimRight(b[:end], "\r"), end + 1, false, nil
	}
	if len(b) > most {
		return b[:most], most, true, nil
	}
	return nil, 0, false, nil
}

// Frame Streams (https://farsightsec.github.io/fstrm/): a data frame is its
// length in four bytes and its content; a length of zero begins a control frame,
// whose own length and type follow.
const (
	controlAccept = 1
	controlStart  = 2
	controlStop   = 3
	controlReady  = 4
	controlFinish = 5

	maxControl       = 512 // bytes of a control frame, by the specification
	fieldContentType = 1
)

// SplitFrames finds the first frame in b: a tail.Split for files of dnstap.
// Control frames are passed over.
func SplitFrames(b []byte, most int) (record []byte, size int, err error) {
	if len(b) < 4 {
		return nil, 0, nil
	}
	length := binary.BigEndian.Uint32(b)
	if length != 0 {
		if length > uint32(most) {
			return nil, 0, fmt.Errorf("a frame of %d bytes: %w", length, errTooLong)
		}
		if uint32(len(b)-4) < length {
			return nil, 0, nil
		}
		return b[4 : 4+length], 4 + int(length), nil
	}
	if len(b) < 8 {
		return nil, 0, nil
	}
	control := binary.BigEndian.Uint32(b[4:])
	if control < 4 || control > maxControl {
		return nil, 0, fmt.Errorf("a control frame of %d bytes is none", control)
	}
	if uint32(len(b)-8) < control {
		return nil, 0, nil
	}
	return nil, 8 + int(control), nil
}

// control reads a control frame at the start of b; kind is 0 where b holds
// another frame.
func control(b []byte) (kind uint32, types [][]byte) {
	if len(b) < 12 || binary.BigEndian.Uint32(b) != 0 {
		return 0, nil
	}
	length := binary.BigEndian.Uint32(b[4:])
	if length < 4 || length > maxControl || uint32(len(b)-8) < length {
		return 0, nil
	}
	kind = binary.BigEndian.Uint32(b[8:])
	fields := b[12 : 8+length]
	for len(fields) >= 8 {
		name, size := binary.BigEndian.Uint32(fields), binary.BigEndian.Uint32(fields[4:])
		if size > uint32(len(fields)-8) {
			break
		}
		if name == fieldContentType {
			types = append(types, fields[8:8+size])
		}
		fields = fields[8+size:]
	}
	return kind, types
}

// appendControl appends a control frame.
func appendControl(b []byte, kind uint32, contentType string) []byte {
	length := uint32(4)
	if contentType != "" {
		length += 8 + uint32(len(contentType))
	}
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, length)
	b = binary.BigEndian.AppendUint32(b, kind)
	if contentType != "" {
		b = binary.BigEndian.AppendUint32(b, fieldContentType)
		b = binary.BigEndian.AppendUint32(b, uint32(len(contentType)))
		b = append(b, contentType...)
	}
	return b
}
