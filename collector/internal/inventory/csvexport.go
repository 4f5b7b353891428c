package inventory

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
)

// CSV writes d as CSV: the columns of Columns, then one extra.<name> for each
// name that any entry has under extra. Cells that a spreadsheet would take for
// formulas are guarded with a "'". Match items of more than one key and fields
// without a column are left out; reading the file back over d loses none of
// them.
func (d *Document) CSV() ([]byte, error) {
	cols := columns()
	extra := map[string]bool{}
	for i := range d.Entries {
		for name := range d.Entries[i].Extra {
			extra[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		cols = append(cols, column{name: "extra." + name, get: func(e *Entry) []string { return one(e.Extra[name]) }})
	}
	rows := make([][]string, 0, len(d.Entries)+1)
	header := make([]string, len(cols))
	for i, c := range cols {
		header[i] = guardCell(c.name)
	}
	rows = append(rows, header)
	for i := range d.Entries {
		row := make([]string, len(cols))
		for j, c := range cols {
			row[j] = guardCell(c.cell(&d.Entries[i]))
		}
		rows = append(rows, row)
	}
	return writeCSV(rows)
}

func (c *column) cell(e *Entry) string {
	values := c.get(e)
	switch {
	case c.list:
		return joinList(values)
	case len(values) == 0:
		return ""
	}
	return values[0]
}

func writeCSV(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	writer := csv.NewWriter(&out)
	if err := writer.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("encoding as CSV: %w", err)
	}
	return out.Bytes(), nil
}
