package inventory

import "fmt"

// Severity says whether an issue stands in the way.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // the document is refused
	SeverityWarning Severity = "warning" // accepted; somebody should look at it
)

// Code names what an issue is about. The values are stable.
type Code string

// The codes of warnings; errors all have CodeInvalid or one of the first three.
const (
	CodeInvalid         Code = "invalid"          // a value that cannot be used
	CodeDuplicateID     Code = "duplicate_id"     // two entries with one id
	CodeReusedID        Code = "reused_id"        // an id of a retired or removed entry for something else
	CodeTooMany         Code = "too_many"         // beyond a limit
	CodeUnmatchable     Code = "unmatchable"      // no usable rule: the entry never matches
	CodeUnusableItem    Code = "unusable_item"    // one match item never matches
	CodeScopeIgnored    Code = "scope_ignored"    // a ban holds for everyone: its scope does nothing
	CodeValidityIgnored Code = "validity_ignored" // a ban holds always: its validity does nothing
	CodeNeverInScope    Code = "never_in_scope"   // purposes with scope_on_unknown deny can never be met
	CodeNoApproval      Code = "no_approval"      // approved or restricted, and nobody is named who approved
	CodeNoReviewStart   Code = "no_review_start"  // no date from which a review could become due
	CodeNoAlternative   Code = "no_alternative"   // the alternative names no entry, or one that is not approved
)

// Issue is one thing that Check found.
type Issue struct {
	Severity Severity
	Code     Code
	EntryID  string // "" for the document itself
	Key      string // path of the key in the document, e.g. entries[3].valid.until
	Value    string // what stands there, "" where it is no single value
	Message  string // what is wrong and what to do about it
}

// String returns "key: message".
func (i Issue) String() string {
	if i.Key == "" {
		return i.Message
	}
	return i.Key + ": " + i.Message
}

// Issues are the findings of Check, in the order of the document.
type Issues []Issue

// Errors returns those that stand in the way.
func (list Issues) Errors() Issues { return list.of(SeverityError) }

// Warnings returns those that do not.
func (list Issues) Warnings() Issues { return list.of(SeverityWarning) }

func (list Issues) of(severity Severity) Issues {
	var selected Issues
	for _, issue := range list {
		if issue.Severity == severity {
			selected = append(selected, issue)
		}
	}
	return selected
}

// Err returns the errors of list as one *InvalidError, nil where there are none.
func (list Issues) Err() error {
	if failed := list.Errors(); len(failed) > 0 {
		return &InvalidError{Issues: failed}
	}
	return nil
}

// InvalidError says that a document cannot be accepted as it is.
type InvalidError struct {
	Issues Issues // never empty
}

// Error names the first issue and how many more there are.
func (e *InvalidError) Error() string {
	if more := len(e.Issues) - 1; more > 0 {
		return fmt.Sprintf("%s (and %d more)", e.Issues[0], more)
	}
	return e.Issues[0].String()
}
