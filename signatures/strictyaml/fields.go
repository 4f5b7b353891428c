package strictyaml

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// fieldSet is what the yaml tags of a struct type say.
type fieldSet struct {
	byName map[string][]int // key to field index, through inlined structs
	rest   []int            // index of an inline map, nil where there is none
}

// fieldsOf returns the fields of t, built once a Decode call.
func (d *decoder) fieldsOf(t reflect.Type) *fieldSet {
	if set := d.fields[t]; set != nil {
		return set
	}
	set := &fieldSet{byName: map[string][]int{}}
	if err := set.add(t, nil); err != nil {
		d.fault = err
	}
	d.fields[t] = set
	return set
}

// names lists the keys, sorted, for messages.
func (set *fieldSet) names() []string { return slices.Sorted(maps.Keys(set.byName)) }

func (set *fieldSet) add(t reflect.Type, outer []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		index := append(slices.Clone(outer), i)
		if options != "" && slices.Contains(strings.Split(options, ","), "inline") {
			if err := set.inline(t, f, index); err != nil {
				return err
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		if _, taken := set.byName[name]; taken {
			return fmt.Errorf("type %s has two fields with the key %q", t, name)
		}
		set.byName[name] = index
	}
	return nil
}

func (set *fieldSet) inline(t reflect.Type, f reflect.StructField, index []int) error {
	inner := f.Type
	if inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	switch {
	case inner.Kind() == reflect.Struct:
		return set.add(inner, index)
	case f.Type.Kind() == reflect.Map && f.Type.Key().Kind() == reflect.String && set.rest == nil:
		set.rest = index
		return nil
	default:
		return fmt.Errorf("field %s of type %s cannot be inlined", f.Name, t)
	}
}

// fieldAt is reflect.Value.FieldByIndex that makes inlined nil pointers.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}

// unknownKey says what is wrong with key and which known key comes near.
func unknownKey(key string, known []string) string {
	best, distance := "", max(1, len(key)/3)+1
	for _, k := range known {
		if plain(k) == plain(key) {
			best = k
			break
		}
		if n := editDistance(key, k, distance); n < distance {
			best, distance = k, n
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("unknown key; did you mean %q?", best)
	case len(known) == 0:
		return "unknown key; none is known here"
	case len(known) <= 16:
		return "unknown key; known here: " + strings.Join(known, ", ")
	default:
		return "unknown key"
	}
}

// plain drops what people get wrong most: case, "-" and "_".
func plain(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b; it may stop early at limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
