package format

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a JSON line.
const (
	maxDepth = 32
	maxDots  = 4 // dots in the name of a key that may stand for nesting
)

// jsonTree says which values of a JSON object are wanted and where they go. A
// key "a.b" is both the key "a.b" and the key "b" of the object under "a"; an
// array stands for its first element.
type jsonTree struct{ nodes []jsonNode }

type jsonNode struct {
	keys   []jsonKey
	longer int // keys longer than that are not wanted
}

type jsonKey struct {
	name   string
	places []place
	child  int // node of the object under the key, 0 for none
}

func newJSONTree(names []string, where []place) *jsonTree {
	t := &jsonTree{nodes: make([]jsonNode, 1)}
	for i, name := range names {
		t.add(0, name, where[i])
	}
	return t
}

// add enters name under node, in every way in which its dots may be meant.
func (t *jsonTree) add(node int, name string, p place) {
	k := t.key(node, name)
	t.nodes[node].keys[k].places = append(t.nodes[node].keys[k].places, p)
	if strings.Count(name, ".") > maxDots {
		return
	}
	for i := range len(name) {
		if name[i] != '.' || i == 0 || i == len(name)-1 {
			continue
		}
		k := t.key(node, name[:i])
		child := t.nodes[node].keys[k].child
		if child == 0 {
			t.nodes = append(t.nodes, jsonNode{})
			child = len(t.nodes) - 1
			t.nodes[node].keys[k].child = child
		}
		t.add(child, name[i+1:], p)
	}
}

// key returns the index of the key called name, made where there is none.
func (t *jsonTree) key(node int, name string) int {
	n := &t.nodes[node]
	for i := range n.keys {
		if n.keys[i].name == name {
			return i
		}
	}
	n.keys = append(n.keys, jsonKey{name: name})
	n.longer = max(n.longer, len(name))
	return len(n.keys) - 1
}

// jsonReader reads one line after the other. The texts it puts are parts of the
// line, or, where they were escaped, of its own memory.
type jsonReader struct {
	tree    *jsonTree
	line    []byte
	at      int
	out     *values
	scratch []byte
}

// read puts the wanted values of the object in line into out. ok is false where
// line is no JSON object; what was read until then is in out.
func (j *jsonReader) read(line []byte, out *values) (ok bool) {
	j.line, j.at, j.out, j.scratch = line, 0, out, j.scratch[:0]
	ok = j.next() == '{' && j.object(0, 1)
	if ok {
		ok = j.next() == 0
	}
	j.line, j.out = nil, nil
	return ok
}

// next passes over white space and returns the byte there, 0 at the end.
func (j *jsonReader) next() byte {
	for j.at < len(j.line) {
		switch c := j.line[j.at]; c {
		case ' ', '\t', '\n', '\r':
			j.at++
		default:
			return c
		}
	}
	return 0
}

// object reads an object whose brace is at j.at. node is -1 where nothing in it
// is wanted.
func (j *jsonReader) object(node, depth int) bool {
	if depth > maxDepth {
		return false
	}
	j.at++
	if j.next() == '}' {
		j.at++
		return true
	}
	for {
		if j.next() != '"' {
			return false
		}
		name, _, ok := j.text()
		if !ok || j.next() != ':' {
			return false
		}
		j.at++
		var key *jsonKey
		if node >= 0 && len(name) <= j.tree.nodes[node].longer {
			key = j.find(node, name)
		}
		if !j.value(key, depth) {
			return false
		}
		switch j.next() {
		case ',':
			j.at++
		case '}':
			j.at++
			return true
		default:
			return false
		}
	}
}

func (j *jsonReader) find(node int, name []byte) *jsonKey {
	keys := j.tree.nodes[node].keys
	for i := range keys {
		if len(keys[i].name) == len(name) && keys[i].name == string(name) {
			return &keys[i]
		}
	}
	return nil
}

// value reads one value; key says where it goes, nil for nowhere.
func (j *jsonReader) value(key *jsonKey, depth int) bool {
	switch c := j.next(); {
	case c == '"':
		text, escaped, ok := j.text()
		if !ok {
			return false
		}
		if key != nil && len(key.places) > 0 {
			if escaped {
				text = j.unescape(text)
			}
			j.put(key, text)
		}
		return true
	case c == '{':
		node := -1
		if key != nil && key.child > 0 {
			node = key.child
		}
		return j.object(node, depth+1)
	case c == '[':
		return j.array(key, depth+1)
	case c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n':
		start := j.at
		for j.at < len(j.line) && plain(j.line[j.at]) {
			j.at++
		}
		if key != nil {
			j.put(key, j.line[start:j.at])
		}
		return true
	}
	return false
}

// plain holds for the characters of numbers and words.
func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

// array reads an array whose bracket is at j.at; its first element goes where
// key says.
func (j *jsonReader) array(key *jsonKey, depth int) bool {
	if depth > maxDepth {
		return false
	}
	j.at++
	if j.next() == ']' {
		j.at++
		return true
	}
	for {
		if !j.value(key, depth) {
			return false
		}
		key = nil
		switch j.next() {
		case ',':
			j.at++
		case ']':
			j.at++
			return true
		default:
			return false
		}
	}
}

func (j *jsonReader) put(key *jsonKey, text []byte) {
	for _, p := range key.places {
		j.out.put(p, text)
	}
}

// text reads a string whose quote is at j.at, as written.
func (j *jsonReader) text() (text []byte, escaped, ok bool) {
	j.at++
	start := j.at
	end := bytes.IndexByte(j.line[start:], '"')
	if end < 0 {
		return nil, false, false
	}
	if bytes.IndexByte(j.line[start:start+end], '\\') < 0 {
		j.at = start + end + 1
		return j.line[start : start+end], false, true
	}
	for i := start; i < len(j.line); i++ {
		switch j.line[i] {
		case '\\':
			i++
		case '"':
			j.at = i + 1
			return j.line[start:i], true, true
		}
	}
	return nil, true, false
}

// unescape resolves the escapes of RFC 8259, section 7; what is none stays.
func (j *jsonReader) unescape(b []byte) []byte {
	start := len(j.scratch)
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			j.scratch = append(j.scratch, b...)
			break
		}
		j.scratch = append(j.scratch, b[:i]...)
		c := b[i+1]
		b = b[i+2:]
		switch c {
		case 'n':
			c = '\n'
		case 't':
			c = '\t'
		case 'r':
			c = '\r'
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'u':
			var r rune
			r, b = unicodeEscape(b)
			j.scratch = utf8.AppendRune(j.scratch, r)
			continue
		}
		j.scratch = append(j.scratch, c)
	}
	return j.scratch[start:len(j.scratch):len(j.scratch)]
}

// unicodeEscape reads the digits behind \u, and a second half of a pair.
func unicodeEscape(b []byte) (rune, []byte) {
	if len(b) < 4 {
		return utf8.RuneError, nil
	}
	v, ok := hex16(b[:4])
	if !ok {
		return utf8.RuneError, b
	}
	r := rune(v)
	b = b[4:]
	if utf16.IsSurrogate(r) && len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
		// Half a pair that another escape follows stands for itself.
		if low, ok := hex16(b[2:6]); ok {
			if pair := utf16.DecodeRune(r, rune(low)); pair != utf8.RuneError {
				return pair, b[6:]
			}
		}
	}
	return r, b // a lone half becomes the replacement character
}

// jsonLines is a parser of logs with one JSON object a line.
type jsonLines struct {
	composer
	reader jsonReader
	values values
}

func newJSONLines(o Options, defaults Keys) jsonLines {
	names, where := defaults.places(o.Keys)
	return jsonLines{composer: composer{clock: newClock(o), layout: o.TimeLayout}, reader: jsonReader{tree: newJSONTree(names, where)}}
}

// Parse implements Parser.
func (p *jsonLines) Parse(line []byte, r *Record) Result {
	if !p.fields(line) {
		return Malformed
	}
	return p.compose(&p.values, r)
}

// fields reads the wanted values of line.
func (p *jsonLines) fields(line []byte) bool {
	p.values = values{}
	return p.reader.read(line, &p.values)
}

// Reset implements Parser.
func (p *jsonLines) Reset() {}

// JSON is the mapping for logs with one JSON object a line: which keys hold
// which field is the configuration's to say.
func newJSON(o Options) Parser {
	p := newJSONLines(o, nil)
	return &p
}
