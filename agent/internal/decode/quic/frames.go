package quic

// Frame types that an Initial may hold (RFC 9000, section 12.4), and the close
// of an application, which some send there too.
const (
	framePadding  = 0x00
	framePing     = 0x01
	frameAck      = 0x02
	frameAckECN   = 0x03
	frameCrypto   = 0x06
	frameClose    = 0x1c
	frameCloseApp = 0x1d
)

// Frames walks the frames of an Initial's payload.
type Frames struct {
	// Malformed is set where the walk ended at a frame that does not belong
	// into an Initial, or at one that is longer than the payload.
	Malformed bool
	rest      cursor
	cut       bool
}

// ReadFrames returns a walk over a payload. cut says that the payload's end is
// missing: then the last CRYPTO frame is read as far as it goes.
func ReadFrames(payload []byte, cut bool) Frames {
	return Frames{rest: cursor{b: payload}, cut: cut}
}

// Crypto returns the next CRYPTO frame: where its data belongs in the
// handshake stream, and the data, a part of the payload. ok is false where
// there is none.
func (f *Frames) Crypto() (offset uint64, data []byte, ok bool) {
	c := &f.rest
	for len(c.b) > 0 {
		switch kind := c.number(); kind {
		case framePadding:
			for len(c.b) > 0 && c.b[0] == framePadding {
				c.b = c.b[1:]
			}
		case framePing:
		case frameAck, frameAckECN:
			f.ack(kind == frameAckECN)
		case frameCrypto:
			offset = c.number()
			n := c.number()
			if c.failed || n > uint64(len(c.b)) && !f.cut {
				return f.end()
			}
			data = c.b[:min(n, uint64(len(c.b)))]
			c.b = c.b[len(data):]
			return offset, data, true
		case frameClose, frameCloseApp:
			f.close(kind == frameClose)
		default:
			return f.end()
		}
		if c.failed {
			return f.end()
		}
	}
	return 0, nil, false
}

func (f *Frames) end() (offset uint64, data []byte, ok bool) {
	f.Malformed = !f.cut
	f.rest.b = nil
	return 0, nil, false
}

// ack passes over an ACK frame (RFC 9000, section 19.3).
func (f *Frames) ack(ecn bool) {
	c := &f.rest
	c.number() // largest
	c.number() // delay
	ranges := c.number()
	c.number() // first range
	for ; ranges > 0 && !c.failed; ranges-- {
		c.number()
		c.number()
	}
	for i := 0; ecn && i < 3; i++ {
		c.number()
	}
}

// close passes over a CONNECTION_CLOSE frame (RFC 9000, section 19.19).
func (f *Frames) close(transport bool) {
	c := &f.rest
	c.number() // error
	if transport {
		c.number() // frame type
	}
	n := c.number()
	if n > uint64(len(c.b)) {
		c.failed = true
		return
	}
	c.b = c.b[n:]
}
