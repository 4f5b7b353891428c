package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of one CSV file.
const (
	MaxCSVBytes   = 64 << 20
	MaxCSVColumns = 500
)

// table is a CSV file whose header was read.
type table struct {
	file   string
	reader *csv.Reader
	header []string // as written, without space around
}

// openTable checks the encoding and reads the header. The error says what is
// wrong with the file as a whole.
func openTable(file File) (*table, error) {
	data := file.Data
	fail := func(format string, args ...any) (*table, error) {
		return nil, fmt.Errorf("reading %s: %s", file.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case len(data) > MaxCSVBytes:
		return fail("%d bytes are more than the limit of %d", len(data), MaxCSVBytes)
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fail("the file is UTF-16: save it as CSV UTF-8")
	case !utf8.Valid(data):
		return fail("the file is not UTF-8: save it as CSV UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	t := &table{file: file.Name, reader: csv.NewReader(bytes.NewReader(data))}
	t.reader.FieldsPerRecord = -1
	header, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return fail("the file is empty: it needs a header")
	}
	if err != nil {
		return fail("the header cannot be read: %s", err)
	}
	if len(header) > MaxCSVColumns {
		return fail("%d columns are more than the limit of %d", len(header), MaxCSVColumns)
	}
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		return fail("the columns are not separated by commas: save it as comma-separated; \";\" separates values inside a cell")
	}
	taken := map[string]bool{}
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		folded := foldHeader(name)
		if exact, isExtra := strings.CutPrefix(header[i], extraPrefix); isExtra {
			folded = extraPrefix + exact
		}
		if folded != "" && taken[folded] {
			return fail("the column %q is there twice", header[i])
		}
		taken[folded] = true
	}
	t.header = header
	return t, nil
}

// foldHeader makes "Owner Business", "owner_business" and "OWNERBUSINESS" one.
func foldHeader(name string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "", "\t", "", "\u00a0", "").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// extraPrefix is how an export names what an entry has under extra.
const extraPrefix = "extra."

// extraName is the key under extra of a column that has no field: exactly what
// follows the prefix, else the header in lower case with "_" for spaces.
func extraName(header string) string {
	if name, exact := strings.CutPrefix(header, extraPrefix); exact {
		return name
	}
	return strings.Join(strings.Fields(strings.ToLower(header)), "_")
}

// next returns the next row that is not empty, with the line it starts on. A row
// that is broken as CSV comes back as a rejection. io.EOF ends the file.
func (t *table) next() (cells []string, row int, rejected *Rejection, err error) {
	for {
		cells, err := t.reader.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil, 0, nil, io.EOF
		case errors.As(err, &broken):
			return nil, broken.StartLine, &Rejection{File: t.file, Row: broken.StartLine, Reason: "is broken CSV: " + broken.Err.Error()}, nil
		case err != nil:
			return nil, 0, nil, fmt.Errorf("reading %s: %w", t.file, err)
		}
		row, _ := t.reader.FieldPos(0)
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		if len(cells) > len(t.header) {
			return nil, row, &Rejection{
				File: t.file, Row: row, Value: clip(cells[len(t.header)]),
				Reason: fmt.Sprintf("has %d cells, the header has %d: put a cell that contains a comma in double quotes", len(cells), len(t.header)),
			}, nil
		}
		return cells, row, nil, nil
	}
}

// cellReader reads the cells of one row and reports what it coerced.
type cellReader struct {
	file      string
	row       int
	coercions []Coercion
}

// value returns the value or values of a cell.
func (r *cellReader) value(column, cell string, list bool, coerce coercer) []string {
	plain := unguardCell(cell)
	if plain != cell {
		r.report(column, cell, plain, "the guard against formulas removed")
	}
	if list {
		values := splitList(plain)
		for i, value := range values {
			values[i] = r.coerced(column, value, coerce)
		}
		return values
	}
	trimmed := strings.TrimSpace(plain)
	if trimmed != plain {
		r.report(column, plain, trimmed, "space at the ends removed")
	}
	if trimmed == "" {
		return nil
	}
	return []string{r.coerced(column, trimmed, coerce)}
}

func (r *cellReader) coerced(column, value string, coerce coercer) string {
	coerced, reason := coerce(value)
	if coerced != value {
		r.report(column, value, coerced, reason)
	}
	return coerced
}

// report clips both values at the same place, so that what differs is shown.
func (r *cellReader) report(column, from, to, reason string) {
	from, to = clipPair(from, to)
	r.coercions = append(r.coercions, Coercion{File: r.file, Row: r.row, Column: column, From: from, To: to, Reason: reason})
}

// clipPair keeps two different values short and different: where they begin
// alike for long, the beginning is left out.
func clipPair(from, to string) (string, string) {
	same := 0
	for same < min(len(from), len(to)) && from[same] == to[same] {
		same++
	}
	const context = 20
	if start := same - context; same > clipBytes/2 {
		for start > 0 && !utf8.RuneStart(from[start]) {
			start--
		}
		return "…" + clip(from[start:]), "…" + clip(to[start:])
	}
	return clip(from), clip(to)
}
