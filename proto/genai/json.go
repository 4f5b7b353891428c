package genai

import (
	"bytes"
	"errors"
	"fmt"
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
