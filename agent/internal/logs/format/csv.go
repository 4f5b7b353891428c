package format

import (
	"bytes"
	"strconv"
)

// maxColumns bounds the columns of a line; those beyond it are not read.
const maxColumns = 512

// csv is the mapping for logs with one value a column (RFC 4180, without line
// breaks inside quotes). Which columns hold which field is the configuration's
// to say, by name where the first line names the columns, or by number from 1.
type csv struct {
	composer
	delimiter byte
	header    bool // the first line names the columns
	names     []string
	where     []place
	byNumber  []columnPlace // places of numbered columns
	columns   []columnPlace // places of all, once the header is known
	known     bool
	values    values
	scratch   []byte
}

// columnPlace is where the value of a column goes, by column from 0.
type columnPlace struct {
	column int
	place
}

func newCSV(o Options) Parser {
	p := &csv{composer: composer{clock: newClock(o), layout: o.TimeLayout}, delimiter: ',', header: o.Header}
	if o.Delimiter != 0 {
		p.delimiter = o.Delimiter
	}
	names, where := Keys(nil).places(o.Keys)
	for i, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= maxColumns {
			p.byNumber = append(p.byNumber, columnPlace{n - 1, where[i]})
			continue
		}
		p.names, p.where = append(p.names, name), append(p.where, where[i])
	}
	p.Reset()
	return p
}

// Reset implements Parser.
func (p *csv) Reset() {
	p.known = !p.header
	p.columns = append(p.columns[:0], p.byNumber...)
}

// Parse implements Parser.
func (p *csv) Parse(line []byte, r *Record) Result {
	if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
		return Ignored
	}
	if !p.known {
		return p.learn(line)
	}
	p.values = values{}
	last, ok := p.split(line, func(column int, text []byte) {
		for i := range p.columns {
			if p.columns[i].column == column {
				p.values.put(p.columns[i].place, text)
			}
		}
	})
	if !ok {
		return Malformed
	}
	for i := range p.columns {
		if p.columns[i].column > last {
			return TooShort
		}
	}
	return p.compose(&p.values, r)
}

// learn reads the names of the columns.
func (p *csv) learn(line []byte) Result {
	_, ok := p.split(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), func(column int, text []byte) {
		for i, name := range p.names {
			if string(bytes.TrimSpace(text)) == name {
				p.columns = append(p.columns, columnPlace{column, p.where[i]})
			}
		}
	})
	if !ok || len(p.columns) == 0 {
		p.columns = append(p.columns[:0], p.byNumber...)
		return NoHeader
	}
	p.known = true
	return Header
}

// split hands every column to f; last is the number of the last, from 0.
func (p *csv) split(line []byte, f func(column int, text []byte)) (last int, ok bool) {
	p.scratch = p.scratch[:0]
	for column := range maxColumns {
		last = column
		if len(line) > 0 && line[0] == '"' {
			text, rest, ok := p.quoted(line)
			if !ok || len(rest) > 0 && rest[0] != p.delimiter {
				return last, false
			}
			f(column, text)
			if len(rest) == 0 {
				return last, true
			}
			line = rest[1:]
			continue
		}
		end := bytes.IndexByte(line, p.delimiter)
		if end < 0 {
			f(column, line)
			return last, true
		}
		f(column, line[:end])
		line = line[end+1:]
	}
	return last, true
}

// quoted reads a column in quotes, in which two quotes stand for one.
func (p *csv) quoted(b []byte) (text, rest []byte, ok bool) {
	start := len(p.scratch)
	b = b[1:]
	doubled := false
	for {
		end := bytes.IndexByte(b, '"')
		if end < 0 {
			return nil, nil, false
		}
		if end+1 >= len(b) || b[end+1] != '"' {
			if !doubled {
				return b[:end], b[end+1:], true
			}
			p.scratch = append(p.scratch, b[:end]...)
			return p.scratch[start:len(p.scratch):len(p.scratch)], b[end+1:], true
		}
		doubled = true
		p.scratch = append(p.scratch, b[:end+1]...)
		b = b[end+2:]
	}
}
