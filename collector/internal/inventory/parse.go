package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
	"go.yaml.in/yaml/v3"
)

// File is one input file; Name is used in messages alone.
type File struct {
	Name string
	Data []byte
}

// MaxFiles bounds how many files make one inventory.
const MaxFiles = 10_000

// Notice is a warning with the place it belongs to.
type Notice struct {
	Code    Code
	EntryID string
	strictyaml.Problem
}

// Parse reads one inventory from its files and brings it into normal form. Only
// one file may give each default, or all the same. The error is of type
// strictyaml.Errors, with file, line, column and key of every problem; the
// document is nil then. Warnings come with a good document only.
func Parse(files []File) (*Document, []Notice, error) {
	if len(files) == 0 || len(files) > MaxFiles {
		return nil, nil, fmt.Errorf("reading an inventory: %d files given: name 1 to %d", len(files), MaxFiles)
	}
	p := parser{homes: map[string]place{}}
	merged := &Document{Schema: Schema}
	for _, file := range files {
		if err := p.add(merged, file); err != nil {
			return nil, nil, err
		}
	}
	if len(merged.Entries) > MaxEntries {
		p.problems = append(p.problems, strictyaml.Problem{
			File: files[0].Name, Key: "entries",
			Message: fmt.Sprintf("%d entries in all files are more than the limit of %d", len(merged.Entries), MaxEntries),
		})
	}
	p.problems.Sort()
	if err := p.problems.Err(); err != nil {
		return nil, nil, err
	}
	p.warn(merged)
	merged.Normalize()
	return merged, p.notices, nil
}

// parser merges files.
type parser struct {
	problems strictyaml.Errors
	notices  []Notice
	files    int              // read so far
	homes    map[string]place // entry id -> its first use
	places   []place          // of merged.Entries

	everySet, unknownSet string // file that gave a default
}

// place remembers where an entry stands.
type place struct {
	positions *strictyaml.Positions
	file      int // number of the file
	index     int // in its file
}

// key returns the path of a key of the entry, in its file.
func (p *place) key(name string) string { return fmt.Sprintf("entries[%d].%s", p.index, name) }

func (p *parser) add(merged *Document, file File) error {
	p.files++
	var d Document
	positions, err := strictyaml.Decode(file.Name, file.Data, &d)
	var problems strictyaml.Errors
	switch {
	case errors.As(err, &problems):
		p.problems = append(p.problems, problems...)
		return nil
	case err != nil:
		return err
	}
	for _, issue := range d.Check().Errors() {
		p.problems = append(p.problems, positions.Errorf(issue.Key, "%s", describe(issue)))
	}
	p.mergeDefaults(merged, &d, positions)
	for i := range d.Entries {
		id, here := d.Entries[i].ID, place{positions, p.files, i}
		if home, taken := p.homes[id]; taken {
			if home.file != p.files { // twice in one file: Check said so
				line, _ := home.positions.At(home.key("id"))
				p.problems = append(p.problems, positions.Errorf(here.key("id"), "the id %s is taken in %s:%d: every entry needs its own", clip(id), home.positions.File(), line))
			}
			continue
		}
		p.homes[id] = here
		p.places = append(p.places, here)
		merged.Entries = append(merged.Entries, d.Entries[i])
	}
	return nil
}

func describe(issue Issue) string {
	if issue.Value == "" {
		return issue.Message
	}
	return fmt.Sprintf("%q %s", issue.Value, issue.Message)
}

func (p *parser) mergeDefaults(merged, d *Document, positions *strictyaml.Positions) {
	const differs = "is %q, and %q in %s: give it in one file, or the same in all"
	if every := d.Defaults.ReviewEvery; every != "" {
		if p.everySet != "" && merged.Defaults.ReviewEvery != every {
			p.problems = append(p.problems, positions.Errorf("defaults.review_every", differs, every, merged.Defaults.ReviewEvery, p.everySet))
		}
		merged.Defaults.ReviewEvery, p.everySet = every, positions.File()
	}
	if unknown := d.Defaults.ScopeOnUnknown; unknown != "" {
		if p.unknownSet != "" && merged.Defaults.ScopeOnUnknown != unknown {
			p.problems = append(p.problems, positions.Errorf("defaults.scope_on_unknown", differs, unknown, merged.Defaults.ScopeOnUnknown, p.unknownSet))
		}
		merged.Defaults.ScopeOnUnknown, p.unknownSet = unknown, positions.File()
	}
}

// warn adds the warnings, which need the defaults and the entries of all files.
func (p *parser) warn(merged *Document) {
	for _, issue := range merged.Check().Warnings() {
		var i int
		rest := strings.TrimPrefix(issue.Key, "entries[")
		number, name, found := strings.Cut(rest, "].")
		if _, err := fmt.Sscan(number, &i); err != nil || !found || i >= len(p.places) {
			continue // every warning belongs to a key of an entry
		}
		at := p.places[i]
		p.notices = append(p.notices, Notice{issue.Code, issue.EntryID, at.positions.Errorf(at.key(name), "%s", describe(issue))})
	}
}

// YAML writes d in normal form, for files under version control.
func (d *Document) YAML() ([]byte, error) {
	copied := *d
	copied.Entries = append([]Entry(nil), d.Entries...)
	copied.Normalize()
	return encodeYAML(&copied)
}

func encodeYAML(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encoding as YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("encoding as YAML: %w", err)
	}
	return out.Bytes(), nil
}
