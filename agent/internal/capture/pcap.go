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
	order  binary.ByteOrder
	nano   bool
	record int // bytes of a record header
	minor  uint16
	link   LinkType
}

// openPcap reads the file header; its magic number is known to be one.
func openPcap(src *source) (*pcap, error) {
	h, err := src.take(pcapHeader)
	if err != nil {
		return nil, src.failure("pcap file header", err)
	}
	p := &pcap{order: byteOrder(h), record: pcapRecord}
	switch p.order.Uint32(h) {
	case magicNano:
		p.nano = true
	case magicModified:
		p.record = pcapRecordModified
	}
	major := p.order.Uint16(h[4:])
	p.minor = p.order.Uint16(h[6:])
	if major != 2 || p.minor > 4 {
		return nil, &FormatError{Reason: "pcap version is not 2.0 to 2.4"}
	}
	// The upper half holds the length of a frame check sequence, not the type.
	p.link = LinkType(p.order.Uint32(h[20:]) & 0xffff)
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
	h, err := src.take(p.record)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return src.failure("pcap record header", err)
	}
	seconds, fraction := p.order.Uint32(h), p.order.Uint32(h[4:])
	captured, length := p.order.Uint32(h[8:]), p.order.Uint32(h[12:])
	if p.minor < 3 || p.minor == 3 && captured > length {
		captured, length = length, captured
	}
	if captured > MaxFrame {
		return src.malformed("record of %d bytes, more than %d", captured, MaxFrame)
	}
	if !p.nano {
		fraction *= 1000 // wraps only where the field is nonsense, and then no worse than before
	}
	frame.Time = time.Unix(int64(seconds), int64(fraction))
	frame.Link = p.link
	frame.Interface = 0
	frame.Data, err = src.take(int(captured))
	if err != nil {
		return src.failure("pcap record", err)
	}
	frame.Length = wireLength(captured, length)
	return nil
}

// wireLength never lies below what was captured.
func wireLength(captured, length uint32) int {
	return int(min(max(captured, length), 1<<30))
}
