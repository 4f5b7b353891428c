package modelformat

import (
	"errors"
	"unicode/utf8"
)

var errMalformed = errors.New("malformed")

const (
	jsonMaxDepth = 64
	jsonMaxText  = 512 // bytes kept of one string; the rest is passed over
)

// jsonReader pulls tokens of RFC 8259 from a cursor without building values.
// Strings are cut at jsonMaxText bytes, depth at jsonMaxDepth.
type jsonReader struct {
	c     *cursor
	stack [jsonMaxDepth]byte // '{' or '['
	depth int
	state byte // what may come next: 'v' value, 'k' key or '}', 'K' key, 'e' value or ']', ',' comma or end, 'd' done
	text  []byte
}

func newJSON(c *cursor) *jsonReader {
	return &jsonReader{c: c, state: 'v', text: make([]byte, 0, 64)}
}

// next returns the kind of the next token: '{' '}' '[' ']' 'k' (key) 's'
// (string) 'n' (number) 'l' (true, false, null), or 0 at the end and on the
// first error, which c.err tells apart. For 'k', 's', 'n' and 'l' text holds
// the token, valid until the next call.
func (j *jsonReader) next() byte {
	for {
		if j.state == 'd' || j.c.err != nil {
			return 0
		}
		b := j.space()
		if j.c.err != nil {
			return 0
		}
		switch {
		case j.state == ',' && b == ',':
			j.state = 'v'
			if j.stack[j.depth-1] == '{' {
				j.state = 'K'
			}
			continue
		case b == '}' && j.depth > 0 && j.stack[j.depth-1] == '{' && (j.state == ',' || j.state == 'k'):
			j.close()
			return b
		case b == ']' && j.depth > 0 && j.stack[j.depth-1] == '[' && (j.state == ',' || j.state == 'e'):
			j.close()
			return b
		case b == '"' && (j.state == 'k' || j.state == 'K'):
			return j.key()
		case j.state == 'v' || j.state == 'e':
			return j.value(b)
		}
		j.c.fail(errMalformed)
		return 0
	}
}

// space passes over white space and returns the first other byte.
func (j *jsonReader) space() byte {
	for {
		b := j.c.byte()
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return b
		}
		if j.c.err != nil {
			return 0
		}
	}
}

func (j *jsonReader) open(b byte) byte {
	if j.depth == jsonMaxDepth {
		j.c.fail(errMalformed)
		return 0
	}
	j.stack[j.depth] = b
	j.depth++
	j.state = 'k'
	if b == '[' {
		j.state = 'e'
	}
	return b
}

func (j *jsonReader) close() {
	j.depth--
	j.after()
}

// after sets the state that follows a whole value.
func (j *jsonReader) after() {
	j.state = ','
	if j.depth == 0 {
		j.state = 'd'
	}
}

func (j *jsonReader) key() byte {
	j.string()
	if j.space() != ':' {
		j.c.fail(errMalformed)
	}
	if j.c.err != nil {
		return 0
	}
	j.state = 'v'
	return 'k'
}

func (j *jsonReader) value(b byte) byte {
	switch {
	case b == '{' || b == '[':
		return j.open(b)
	case b == '"':
		j.string()
		j.after()
		if j.c.err != nil {
			return 0
		}
		return 's'
	case b == '-' || b >= '0' && b <= '9':
		j.word(b)
		j.after()
		return 'n'
	case b == 't' || b == 'f' || b == 'n':
		j.word(b)
		if s := string(j.text); s != "true" && s != "false" && s != "null" {
			j.c.fail(errMalformed)
			return 0
		}
		j.after()
		return 'l'
	}
	j.c.fail(errMalformed)
	return 0
}

// word reads a number or literal, whose first byte is b.
func (j *jsonReader) word(b byte) {
	j.text = append(j.text[:0], b)
	for j.c.rest() > 0 && j.c.need(1) {
		b := j.c.win[j.c.pos]
		if !(b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b == 'E' || b == '.' || b == '+' || b == '-') {
			return
		}
		if len(j.text) >= 64 {
			j.c.fail(errMalformed)
			return
		}
		j.text = append(j.text, b)
		j.c.pos++
	}
}

// string reads the rest of a string. Escapes other than the short ones are
// replaced by '?': no fact needs them.
func (j *jsonReader) string() {
	j.text = j.text[:0]
	for {
		b := j.c.byte()
		switch {
		case j.c.err != nil:
			return
		case b == '"':
			for len(j.text) > 0 && !utf8.Valid(j.text) && len(j.text) >= jsonMaxText-4 {
				j.text = j.text[:len(j.text)-1]
			}
			return
		case b < ' ':
			j.c.fail(errMalformed)
			return
		case b == '\\':
			b = j.escape()
		}
		if len(j.text) < jsonMaxText {
			j.text = append(j.text, b)
		}
	}
}

func (j *jsonReader) escape() byte {
	switch b := j.c.byte(); b {
	case '"', '\\', '/':
		return b
	case 'n', 't', 'r', 'b', 'f':
		return ' '
	case 'u':
		for range 4 {
			h := j.c.byte()
			if !(h >= '0' && h <= '9' || h >= 'a' && h <= 'f' || h >= 'A' && h <= 'F') {
				j.c.fail(errMalformed)
			}
		}
		return '?'
	}
	j.c.fail(errMalformed)
	return 0
}

// skip passes over the value that follows a key.
func (j *jsonReader) skip() bool {
	depth := j.depth
	for {
		if j.next() == 0 {
			return false
		}
		if j.depth == depth && j.state != 'v' {
			return true
		}
	}
}

// str reads the value that follows a key if it is a string or a number, and
// passes over it otherwise.
func (j *jsonReader) str() string {
	switch j.next() {
	case 's', 'n', 'l':
		return string(j.text)
	case '{', '[':
		j.leave(j.depth - 1)
	}
	return ""
}

// leave passes over the rest of values until depth is reached.
func (j *jsonReader) leave(depth int) bool {
	for j.depth > depth {
		if j.next() == 0 {
			return false
		}
	}
	return true
}

// jsonStart says whether the head looks like a JSON object, so that parsers of
// JSON formats need not try.
func jsonStart(head []byte) bool {
	for i, b := range head {
		switch b {
		case ' ', '\n', '\r', '\t':
			continue
		case '{':
			return true
		case 0xef: // byte order mark
			if i == 0 && len(head) > 3 && head[1] == 0xbb && head[2] == 0xbf {
				continue
			}
			return false
		case 0xbb, 0xbf:
			if i == 1 || i == 2 {
				continue
			}
			return false
		}
		return false
	}
	return false
}
