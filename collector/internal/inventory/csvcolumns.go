package inventory

import (
	"slices"
	"strings"
)

// column is one column of the inventory CSV: how its cell is read into an entry
// and written from one. A list column reads and writes values, the others text.
type column struct {
	name   string
	key    string // key of the entry, as issues name it
	coerce coercer
	list   bool
	get    func(*Entry) []string
	set    func(*Entry, []string)
}

// Columns names the columns of the inventory CSV in their order.
func Columns() []string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

func columns() []column {
	cols := []column{
		text("id", "id", asSlug, func(e *Entry) *string { return &e.ID }),
		text("name", "name", asIs, func(e *Entry) *string { return &e.Name }),
		text("kind", "kind", asWord(kindSynonyms()), func(e *Entry) *Kind { return &e.Kind }),
		text("provider", "provider", asSlug, func(e *Entry) *string { return &e.Provider }),
		text("vendor", "vendor", asIs, func(e *Entry) *string { return &e.Vendor }),
		text("status", "status", asWord(statusSynonyms()), func(e *Entry) *Status { return &e.Status }),
		text("owner_business", "owner.business", asEmail, func(e *Entry) *string { return &e.Owner.Business }),
		text("owner_technical", "owner.technical", asEmail, func(e *Entry) *string { return &e.Owner.Technical }),
		text("risk_tier", "risk.tier", asWord(nil), func(e *Entry) *Tier { return &e.Risk.Tier }),
	}
	cols = append(cols, matchColumns()...)
	return append(cols,
		listed("groups", "scope.groups", asIs, func(e *Entry) *[]string { return &e.Scope.Groups }),
		listed("users", "scope.users", asIs, func(e *Entry) *[]string { return &e.Scope.Users }),
		listed("hosts", "scope.hosts", asIs, func(e *Entry) *[]string { return &e.Scope.Hosts }),
		listed("networks", "scope.networks", asNetwork, func(e *Entry) *[]string { return &e.Scope.Networks }),
		listed("purposes", "scope.purposes", asIs, func(e *Entry) *[]string { return &e.Scope.Purposes }),
		listed("data_classes", "scope.data_classes", asLower, func(e *Entry) *[]string { return &e.Scope.DataClasses }),
		text("approved_by", "approval.by", asEmail, func(e *Entry) *string { return &e.Approval.By }),
		text("approved_at", "approval.at", asDate, func(e *Entry) *Date { return &e.Approval.At }),
		text("approval_ref", "approval.ref", asIs, func(e *Entry) *string { return &e.Approval.Ref }),
		text("valid_from", "valid.from", asDate, func(e *Entry) *Date { return &e.Valid.From }),
		text("valid_until", "valid.until", asDate, func(e *Entry) *Date { return &e.Valid.Until }),
		text("review_every", "review.every", asDuration, func(e *Entry) *Duration { return &e.Review.Every }),
		text("review_last", "review.last", asDate, func(e *Entry) *Date { return &e.Review.Last }),
		text("contract_ref", "contract.vendor_ref", asIs, func(e *Entry) *string { return &e.Contract.VendorRef }),
		text("dpa", "contract.dpa", asWord(paperSynonyms()), func(e *Entry) *PaperState { return &e.Contract.DPA }),
		text("dpa_until", "contract.dpa_until", asDate, func(e *Entry) *Date { return &e.Contract.DPAUntil }),
		trainingColumn(),
		text("residency", "contract.residency", asIs, func(e *Entry) *string { return &e.Contract.Residency }),
		text("alternative", "alternative", asSlug, func(e *Entry) *string { return &e.Alternative }),
		listed("tags", "tags", asIs, func(e *Entry) *[]string { return &e.Tags }),
		text("notes", "notes", asIs, func(e *Entry) *string { return &e.Notes }),
	)
}

func text[T ~string](name, key string, coerce coercer, field func(*Entry) *T) column {
	return column{
		name: name, key: key, coerce: coerce,
		get: func(e *Entry) []string { return one(string(*field(e))) },
		set: func(e *Entry, values []string) {
			if value := strings.Join(values, ""); !sameText(string(*field(e)), value) {
				*field(e) = T(value)
			}
		},
	}
}

// sameText reports whether a cell says what a field holds already: cells lose the
// space at their ends and CSV the carriage returns inside.
func sameText(field, cell string) bool {
	return strings.TrimSpace(strings.ReplaceAll(field, "\r\n", "\n")) == cell
}

func listed(name, key string, coerce coercer, field func(*Entry) *[]string) column {
	return column{
		name: name, key: key, coerce: coerce, list: true,
		get: func(e *Entry) []string { return *field(e) },
		set: func(e *Entry, values []string) { *field(e) = values },
	}
}

// trainingColumn holds a boolean; what is neither true nor false leaves nil, and
// the reader rejects it.
func trainingColumn() column {
	return column{
		name: "training_on_data", key: "contract.training_on_data", coerce: asBool,
		get: func(e *Entry) []string {
			switch {
			case e.Contract.TrainingOnData == nil:
				return nil
			case *e.Contract.TrainingOnData:
				return []string{"true"}
			}
			return []string{"false"}
		},
		set: func(e *Entry, values []string) {
			e.Contract.TrainingOnData = nil
			if len(values) == 1 && (values[0] == "true" || values[0] == "false") {
				allowed := values[0] == "true"
				e.Contract.TrainingOnData = &allowed
			}
		},
	}
}

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// matchColumns are the five columns for match items of one key. Items with more
// keys do not fit a cell: import leaves them as they are, export leaves them out.
func matchColumns() []column {
	cols := []column{
		{name: "signatures", key: "signature", coerce: asLower},
		{name: "domains", key: "domain", coerce: asDomain},
		{name: "model_sha256", key: "model.sha256", coerce: asSHA256},
		{name: "model_names", key: "model.name", coerce: asIs},
		{name: "publishers", key: "publisher", coerce: asIs},
	}
	for i := range cols {
		cols[i].list = true
		key := cols[i].key
		cols[i].get = func(e *Entry) []string { return simpleValues(e, key) }
		cols[i].set = func(e *Entry, values []string) { setSimpleValues(e, key, values) }
	}
	return cols
}

// simpleKey returns the key of an item that fits one of the match columns, ""
// for any other.
func simpleKey(m *Match) (key string, values []string) {
	single := []struct {
		key    string
		values []string
		item   Match
	}{
		{"signature", m.Signature, Match{Signature: m.Signature}},
		{"domain", m.Domain, Match{Domain: m.Domain}},
		{"model.sha256", m.Model.SHA256, Match{Model: ModelRule{SHA256: m.Model.SHA256}}},
		{"model.name", one(m.Model.Name), Match{Model: ModelRule{Name: m.Model.Name}}},
		{"publisher", m.Publisher, Match{Publisher: m.Publisher}},
	}
	for _, s := range single {
		if len(s.values) > 0 && equalJSON(m, &s.item) {
			return s.key, s.values
		}
	}
	return "", nil
}

func equalJSON(a, b any) bool {
	fields, err := compareFields(a, b)
	return err == nil && len(fields) == 0
}

func simpleValues(e *Entry, key string) []string {
	var values []string
	for i := range e.Match {
		if itemKey, itemValues := simpleKey(&e.Match[i]); itemKey == key {
			values = append(values, itemValues...)
		}
	}
	return values
}

// setSimpleValues replaces the items of one match column. An entry that already
// has these values stays as it is.
func setSimpleValues(e *Entry, key string, values []string) {
	if slices.Equal(simpleValues(e, key), values) {
		return
	}
	var match []Match
	for i := range e.Match {
		if itemKey, _ := simpleKey(&e.Match[i]); itemKey != key {
			match = append(match, e.Match[i])
		}
	}
	if len(values) > 0 {
		switch key {
		case "signature":
			match = append(match, Match{Signature: values})
		case "domain":
			match = append(match, Match{Domain: values})
		case "model.sha256":
			match = append(match, Match{Model: ModelRule{SHA256: values}})
		case "publisher":
			match = append(match, Match{Publisher: values})
		case "model.name":
			for _, name := range values {
				match = append(match, Match{Model: ModelRule{Name: name}})
			}
		}
	}
	e.Match = match
}
