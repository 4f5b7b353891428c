package store

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// column is one column of a row type T: how a block of it is filled and where
// one value of it is read to. The pointer is the same for both, so that what
// is written and what is read cannot drift apart.
type column[T any] struct {
	name string
	// block makes the column's values of all rows, for Column(i).Append.
	block func(rows []*T) any
	// dest is where a value of one row is scanned to.
	dest func(row *T) any
}

// plain is a column whose Go value is a field.
func plain[T, V any](name string, field func(*T) *V) column[T] {
	return column[T]{
		name: name,
		block: func(rows []*T) any {
			values := make([]V, len(rows))
			for i, r := range rows {
				values[i] = *field(r)
			}
			return values
		},
		dest: func(r *T) any { return field(r) },
	}
}

// derived is a column that is computed from a row and read through its own
// destination.
func derived[T, V any](name string, value func(*T) V, dest func(*T) any) column[T] {
	return column[T]{
		name: name,
		block: func(rows []*T) any {
			values := make([]V, len(rows))
			for i, r := range rows {
				values[i] = value(r)
			}
			return values
		},
		dest: dest,
	}
}

// hexID is a column of 16 bytes whose Go value is 32 hexadecimal digits.
func hexID[T any](name string, field func(*T) *string) column[T] {
	return derived(name,
		func(r *T) string { return string(decodeID(*field(r))) },
		func(r *T) any { return &idDest{field(r)} })
}

// decodeID is the 16 bytes of an id that validID holds for.
func decodeID(id string) []byte {
	b, err := hex.DecodeString(id)
	if err != nil {
		return make([]byte, 16) // unreachable: rows are checked before
	}
	return b
}

// validID says whether id is 32 lower-case hexadecimal digits.
func validID(id string) bool {
	if len(id) != 32 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// idDest reads 16 bytes as 32 hexadecimal digits.
type idDest struct{ to *string }

// Scan implements sql.Scanner.
func (d *idDest) Scan(v any) error {
	switch v := v.(type) {
	case string:
		*d.to = hex.EncodeToString([]byte(v))
	case []byte:
		*d.to = hex.EncodeToString(v)
	default:
		return fmt.Errorf("an id of type %T", v)
	}
	return nil
}

// times is a time column in UTC; a zero time is kept as the epoch and read
// back as zero.
func times[T any](name string, field func(*T) *time.Time) column[T] {
	return derived(name,
		func(r *T) time.Time {
			if field(r).IsZero() {
				return time.Unix(0, 0).UTC()
			}
			return field(r).UTC()
		},
		func(r *T) any { return &timeDest{field(r)} })
}

// timeDest reads a time in UTC, the epoch as the zero time.
type timeDest struct{ to *time.Time }

// Scan implements sql.Scanner.
func (d *timeDest) Scan(v any) error {
	t, ok := v.(time.Time)
	if !ok {
		return fmt.Errorf("a time of type %T", v)
	}
	if t.Unix() == 0 && t.Nanosecond() == 0 {
		*d.to = time.Time{}
		return nil
	}
	*d.to = t.UTC()
	return nil
}

// The range of DateTime, kept a little inside.
const (
	oldestTime = 0          // 1970
	newestTime = 4102444800 // 2100-01-01
)

func validTime(t time.Time) bool {
	return t.IsZero() || t.Unix() >= oldestTime && t.Unix() < newestTime
}

// names lists the columns for a statement.
func names[T any](columns []column[T]) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	return strings.Join(list, ", ")
}

// dests are the destinations of one row.
func dests[T any](columns []column[T], row *T) []any {
	list := make([]any, len(columns))
	for i, c := range columns {
		list[i] = c.dest(row)
	}
	return list
}
