package genai

import (
	"bytes"
	"encoding/json"
	"strconv"
)

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
