package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// The magic numbers of a pcap file as read in its own byte order
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap, section 4).
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's patch: eight more bytes in each record header
)

const (
	pcapHeader         = 24
	pcapRecord         = 16
	pcapRecordModified = 24
)

// pcap is a file of format version 2.0 to 2.4. Versions before 2.3 put the
// length on the wire before the captured length, and 2.3 files exist with
// either order.
type pcap struct {
	swapped bool // big-endian
	nano    bool
	record  int // bytes of a record header
	minor   uint16
	link    LinkType
}

// openPcap reads the file header; its magic number is known to be one.
func openPcap(src *source) (*pcap, error) {
	h, err := src.take(pcapHeader)
	if err != nil {
		return nil, src.failure("pcap file header", err)
	}
	order := byteOrder(h)
	p := &pcap{swapped: order == binary.ByteOrder(binary.BigEndian), record: pcapRecord}
	switch order.Uint32(h) {
	case magicNano:
		p.nano = true
	case magicModified:
		p.record = pcapRecordModified
	}
	major := order.Uint16(h[4:])
	p.minor = order.Uint16(h[6:])
	if major != 2 || p.minor > 4 {
		return nil, &FormatError{Reason: "pcap version is not 2.0 to 2.4"}
	}
	// The upper half holds the length of a frame check sequence, not the type.
	p.link = LinkType(order.Uint32(h[20:]) & 0xffff)
	return p, nil
}

// byteOrder returns the order in which h starts with a magic number, or nil.
func byteOrder(h []byte) binary.ByteOrder {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(h) {
		case magicMicro, magicNano, magicModified:
			return order
		}
	}
	return nil
}

func (p *pcap) next(src *source, frame *Frame) error {
	h, err := src.peek(p.record)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return src.failure("pcap record header", err)
	}
	seconds, fraction, captured, length := p.header(h)
	if captured > MaxFrame {
		src.offset += int64(p.record)
		return src.malformed("record of %d bytes, more than %d", captured, MaxFrame)
	}
	b, err := src.take(p.record + int(captured))
	if err != nil {
		src.offset += int64(src.end - src.pos)
		return src.failure("pcap record", err)
	}
	frame.Time = time.Unix(int64(seconds), int64(fraction))
	frame.Link = p.link
	frame.Interface = 0
	frame.Data = b[p.record:]
	frame.Length = wireLength(captured, length)
	return nil
}

// header reads a record header; the fraction is in nanoseconds.
func (p *pcap) header(h []byte) (seconds, fraction, captured, length uint32) {
	_ = h[15]
	if p.swapped {
		seconds, fraction = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
		captured, length = binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
	} else {
		seconds, fraction = binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		captured, length = binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	}
	if p.minor < 3 || p.minor == 3 && captured > length {
		captured, length = length, captured
	}
	if !p.nano {
		fraction *= 1000 // wraps only where the field is nonsense, and then no worse than before
	}
	return seconds, fraction, captured, length
}

// wireLength never lies below what was captured.
func wireLength(captured, length uint32) int {
	return int(min(max(captured, length), 1<<30))
}
