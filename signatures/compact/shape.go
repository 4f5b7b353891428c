package compact

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Keep says whether a field is written. A nil Keep keeps all.
type Keep func(record, field string) bool

// shape is what the form has to know of a Go type.
type shape struct {
	kind   reflect.Kind // String, Bool, Int64, Uint64, Slice, Pointer or Struct
	typ    reflect.Type
	elem   *shape  // of Slice and Pointer
	record *record // of Struct
}

// record is a struct type. Its fields are in the order of their names.
type record struct {
	name   string
	fields []field
	listed bool // it occurs in the value that is written, or is named in what is read
}

type field struct {
	name  string
	index int // in the Go struct
	shape *shape
	used  bool // some value of it is not zero
}

// String writes a shape as in the form: "[]HostRule", "*bool", "uint".
func (s *shape) String() string {
	switch s.kind {
	case reflect.Slice:
		return "[]" + s.elem.String()
	case reflect.Pointer:
		return "*" + s.elem.String()
	case reflect.Struct:
		return s.record.name
	case reflect.Int64:
		return "int"
	case reflect.Uint64:
		return "uint"
	default:
		return s.kind.String()
	}
}

// shaper builds shapes; each struct type is built once.
type shaper struct {
	keep    Keep
	records map[reflect.Type]*record
	byName  map[string]*record
}

func newShaper(keep Keep) *shaper {
	return &shaper{keep: keep, records: map[reflect.Type]*record{}, byName: map[string]*record{}}
}

func (b *shaper) shape(t reflect.Type) (*shape, error) {
	s := &shape{typ: t}
	var err error
	switch t.Kind() {
	case reflect.String, reflect.Bool:
		s.kind = t.Kind()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind = reflect.Int64
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind = reflect.Uint64
	case reflect.Slice, reflect.Pointer:
		s.kind = t.Kind()
		s.elem, err = b.shape(t.Elem())
		if err == nil && s.elem.kind == reflect.Pointer {
			err = fmt.Errorf("%v: pointers stand in fields only", t)
		}
	case reflect.Struct:
		s.kind = t.Kind()
		s.record, err = b.structure(t)
	default:
		err = fmt.Errorf("%v has no compact form", t)
	}
	return s, err
}

func (b *shaper) structure(t reflect.Type) (*record, error) {
	if r, known := b.records[t]; known {
		if r == nil {
			return nil, fmt.Errorf("%v holds itself, which has no compact form", t)
		}
		return r, nil
	}
	if t.Name() == "" || b.byName[t.Name()] != nil {
		return nil, fmt.Errorf("%v: structs have names, each another", t)
	}
	b.records[t] = nil
	r := &record{name: t.Name()}
	for i := range t.NumField() {
		f := t.Field(i)
		if b.keep != nil && !b.keep(r.name, f.Name) {
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("%v.%s is not exported", t, f.Name)
		}
		s, err := b.shape(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", r.name, f.Name, err)
		}
		r.fields = append(r.fields, field{name: f.Name, index: i, shape: s})
	}
	slices.SortFunc(r.fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	b.records[t], b.byName[r.name] = r, r
	return r, nil
}

// sorted lists the records in the order of their names.
func (b *shaper) sorted() []*record {
	list := make([]*record, 0, len(b.byName))
	for _, r := range b.byName {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *record) int { return cmp.Compare(a.name, b.name) })
	return list
}

// ShapeDigest identifies the fields of sample's type and of all below it, those
// that hold nothing included: it changes with the Go structs.
func ShapeDigest(sample any, keep Keep) (string, error) {
	b := newShaper(keep)
	root, err := b.shape(reflect.TypeOf(sample))
	if err != nil {
		return "", fmt.Errorf("describing %T: %w", sample, err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s\n", version, root)
	for _, r := range b.sorted() {
		for _, f := range r.fields {
			fmt.Fprintf(&text, "%s.%s %s\n", r.name, f.name, f.shape)
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:]), nil
}
