package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/bits"
	"time"
)

// Block types and options of a pcapng file
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng, section 4).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	byteOrderMagic = 0x1a2b3c4d

	optionEnd        = 0
	optionResolution = 9
	optionOffset     = 14

	maxInterfaces  = 4096
	maxBlockInFull = MaxFrame + 64<<10 // blocks that are read at once; others are skipped
)

// pcapng is a file of one or several sections.
type pcapng struct {
	reader     *FileReader
	order      binary.ByteOrder
	interfaces []pcapngInterface
}

type pcapngInterface struct {
	link    LinkType
	snaplen uint32
	offset  int64  // seconds to add
	units   uint64 // ticks a second
}

func (p *pcapng) next(src *source, frame *Frame) error {
	for {
		kind, body, err := p.block(src)
		if err != nil {
			return err
		}
		found := false
		switch kind {
		case blockSection:
			p.interfaces = p.interfaces[:0]
		case blockInterface:
			err = p.addInterface(src, body)
		case blockEnhanced:
			found, err = p.enhanced(src, body, frame)
		case blockPacket:
			found, err = p.obsolete(src, body, frame)
		case blockSimple:
			found, err = p.simple(src, body, frame)
		default:
			p.reader.skipped++
		}
		if found || err != nil {
			return err
		}
	}
}

// block reads one block and returns its type and body; the body is nil for
// blocks of no interest.
func (p *pcapng) block(src *source) (kind uint32, body []byte, err error) {
	h, err := src.peek(12)
	if errors.Is(err, io.EOF) && len(h) == 0 {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, src.failure("pcapng block header", err)
	}
	if binary.LittleEndian.Uint32(h) == blockSection {
		switch {
		case binary.LittleEndian.Uint32(h[8:]) == byteOrderMagic:
			p.order = binary.LittleEndian
		case binary.BigEndian.Uint32(h[8:]) == byteOrderMagic:
			p.order = binary.BigEndian
		default:
			return 0, nil, src.malformed("section header without a byte-order magic")
		}
	}
	if p.order == nil {
		return 0, nil, src.malformed("no section header")
	}
	kind = p.order.Uint32(h)
	length := p.order.Uint32(h[4:])
	if length < 12 || length%4 != 0 {
		return 0, nil, src.malformed("block length of %d", length)
	}
	if !wantedBlock(kind) {
		if err := src.discard(int64(length)); err != nil {
			return 0, nil, src.failure("pcapng block", err)
		}
		return kind, nil, nil
	}
	if length > maxBlockInFull {
		return 0, nil, src.malformed("block of %d bytes, more than %d", length, maxBlockInFull)
	}
	b, err := src.take(int(length))
	if err != nil {
		return 0, nil, src.failure("pcapng block", err)
	}
	if p.order.Uint32(b[length-4:]) != length {
		return 0, nil, src.malformed("the two lengths of a block differ")
	}
	return kind, b[8 : length-4], nil
}

func wantedBlock(kind uint32) bool {
	return kind == blockSection || kind == blockInterface || kind == blockPacket || kind == blockSimple || kind == blockEnhanced
}

func (p *pcapng) addInterface(src *source, body []byte) error {
	if len(body) < 8 {
		return src.malformed("interface block of %d bytes", len(body))
	}
	if len(p.interfaces) == maxInterfaces {
		return src.malformed("more than %d interfaces", maxInterfaces)
	}
	i := pcapngInterface{
		link:    LinkType(p.order.Uint16(body)),
		snaplen: p.order.Uint32(body[4:]),
		units:   1_000_000,
	}
	for options := body[8:]; len(options) >= 4; {
		code, n := p.order.Uint16(options), int(p.order.Uint16(options[2:]))
		options = options[4:]
		if code == optionEnd || n > len(options) {
			break
		}
		switch {
		case code == optionResolution && n == 1:
			i.units = ticks(options[0])
		case code == optionOffset && n == 8:
			i.offset = int64(p.order.Uint64(options))
		}
		options = options[min((n+3)&^3, len(options)):]
	}
	p.interfaces = append(p.interfaces, i)
	return nil
}

// ticks returns the units a second that if_tsresol means: a power of ten, or
// of two where the top bit is set. An exponent that does not fit is taken as
// the largest that does.
func ticks(resolution byte) uint64 {
	if resolution&0x80 != 0 {
		return 1 << min(resolution&0x7f, 63)
	}
	units := uint64(1)
	for range min(resolution, 19) {
		units *= 10
	}
	return units
}

// at converts a time stamp without overflow.
func (i *pcapngInterface) at(stamp uint64) time.Time {
	seconds, rest := stamp/i.units, stamp%i.units
	hi, lo := bits.Mul64(rest, 1e9)
	nanos, _ := bits.Div64(hi, lo, i.units) // rest < units, so hi < units
	if seconds > math.MaxInt32*4 {
		seconds = 0 // beyond the year 2242: nonsense
	}
	return time.Unix(int64(seconds)+i.offset%(1<<40), int64(nanos))
}

// enhanced reads an Enhanced Packet Block.
func (p *pcapng) enhanced(src *source, body []byte, frame *Frame) (bool, error) {
	if len(body) < 20 {
		return false, src.malformed("packet block of %d bytes", len(body))
	}
	return p.packet(src, p.order.Uint32(body), body[4:], frame)
}

// obsolete reads a Packet Block: a 16-bit interface and a drop count where the
// Enhanced Packet Block has a 32-bit interface.
func (p *pcapng) obsolete(src *source, body []byte, frame *Frame) (bool, error) {
	if len(body) < 20 {
		return false, src.malformed("packet block of %d bytes", len(body))
	}
	return p.packet(src, uint32(p.order.Uint16(body)), body[4:], frame)
}

// packet reads what both blocks share: time stamp, the two lengths, data.
func (p *pcapng) packet(src *source, index uint32, rest []byte, frame *Frame) (bool, error) {
	if int64(index) >= int64(len(p.interfaces)) {
		p.reader.skipped++ // a packet of an interface that was not described cannot be read
		return false, nil
	}
	i := &p.interfaces[index]
	stamp := uint64(p.order.Uint32(rest))<<32 | uint64(p.order.Uint32(rest[4:]))
	captured, length := p.order.Uint32(rest[8:]), p.order.Uint32(rest[12:])
	data := rest[16:]
	if int64(captured) > int64(len(data)) || captured > MaxFrame {
		return false, src.malformed("packet of %d bytes in a block of %d", captured, len(data))
	}
	frame.Time = i.at(stamp)
	frame.Link = i.link
	frame.Interface = int(index)
	frame.Data = data[:captured]
	frame.Length = wireLength(captured, length)
	return true, nil
}

// simple reads a Simple Packet Block: no time stamp, the first interface.
func (p *pcapng) simple(src *source, body []byte, frame *Frame) (bool, error) {
	if len(body) < 4 {
		return false, src.malformed("packet block of %d bytes", len(body))
	}
	if len(p.interfaces) == 0 {
		p.reader.skipped++
		return false, nil
	}
	i := &p.interfaces[0]
	length := p.order.Uint32(body)
	captured := min(length, uint32(min(len(body)-4, MaxFrame)))
	if i.snaplen > 0 {
		captured = min(captured, i.snaplen)
	}
	frame.Link = i.link
	frame.Interface = 0
	frame.Data = body[4 : 4+captured]
	frame.Length = wireLength(captured, length)
	return true, nil // Time stays that of the frame before
}
