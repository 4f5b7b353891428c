package tls

import "encoding/binary"

const (
	datagramRecordHeader    = 13
	datagramHandshakeHeader = 12
)

// Fragment is one piece of a DTLS ClientHello (RFC 6347, section 4.2.3).
type Fragment struct {
	Message uint16 // sequence number of the handshake message
	Length  int    // of the whole body
	Offset  int    // of Data in the body
	Data    []byte
}

// Whole reports whether the fragment is the whole body.
func (f *Fragment) Whole() bool { return f.Offset == 0 && len(f.Data) == f.Length }

// NextFragment reads the first piece of a ClientHello from the records at the
// start of a datagram and returns what follows it. ok is false where there is
// none.
func NextFragment(b []byte, f *Fragment) (rest []byte, ok bool) {
	for len(b) > datagramRecordHeader {
		if !datagramVersion(b[1], b[2]) || b[0] < typeChangeCipherSpec || b[0] > 26 {
			return nil, false
		}
		end := datagramRecordHeader + int(binary.BigEndian.Uint16(b[11:]))
		body := b[datagramRecordHeader:min(end, len(b))]
		epoch := binary.BigEndian.Uint16(b[3:])
		rest = b[min(end, len(b)):]
		if b[0] == typeHandshake && epoch == 0 && len(body) >= datagramHandshakeHeader && body[0] == handshakeClientHello {
			f.Length = length24(body[1:])
			f.Message = binary.BigEndian.Uint16(body[4:])
			f.Offset = length24(body[6:])
			n := length24(body[9:])
			data := body[datagramHandshakeHeader:]
			if f.Length > MaxHello || n > f.Length || f.Offset > f.Length-n {
				return nil, false
			}
			f.Data = data[:min(n, len(data))]
			return rest, true
		}
		b = rest
	}
	return nil, false
}

func datagramVersion(major, minor byte) bool {
	return major == 0xfe && minor >= 0xfc || major == 1 && minor == 0
}

// StartsLikeDatagram reports whether b can be a DTLS datagram with a
// ClientHello in its first record.
func StartsLikeDatagram(b []byte) bool {
	return len(b) > datagramRecordHeader+datagramHandshakeHeader && b[0] == typeHandshake &&
		datagramVersion(b[1], b[2]) && b[datagramRecordHeader] == handshakeClientHello
}
