package format

import (
	"bytes"
	"strconv"
)

// zeekColumns bounds the columns of a Zeek log that are looked at.
const zeekColumns = 256

// zeek reads the logs of Zeek, in its tab-separated form, whose header names
// separator, marks and fields, and in JSON
// (https://docs.zeek.org/en/master/log-formats.html). A line that starts with a
// brace is JSON, whatever came before.
type zeek struct {
	jsonLines
	names []string
	where []place

	separator   byte
	unset       []byte
	empty       []byte
	columns     [zeekColumns]int16 // index into where plus one; 0 is not wanted
	count       int                // columns of the header, 0 before it
	last        int                // last wanted column
	afterFields func(*values, *Record, Result) Result
}

// newZeek makes a reader of one kind of log. after, where not nil, has the last
// word about a line.
func newZeek(o Options, keys Keys, after func(*values, *Record, Result) Result) Parser {
	names, where := keys.places(o.Keys)
	p := &zeek{names: names, where: where, afterFields: after}
	p.jsonLines = jsonLines{composer: composer{clock: newClock(o)}, reader: jsonReader{tree: newJSONTree(names, where)}}
	p.Reset()
	return p
}

// zeekConnection are the fields that every log of a connection has.
func zeekConnection(more Keys) Keys {
	more["time"] = []string{"ts"}
	more["client"], more["client_port"] = []string{"id.orig_h"}, []string{"id.orig_p"}
	more["server"], more["server_port"] = []string{"id.resp_h"}, []string{"id.resp_p"}
	return more
}

// Reset implements Parser.
func (p *zeek) Reset() {
	p.separator, p.unset, p.empty, p.count, p.last = '\t', []byte("-"), []byte("(empty)"), 0, 0
}

// Parse implements Parser.
func (p *zeek) Parse(line []byte, r *Record) Result {
	switch {
	case len(line) == 0:
		return Ignored
	case line[0] == '#':
		return p.header(line)
	case line[0] == '{':
		if !p.fields(line) {
			return Malformed
		}
	case p.count == 0:
		return NoHeader
	default:
		if !p.split(line) {
			return TooShort
		}
	}
	result := p.compose(&p.values, r)
	if p.afterFields != nil {
		result = p.afterFields(&p.values, r, result)
	}
	return result
}

// split reads a tab-separated line.
func (p *zeek) split(line []byte) bool {
	p.values = values{}
	for column := 0; column <= p.last; column++ {
		end := bytes.IndexByte(line, p.separator)
		text := line
		if end >= 0 {
			text = line[:end]
		} else if column < p.last {
			return false
		}
		if i := p.columns[column]; i > 0 && !bytes.Equal(text, p.unset) && !bytes.Equal(text, p.empty) {
			p.values.put(p.where[i-1], text)
		}
		line = line[end+1:]
	}
	return true
}

// header reads a line that starts with "#".
func (p *zeek) header(line []byte) Result {
	if rest, ok := bytes.CutPrefix(line, []byte("#separator ")); ok {
		return p.setSeparator(rest)
	}
	name, rest, _ := bytes.Cut(line, []byte{p.separator})
	switch string(name) {
	case "#unset_field":
		p.unset = bytes.Clone(rest)
	case "#empty_field":
		p.empty = bytes.Clone(rest)
	case "#fields":
		p.columns, p.count, p.last = [zeekColumns]int16{}, 0, 0
		for len(rest) > 0 && p.count < zeekColumns {
			var column []byte
			column, rest, _ = bytes.Cut(rest, []byte{p.separator})
			for i, wanted := range p.names {
				if string(column) == wanted {
					p.columns[p.count], p.last = int16(i+1), p.count
				}
			}
			p.count++
		}
	case "#close":
		return Ignored
	}
	return Header
}

// setSeparator reads the separator as the header writes it, \x09.
func (p *zeek) setSeparator(b []byte) Result {
	if hex, ok := bytes.CutPrefix(b, []byte(`\x`)); ok {
		v, err := strconv.ParseUint(string(hex[:min(len(hex), 3)]), 16, 8)
		if err != nil {
			return Malformed
		}
		p.separator = byte(v)
		return Header
	}
	if len(b) != 1 {
		return Malformed
	}
	p.separator = b[0]
	return Header
}
