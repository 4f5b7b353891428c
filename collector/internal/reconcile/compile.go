package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
)

// Rules is a compiled inventory: immutable, safe for concurrent use.
type Rules struct {
	settings  Settings
	onUnknown inventory.OnUnknown
	entries   []entry // in id order
	items     []item
	index     index
}

// entry is a compiled entry.
type entry struct {
	id       string
	status   inventory.Status
	scope    scope
	validity validity
	exclude  []item // not_match
}

// Compile builds the rules of an inventory. The error names the entry that
// cannot be compiled; a document that passed inventory.Check has none. Items
// without a usable key are left out, and never match.
func Compile(document *inventory.Document, settings Settings) (*Rules, error) {
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("compiling the inventory: %w", err)
	}
	defaults := document.Defaults
	if defaults.ReviewEvery == "" {
		defaults.ReviewEvery = inventory.Default().ReviewEvery
	}
	if defaults.ScopeOnUnknown == "" {
		defaults.ScopeOnUnknown = inventory.Default().ScopeOnUnknown
	}
	sorted := make([]*inventory.Entry, len(document.Entries))
	for i := range document.Entries {
		sorted[i] = &document.Entries[i]
	}
	slices.SortStableFunc(sorted, func(a, b *inventory.Entry) int { return cmp.Compare(a.ID, b.ID) })

	r := &Rules{settings: settings, onUnknown: defaults.ScopeOnUnknown, entries: make([]entry, 0, len(sorted))}
	r.settings.HeadlineOrder = slices.Clone(settings.HeadlineOrder)
	for i, e := range sorted {
		if i > 0 && sorted[i-1].ID == e.ID {
			return nil, fmt.Errorf("compiling the inventory: two entries have the id %s", e.ID)
		}
		if err := r.add(e, defaults); err != nil {
			return nil, fmt.Errorf("compiling entry %s: %w", e.ID, err)
		}
	}
	return r, nil
}

func (r *Rules) add(e *inventory.Entry, defaults inventory.Defaults) error {
	if !slices.Contains(inventory.Statuses(), e.Status) {
		return fmt.Errorf("status %q is none of %v", e.Status, inventory.Statuses())
	}
	compiled, err := newScope(&e.Scope)
	if err != nil {
		return err
	}
	number := int32(len(r.entries))
	target := entry{id: e.ID, status: e.Status, scope: compiled, validity: newValidity(e, defaults, r.settings.ReviewGrace)}
	for i := range e.NotMatch {
		it, usable, err := newItem(number, &e.NotMatch[i])
		if err != nil {
			return fmt.Errorf("not_match[%d]: %w", i, err)
		}
		if usable {
			target.exclude = append(target.exclude, it)
		}
	}
	for i := range e.Match {
		it, usable, err := newItem(number, &e.Match[i])
		if err != nil {
			return fmt.Errorf("match[%d]: %w", i, err)
		}
		if usable {
			r.index.add(int32(len(r.items)), it.anchor())
			r.items = append(r.items, it)
		}
	}
	r.entries = append(r.entries, target)
	return nil
}

// Len returns the number of entries.
func (r *Rules) Len() int { return len(r.entries) }

// excluded reports whether a not_match item of e holds for s.
func (e *entry) excluded(s *subject) bool {
	for i := range e.exclude {
		if e.exclude[i].level(s) > 0 {
			return true
		}
	}
	return false
}
