package capture

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Layout of a block of a TPACKET_V3 ring and of the frames in it
// (linux/if_packet.h, struct tpacket_block_desc and tpacket3_hdr), in the
// machine's byte order.
const (
	blockStatus = 8
	blockFrames = 12 // number of frames
	blockFirst  = 16 // offset of the first
	blockHeader = 48

	ringNext   = 0 // offset to the next frame
	ringTime   = 4 // seconds, nanoseconds
	ringKept   = 12
	ringLength = 16
	ringData   = 24 // offset of the link-layer header, 16 bits
	ringHeader = 48
)

// ringBlock walks the frames of one block. What the block says of itself is
// not trusted: every offset is held against its size.
type ringBlock struct {
	data []byte
	at   int // offset of the next frame's header
	left int // frames
}

// openBlock starts at the first frame.
func openBlock(data []byte) (ringBlock, error) {
	if len(data) < blockHeader {
		return ringBlock{}, fmt.Errorf("ring block of %d bytes", len(data))
	}
	order := binary.NativeEndian
	return ringBlock{data: data, at: int(order.Uint32(data[blockFirst:])), left: int(order.Uint32(data[blockFrames:]))}, nil
}

// next fills in frame; false at the end. After an error the rest of the block
// is lost.
func (b *ringBlock) next(frame *Frame) (bool, error) {
	if b.left <= 0 {
		return false, nil
	}
	order := binary.NativeEndian
	if b.at < blockHeader || b.at > len(b.data)-ringHeader {
		b.left = 0
		return false, fmt.Errorf("ring block of %d bytes with a frame at %d", len(b.data), b.at)
	}
	h := b.data[b.at:]
	start, kept := int(order.Uint16(h[ringData:])), int(order.Uint32(h[ringKept:]))
	if start < ringHeader || kept < 0 || start > len(h) || kept > len(h)-start {
		b.left = 0
		return false, fmt.Errorf("ring frame of %d bytes at %d in %d", kept, start, len(h))
	}
	frame.Time = time.Unix(int64(order.Uint32(h[ringTime:])), int64(order.Uint32(h[ringTime+4:])))
	frame.Data = h[start : start+kept : start+kept]
	frame.Length = max(int(min(order.Uint32(h[ringLength:]), 1<<30)), kept)
	b.left--
	if step := int(order.Uint32(h[ringNext:])); b.left > 0 {
		if step < ringHeader || step > len(h) {
			b.left = 0
			return true, fmt.Errorf("ring frame %d bytes before the next", step)
		}
		b.at += step
	}
	return true, nil
}
