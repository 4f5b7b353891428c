package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong in a document.
type Problem struct {
	File    string // as given to Decode
	Line    int    // from 1; 0 where a problem belongs to the file as a whole
	Column  int    // from 1, in characters; 0 with Line 0
	Key     string // full path, e.g. signatures[2].hosts[0].match; "" for the document itself
	Message string // what is wrong and what to do about it
}

// Error returns "file:line:column: key: message", without the parts that are
// not known.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Key != "" {
		b.WriteString(": ")
		b.WriteString(p.Key)
	}
	b.WriteString(": ")
	b.WriteString(p.Message)
	return b.String()
}

// Errors are all problems found, one a line when printed. As an error value it
// is never empty; see Err.
type Errors []Problem

// Error joins the problems, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns e as an error, nil where e is empty.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Sort orders e by file, line, column, key and message. Callers that add
// problems of their own sort once at the end.
func (e Errors) Sort() {
	slices.SortStableFunc(e, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Message, b.Message),
		)
	})
}
