package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	maxInputBytes = 64 << 10 // of one line of a list
	maxToldLines  = 5        // lines of a list that are told to be unreadable; the others are only counted
	tableRows     = 500      // rows of a table whose columns are aligned together
)

// matchFile tries every line of the list called name. What a line brings is
// written at once, so that a list may have any length.
func matchFile(s streams, m *matcher, p *matchPrinter, name string) error {
	in, called := s.in, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("opening the list: %w", err)
		}
		defer f.Close() // only read
		in, called = f, name
	}
	inputs, matched, unreadable, number := 0, 0, 0, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxInputBytes)
	for lines.Scan() {
		number++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		inputs++
		found, err := m.match(string(text))
		if err != nil {
			if unreadable++; unreadable <= maxToldLines {
				fmt.Fprintf(s.err, "%s:%d: %v\n", called, number, err)
			}
			continue
		}
		if len(found) > 0 {
			matched++
		}
		if err := p.print(found); err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line %d has over %d bytes: want one input a line", number+1, maxInputBytes)
		}
		return fmt.Errorf("reading %s: %w", called, err)
	}
	fmt.Fprintf(s.err, "%d inputs: %d match, %d do not, %d unreadable\n", inputs, matched, inputs-matched-unreadable, unreadable)
	switch {
	case inputs == unreadable:
		return fmt.Errorf("%s holds nothing that can be matched: want one host name, URL, path or program a line", called)
	case matched == 0:
		return &incomplete{"nothing in the catalogue matches any line of " + called}
	}
	return nil
}

// matchPrinter writes matches as a table or as JSON lines.
type matchPrinter struct {
	out   io.Writer
	json  *jsonLines
	table table
	rows  int
}

func newMatchPrinter(out io.Writer, asJSON bool) *matchPrinter {
	p := &matchPrinter{out: out}
	if asJSON {
		j := newJSONLines(out)
		p.json = &j
	}
	return p
}

// print writes lines; those of a table may wait for flush.
func (p *matchPrinter) print(lines []matchLine) error {
	for _, l := range lines {
		if p.json != nil {
			if err := p.json.write(l); err != nil {
				return err
			}
			continue
		}
		if p.table.Writer == nil {
			p.table = newTable(p.out, "INPUT", "AS", "SIGNATURE", "NAME", "PROVIDER", "ROLE", "CONFIDENCE", "EVIDENCE", "RULE")
		}
		for i, e := range l.Evidence {
			row := []string{"", "", "", "", "", "", "", e.Kind + "=" + e.Value, e.Selector}
			if i == 0 {
				copy(row, []string{l.Input, l.As, l.Asset.Signature, l.Asset.Name, l.Asset.Provider, l.Asset.Role, fmt.Sprint(l.Confidence)})
			}
			p.table.row(row...)
			p.rows++
		}
		if p.rows >= tableRows {
			p.rows = 0
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *matchPrinter) flush() error {
	if p.table.Writer == nil {
		return nil
	}
	if err := p.table.Flush(); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
