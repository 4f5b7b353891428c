// Package output writes lists for people and programs: an aligned table, one
// JSON object a line, or CSV.
//
// It imports the standard library alone and knows no type of the domain:
// callers name their columns.
package output

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format is a value of the --output flag.
type Format string

// The formats.
const (
	Table Format = "table"
	JSONL Format = "jsonl"
	CSV   Format = "csv"
)

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Table, JSONL, CSV:
		return f, nil
	}
	return "", fmt.Errorf("unknown output %q: use table, jsonl or csv", name)
}

// Column is one column of a list. Value returns a string, []string, integer,
// bool, time.Time or a value that encoding/json can write.
type Column[T any] struct {
	Name  string
	Wide  bool // left out of tables, which a person has to read
	Max   int  // characters of a cell in a table, 0 for all; a cut cell ends in "…"
	Value func(T) any
}

// Write writes rows in the given format.
func Write[T any](w io.Writer, format Format, columns []Column[T], rows []T) error {
	var err error
	switch format {
	case JSONL:
		err = writeJSONL(w, columns, rows)
	case CSV:
		err = writeCSV(w, columns, rows)
	default:
		err = writeTable(w, columns, rows)
	}
	if err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	return nil
}

func writeJSONL[T any](w io.Writer, columns []Column[T], rows []T) error {
	var line strings.Builder
	for _, row := range rows {
		line.Reset()
		line.WriteByte('{')
		for i, column := range columns {
			if i > 0 {
				line.WriteByte(',')
			}
			value, err := json.Marshal(present(column.Value(row)))
			if err != nil {
				return fmt.Errorf("column %s: %w", column.Name, err)
			}
			fmt.Fprintf(&line, "%q:%s", column.Name, value)
		}
		line.WriteString("}\n")
		if _, err := io.WriteString(w, line.String()); err != nil {
			return err
		}
	}
	return nil
}

// present writes an empty list as [] and a time that is not known as null.
func present(value any) any {
	switch v := value.(type) {
	case []string:
		if v == nil {
			return []string{}
		}
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v.UTC()
	}
	return value
}

func writeCSV[T any](w io.Writer, columns []Column[T], rows []T) error {
	writer := csv.NewWriter(w)
	record := make([]string, len(columns))
	for i, column := range columns {
		record[i] = column.Name
	}
	if err := writer.Write(record); err != nil {
		return err
	}
	for _, row := range rows {
		for i, column := range columns {
			record[i] = guardFormula(text(column.Value(row), ";"))
		}
		if err := writer.Write(record); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

// guardFormula keeps spreadsheets from running a cell: names of hosts, users
// and models come from machines that may be hostile (OWASP, "CSV Injection").
func guardFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func writeTable[T any](w io.Writer, columns []Column[T], rows []T) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	write := func(cell func(Column[T]) string) error {
		var line []string
		for _, column := range columns {
			if !column.Wide {
				line = append(line, shorten(printable(cell(column)), column.Max))
			}
		}
		_, err := fmt.Fprintln(table, strings.TrimRight(strings.Join(line, "\t"), "\t "))
		return err
	}
	if err := write(func(c Column[T]) string { return strings.ToUpper(strings.ReplaceAll(c.Name, "_", " ")) }); err != nil {
		return err
	}
	for _, row := range rows {
		if err := write(func(c Column[T]) string {
			if cell := text(c.Value(row), ","); cell != "" {
				return cell
			}
			return "-"
		}); err != nil {
			return err
		}
	}
	return table.Flush()
}

// shorten cuts a cell of a table; the other formats hold it whole.
func shorten(cell string, most int) string {
	if most == 0 || utf8.RuneCountInString(cell) <= most {
		return cell
	}
	return string([]rune(cell)[:most-1]) + "…"
}

// printable keeps control characters off the terminal: names may carry escape
// sequences.
func printable(cell string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, cell)
}

func text(value any, separator string) string {
	switch v := value.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, separator)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(value)
}
