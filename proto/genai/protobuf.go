package genai

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// signal says where one kind of record lies in its request. The numbers are
// those of trace.proto and logs.proto, the names those of their JSON mapping;
// what is not here is stepped over.
type signal struct {
	records     string // what they are called
	attributes  uint64
	time, spare uint64 // fixed64, nanoseconds since 1970; spare counts where time is 0

	jsonGroups, jsonScopes, jsonRecords, jsonTime, jsonSpare string
}

func spans() signal {
	return signal{
		records: "span", attributes: 9, time: 7, spare: 8,
		jsonGroups: "resourceSpans", jsonScopes: "scopeSpans", jsonRecords: "spans", jsonTime: "startTimeUnixNano", jsonSpare: "endTimeUnixNano",
	}
}

func logRecords() signal {
	return signal{
		records: "log record", attributes: 6, time: 1, spare: 11,
		jsonGroups: "resourceLogs", jsonScopes: "scopeLogs", jsonRecords: "logRecords", jsonTime: "timeUnixNano", jsonSpare: "observedTimeUnixNano",
	}
}

// Wire types (https://protobuf.dev/programming-guides/encoding/).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var (
	errCut  = errors.New("the protobuf message is cut off or damaged")
	errWire = errors.New("the protobuf message has a field of an unknown wire type")
)

// part is one field of a message. A message is at most some megabytes, so that
// its parts fit an int.
type part struct {
	number uint64
	wire   byte
	bytes  []byte // wireBytes
	value  uint64 // the other types
}

// next returns the first field of b and what follows it. It allocates nothing.
func next(b []byte) (p part, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 {
		return p, nil, errCut
	}
	b = b[n:]
	p.number, p.wire = tag>>3, byte(tag&7)
	switch p.wire {
	case wireVarint:
		if p.value, n = binary.Uvarint(b); n <= 0 {
			return p, nil, errCut
		}
	case wireFixed64:
		if n = 8; len(b) < n {
			return p, nil, errCut
		}
		p.value = binary.LittleEndian.Uint64(b)
	case wireFixed32:
		if n = 4; len(b) < n {
			return p, nil, errCut
		}
		p.value = uint64(binary.LittleEndian.Uint32(b))
	case wireBytes:
		length, used := binary.Uvarint(b)
		if used <= 0 || length > uint64(len(b)-used) {
			return p, nil, errCut
		}
		n = used + int(length)
		p.bytes = b[used:n]
	default:
		return p, nil, errWire
	}
	return p, b[n:], nil
}

// readProtobuf reads a request: groups of a resource and scopes of records. A
// resource may come after the scopes that it is of, so each group is gone
// through twice.
func (b *Builder) readProtobuf(data []byte, s signal) error {
	for len(data) > 0 {
		p, rest, err := next(data)
		if err != nil {
			return fmt.Errorf("reading request: %w", err)
		}
		data = rest
		if p.number != 1 || p.wire != wireBytes {
			continue
		}
		if err := b.readGroup(p.bytes, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) readGroup(group []byte, s signal) error {
	b.beginResource()
	scopes := false
	for data := group; len(data) > 0; {
		p, rest, err := next(data)
		if err != nil {
			return fmt.Errorf("reading resource of %ss: %w", s.records, err)
		}
		data = rest
		scopes = scopes || p.number == 2
		if p.number == 1 && p.wire == wireBytes {
			if err := b.readAttributes(p.bytes, 1, &b.resource, nil, true); err != nil {
				return fmt.Errorf("reading resource of %ss: %w", s.records, err)
			}
		}
	}
	b.endResource()
	for data := group; scopes && len(data) > 0; {
		p, rest, err := next(data)
		if err != nil {
			return fmt.Errorf("reading %ss: %w", s.records, err)
		}
		data = rest
		if p.number == 2 && p.wire == wireBytes {
			if err := b.readScope(p.bytes, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Builder) readScope(scope []byte, s signal) error {
	for len(scope) > 0 {
		p, rest, err := next(scope)
		if err != nil {
			return fmt.Errorf("reading scope of %ss: %w", s.records, err)
		}
		scope = rest
		if p.number != 2 || p.wire != wireBytes {
			continue
		}
		if b.batch.Stats.Records >= uint64(b.reader.limits.Records) {
			return fmt.Errorf("%w: at most %d are taken", ErrTooMany, b.reader.limits.Records)
		}
		b.record.reset()
		if err := b.readAttributes(p.bytes, s.attributes, &b.record, &s, false); err != nil {
			return fmt.Errorf("reading %s: %w", s.records, err)
		}
		b.add()
	}
	return nil
}

// readAttributes takes the attributes of a message, and its times where s is
// given. Everything else in it is stepped over.
func (b *Builder) readAttributes(message []byte, number uint64, into *facts, s *signal, ofResource bool) error {
	var spare uint64
	for len(message) > 0 {
		p, rest, err := next(message)
		if err != nil {
			return err
		}
		message = rest
		switch {
		case p.number == number && p.wire == wireBytes:
			if err := b.readAttribute(p.bytes, into, ofResource); err != nil {
				return fmt.Errorf("attribute: %w", err)
			}
		case s != nil && p.number == s.time && p.wire == wireFixed64:
			into.nanos = p.value
		case s != nil && p.number == s.spare && p.wire == wireFixed64:
			spare = p.value
		}
	}
	if into.nanos == 0 {
		into.nanos = spare
	}
	return nil
}

// readAttribute reads a KeyValue. Its value is looked at only where its key is
// one of the table; the last of a field given twice counts, as in protobuf.
func (b *Builder) readAttribute(pair []byte, into *facts, ofResource bool) error {
	var name, value []byte
	for len(pair) > 0 {
		p, rest, err := next(pair)
		if err != nil {
			return err
		}
		pair = rest
		if p.wire != wireBytes {
			continue
		}
		switch p.number {
		case 1:
			name = p.bytes
		case 2:
			value = p.bytes
		}
	}
	k, wanted := into.want(b, name, ofResource)
	if !wanted {
		return nil
	}
	var text []byte
	for len(value) > 0 {
		p, rest, err := next(value)
		if err != nil {
			return err
		}
		value = rest
		switch {
		case p.number == 1 && p.wire == wireBytes:
			text = p.bytes
		case p.number == 3 && p.wire == wireVarint && k.field == fieldPort:
			text = strconv.AppendInt(into.number[:0], int64(p.value), 10)
		default:
			text = nil // the last of a oneof counts, and it is no text
		}
	}
	into.put(b, k, text)
	return nil
}
