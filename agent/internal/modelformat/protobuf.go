package modelformat

// Wire types of protobuf, https://protobuf.dev/programming-guides/encoding/.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// protoField is one field of a message as the wire shows it. For wireBytes
// the cursor stands at the first byte of the value, of size bytes.
type protoField struct {
	number uint64
	wire   uint8
	value  uint64 // of wireVarint
	size   uint64 // of wireBytes
}

// walkProto reads the fields of a message of size bytes and hands each to
// visit, which may read the value from c or leave it. It returns false where
// the bytes are not a message, or visit said so. It never goes back and never
// reads a value that visit does not ask for.
func walkProto(c *cursor, size uint64, visit func(protoField) bool) bool {
	if c.err != nil || size > uint64(c.rest()) {
		c.fail(errEnd)
		return false
	}
	end := c.offset() + int64(size)
	outer := c.end
	c.end = end
	defer func() { c.end = outer }()
	for c.offset() < end {
		key := c.uvarint()
		f := protoField{number: key >> 3, wire: uint8(key & 7)}
		if c.err != nil || f.number == 0 || f.number > 1<<29-1 {
			c.fail(errMalformed)
			return false
		}
		next := int64(-1)
		switch f.wire {
		case wireVarint:
			f.value = c.uvarint()
		case wire64:
			c.skip(8)
		case wire32:
			c.skip(4)
		case wireBytes:
			f.size = c.uvarint()
			if c.err == nil && f.size > uint64(c.rest()) {
				c.fail(errEnd)
			}
			next = c.offset() + int64(f.size)
		default:
			c.fail(errMalformed)
		}
		if c.err != nil || !visit(f) || c.err != nil {
			return false
		}
		if next >= 0 {
			if c.offset() > next {
				c.fail(errMalformed)
				return false
			}
			c.skip(uint64(next - c.offset()))
		}
	}
	return c.err == nil
}

// protoString reads the value of a bytes field as text.
func protoString(c *cursor, f protoField) string { return c.text(f.size, maxFact) }

// firstTag says whether the head can be the first field of a message: number
// at most 31 and of one of the wire types in use. It keeps text and other
// formats from being walked.
func firstTag(head []byte, allowed string) bool {
	if len(head) == 0 {
		return false
	}
	for i := range len(allowed) {
		if head[0] == allowed[i] {
			return true
		}
	}
	return false
}
