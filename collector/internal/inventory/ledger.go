package inventory

import "fmt"

// Ledger remembers every id that an inventory ever used, so that none is used
// again for something else. Its zero value is empty.
//
// The rule: while an entry is there and not retired, its kind and provider may
// be corrected. Once it is retired or removed they are fixed: the id may come
// back only for the same kind and provider.
type Ledger struct {
	Records map[string]LedgerRecord
}

// LedgerRecord is the last known use of an id.
type LedgerRecord struct {
	Kind     Kind
	Provider string
	Revision int64 // that made or changed this record
	Fixed    bool  // was retired or removed once: kind and provider cannot change any more
}

// Check returns an error issue for each entry of d whose id was used for
// something else.
func (l *Ledger) Check(d *Document) Issues {
	c := &checker{}
	for i := range d.Entries {
		e := &d.Entries[i]
		record, used := l.Records[e.ID]
		if !used || !record.Fixed || record.Kind == e.Kind && record.Provider == e.Provider {
			continue
		}
		c.entry = e.ID
		c.add(SeverityError, CodeReusedID, fmt.Sprintf("entries[%d].id", i), e.ID,
			"was a %s of %q that was retired or removed (revision %d): an id is never used again for something else; choose a new one",
			record.Kind, record.Provider, record.Revision)
	}
	return c.issues
}

// Add enters revision d and returns the ids whose record changed, in no order.
// d must have passed Check.
func (l *Ledger) Add(revision int64, d *Document) []string {
	if l.Records == nil {
		l.Records = make(map[string]LedgerRecord, len(d.Entries))
	}
	var changed []string
	present := make(map[string]bool, len(d.Entries))
	for i := range d.Entries {
		e := &d.Entries[i]
		present[e.ID] = true
		old, known := l.Records[e.ID]
		record := LedgerRecord{Kind: e.Kind, Provider: e.Provider, Revision: old.Revision, Fixed: old.Fixed || e.Status == StatusRetired}
		if !known || old != record {
			record.Revision = revision
			l.Records[e.ID] = record
			changed = append(changed, e.ID)
		}
	}
	for id, record := range l.Records {
		if !present[id] && !record.Fixed {
			record.Revision, record.Fixed = revision, true
			l.Records[id] = record
			changed = append(changed, id)
		}
	}
	return changed
}
