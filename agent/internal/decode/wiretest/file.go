package wiretest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
)

// ByteOrder is an order for reading and appending.
type ByteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// Pcap says what kind of pcap file to build.
type Pcap struct {
	Order ByteOrder // nil is little-endian
	Nano  bool
	Minor uint16 // of version 2
	Link  uint32
}

// File returns a file with the frames, one second apart from second 1000 on
// and 250 units of the fraction further each.
func (p Pcap) File(frames ...[]byte) []byte {
	order := p.Order
	if order == nil {
		order = binary.LittleEndian
	}
	magic := uint32(0xa1b2c3d4)
	if p.Nano {
		magic = 0xa1b23c4d
	}
	out := order.AppendUint32(nil, magic)
	out = order.AppendUint16(out, 2)
	out = order.AppendUint16(out, p.Minor)
	for _, n := range []uint32{0, 0, 65535, p.Link} {
		out = order.AppendUint32(out, n)
	}
	for i, f := range frames {
		for _, n := range []uint32{1000 + uint32(i), 250 * uint32(i), uint32(len(f)), uint32(len(f))} {
			out = order.AppendUint32(out, n)
		}
		out = append(out, f...)
	}
	return out
}

// EthernetFile returns a usual pcap file with Ethernet frames.
func EthernetFile(frames ...[]byte) []byte { return Pcap{Minor: 4, Link: 1}.File(frames...) }

// Block returns one pcapng block.
func Block(order ByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	length := uint32(12 + len(body))
	out := order.AppendUint32(nil, kind)
	out = order.AppendUint32(out, length)
	out = append(out, body...)
	return order.AppendUint32(out, length)
}

// Section returns a section header block.
func Section(order ByteOrder) []byte {
	body := order.AppendUint32(nil, 0x1a2b3c4d)
	body = order.AppendUint16(body, 1)
	body = order.AppendUint16(body, 0)
	return Block(order, 0x0a0d0d0a, order.AppendUint64(body, 1<<64-1))
}

// Interface returns an interface description block; options come encoded.
func Interface(order ByteOrder, link uint16, options ...[]byte) []byte {
	body := order.AppendUint16(nil, link)
	body = order.AppendUint16(body, 0)
	return Block(order, 1, Join(order.AppendUint32(body, 0), Join(options...)))
}

// Option returns one option of a block.
func Option(order ByteOrder, code uint16, value []byte) []byte {
	out := order.AppendUint16(nil, code)
	out = append(order.AppendUint16(out, uint16(len(value))), value...)
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	return out
}

// Enhanced returns an enhanced packet block; stamp is in the interface's
// units.
func Enhanced(order ByteOrder, index uint32, stamp uint64, length int, data []byte) []byte {
	body := order.AppendUint32(nil, index)
	for _, n := range []uint32{uint32(stamp >> 32), uint32(stamp), uint32(len(data)), uint32(length)} {
		body = order.AppendUint32(body, n)
	}
	return Block(order, 6, append(body, data...))
}

// Gzip returns b compressed.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // a bytes.Buffer does not fail
	_ = w.Close()
	return out.Bytes()
}
