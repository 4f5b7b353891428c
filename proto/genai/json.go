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
	errNoJSON = errors.New("the body is no JSON document")
	errDeep   = fmt.Errorf("the JSON document is nested deeper than %d", maxDepth)
	errShape  = errors.New("a member has another type than OTLP gives it")
)

// readJSON reads a request in the JSON mapping of OTLP
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). The whole
// document is checked first, so that what follows may step over values without
// looking into them.
func (b *Builder) readJSON(data []byte, s signal) error {
	if !json.Valid(data) {
		return fmt.Errorf("reading request: %w", errNoJSON)
	}
	err := members(bytes.TrimLeft(data, " \t\r\n"), func(name, value []byte) error {
		if string(name) != s.jsonGroups {
			return nil
		}
		return elements(value, func(group []byte) error { return b.readJSONGroup(group, s) })
	})
	if err != nil && !errors.Is(err, ErrTooMany) {
		return fmt.Errorf("reading %ss: %w", s.records, err)
	}
	return err
}

func (b *Builder) readJSONGroup(group []byte, s signal) error {
	b.beginResource()
	var scopes [][]byte
	err := members(group, func(name, value []byte) error {
		switch string(name) {
		case "resource":
			return members(value, func(name, value []byte) error {
				if string(name) != "attributes" {
					return nil
				}
				return b.readJSONAttributes(value, &b.resource, true)
			})
		case s.jsonScopes:
			scopes = append(scopes, value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.endResource()
	for _, list := range scopes {
		err := elements(list, func(scope []byte) error {
			return members(scope, func(name, value []byte) error {
				if string(name) != s.jsonRecords {
					return nil
				}
				return elements(value, func(record []byte) error { return b.readJSONRecord(record, s) })
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) readJSONRecord(record []byte, s signal) error {
	if b.batch.Stats.Records >= uint64(b.reader.limits.Records) {
		return fmt.Errorf("%w: at most %d are taken", ErrTooMany, b.reader.limits.Records)
	}
	b.record.reset()
	var spare uint64
	err := members(record, func(name, value []byte) error {
		switch string(name) {
		case "attributes":
			return b.readJSONAttributes(value, &b.record, false)
		case s.jsonTime:
			b.record.nanos = nanoseconds(value)
		case s.jsonSpare:
			spare = nanoseconds(value)
		}
		return nil
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

// nanoseconds reads a time, which is a number or a number in quotes; 0 for
// anything else: the record counts without it.
func nanoseconds(value []byte) uint64 {
	n, err := strconv.ParseUint(string(bytes.Trim(value, `"`)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readJSONAttributes reads a list of {"key": …, "value": {"stringValue": …}}.
func (b *Builder) readJSONAttributes(list []byte, into *facts, ofResource bool) error {
	return elements(list, func(pair []byte) error {
		var name, value []byte
		err := members(pair, func(member, content []byte) (err error) {
			switch string(member) {
			case "key":
				name, err = text(content)
			case "value":
				value = content
			}
			return err
		})
		if err != nil {
			return err
		}
		k, wanted := into.want(b, name, ofResource)
		if !wanted || value == nil {
			return nil
		}
		return members(value, func(member, content []byte) error {
			switch {
			case string(member) == "stringValue":
				said, err := text(content)
				if err == nil {
					into.put(b, k, said)
				}
				return err
			case string(member) == "intValue" && k.field == fieldPort:
				into.put(b, k, bytes.Trim(content, `"`))
			}
			return nil
		})
	})
}

// members calls visit for each member of a JSON object that is valid; null
// stands for an empty one, as in the JSON mapping of protobuf.
func members(object []byte, visit func(name, value []byte) error) error {
	if string(object) == "null" {
		return nil
	}
	if len(object) == 0 || object[0] != '{' {
		return errShape
	}
	for at := 1; ; {
		at = skipSpace(object, at)
		if at >= len(object) || object[at] == '}' {
			return nil
		}
		end, err := skipValue(object, at)
		if err != nil {
			return err
		}
		name, err := text(object[at:end])
		if err != nil {
			return err
		}
		at = skipSpace(object, skipSpace(object, end)+1) // over ":"
		if end, err = skipValue(object, at); err != nil {
			return err
		}
		if err := visit(name, object[at:end]); err != nil {
			return err
		}
		if at = skipSpace(object, end); at < len(object) && object[at] == ',' {
			at++
		}
	}
}

// elements calls visit for each element of a JSON list that is valid.
func elements(list []byte, visit func(value []byte) error) error {
	if string(list) == "null" {
		return nil
	}
	if len(list) == 0 || list[0] != '[' {
		return errShape
	}
	for at := 1; ; {
		at = skipSpace(list, at)
		if at >= len(list) || list[at] == ']' {
			return nil
		}
		end, err := skipValue(list, at)
		if err != nil {
			return err
		}
		if err := visit(list[at:end]); err != nil {
			return err
		}
		if at = skipSpace(list, end); at < len(list) && list[at] == ',' {
			at++
		}
	}
}

func skipSpace(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\t' || b[at] == '\r' || b[at] == '\n') {
		at++
	}
	return at
}

// skipValue returns where the value that begins at an index ends. The document
// is valid, so brackets need not be told apart.
func skipValue(b []byte, at int) (end int, err error) {
	depth := 0
	for at < len(b) {
		switch b[at] {
		case '"':
			at = skipString(b, at)
		case '{', '[':
			if depth++; depth > maxDepth {
				return 0, errDeep
			}
			at++
			continue
		case '}', ']':
			depth--
			at++
		case ',', ':', ' ', '\t', '\r', '\n':
			at++
			continue
		default: // a number or a word
			for at < len(b) && bytes.IndexByte([]byte(",:]} \t\r\n"), b[at]) < 0 {
				at++
			}
		}
		if depth <= 0 {
			return at, nil
		}
	}
	return 0, errNoJSON
}

func skipString(b []byte, at int) int {
	for at++; at < len(b); at++ {
		switch b[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return at
}

// text returns what a JSON string says, without copying it where it has no
// escapes.
func text(value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '"' {
		return nil, errShape
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var said string
	if err := json.Unmarshal(value, &said); err != nil {
		return nil, errNoJSON
	}
	return []byte(said), nil
}
