package compact

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// Marshal writes value, a struct or a list of structs, without the fields that
// keep turns down.
func Marshal(value any, keep Keep) ([]byte, error) {
	b := newShaper(keep)
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return nil, fmt.Errorf("writing the compact form: nothing given")
	}
	root, err := b.shape(v.Type())
	if err != nil {
		return nil, fmt.Errorf("writing the compact form: %w", err)
	}
	w := writer{numbers: map[string]int{}}
	w.mark(v, root)
	w.head(root, b.sorted())
	w.value(v, root)
	return w.out, nil
}

// writer goes over the value twice: what holds anything is known before the
// first value is written.
type writer struct {
	out     []byte
	numbers map[string]int // of each string
	strings []string
}

func (w *writer) mark(v reflect.Value, s *shape) {
	switch s.kind {
	case reflect.String:
		text := v.String()
		if _, known := w.numbers[text]; !known {
			w.numbers[text] = len(w.strings)
			w.strings = append(w.strings, text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.mark(v.Index(i), s.elem)
		}
	case reflect.Pointer:
		w.mark(v.Elem(), s.elem)
	case reflect.Struct:
		s.record.listed = true
		for i := range s.record.fields {
			f := &s.record.fields[i]
			if fv := v.Field(f.index); !empty(fv, f.shape) {
				f.used = true
				w.mark(fv, f.shape)
			}
		}
	}
}

// empty says whether a field is left out.
func empty(v reflect.Value, s *shape) bool {
	switch s.kind {
	case reflect.String:
		return v.Len() == 0
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Struct:
		for i := range s.record.fields {
			if f := &s.record.fields[i]; !empty(v.Field(f.index), f.shape) {
				return false
			}
		}
		return true
	default:
		return v.IsZero()
	}
}

func (w *writer) number(n int)     { w.out = binary.AppendUvarint(w.out, uint64(n)) }
func (w *writer) text(text string) { w.number(len(text)); w.out = append(w.out, text...) }

func (w *writer) head(root *shape, records []*record) {
	w.out = append(w.out, version)
	w.text(root.String())
	var listed []*record
	for _, r := range records {
		if r.listed {
			listed = append(listed, r)
		}
	}
	w.number(len(listed))
	for _, r := range listed {
		used := r.fields[:0:0]
		for _, f := range r.fields {
			if f.used {
				used = append(used, f)
			}
		}
		r.fields = used
		w.text(r.name)
		w.number(len(used))
		for _, f := range used {
			w.text(f.name)
			w.text(f.shape.String())
		}
	}
	w.number(len(w.strings))
	for _, text := range w.strings {
		w.number(len(text))
	}
	for _, text := range w.strings {
		w.out = append(w.out, text...)
	}
}

func (w *writer) value(v reflect.Value, s *shape) {
	switch s.kind {
	case reflect.String:
		w.number(w.numbers[v.String()])
	case reflect.Bool:
		b := byte(0)
		if v.Bool() {
			b = 1
		}
		w.out = append(w.out, b)
	case reflect.Int64:
		w.out = binary.AppendVarint(w.out, v.Int())
	case reflect.Uint64:
		w.out = binary.AppendUvarint(w.out, v.Uint())
	case reflect.Slice:
		w.number(v.Len())
		for i := range v.Len() {
			w.value(v.Index(i), s.elem)
		}
	case reflect.Pointer:
		w.value(v.Elem(), s.elem)
	case reflect.Struct:
		fields := s.record.fields
		at := len(w.out)
		w.out = append(w.out, make([]byte, maskBytes(len(fields)))...)
		for i := range fields {
			if fv := v.Field(fields[i].index); !empty(fv, fields[i].shape) {
				w.out[at+i/8] |= 1 << (i % 8)
				w.value(fv, fields[i].shape)
			}
		}
	}
}

// maskBytes is how many bytes hold a bit for each of n fields; at least one, so
// that every record takes room in the form.
func maskBytes(n int) int { return max((n+7)/8, 1) }
