package compact

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// Unmarshal reads data into what into points to. A list that has as many items
// as the form says keeps them, and what the form holds is laid over them: so
// forms of different fields of the same list are put together. Errors are
// [ErrDamaged] or [ErrUnknown], wrapped; what into holds then is of no use.
func Unmarshal(data []byte, into any, limits Limits) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("reading the compact form: want a pointer to read into, got %T", into)
	}
	if len(data) > limits.Bytes {
		return fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrDamaged, len(data), limits.Bytes)
	}
	b := newShaper(nil)
	root, err := b.shape(target.Type().Elem())
	if err != nil {
		return fmt.Errorf("reading the compact form: %w", err)
	}
	r := reader{data: data, memory: limits.Memory}
	if err := r.head(root, b); err != nil {
		return err
	}
	if err := r.value(target.Elem(), root, true); err != nil {
		return err
	}
	if r.at != len(data) {
		return r.damaged("%d bytes are left over", len(data)-r.at)
	}
	return nil
}

type reader struct {
	data   []byte
	at     int
	memory int      // what lists and pointers may still take
	starts []uint32 // of each string in text; one more is the end
	text   string
}

func (r *reader) damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s at byte %d", ErrDamaged, fmt.Sprintf(format, args...), r.at)
}

func (r *reader) left() int { return len(r.data) - r.at }

func (r *reader) uint() (uint64, error) {
	// Nearly all numbers have one byte.
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1]), nil
	}
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 {
		return 0, r.damaged("a number is cut off")
	}
	r.at += size
	return n, nil
}

// count reads the number of things of which each takes at least one byte.
func (r *reader) count(what string) (int, error) {
	n, err := r.uint()
	if err != nil {
		return 0, err
	}
	if n > uint64(r.left()) {
		return 0, r.damaged("%d %s do not fit in %d bytes", n, what, r.left())
	}
	return int(n), nil
}

func (r *reader) word() (string, error) {
	n, err := r.count("characters")
	if err != nil {
		return "", err
	}
	r.at += n
	return string(r.data[r.at-n : r.at]), nil
}

// charge takes size bytes from what may be allocated.
func (r *reader) charge(n int, each uintptr) error {
	if each > 0 && n > r.memory/int(each) {
		return r.damaged("it takes more memory than is allowed")
	}
	r.memory -= n * int(each)
	return nil
}

func (r *reader) head(root *shape, b *shaper) error {
	if r.left() == 0 {
		return r.damaged("it is empty")
	}
	r.at++
	if v := r.data[0]; v != version {
		return fmt.Errorf("%w: its form has version %d, this one reads %d", ErrUnknown, v, version)
	}
	name, err := r.word()
	if err != nil {
		return err
	}
	if name != root.String() {
		return fmt.Errorf("%w: it holds %q, not %s", ErrUnknown, name, root)
	}
	records, err := r.count("records")
	if err != nil {
		return err
	}
	for range records {
		if err := r.record(b); err != nil {
			return err
		}
	}
	return r.strings()
}

// record reads the fields of one record; those of ours that it does not have
// stay zero.
func (r *reader) record(b *shaper) error {
	name, err := r.word()
	if err != nil {
		return err
	}
	ours := b.byName[name]
	switch {
	case ours == nil:
		return fmt.Errorf("%w: it holds %q", ErrUnknown, name)
	case ours.listed:
		return r.damaged("%q is described twice", name)
	}
	ours.listed = true
	known := ours.fields
	n, err := r.count("fields")
	if err != nil {
		return err
	}
	if n > len(known) {
		return fmt.Errorf("%w: %s has %d fields, of which %d are known", ErrUnknown, name, n, len(known))
	}
	ours.fields = make([]field, 0, n)
	next := 0
	for range n {
		word, err := r.word()
		if err != nil {
			return err
		}
		form, err := r.word()
		if err != nil {
			return err
		}
		for next < len(known) && known[next].name < word {
			next++
		}
		if next == len(known) || known[next].name != word || known[next].shape.String() != form {
			return fmt.Errorf("%w: the field %s.%s (%s) is not known", ErrUnknown, name, word, form)
		}
		ours.fields = append(ours.fields, known[next])
		next++
	}
	return nil
}

func (r *reader) strings() error {
	n, err := r.count("strings")
	if err != nil {
		return err
	}
	if err := r.charge(n+1, 4); err != nil {
		return err
	}
	r.starts = make([]uint32, n+1)
	total := uint64(0)
	for i := range n {
		size, err := r.uint()
		if err != nil {
			return err
		}
		if size > uint64(len(r.data)) || total+size > uint64(len(r.data)) {
			return r.damaged("the strings are longer than the form")
		}
		total += size
		r.starts[i+1] = uint32(total)
	}
	if total > uint64(r.left()) {
		return r.damaged("the strings are cut off")
	}
	if err := r.charge(int(total), 1); err != nil {
		return err
	}
	r.text = string(r.data[r.at : r.at+int(total)])
	r.at += int(total)
	return nil
}

// value reads one value into v. top says that a list may be laid over what is
// there.
func (r *reader) value(v reflect.Value, s *shape, top bool) error {
	switch s.kind {
	case reflect.Slice:
		return r.list(v, s, top)
	case reflect.Pointer:
		if err := r.charge(1, s.elem.typ.Size()); err != nil {
			return err
		}
		p := reflect.New(s.elem.typ)
		if err := r.value(p.Elem(), s.elem, false); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return r.structure(v, s.record)
	case reflect.Bool:
		n, err := r.uint()
		if err != nil {
			return err
		}
		if n > 1 {
			return r.damaged("%d is no bool", n)
		}
		v.SetBool(n == 1)
		return nil
	}
	n, err := r.uint()
	if err != nil {
		return err
	}
	switch s.kind {
	case reflect.String:
		if n >= uint64(len(r.starts)-1) {
			return r.damaged("there is no string %d", n)
		}
		v.SetString(r.text[r.starts[n]:r.starts[n+1]])
	case reflect.Uint64:
		if v.OverflowUint(n) {
			return r.damaged("%d does not fit", n)
		}
		v.SetUint(n)
	default: // Int64, zigzag
		i := int64(n>>1) ^ -int64(n&1)
		if v.OverflowInt(i) {
			return r.damaged("%d does not fit", i)
		}
		v.SetInt(i)
	}
	return nil
}

func (r *reader) list(v reflect.Value, s *shape, top bool) error {
	n, err := r.count("items")
	if err != nil {
		return err
	}
	if !top || v.Len() != n {
		if top && v.Len() != 0 {
			return r.damaged("it has %d items, the list that it belongs to %d", n, v.Len())
		}
		if err := r.charge(n, s.elem.typ.Size()); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(s.typ, n, n))
	}
	for i := range n {
		if err := r.value(v.Index(i), s.elem, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) structure(v reflect.Value, rec *record) error {
	if !rec.listed {
		return r.damaged("%s is not described", rec.name)
	}
	mask := r.at
	if r.left() < maskBytes(len(rec.fields)) {
		return r.damaged("a record is cut off")
	}
	r.at += maskBytes(len(rec.fields))
	if rest := len(rec.fields) % 8; (rest != 0 || len(rec.fields) == 0) && r.data[r.at-1]>>rest != 0 {
		return r.damaged("a record of %s has fields that are not described", rec.name)
	}
	for i := range rec.fields {
		if r.data[mask+i/8]&(1<<(i%8)) == 0 {
			continue
		}
		f := &rec.fields[i]
		if err := r.value(v.Field(f.index), f.shape, false); err != nil {
			return err
		}
	}
	return nil
}
