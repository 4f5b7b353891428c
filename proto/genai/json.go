package genai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// maxDepth bounds how deep values of a JSON request are nested. Attributes lie
// eight deep; values of attributes may be nested below that.
const maxDepth = 64

var (
	errNoJSON = errors.New("the body is no JSON document, or is cut off")
	errDeep   = fmt.Errorf("the JSON document is nested deeper than %d", maxDepth)
	errShape  = errors.New("a member has another type than OTLP gives it")
)

// readJSON reads a request in the JSON mapping of OTLP
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) in one go.
// Of what is stepped over, only strings and brackets are checked.
func (b *Builder) readJSON(data []byte, s signal) error {
	c := &cursor{data: data}
	err := c.members(func(name []byte) error {
		if string(name) != s.jsonGroups {
			return c.skip()
		}
		return c.elements(func() error { return b.readJSONGroup(c, s) })
	})
	if err == nil {
		if c.space(); c.at < len(data) {
			err = errNoJSON
		}
	}
	if err != nil {
		return fmt.Errorf("reading %ss: %w", s.records, err)
	}
	return nil
}

// readJSONGroup reads a resource and its scopes. Scopes that come before their
// resource are stepped over at first.
func (b *Builder) readJSONGroup(c *cursor, s signal) error {
	b.beginResource()
	var early []int // where they begin
	known := false
	err := c.members(func(name []byte) error {
		switch {
		case string(name) == "resource":
			known = true
			if err := c.members(func(name []byte) error {
				if string(name) != "attributes" {
					return c.skip()
				}
				return b.readJSONAttributes(c, &b.resource, true)
			}); err != nil {
				return err
			}
			b.endResource()
			return nil
		case string(name) != s.jsonScopes:
			return c.skip()
		case known:
			return b.readJSONScopes(c, s)
		}
		early = append(early, c.at)
		return c.skip()
	})
	if err != nil {
		return err
	}
	b.endResource()
	for _, at := range early {
		if err := b.readJSONScopes(&cursor{data: c.data, at: at}, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) readJSONScopes(c *cursor, s signal) error {
	return c.elements(func() error {
		return c.members(func(name []byte) error {
			if string(name) != s.jsonRecords {
				return c.skip()
			}
			return c.elements(func() error { return b.readJSONRecord(c, s) })
		})
	})
}

func (b *Builder) readJSONRecord(c *cursor, s signal) error {
	if b.batch.Stats.Records >= uint64(b.reader.limits.Records) {
		return fmt.Errorf("%w: at most %d are taken", ErrTooMany, b.reader.limits.Records)
	}
	b.record.reset()
	var spare uint64
	err := c.members(func(name []byte) error {
		switch string(name) {
		case "attributes":
			return b.readJSONAttributes(c, &b.record, false)
		case s.jsonTime:
			return c.nanoseconds(&b.record.nanos)
		case s.jsonSpare:
			return c.nanoseconds(&spare)
		}
		return c.skip()
	})
	if err != nil {
		return err
	}
	if b.record.nanos == 0 {
		b.record.nanos = spare
	}
	b.add()
	return nil
}

// readJSONAttributes reads a list of {"key": …, "value": {"stringValue": …}}.
func (b *Builder) readJSONAttributes(c *cursor, into *facts, ofResource bool) error {
	return c.elements(func() error {
		var name []byte
		value, named := -1, false
		err := c.members(func(member []byte) (err error) {
			switch string(member) {
			case "key":
				name, err = c.text()
				named = true
				return err
			case "value":
				value = c.at
			}
			return c.skip()
		})
		if err != nil || !named {
			return err
		}
		k, wanted := into.want(b, name, ofResource)
		if !wanted || value < 0 {
			return nil
		}
		return b.readJSONValue(&cursor{data: c.data, at: value}, into, k)
	})
}

func (b *Builder) readJSONValue(c *cursor, into *facts, k Key) error {
	return c.members(func(member []byte) error {
		switch {
		case string(member) == "stringValue":
			said, err := c.text()
			if err == nil {
				into.put(b, k, said)
			}
			return err
		case string(member) == "intValue" && k.field == fieldPort:
			from := c.at
			err := c.skip()
			into.put(b, k, bytes.Trim(c.data[from:c.at], `" `))
			return err
		}
		return c.skip()
	})
}

// cursor is a place in a JSON document. Every method that reads a value begins
// at its first character, or at white space before it, and ends behind it.
type cursor struct {
	data []byte
	at   int
}

// space steps over white space and returns what follows, 0 at the end.
func (c *cursor) space() byte {
	for ; c.at < len(c.data); c.at++ {
		switch char := c.data[c.at]; char {
		case ' ', '\t', '\r', '\n':
		default:
			return char
		}
	}
	return 0
}

// null steps over a null, which stands for an empty value.
func (c *cursor) null() bool {
	if !bytes.HasPrefix(c.data[c.at:], []byte("null")) {
		return false
	}
	c.at += len("null")
	return true
}

// members calls visit for each member of an object; visit reads its value.
func (c *cursor) members(visit func(name []byte) error) error {
	return c.list('{', '}', func() error {
		if c.space() != '"' {
			return errNoJSON
		}
		name, err := c.text()
		if err != nil {
			return err
		}
		if c.space() != ':' {
			return errNoJSON
		}
		c.at++
		c.space()
		return visit(name)
	})
}

// elements calls visit for each element of a list; visit reads it.
func (c *cursor) elements(visit func() error) error { return c.list('[', ']', visit) }

func (c *cursor) list(open, shut byte, visit func() error) error {
	switch char := c.space(); {
	case char == 0:
		return errNoJSON
	case char == 'n' && c.null():
		return nil
	case char != open:
		return errShape
	}
	c.at++
	if c.space() == shut {
		c.at++
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		switch c.space() {
		case ',':
			c.at++
		case shut:
			c.at++
			return nil
		default:
			return errNoJSON
		}
	}
}

// skip steps over a value.
func (c *cursor) skip() error {
	var open [maxDepth]byte
	depth := 0
	for {
		switch char := c.space(); char {
		case 0:
			return errNoJSON
		case '"':
			if err := c.skipString(); err != nil {
				return err
			}
		case '{', '[':
			if depth == maxDepth {
				return errDeep
			}
			open[depth] = char + 2 // "]" and "}" lie two behind "[" and "{"
			depth++
			c.at++
			continue
		case '}', ']':
			if depth == 0 || open[depth-1] != char {
				return errNoJSON
			}
			depth--
			c.at++
		case ',', ':':
			if depth == 0 {
				return errNoJSON
			}
			c.at++
			continue
		default:
			if err := c.skipWord(); err != nil {
				return err
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// skipWord steps over a number, true, false or null.
func (c *cursor) skipWord() error {
	from := c.at
	for c.at < len(c.data) {
		char := c.data[c.at]
		if (char < '0' || char > '9') && (char < 'a' || char > 'z') && char != '-' && char != '+' && char != '.' && char != 'E' {
			break
		}
		c.at++
	}
	if c.at == from {
		return errNoJSON
	}
	return nil
}

// skipString steps over a string; a backslash hides the quote behind it.
func (c *cursor) skipString() error {
	for at := c.at + 1; ; {
		quote := bytes.IndexByte(c.data[at:], '"')
		if quote < 0 {
			return errNoJSON
		}
		end := at + quote
		slashes := 0
		for end-1-slashes >= at && c.data[end-1-slashes] == '\\' {
			slashes++
		}
		at = end + 1
		if slashes%2 == 0 {
			c.at = at
			return nil
		}
	}
}

// text reads a string, without copying it where it has no escapes.
func (c *cursor) text() ([]byte, error) {
	if c.space() != '"' {
		return nil, errShape
	}
	from := c.at
	if err := c.skipString(); err != nil {
		return nil, err
	}
	inner := c.data[from+1 : c.at-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var said string
	if err := json.Unmarshal(c.data[from:c.at], &said); err != nil {
		return nil, errNoJSON
	}
	return []byte(said), nil
}

// nanoseconds reads a time, which is a number or a number in quotes, and leaves
// into as it is for anything else: the record counts without it.
func (c *cursor) nanoseconds(into *uint64) error {
	c.space()
	from := c.at
	if err := c.skip(); err != nil {
		return err
	}
	if n, err := strconv.ParseUint(string(bytes.Trim(c.data[from:c.at], `"`)), 10, 64); err == nil {
		*into = n
	}
	return nil
}
