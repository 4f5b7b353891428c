package declare

import (
	"fmt"
	"path/filepath"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// The kinds of notice.
const (
	noticeRejected = "rejected"
	noticeWarning  = "warning"
	noticeCoerced  = "coerced"
)

func isCSV(name string) bool { return strings.EqualFold(filepath.Ext(name), ".csv") }

// sortFiles tells CSV files, which are rows over what is there, from YAML files,
// which are documents.
func sortFiles(files []*gnomonv1.SourceFile) (tables, documents []inventory.File, err error) {
	if len(files) == 0 {
		return nil, nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("no file was given"))
	}
	for _, f := range files {
		file := inventory.File{Name: f.GetName(), Data: f.GetContent()}
		if isCSV(file.Name) {
			tables = append(tables, file)
		} else {
			documents = append(documents, file)
		}
	}
	return tables, documents, nil
}

// readInventory reads what an import would make of before, which may be nil.
// Entries that the import does not hold stay where keep is set.
func readInventory(before *inventory.Document, files []*gnomonv1.SourceFile, keep bool) (*inventory.Document, []*gnomonv1.Notice, error) {
	tables, documents, err := sortFiles(files)
	if err != nil {
		return nil, nil, err
	}
	var after *inventory.Document
	if keep {
		after = before
	}
	var notices []*gnomonv1.Notice
	if len(documents) > 0 {
		document, _, err := inventory.Parse(documents)
		if err != nil {
			return nil, nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		after = overlay(after, document, documents)
	}
	for _, table := range tables {
		result, err := inventory.ImportCSV(after, table)
		if err != nil {
			return nil, nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		after = result.Document
		notices = append(notices, newRejections(result.Rejected)...)
		notices = append(notices, newCoercions(result.Coercions)...)
	}
	return after, notices, nil
}

// overlay returns document with the entries of base that it does not hold, and
// with the defaults of base that its files do not give.
func overlay(base, document *inventory.Document, files []inventory.File) *inventory.Document {
	if base == nil {
		return document
	}
	named := map[string]bool{}
	for i := range document.Entries {
		named[document.Entries[i].ID] = true
	}
	merged := *document
	every, unknown := givenDefaults(files)
	if !every {
		merged.Defaults.ReviewEvery = base.Defaults.ReviewEvery
	}
	if !unknown {
		merged.Defaults.ScopeOnUnknown = base.Defaults.ScopeOnUnknown
	}
	for i := range base.Entries {
		if !named[base.Entries[i].ID] {
			merged.Entries = append(merged.Entries, base.Entries[i])
		}
	}
	merged.Normalize()
	return &merged
}

// givenDefaults reports which defaults any of the files gives. The files were
// read before, so they are sound.
func givenDefaults(files []inventory.File) (every, unknown bool) {
	for _, file := range files {
		var d inventory.Document
		positions, err := strictyaml.Decode(file.Name, file.Data, &d)
		if err != nil {
			continue
		}
		every = every || positions.Has("defaults.review_every")
		unknown = unknown || positions.Has("defaults.scope_on_unknown")
	}
	return every, unknown
}

// readDirectory reads a directory: YAML files are a whole snapshot, a CSV file
// replaces the users or the hosts of before.
func readDirectory(before *inventory.Directory, files []*gnomonv1.SourceFile) (*inventory.Directory, []*gnomonv1.Notice, error) {
	tables, documents, err := sortFiles(files)
	if err != nil {
		return nil, nil, err
	}
	after := before
	if len(documents) > 0 {
		if after, err = inventory.ParseDirectory(documents); err != nil {
			return nil, nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
	}
	var rejected, coerced []*gnomonv1.Notice
	for _, table := range tables {
		result, err := inventory.ImportDirectoryCSV(after, table)
		if err != nil {
			return nil, nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		after = result.Directory
		rejected = append(rejected, newRejections(result.Rejected)...)
		coerced = append(coerced, newCoercions(result.Coercions)...)
	}
	return after, append(rejected, coerced...), nil
}

func newRejections(list []inventory.Rejection) []*gnomonv1.Notice {
	var notices []*gnomonv1.Notice
	for _, r := range list {
		notices = append(notices, &gnomonv1.Notice{
			Kind: noticeRejected, File: r.File, Line: uint32(r.Row), Key: r.Column, Value: r.Value, Message: r.Reason,
		})
	}
	return notices
}

func newCoercions(list []inventory.Coercion) []*gnomonv1.Notice {
	var notices []*gnomonv1.Notice
	for _, c := range list {
		notices = append(notices, &gnomonv1.Notice{
			Kind: noticeCoerced, File: c.File, Line: uint32(c.Row), Key: c.Column, Value: c.From,
			Message: fmt.Sprintf("read as %q: %s", c.To, c.Reason),
		})
	}
	return notices
}

func newWarnings(d *inventory.Diff) []*gnomonv1.Notice {
	var notices []*gnomonv1.Notice
	for _, w := range d.Warnings {
		notices = append(notices, &gnomonv1.Notice{Kind: noticeWarning, Key: w.EntryID, Value: string(w.Code), Message: w.Message})
	}
	return notices
}

func newChanges(d *inventory.Diff) []*gnomonv1.Change {
	var changes []*gnomonv1.Change
	if len(d.Defaults) > 0 {
		changes = append(changes, &gnomonv1.Change{Kind: "changed", Id: "defaults", Fields: newFields(d.Defaults)})
	}
	for _, id := range d.Created {
		changes = append(changes, &gnomonv1.Change{Kind: "created", Id: id})
	}
	for _, c := range d.Changed {
		changes = append(changes, &gnomonv1.Change{Kind: "changed", Id: c.Name, Fields: newFields(c.Fields)})
	}
	for _, id := range d.Removed {
		changes = append(changes, &gnomonv1.Change{Kind: "removed", Id: id})
	}
	return changes
}

func newFields(list []inventory.Field) []*gnomonv1.FieldChange {
	fields := make([]*gnomonv1.FieldChange, len(list))
	for i, f := range list {
		fields[i] = &gnomonv1.FieldChange{Path: f.Path, Before: string(f.Before), After: string(f.After)}
	}
	return fields
}

// newRevision converts a revision; entries are counted where document is given.
func newRevision(r *state.Revision, document *inventory.Document) *gnomonv1.Revision {
	revision := &gnomonv1.Revision{Number: uint64(r.Number), Author: r.Author, Source: string(r.Source), Sha256: r.SHA256}
	if !r.AppliedAt.IsZero() {
		revision.At = timestamppb.New(r.AppliedAt)
	}
	if document != nil {
		revision.Entries = uint32(len(document.Entries))
	}
	return revision
}
