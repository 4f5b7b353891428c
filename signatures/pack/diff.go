package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gnomon-ai/gnomon/signatures"
)

// The kinds of Change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is what became of one signature.
type Change struct {
	Signature string // id
	Kind      string // Added, Removed or Changed
	// What says it in words, one thing each: "hosts: + value api.acme.test,
	// match exact, role api"; for a signature that came or went, its name.
	What []string
}

// Diff says what is different between two catalogues, in id order. Places of
// files are no difference.
func Diff(before, after []signatures.Signature) ([]Change, error) {
	old, err := indexed(before)
	if err != nil {
		return nil, err
	}
	now, err := indexed(after)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id := range old {
		ids = append(ids, id)
	}
	for id := range now {
		if _, both := old[id]; !both {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var changes []Change
	for _, id := range ids {
		a, b := old[id], now[id]
		switch {
		case a == nil:
			changes = append(changes, Change{id, Added, []string{plain(b["Name"])}})
		case b == nil:
			changes = append(changes, Change{id, Removed, []string{plain(a["Name"])}})
		default:
			if what := differences(a, b); len(what) > 0 {
				changes = append(changes, Change{id, Changed, what})
			}
		}
	}
	return changes, nil
}

// indexed gives every signature by its id as a map of its fields: so fields that
// are new are compared without a line here.
func indexed(list []signatures.Signature) (map[string]map[string]any, error) {
	out := make(map[string]map[string]any, len(list))
	for _, sig := range list {
		id := sig.ID
		sig.File, sig.Line = "", 0
		data, err := json.Marshal(sig)
		if err != nil {
			return nil, fmt.Errorf("comparing signature %s: %w", id, err)
		}
		var fields map[string]any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&fields); err != nil {
			return nil, fmt.Errorf("comparing signature %s: %w", id, err)
		}
		out[id] = fields
	}
	return out, nil
}

func differences(a, b map[string]any) []string {
	var out []string
	for _, name := range sortedKeys(a, b) {
		x, y := a[name], b[name]
		before, after := plain(x), plain(y)
		if before == after {
			continue
		}
		word := words(name)
		xs, xIsList := x.([]any)
		ys, yIsList := y.([]any)
		tests, isMap := y.(map[string]any)
		oldTests, wasMap := x.(map[string]any)
		switch {
		case xIsList || yIsList:
			out = append(out, items(word, xs, ys)...)
		case isMap && wasMap:
			for _, line := range differences(oldTests, tests) {
				out = append(out, word+" "+line)
			}
		case before == "":
			out = append(out, word+": "+after+" (was not given)")
		case after == "":
			out = append(out, word+": not given (was "+before+")")
		default:
			out = append(out, word+": "+after+" (was "+before+")")
		}
	}
	return out
}

// items tells which items of a list went and came.
func items(word string, before, after []any) []string {
	texts := func(list []any) (out []string) {
		for _, v := range list {
			out = append(out, plain(v))
		}
		return out
	}
	old, now := texts(before), texts(after)
	var out []string
	for _, text := range old {
		if !slices.Contains(now, text) {
			out = append(out, word+": - "+text)
		}
	}
	for _, text := range now {
		if !slices.Contains(old, text) {
			out = append(out, word+": + "+text)
		}
	}
	if out == nil {
		out = append(out, word+": in another order")
	}
	return out
}

// plain writes a value without the fields that hold nothing.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = plain(item)
		}
		return strings.Join(parts, " ")
	case map[string]any:
		var parts []string
		for _, name := range sortedKeys(v, nil) {
			if text := plain(v[name]); text != "" && text != "false" && text != "0" {
				parts = append(parts, words(name)+" "+text)
			}
		}
		return strings.Join(parts, ", ")
	default:
		return fmt.Sprint(v)
	}
}

func sortedKeys(a, b map[string]any) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// words writes the name of a Go field as the catalogue does: AnyHost, any_host.
func words(name string) string {
	var out strings.Builder
	previous := 'A'
	for _, r := range name {
		if unicode.IsUpper(r) && !unicode.IsUpper(previous) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
		previous = r
	}
	return out.String()
}
