package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Diff is what an import would do: shown before anything is changed.
type Diff struct {
	Created   []string     `json:"created"`   // names of what is new, in order
	Changed   []Changed    `json:"changed"`   // field by field
	Removed   []string     `json:"removed"`   // there before, not in the import
	Unchanged []string     `json:"unchanged"` //
	Defaults  []Field      `json:"defaults"`  // defaults that change
	Rejected  []Rejection  `json:"rejected"`  // what cannot be imported, and why
	Coercions []Coercion   `json:"coercions"` // what was read as something else than it says
	Warnings  []IssueShort `json:"warnings"`  // accepted, to be looked at
}

// IsEmpty reports whether applying the import would change nothing.
func (d *Diff) IsEmpty() bool {
	return len(d.Created) == 0 && len(d.Changed) == 0 && len(d.Removed) == 0 && len(d.Defaults) == 0
}

// Changed is one entry, user or host and the fields that differ.
type Changed struct {
	Name   string  `json:"name"`
	Fields []Field `json:"fields"`
}

// Field is one value before and after, as JSON; nil where it is absent. A list
// is one value.
type Field struct {
	Path   string          `json:"path"` // e.g. valid.until
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Rejection is one value that cannot be imported. In a CSV file row counts from
// 1 with the header and column is its name; in a YAML file they are line and key.
type Rejection struct {
	File   string `json:"file"`
	Row    int    `json:"row"`
	Column string `json:"column"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Coercion is one value that was read as something else than it says.
type Coercion struct {
	File   string `json:"file"`
	Row    int    `json:"row"`
	Column string `json:"column"`
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason"`
}

// IssueShort is a warning in a diff.
type IssueShort struct {
	Code    Code   `json:"code"`
	EntryID string `json:"entry_id"`
	Message string `json:"message"`
}

// Compare returns the difference between two inventories in normal form. before
// may be nil.
func Compare(before, after *Document) (*Diff, error) {
	if before == nil {
		before = &Document{}
	}
	diff := &Diff{}
	var err error
	if before.Schema != "" {
		if diff.Defaults, err = compareFields(before.Defaults, after.Defaults); err != nil {
			return nil, err
		}
	}
	for _, issue := range after.Check().Warnings() {
		diff.Warnings = append(diff.Warnings, IssueShort{issue.Code, issue.EntryID, issue.String()})
	}
	return diff, compareAll(diff, byName(before.Entries, entryName), byName(after.Entries, entryName))
}

// CompareDirectories returns the difference between two directories. Names in
// the diff are "user ana" and "host pc-1". before may be nil.
func CompareDirectories(before, after *Directory) (*Diff, error) {
	if before == nil {
		before = &Directory{}
	}
	diff := &Diff{}
	userName := func(u *User) string { return "user " + u.Name }
	hostName := func(h *Host) string { return "host " + h.Name }
	if err := compareAll(diff, byName(before.Users, userName), byName(after.Users, userName)); err != nil {
		return nil, err
	}
	return diff, compareAll(diff, byName(before.Hosts, hostName), byName(after.Hosts, hostName))
}

func entryName(e *Entry) string { return e.ID }

func byName[T any](list []T, name func(*T) string) map[string]*T {
	m := make(map[string]*T, len(list))
	for i := range list {
		m[name(&list[i])] = &list[i]
	}
	return m
}

func compareAll[T any](diff *Diff, before, after map[string]*T) error {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		old, found := before[name]
		if !found {
			diff.Created = append(diff.Created, name)
			continue
		}
		fields, err := compareFields(old, after[name])
		if err != nil {
			return fmt.Errorf("comparing %s: %w", name, err)
		}
		if len(fields) == 0 {
			diff.Unchanged = append(diff.Unchanged, name)
		} else {
			diff.Changed = append(diff.Changed, Changed{Name: name, Fields: fields})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, found := after[name]; !found {
			diff.Removed = append(diff.Removed, name)
		}
	}
	return nil
}

// compareFields compares two values of one type by their JSON form.
func compareFields(before, after any) ([]Field, error) {
	old, err := flatten(before)
	if err != nil {
		return nil, err
	}
	current, err := flatten(after)
	if err != nil {
		return nil, err
	}
	paths := slices.Collect(maps.Keys(old))
	for path := range current {
		if _, both := old[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var fields []Field
	for _, path := range paths {
		if !bytes.Equal(old[path], current[path]) {
			fields = append(fields, Field{Path: path, Before: old[path], After: current[path]})
		}
	}
	return fields, nil
}

// flatten returns the leaves of a value's JSON form by path; lists are leaves.
func flatten(value any) (map[string]json.RawMessage, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	leaves := map[string]json.RawMessage{}
	return leaves, flattenInto(leaves, "", data)
}

func flattenInto(leaves map[string]json.RawMessage, path string, data json.RawMessage) error {
	if len(data) == 0 || data[0] != '{' {
		leaves[path] = data
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	for name, below := range object {
		if err := flattenInto(leaves, child(path, name), below); err != nil {
			return err
		}
	}
	return nil
}

// PatchOperation is one operation of a JSON patch (RFC 6902).
type PatchOperation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// Patch returns the JSON patch (RFC 6902) from one inventory to another, with
// entries addressed by id: /entries/openai-api/status. Every change of a present
// value is a test operation with the value before and an operation with the
// value after, so the patch tells both. before may be nil.
func Patch(before, after *Document) ([]PatchOperation, error) {
	if before == nil {
		before = &Document{}
	}
	return patch(map[string]any{"defaults": before.Defaults, "entries": byName(before.Entries, entryName)},
		map[string]any{"defaults": after.Defaults, "entries": byName(after.Entries, entryName)})
}

// PatchDirectories does for directories what Patch does for inventories, under
// /users/<name> and /hosts/<name>.
func PatchDirectories(before, after *Directory) ([]PatchOperation, error) {
	if before == nil {
		before = &Directory{}
	}
	form := func(d *Directory) map[string]any {
		return map[string]any{
			"users": byName(d.Users, func(u *User) string { return u.Name }),
			"hosts": byName(d.Hosts, func(h *Host) string { return h.Name }),
		}
	}
	return patch(form(before), form(after))
}

func patch(before, after any) ([]PatchOperation, error) {
	var trees [2]any
	for i, value := range []any{before, after} {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &trees[i]); err != nil {
			return nil, err
		}
	}
	var operations []PatchOperation
	return operations, patchTree(&operations, "", trees[0], trees[1])
}

func patchTree(operations *[]PatchOperation, path string, before, after any) error {
	old, isObject := before.(map[string]any)
	current, bothObjects := after.(map[string]any)
	if !isObject || !bothObjects {
		return patchValue(operations, path, before, after)
	}
	names := slices.Collect(maps.Keys(old))
	for name := range current {
		if _, both := old[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	escape := strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901
	for _, name := range names {
		below := path + "/" + escape.Replace(name)
		oldValue, had := old[name]
		value, has := current[name]
		var err error
		switch {
		case !had:
			err = appendOperation(operations, "add", below, value)
		case !has:
			if err = appendOperation(operations, "test", below, oldValue); err == nil {
				*operations = append(*operations, PatchOperation{Op: "remove", Path: below})
			}
		default:
			err = patchTree(operations, below, oldValue, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func patchValue(operations *[]PatchOperation, path string, before, after any) error {
	old, err := json.Marshal(before)
	if err != nil {
		return err
	}
	current, err := json.Marshal(after)
	if err != nil || bytes.Equal(old, current) {
		return err
	}
	*operations = append(*operations, PatchOperation{"test", path, old}, PatchOperation{"replace", path, current})
	return nil
}

func appendOperation(operations *[]PatchOperation, op, path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	*operations = append(*operations, PatchOperation{op, path, data})
	return nil
}
