package inventory

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Import is what a CSV file makes of a base document.
type Import struct {
	Document  *Document // the base with the accepted rows, in normal form
	Accepted  int       // rows
	Rejected  []Rejection
	Coercions []Coercion // of accepted rows and of rejected ones
}

// ImportCSV reads rows over a copy of base, which may be nil. A row replaces, of
// the entry with its id, the fields that the file has columns for; an empty cell
// empties its field. Everything else of the entry stays, and so do entries
// without a row: a CSV file removes none. A column without a field is kept under
// extra. A row with a value that cannot be used is rejected whole; the error is
// for a file that cannot be read at all.
func ImportCSV(base *Document, file File) (*Import, error) {
	t, err := openTable(file)
	if err != nil {
		return nil, err
	}
	document, err := cloneDocument(base)
	if err != nil {
		return nil, err
	}
	in := &importer{table: t, document: document, result: &Import{Document: document}, at: map[string]int{}, seen: map[string]int{}}
	for i := range document.Entries {
		in.at[document.Entries[i].ID] = i
	}
	if err := in.bindHeader(); err != nil {
		return nil, err
	}
	for {
		cells, row, rejected, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			document.Normalize()
			return in.result, nil
		case err != nil:
			return nil, err
		case rejected != nil:
			in.result.Rejected = append(in.result.Rejected, *rejected)
		default:
			in.row(cells, row)
		}
	}
}

// cloneDocument copies by way of JSON, so that nothing is shared.
func cloneDocument(base *Document) (*Document, error) {
	if base == nil {
		d := &Document{}
		d.Normalize()
		return d, nil
	}
	data, _, err := base.Canonical()
	if err != nil {
		return nil, err
	}
	return FromJSON(data)
}

type importer struct {
	table    *table
	document *Document
	result   *Import
	columns  []column       // of the table, in its order
	at       map[string]int // id -> index in document.Entries
	seen     map[string]int // id -> row
}

// bindHeader finds the column of each header cell.
func (in *importer) bindHeader() error {
	known := map[string]column{}
	for _, c := range columns() {
		known[foldHeader(c.name)] = c
	}
	hasID := false
	for _, name := range in.table.header {
		c, found := known[foldHeader(name)]
		if !found {
			c = extraColumn(name)
		}
		hasID = hasID || c.name == "id"
		in.columns = append(in.columns, c)
	}
	if !hasID {
		return fmt.Errorf("reading %s: there is no column id; the columns are %s", in.table.file, strings.Join(Columns(), ", "))
	}
	return nil
}

// extraColumn keeps what has no field.
func extraColumn(header string) column {
	name := extraName(header)
	return column{
		name: "extra." + name, key: child("extra", name), coerce: asIs,
		get: func(e *Entry) []string { return one(e.Extra[name]) },
		set: func(e *Entry, values []string) {
			if len(values) == 1 && sameText(e.Extra[name], values[0]) {
				return
			}
			e.Extra = maps.Clone(e.Extra)
			if len(values) == 0 || name == "" {
				delete(e.Extra, name)
				return
			}
			if e.Extra == nil {
				e.Extra = map[string]string{}
			}
			e.Extra[name] = values[0]
		},
	}
}

func (in *importer) row(cells []string, row int) {
	reader := &cellReader{file: in.table.file, row: row}
	values := make([][]string, len(cells))
	var id string
	for i, cell := range cells {
		c := in.columns[i]
		values[i] = reader.value(in.table.header[i], cell, c.list, c.coerce)
		if c.name == "id" {
			id = strings.Join(values[i], "")
		}
	}
	in.result.Coercions = append(in.result.Coercions, reader.coercions...)
	var entry Entry
	at, exists := in.at[id]
	if exists {
		entry = in.document.Entries[at]
	}
	for i := range values {
		in.columns[i].set(&entry, values[i])
	}
	rejections := in.rejections(&entry, cells, values, row)
	if first, twice := in.seen[id]; twice {
		rejections = append(rejections, Rejection{File: in.table.file, Row: row, Column: "id", Value: clip(id), Reason: fmt.Sprintf("is the id of row %d as well", first)})
	}
	if len(rejections) > 0 {
		in.result.Rejected = append(in.result.Rejected, rejections...)
		return
	}
	in.seen[id] = row
	in.result.Accepted++
	if exists {
		in.document.Entries[at] = entry
		return
	}
	in.at[id] = len(in.document.Entries)
	in.document.Entries = append(in.document.Entries, entry)
}

// rejections says why a row cannot be used, nil where it can.
func (in *importer) rejections(entry *Entry, cells []string, values [][]string, row int) []Rejection {
	var list []Rejection
	reject := func(column, value, reason string) {
		list = append(list, Rejection{File: in.table.file, Row: row, Column: column, Value: value, Reason: reason})
	}
	for i, c := range in.columns[:len(cells)] {
		if in.table.header[i] == "" && len(values[i]) > 0 {
			reject("", clip(values[i][0]), fmt.Sprintf("stands in column %d, which has no name", i+1))
		}
		if c.name == "training_on_data" && len(values[i]) > 0 && entry.Contract.TrainingOnData == nil {
			reject(in.table.header[i], clip(values[i][0]), "is neither true nor false")
		}
	}
	for _, issue := range CheckEntry(entry, in.document.Defaults).Errors() {
		reject(in.columnOf(issue.Key), issue.Value, issue.Message)
	}
	if len(in.document.Entries) >= MaxEntries {
		reject("id", clip(entry.ID), fmt.Sprintf("is beyond the limit of %d entries", MaxEntries))
	}
	return list
}

// columnOf names the column that an issue's key belongs to, as the file writes
// it; the key itself where the file has none.
func (in *importer) columnOf(key string) string {
	plain := key
	if end := strings.LastIndexByte(plain, '['); end > 0 && strings.HasSuffix(plain, "]") && !strings.HasSuffix(plain, `"]`) {
		plain = plain[:end]
	}
	if _, item, found := strings.Cut(plain, "]."); found && strings.HasPrefix(plain, "match[") {
		plain = item
	}
	if i := slices.IndexFunc(in.columns, func(c column) bool { return c.key == plain }); i >= 0 {
		return in.table.header[i]
	}
	return key
}
