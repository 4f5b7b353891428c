// Package compact writes and reads lists of plain Go structs as few bytes that
// are quick to read: the form of compiled catalogues and of packs.
//
// The form begins with the names of the structs and of the fields that hold
// anything, so it does not depend on the order in which Go declares them, and a
// program whose structs have more fields reads it as well. A field that the
// program does not know is an error ([ErrUnknown]) and never skipped: it may be
// what narrows a rule. Each string is kept once; what is read shares one block
// of memory. The same value gives the same bytes.
//
// Layout, numbers as unsigned varints (encoding/binary), text as its length and
// its bytes:
//
//	version    1 byte, 1
//	shape      text: the shape of the value, e.g. "[]Signature"
//	records    number, then for each: name as text, number of fields, and for
//	           each field, in the order of names, its name and its shape as text
//	strings    number, then the length of each, then their bytes together
//	value      a string is its number in strings; a signed number is zigzag; a
//	           bool one byte; a list its length and its items; a pointer what it
//	           points to; a record a bit for each field of its record, lowest
//	           first, and then the fields whose bit is set
//
// Fields of value zero and empty lists are left out: a list that is empty comes
// back as nil, and a pointer to zero in a field stays a pointer. Strings,
// bools, integers, lists, pointers in fields and structs of them can be written;
// maps, floats and interfaces cannot, nor structs that hold themselves.
//
// The bytes may be anybody's: every length is held against what is left and
// against [Limits] before it is used. Whether they are genuine is not known
// here. The package imports the standard library; it does no I/O and keeps no
// state.
package compact

import "errors"

// version is the first byte of the form.
const version = 1

// ErrDamaged says that the bytes are not of this form: cut off or changed.
var ErrDamaged = errors.New("the compact form is damaged")

// ErrUnknown says that the bytes hold fields, or a form, that this program does
// not know: a newer one wrote them.
var ErrUnknown = errors.New("the compact form needs a newer program")

// Limits bound what is read.
type Limits struct {
	Bytes  int // of the form
	Memory int // bytes that lists and pointers may take once read
}

// DefaultLimits suit a catalogue of some ten thousand signatures.
func DefaultLimits() Limits { return Limits{Bytes: 16 << 20, Memory: 128 << 20} }
