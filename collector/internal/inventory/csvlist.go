package inventory

import "strings"

// A CSV cell holds several values separated by ";". A ";" inside a value is
// written "\;", and a "\" before ";", before "\" or at the end is written "\\".

// splitList returns the values of a cell without space around them; empty ones
// are left out.
func splitList(cell string) []string {
	var values []string
	var value strings.Builder
	flush := func() {
		if text := strings.TrimSpace(value.String()); text != "" {
			values = append(values, text)
		}
		value.Reset()
	}
	for i := 0; i < len(cell); i++ {
		switch c := cell[i]; {
		case c == '\\' && i+1 < len(cell) && (cell[i+1] == ';' || cell[i+1] == '\\'):
			i++
			value.WriteByte(cell[i])
		case c == ';':
			flush()
		default:
			value.WriteByte(c)
		}
	}
	flush()
	return values
}

// joinList is the inverse of splitList for values without space at their ends.
func joinList[T ~string](values []T) string {
	var cell strings.Builder
	for i, value := range values {
		if i > 0 {
			cell.WriteByte(';')
		}
		for j := range len(value) {
			c := value[j]
			last := j == len(value)-1
			if c == ';' || c == '\\' && (last || value[j+1] == ';' || value[j+1] == '\\') {
				cell.WriteByte('\\')
			}
			cell.WriteByte(c)
		}
	}
	return cell.String()
}

// formulaStarts are the first characters that make a spreadsheet read a cell as
// a formula (OWASP, CSV injection).
const formulaStarts = "=+-@\t\r\n"

// guardCell puts a "'" before what a spreadsheet would take for a formula, and
// before what already looks guarded, so that unguardCell is its exact inverse.
func guardCell(cell string) string {
	rest := strings.TrimLeft(cell, "'")
	if rest != "" && strings.IndexByte(formulaStarts, rest[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// unguardCell takes away what guardCell put there.
func unguardCell(cell string) string {
	rest := strings.TrimLeft(cell, "'")
	if len(rest) < len(cell) && rest != "" && strings.IndexByte(formulaStarts, rest[0]) >= 0 {
		return cell[1:]
	}
	return cell
}
