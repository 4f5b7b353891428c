package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder holds the state of one Decode call.
type decoder struct {
	file     string
	problems Errors
	unlisted int   // problems beyond MaxProblems
	fault    error // of the caller, not of the document
	maxNodes int   // MaxNodes, less in tests
	nodes    int   // visited so far
	aliased  int   // of them, by way of an alias
	stopped  bool  // a limit was hit: say so once and stop
	fields   map[reflect.Type]*fieldSet
	open     map[*yaml.Node]bool // alias targets being decoded
}

// problem notes what is wrong at n.
func (d *decoder) problem(n *yaml.Node, key, format string, args ...any) {
	if len(d.problems) >= MaxProblems {
		d.unlisted++
		return
	}
	d.problems = append(d.problems, Problem{
		File: d.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Key: key, Message: fmt.Sprintf(format, args...),
	})
}

// stop notes a limit that was hit and ends decoding.
func (d *decoder) stop(n *yaml.Node, key, format string, args ...any) {
	if !d.stopped {
		d.stopped = true
		d.problem(n, key, format, args...)
	}
}

// value decodes n, found at key, into target.
func (d *decoder) value(n *yaml.Node, target reflect.Value, key string, depth int) {
	d.nodes++
	if len(d.open) > 0 {
		d.aliased++
	}
	switch {
	case d.stopped || d.fault != nil:
		return
	case d.nodes > d.maxNodes:
		d.stop(n, key, "more than %d values in the document, aliases counted as often as they are used", d.maxNodes)
		return
	case d.aliased > MaxAliased:
		d.stop(n, key, "more than %d values by way of aliases; write them out or split the document", MaxAliased)
		return
	case depth > MaxDepth:
		d.stop(n, key, "nested more than %d levels deep", MaxDepth)
		return
	}
	if n.Kind == yaml.AliasNode {
		d.alias(n, target, key, depth)
		return
	}
	if isNull(n) {
		d.null(n, target, key)
		return
	}
	if target.Kind() == reflect.Pointer {
		if target.IsNil() {
			target.Set(reflect.New(target.Type().Elem()))
		}
		d.nodes-- // the same node again
		d.value(n, target.Elem(), key, depth)
		return
	}
	if d.text(n, target, key) {
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		if d.isKind(n, yaml.MappingNode, key) {
			d.structure(n, target, key, depth)
		}
	case reflect.Map:
		if d.isKind(n, yaml.MappingNode, key) {
			d.mapping(n, target, key, depth)
		}
	case reflect.Slice, reflect.Array:
		if d.isKind(n, yaml.SequenceNode, key) {
			d.list(n, target, key, depth)
		}
	case reflect.Interface:
		d.free(n, target, key, depth)
	default:
		d.scalar(n, target, key)
	}
}

// alias decodes the node that n stands for.
func (d *decoder) alias(n *yaml.Node, target reflect.Value, key string, depth int) {
	if d.open[n.Alias] {
		d.problem(n, key, "the alias *%s contains itself", n.Value)
		return
	}
	d.open[n.Alias] = true
	d.value(n.Alias, target, key, depth)
	delete(d.open, n.Alias)
}

// null handles a key without a value: fine where the target can be empty.
func (d *decoder) null(n *yaml.Node, target reflect.Value, key string) {
	if target.Kind() == reflect.Struct && !isText(target) {
		return // keeps defaults that were set beforehand
	}
	switch target.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		target.SetZero()
	default:
		d.problem(n, key, "no value; want %s", describe(target))
	}
}

// isText says whether target is read from text by a method or by us.
func isText(target reflect.Value) bool {
	switch target.Interface().(type) {
	case time.Time, time.Duration:
		return true
	}
	if !target.CanAddr() {
		return false
	}
	_, ok := target.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// text decodes targets that are written as text but are no Go strings; done is
// false where target is none of them.
func (d *decoder) text(n *yaml.Node, target reflect.Value, key string) (done bool) {
	if !isText(target) {
		return false
	}
	if !d.isKind(n, yaml.ScalarNode, key) {
		return true
	}
	switch into := target.Addr().Interface().(type) {
	case *time.Duration:
		v, err := ParseDuration(n.Value)
		if err != nil {
			d.problem(n, key, "%v", err)
			return true
		}
		*into = v
	case *time.Time:
		v, err := parseTime(n.Value)
		if err != nil {
			d.problem(n, key, "%v", err)
			return true
		}
		*into = v
	case encoding.TextUnmarshaler:
		if err := into.UnmarshalText([]byte(n.Value)); err != nil {
			d.problem(n, key, "%q: %v", clip(n.Value), err)
		}
	}
	return true
}

// list decodes a sequence. A slice is replaced, never appended to, so that a
// list in the document takes the place of a default list.
func (d *decoder) list(n *yaml.Node, target reflect.Value, key string, depth int) {
	if target.Kind() == reflect.Array && len(n.Content) != target.Len() {
		d.problem(n, key, "%d items; want %d", len(n.Content), target.Len())
		return
	}
	if target.Kind() == reflect.Slice {
		target.Set(reflect.MakeSlice(target.Type(), len(n.Content), len(n.Content)))
	}
	for i, item := range n.Content {
		if isNull(item) && target.Type().Elem().Kind() != reflect.Interface {
			d.problem(item, key+"["+strconv.Itoa(i)+"]", "an empty item; want %s", describe(reflect.New(target.Type().Elem()).Elem()))
			continue
		}
		d.value(item, target.Index(i), key+"["+strconv.Itoa(i)+"]", depth+1)
	}
}

// mapping decodes into a Go map, which is replaced.
func (d *decoder) mapping(n *yaml.Node, target reflect.Value, key string, depth int) {
	t := target.Type()
	target.Set(reflect.MakeMapWithSize(t, len(n.Content)/2))
	for _, e := range d.entries(n, key) {
		path := join(key, e.key.Value)
		k, v := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		before := len(d.problems) + d.unlisted
		if k.Kind() == reflect.String && !isText(k) {
			k.SetString(e.key.Value)
		} else {
			d.value(e.key, k, path, depth+1)
		}
		keyIsGood := before == len(d.problems)+d.unlisted
		d.value(e.value, v, path, depth+1)
		if keyIsGood && d.fault == nil {
			target.SetMapIndex(k, v)
		}
	}
}

// structure decodes into a struct.
func (d *decoder) structure(n *yaml.Node, target reflect.Value, key string, depth int) {
	set := d.fieldsOf(target.Type())
	if d.fault != nil {
		return
	}
	for _, e := range d.entries(n, key) {
		path := join(key, e.key.Value)
		index, known := set.byName[e.key.Value]
		switch {
		case known:
			d.value(e.value, fieldAt(target, index), path, depth+1)
		case set.rest != nil:
			d.restOf(e, fieldAt(target, set.rest), path, depth)
		default:
			d.problem(e.key, path, "%s", unknownKey(e.key.Value, set.names()))
		}
	}
}

// restOf puts an entry that no field claims into the inline map.
func (d *decoder) restOf(e entry, rest reflect.Value, path string, depth int) {
	if rest.IsNil() {
		rest.Set(reflect.MakeMap(rest.Type()))
	}
	v := reflect.New(rest.Type().Elem()).Elem()
	d.value(e.value, v, path, depth+1)
	k := reflect.New(rest.Type().Key()).Elem()
	k.SetString(e.key.Value)
	rest.SetMapIndex(k, v)
}

// free decodes into an interface: what the document says it is.
func (d *decoder) free(n *yaml.Node, target reflect.Value, key string, depth int) {
	if target.NumMethod() > 0 {
		d.fault = fmt.Errorf("%s: cannot decode into interface type %s", key, target.Type())
		return
	}
	var v reflect.Value
	switch n.Kind {
	case yaml.MappingNode:
		v = reflect.ValueOf(new(map[string]any)).Elem()
	case yaml.SequenceNode:
		v = reflect.ValueOf(new([]any)).Elem()
	default:
		switch n.ShortTag() {
		case "!!bool":
			v = reflect.ValueOf(new(bool)).Elem()
		case "!!int":
			v = reflect.ValueOf(new(int64)).Elem()
		case "!!float":
			v = reflect.ValueOf(new(float64)).Elem()
		default:
			v = reflect.ValueOf(new(string)).Elem()
		}
	}
	d.nodes-- // the same node again
	d.value(n, v, key, depth)
	target.Set(v)
}
