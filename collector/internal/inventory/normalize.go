package inventory

import (
	"cmp"
	"reflect"
	"slices"
)

// Normalize brings d into the one form that is stored and hashed: schema and
// defaults filled in, entries in id order, empty lists and maps absent. It
// changes d in place.
func (d *Document) Normalize() {
	d.Schema = Schema
	d.Defaults = d.Defaults.orDefault()
	dropEmpty(reflect.ValueOf(d).Elem())
	if d.Entries == nil {
		d.Entries = []Entry{}
	}
	slices.SortStableFunc(d.Entries, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
}

// Normalize brings d into the form that is stored and hashed.
func (d *Directory) Normalize() {
	d.Schema = DirectorySchema
	dropEmpty(reflect.ValueOf(d).Elem())
	slices.SortStableFunc(d.Users, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(d.Hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
}

// dropEmpty sets empty lists and maps below v to nil.
func dropEmpty(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			dropEmpty(v.Field(i))
		}
	case reflect.Map:
		if v.Len() == 0 {
			v.SetZero()
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		if v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		for i := range v.Len() {
			dropEmpty(v.Index(i))
		}
	}
}
